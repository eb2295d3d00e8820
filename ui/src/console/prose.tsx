import { useLayoutEffect, useRef } from "react";
import { MarkdownView } from "../markdown/view";
import { words } from "./strings";

const NO_MARKS = new Set<number>();

/** An answer as its reader sees it; `isOpen` while it grows. */
export function Prose({ text, isOpen = false }: { text: string; isOpen?: boolean }) {
  const root = useRef<HTMLDivElement>(null);
  const view = useRef<MarkdownView | null>(null);
  useLayoutEffect(() => {
    view.current ??= new MarkdownView(root.current as HTMLElement, {
      onMark: () => undefined,
      onCopy: (code) => void navigator.clipboard.writeText(code),
      words: { copyCode: words.copy, source: String },
    });
    view.current.show({ text, open: isOpen, marks: NO_MARKS });
  }, [text, isOpen]);
  return <div ref={root} className="prose" dir="auto" />;
}
