import { useEffect, useRef, useState } from "react";
import { call, request, Trouble } from "../shared/api";
import { pause } from "./follow";
import { frames } from "./sse";

/** Something happened in a conversation: fetch it again, or somebody types there (`name`, where it is known). */
export type News = { kind: "changed" | "typing" | "answering"; conversation: string; name: string };

const WAITS = [500, 1000, 2000, 4000, 8000, 15_000];
const POLL = { live: 30_000, cut: 5_000 };
const KINDS: ReadonlySet<string> = new Set(["changed", "typing", "answering"]);
const CHANGED: News = { kind: "changed", conversation: "", name: "" };

/**
 * News of the desk at `path`, while the page is visible; returns whether the line stands. News may be lost, so `onNews`
 * is told "changed" by the clock too: often while the line is cut, seldom while it stands, and when the page is back.
 */
export function useNews(path: string | null, onNews: (news: News) => void): boolean {
  const [isLive, setLive] = useState(false);
  const isVisible = useVisible();
  const latest = useRef(onNews);
  latest.current = onNews;

  useEffect(() => {
    if (path === null || !isVisible) return undefined;
    const abort = new AbortController();
    void follow(path, (news) => latest.current(news), setLive, abort.signal);
    return () => {
      abort.abort();
      setLive(false);
    };
  }, [path, isVisible]);

  useEffect(() => {
    if (path === null || !isVisible) return undefined;
    const timer = setInterval(() => latest.current(CHANGED), isLive ? POLL.live : POLL.cut);
    return () => clearInterval(timer);
  }, [path, isVisible, isLive]);

  const wasVisible = useRef(isVisible);
  useEffect(() => {
    if (isVisible && !wasVisible.current) latest.current(CHANGED);
    wasVisible.current = isVisible;
  }, [isVisible]);

  return isLive;
}

/** Listen until `signal` ends it; what no try can mend is left to the polling. */
async function follow(path: string, tell: (news: News) => void, onLive: (isLive: boolean) => void, signal: AbortSignal): Promise<void> {
  for (let tries = 0; !signal.aborted; tries += 1) {
    try {
      const answer = await request(path, { headers: { Accept: "text/event-stream" }, signal });
      onLive(true);
      if (tries) tell(CHANGED);
      for await (const { event, data } of frames(answer.body as ReadableStream<Uint8Array>)) {
        tries = 0;
        if (KINDS.has(event)) tell(newsOf(event as News["kind"], data));
      }
    } catch (reason) {
      if (signal.aborted) return;
      if (reason instanceof Trouble && !reason.isOffline && reason.status < 500) return;
    }
    if (signal.aborted) return;
    onLive(false);
    await pause(WAITS[Math.min(tries, WAITS.length - 1)] as number, signal);
  }
}

function newsOf(kind: News["kind"], data: string): News {
  const { conversation_id = "", name = "" } = JSON.parse(data) as { conversation_id?: string; name?: string };
  return { kind, conversation: conversation_id, name };
}

function useVisible(): boolean {
  const [isVisible, setVisible] = useState(!document.hidden);
  useEffect(() => {
    const read = (): void => setVisible(!document.hidden);
    document.addEventListener("visibilitychange", read);
    return () => document.removeEventListener("visibilitychange", read);
  }, []);
  return isVisible;
}

const TYPING_LASTS = 6000;

export type Typists = { of: (kind: "typing" | "answering", conversation: string) => string | undefined; hear: (news: News) => void };

/** Who types where. A sign of typing fades by itself, and ends when something has changed there. */
export function useTypists(): Typists {
  const [names, setNames] = useState<ReadonlyMap<string, string>>(new Map());
  const timers = useRef(new Map<string, number>());
  useEffect(() => () => timers.current.forEach((timer) => clearTimeout(timer)), []);
  const drop = (key: string): void =>
    setNames((old) => (old.has(key) ? new Map([...old].filter(([other]) => other !== key)) : old));
  const hear = ({ kind, conversation, name }: News): void => {
    if (kind === "changed") {
      drop(`typing ${conversation}`);
      drop(`answering ${conversation}`);
      return;
    }
    const key = `${kind} ${conversation}`;
    clearTimeout(timers.current.get(key));
    timers.current.set(key, window.setTimeout(() => drop(key), TYPING_LASTS));
    setNames((old) => new Map(old).set(key, name));
  };
  return { of: (kind, conversation) => names.get(`${kind} ${conversation}`), hear };
}

const TYPING_PAUSE = 3000;

/** Tells the desk at `path` that somebody types, at most once in three seconds; nobody minds a lost one. */
export function useTyping(path: string | null): () => void {
  const last = useRef(0);
  return () => {
    const now = Date.now();
    if (path === null || now - last.current < TYPING_PAUSE) return;
    last.current = now;
    void call(path, { method: "POST" }).catch(() => undefined);
  };
}
