import { useEffect, useRef, useState } from "react";
import { call } from "../shared/api";
import { CHANGED, listen, POLL, TYPING_LASTS, TYPING_PAUSE, type News } from "./news";

/**
 * News of the desk at `path`, while the page is visible; returns whether the line stands. News may be lost, so `onNews`
 * is told "changed" by the clock too: often while the line is cut, seldom while it stands, and when the page is back.
 */
export function useNews(path: string | null, onNews: (news: News) => void): boolean {
  const [isLive, setLive] = useState(false);
  const isHere = useHere();
  const latest = useRef(onNews);
  latest.current = onNews;

  useEffect(() => {
    if (path === null || !isHere) return undefined;
    const abort = new AbortController();
    void listen(path, (news) => latest.current(news), setLive, abort.signal);
    return () => {
      abort.abort();
      setLive(false);
    };
  }, [path, isHere]);

  useEffect(() => {
    if (path === null || !isHere) return undefined;
    const timer = setInterval(() => latest.current(CHANGED), isLive ? POLL.live : POLL.cut);
    return () => clearInterval(timer);
  }, [path, isHere, isLive]);

  const wasHere = useRef(isHere);
  useEffect(() => {
    if (isHere && !wasHere.current) latest.current(CHANGED);
    wasHere.current = isHere;
  }, [isHere]);

  return isLive;
}

/** Whether the page is looked at by somebody, on a machine that has a line at all. */
function useHere(): boolean {
  const [isHere, setHere] = useState(!document.hidden && navigator.onLine);
  useEffect(() => {
    const read = (): void => setHere(!document.hidden && navigator.onLine);
    document.addEventListener("visibilitychange", read);
    window.addEventListener("online", read);
    window.addEventListener("offline", read);
    return () => {
      document.removeEventListener("visibilitychange", read);
      window.removeEventListener("online", read);
      window.removeEventListener("offline", read);
    };
  }, []);
  return isHere;
}

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
