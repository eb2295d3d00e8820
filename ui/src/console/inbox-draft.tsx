import { useEffect, useRef, useState } from "react";
import { request, Trouble, troubleOf } from "../shared/api";
import type { Citation, Grounding } from "../shared/contract";
import { TroubleNote } from "../shared/parts";
import { frames } from "../stream/sse";
import { Prose } from "./prose";
import { words } from "./strings";

const text = words.inbox;

type Drafted = { text: string; state: "running" | "done"; grounding: Grounding | null; citations: Citation[]; trouble: Trouble | null };

export type Draft = { drafted: Drafted | null; begin: () => void; drop: () => void };

type Failure = { code: string; message: string; hint: string };

/** What the desk would answer in a conversation. It is shown to the operator alone and never sent by itself. */
export function useDraft(conversation: string): Draft {
  const [drafted, setDrafted] = useState<Drafted | null>(null);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);

  const drop = (): void => {
    running.current?.abort();
    setDrafted(null);
  };
  const begin = (): void => {
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    const add = (change: (old: Drafted) => Drafted): void => {
      if (!abort.signal.aborted) setDrafted((old) => old && change(old));
    };
    setDrafted({ text: "", state: "running", grounding: null, citations: [], trouble: null });
    write(conversation, abort.signal, add)
      .catch((reason: unknown) => add((old) => ({ ...old, trouble: troubleOf(reason) })))
      .finally(() => add((old) => ({ ...old, state: "done" })));
  };
  return { drafted, begin, drop };
}

async function write(conversation: string, signal: AbortSignal, add: (change: (old: Drafted) => Drafted) => void): Promise<void> {
  const answer = await request(`/api/v1/console/inbox/${encodeURIComponent(conversation)}/draft`, {
    method: "POST",
    headers: { Accept: "text/event-stream" },
    signal,
  });
  for await (const { event, data } of frames(answer.body as ReadableStream<Uint8Array>)) {
    const facts = JSON.parse(data) as { text: string } & Pick<Drafted, "grounding" | "citations"> & Failure;
    if (event === "text.added") add((old) => ({ ...old, text: old.text + facts.text }));
    else if (event === "draft.finished") add((old) => ({ ...old, grounding: facts.grounding, citations: facts.citations }));
    else if (event.endsWith(".failed")) throw new Trouble(200, facts.code, facts.message, facts.hint);
  }
}

/** The draft as it grows, and what to do with it. */
export function DraftPreview({ draft, onUse }: { draft: Draft; onUse: (text: string) => void }) {
  const { drafted } = draft;
  if (!drafted) return null;
  const isDone = drafted.state === "done";
  return (
    <section className="inbox-draft" aria-label={text.draftTitle} aria-busy={!isDone}>
      <p className="label">{text.draftTitle}</p>
      {drafted.text && <Prose text={drafted.text} isOpen={!isDone} />}
      {!isDone && <p className="small live">{text.draftRuns}</p>}
      {drafted.trouble && <TroubleNote trouble={drafted.trouble} words={words.trouble} onAgain={draft.begin} />}
      {drafted.grounding && (
        <p className={drafted.grounding === "unsourced" ? "small warn" : "small muted"}>
          {[text.grounds[drafted.grounding], ...drafted.citations.map((one) => `${one.number} ${one.title}`)].filter(Boolean).join(" · ")}
        </p>
      )}
      <div className="row">
        {isDone && drafted.text && (
          <button type="button" className="button" onClick={() => onUse(drafted.text)}>
            {text.useDraft}
          </button>
        )}
        <button type="button" className="button" onClick={draft.drop}>
          {isDone ? text.dropDraft : text.stopDraft}
        </button>
      </div>
      <span className="hidden-label" role="status">
        {isDone && !drafted.trouble && text.draftReady}
      </span>
    </section>
  );
}
