import { useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";

export type AtEnd = {
  scroller: RefObject<HTMLDivElement | null>;
  isAtEnd: boolean;
  onScroll: () => void;
  /** Stay at the end from now on. */
  stick: () => void;
  go: () => void;
  /** Keep what is seen where it is when something is put before it. */
  hold: () => void;
};

/** A list keeps its place, unless the reader is at its end: then it stays there while `content` grows. */
export function useAtEnd(content: unknown, list: unknown): AtEnd {
  const scroller = useRef<HTMLDivElement>(null);
  const sticks = useRef(true);
  const held = useRef<number | null>(null);
  const [isAtEnd, setAtEnd] = useState(true);
  const toEnd = (): void => {
    const box = scroller.current;
    if (box) box.scrollTop = box.scrollHeight;
  };
  useLayoutEffect(() => {
    const box = scroller.current;
    if (sticks.current) toEnd();
    else if (box && held.current !== null && box.scrollHeight !== held.current) {
      box.scrollTop += box.scrollHeight - held.current;
      held.current = null;
    }
  }, [content]);
  useLayoutEffect(() => {
    sticks.current = true;
    toEnd();
  }, [list]);
  // What grows without new content, such as a form that opens or a field below that takes a line more.
  useEffect(() => {
    const box = scroller.current;
    if (!box) return undefined;
    const observer = new ResizeObserver(() => sticks.current && toEnd());
    for (const each of [box, ...box.children]) observer.observe(each);
    return () => observer.disconnect();
  }, []);
  return {
    scroller,
    isAtEnd,
    onScroll: () => {
      const box = scroller.current;
      if (!box) return;
      sticks.current = box.scrollHeight - box.scrollTop - box.clientHeight < 48;
      setAtEnd(sticks.current);
    },
    stick: () => {
      sticks.current = true;
    },
    go: () => {
      sticks.current = true;
      toEnd();
    },
    hold: () => {
      sticks.current = false;
      held.current = scroller.current?.scrollHeight ?? null;
    },
  };
}
