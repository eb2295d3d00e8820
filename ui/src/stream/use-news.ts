import { useEffect, useRef, useState } from "react";
import { call } from "../shared/api";
import { CHANGED, listen, POLL, TYPING_LASTS, TYPING_PAUSE, type News } from "./news";

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
    void listen(path, (news) => latest.current(news), setLive, abort.signal);
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

function useVisible(): boolean {
  const [isVisible, setVisible] = useState(!document.hidden);
  useEffect(() => {
    const read = (): void => setVisible(!document.hidden);
    document.addEventListener("visibilitychange", read);
    return () => document.removeEventListener("visibilitychange", read);
  }, []);
  return isVisible;
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
