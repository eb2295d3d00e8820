import { useEffect, useRef, type ReactNode } from "react";
import type { Citation, PassageView } from "../shared/contract";
import { Skeleton, TroubleNote } from "../shared/parts";
import { useAnswer } from "../shared/use-answer";
import { safeHref } from "../markdown/inline";
import { IconButton } from "./icons";
import { useLayer } from "./layers";
import { words } from "./strings";

/** The very passage that an answer stands on, its words highlighted, beside the text. */
export function PassagePanel({ citation, onClose }: { citation: Citation; onClose: () => void }) {
  const { value, trouble, loading, reload } = useAnswer<PassageView>(`/api/v1/passages/${citation.passage_id}`);
  const title = useRef<HTMLHeadingElement>(null);
  const body = useRef<HTMLDivElement>(null);
  useLayer(true, onClose);
  useEffect(() => title.current?.focus(), [citation.passage_id]);
  useEffect(() => {
    const mark = body.current?.querySelector("mark");
    if (mark && body.current) body.current.scrollTop = mark.offsetTop - body.current.offsetTop - 24;
  }, [value]);
  const href = safeHref(citation.source);
  return (
    <aside className="passage" aria-label={words.passage}>
      <header>
        <div>
          <p className="label">
            {words.passage} {citation.number}
          </p>
          <h2 ref={title} tabIndex={-1}>
            {citation.title}
          </h2>
          {citation.heading && <p className="small muted">{citation.heading}</p>}
        </div>
        <IconButton icon="close" label={words.closePassage} onPress={onClose} />
      </header>
      <div className="passage-text" ref={body} tabIndex={0} dir="auto">
        {trouble && <TroubleNote trouble={trouble} words={words.trouble} onAgain={reload} />}
        {!value && loading && <Skeleton label={words.loading} lines={6} />}
        {value?.id === citation.passage_id && (
          <>
            {value.before.trim() && <span className="muted">{value.before.trimStart()}</span>}
            {highlighted(value.text, citation.quote)}
            <span className="muted">{value.after.trimEnd()}</span>
          </>
        )}
      </div>
      <footer className="small">
        {href ? (
          <a href={href} target="_blank" rel="noopener noreferrer">
            {words.openDocument}
          </a>
        ) : (
          <code>{citation.source}</code>
        )}
      </footer>
    </aside>
  );
}

/** The passage with the quoted words marked; all of it where the quote does not stand in it word for word. */
function highlighted(text: string, quote: string): ReactNode {
  const at = quote ? text.indexOf(quote) : -1;
  if (at < 0) return <mark>{text}</mark>;
  return (
    <>
      {text.slice(0, at)}
      <mark>{quote}</mark>
      {text.slice(at + quote.length)}
    </>
  );
}
