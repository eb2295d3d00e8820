import { useLayoutEffect, useRef } from "react";
import { MarkdownView } from "../markdown/view";
import { words } from "./strings";

const NO_MARKS = new Set<number>();

/** An answer as its reader saw it. */
export function Prose({ text }: { text: string }) {
  const root = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const view = new MarkdownView(root.current as HTMLElement, {
      onMark: () => undefined,
      onCopy: (code) => void navigator.clipboard.writeText(code),
      words: { copyCode: words.copy, source: String },
    });
    root.current?.replaceChildren();
    view.show({ text, open: false, marks: NO_MARKS });
  }, [text]);
  return <div ref={root} className="prose" dir="auto" />;
}
