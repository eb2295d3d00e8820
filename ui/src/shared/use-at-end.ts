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

/**
 * A list keeps its place, unless the reader is at its end: then it stays there while its one child grows. That is seen
 * after layout, so that a growing answer forces none. `content` changes with what is in it, `list` is which one it is.
 */
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
    if (box && held.current !== null && box.scrollHeight !== held.current) {
      box.scrollTop += box.scrollHeight - held.current;
      held.current = null;
    }
  }, [content]);
  useLayoutEffect(() => {
    sticks.current = true;
    toEnd();
  }, [list]);
  useEffect(() => {
    const box = scroller.current;
    if (!box) return undefined;
    const observer = new ResizeObserver(() => sticks.current && toEnd());
    observer.observe(box);
    if (box.firstElementChild) observer.observe(box.firstElementChild);
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
