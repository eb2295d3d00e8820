import { useEffect, useRef, useState, type KeyboardEvent } from "react";
import { call, troubleOf, type Trouble } from "../shared/api";
import { TroubleNote } from "../shared/parts";
import type { Person } from "../shared/contract";
import { useKeys } from "../shared/use-keys";
import { useTyping } from "../stream/use-news";
import type { WatchedConversation } from "./contract";
import { CannedList, useCanned } from "./inbox-canned";
import { DraftPreview, useDraft } from "./inbox-draft";
import { words } from "./strings";

const text = words.inbox;
const LONGEST = 8000;

type Mode = "reply" | "note";

type Props = {
  talk: WatchedConversation;
  person: string;
  me: Person;
  onTakeOver: () => Promise<void>;
  onSent: () => void;
};

/** Where a person of the team writes: notes always, replies only while they hold the conversation. */
export function InboxReply({ talk, person, me, onTakeOver, onSent }: Props) {
  const [mode, setMode] = useState<Mode>("reply");
  const [isWanted, setWanted] = useState(false);
  const isMine = talk.held_by?.id === me.id;
  const wasMine = useRef(isMine);
  useEffect(() => {
    if (isMine) wasMine.current = true;
    if (!talk.held_by) wasMine.current = false;
  }, [isMine, talk.held_by]);
  const write = (next: Mode): void => {
    setMode(next);
    setWanted(true);
    document.getElementById("inbox-field")?.focus();
  };
  const takeOver = (): void => {
    setMode("reply");
    setWanted(true);
    void onTakeOver();
  };
  useKeys({ t: isMine ? undefined : takeOver, r: isMine ? () => write("reply") : undefined, n: () => write("note") });

  return (
    <div className="inbox-foot">
      <div className="modes" role="group" aria-label={text.modesLabel}>
        {(["reply", "note"] as const).map((one) => (
          <button key={one} type="button" aria-pressed={mode === one} onClick={() => write(one)}>
            {text.modes[one]}
          </button>
        ))}
      </div>
      {mode === "note" && <NoteBox key="note" conversation={talk.id} isWanted={isWanted} onSent={onSent} />}
      {mode === "reply" && isMine && <ReplyBox key="reply" conversation={talk.id} person={person} isWanted={isWanted} onSent={onSent} />}
      {mode === "reply" && !isMine && (
        <div className="inbox-locked">
          <p>{lockedWords(talk, wasMine.current)}</p>
          <button type="button" className="button main" onClick={takeOver}>
            {text.takeOver}
          </button>
        </div>
      )}
    </div>
  );
}

function lockedWords({ held_by: holder }: WatchedConversation, wasMine: boolean): string {
  if (!holder) return text.locked;
  return wasMine ? text.takenBy(holder.name) : text.lockedBy(holder.name);
}

type BoxProps = { conversation: string; isWanted: boolean; onSent: () => void };

function ReplyBox({ conversation, person, isWanted, onSent }: BoxProps & { person: string }) {
  const root = `/api/v1/console/inbox/${encodeURIComponent(conversation)}`;
  const [written, setWritten] = useKept(`frontdesk.reply.${conversation}`);
  const field = useField(isWanted);
  const picker = useCanned(written, person, setWritten);
  const draft = useDraft(conversation);
  const typed = useTyping(`${root}/typing`);
  const key = useRef("");
  const sending = useSending(async () => {
    key.current ||= crypto.randomUUID();
    await call(`${root}/reply`, { method: "POST", body: { text: written.trim() }, headers: { "Idempotency-Key": key.current } });
    key.current = "";
    setWritten("");
    onSent();
  });
  const change = (next: string): void => {
    key.current = "";
    setWritten(next);
    if (next.trim()) typed();
  };
  const askCanned = (): void => {
    setWritten(/(^|\s)$/.test(written) ? `${written}/` : `${written} /`);
    field.current?.focus();
  };
  useKeys({ d: draft.begin, "/": askCanned });
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    if (event.nativeEvent.isComposing || picker.onKeyDown(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (written.trim()) sending.send();
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (draft.drafted) draft.drop();
      else event.currentTarget.blur();
    }
  };

  return (
    <form
      className="inbox-box"
      onSubmit={(event) => {
        event.preventDefault();
        sending.send();
      }}
    >
      <DraftPreview
        draft={draft}
        onUse={(drafted) => {
          change(drafted);
          draft.drop();
          field.current?.focus();
        }}
      />
      {sending.trouble && <TroubleNote trouble={sending.trouble} words={words.trouble} onAgain={sending.send} />}
      <CannedList picker={picker} />
      <textarea
        ref={field}
        id="inbox-field"
        className="input"
        aria-label={text.reply(person)}
        placeholder={text.replyHint}
        dir="auto"
        rows={2}
        maxLength={LONGEST}
        value={written}
        onChange={(event) => change(event.currentTarget.value)}
        onKeyDown={onKeyDown}
        {...picker.aria}
      />
      <div className="row">
        <button type="submit" className="button main" disabled={!written.trim() || sending.isBusy}>
          {text.send}
        </button>
        <button type="button" className="button" onClick={draft.begin} disabled={draft.drafted?.state === "running"}>
          {text.draft}
        </button>
        <button type="button" className="button" onClick={askCanned}>
          {text.pickCanned}
        </button>
      </div>
    </form>
  );
}

function NoteBox({ conversation, isWanted, onSent }: BoxProps) {
  const [written, setWritten] = useKept(`frontdesk.note.${conversation}`);
  const field = useField(isWanted);
  const sending = useSending(async () => {
    await call(`/api/v1/console/inbox/${encodeURIComponent(conversation)}/notes`, { method: "POST", body: { text: written.trim() } });
    setWritten("");
    onSent();
  });
  return (
    <form
      className="inbox-box"
      data-mode="note"
      onSubmit={(event) => {
        event.preventDefault();
        sending.send();
      }}
    >
      {sending.trouble && <TroubleNote trouble={sending.trouble} words={words.trouble} />}
      <textarea
        ref={field}
        id="inbox-field"
        className="input"
        aria-label={text.note}
        placeholder={text.noteHint}
        dir="auto"
        rows={2}
        maxLength={LONGEST}
        value={written}
        onChange={(event) => setWritten(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === "Enter" && !event.shiftKey) {
            event.preventDefault();
            if (written.trim()) sending.send();
          } else if (event.key === "Escape") {
            event.preventDefault();
            event.currentTarget.blur();
          }
        }}
      />
      <div className="row">
        <button type="submit" className="button main" disabled={!written.trim() || sending.isBusy}>
          {text.keepNote}
        </button>
      </div>
    </form>
  );
}

/** A field that takes the focus when it was asked for. */
function useField(isWanted: boolean) {
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (isWanted) field.current?.focus();
  }, [isWanted]);
  return field;
}

/** One sending at a time; what went wrong stays until the next. */
function useSending(work: () => Promise<void>): { send: () => void; isBusy: boolean; trouble: Trouble | null } {
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const send = async (): Promise<void> => {
    if (isBusy) return;
    setBusy(true);
    try {
      await work();
      setTrouble(null);
    } catch (reason) {
      setTrouble(troubleOf(reason));
    }
    setBusy(false);
  };
  return { send: () => void send(), isBusy, trouble };
}

/** What is being written survives another conversation, a reload, and being locked out. */
function useKept(key: string): [string, (text: string) => void] {
  const [written, setWritten] = useState(() => sessionStorage.getItem(key) ?? "");
  return [
    written,
    (next) => {
      setWritten(next);
      if (next) sessionStorage.setItem(key, next);
      else sessionStorage.removeItem(key);
    },
  ];
}
