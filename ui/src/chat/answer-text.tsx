import { useLayoutEffect, useMemo, useRef } from "react";
import { MarkdownView } from "../markdown/view";
import { words } from "./strings";

/** An answer's Markdown. It is painted past the component tree, so that a token costs one block and no diff. */
export function AnswerText({
  text,
  isOpen,
  numbers,
  onMark,
}: {
  text: string;
  isOpen: boolean;
  numbers: readonly number[];
  onMark: (number: number) => void;
}) {
  const root = useRef<HTMLDivElement>(null);
  const view = useRef<MarkdownView | null>(null);
  const latest = useRef(onMark);
  latest.current = onMark;
  const key = numbers.join();
  const marks = useMemo(() => new Set(key ? key.split(",").map(Number) : []), [key]);

  useLayoutEffect(() => {
    view.current ??= new MarkdownView(root.current as HTMLElement, {
      onMark: (number) => latest.current(number),
      onCopy: (code) => void navigator.clipboard.writeText(code),
      words: { copyCode: words.copyCode, source: words.source },
    });
    view.current.show({ text, open: isOpen, marks });
  }, [text, isOpen, marks]);

  return <div ref={root} className="prose" dir="auto" />;
}
