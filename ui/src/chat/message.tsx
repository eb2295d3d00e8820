import { memo, useEffect, useRef, useState, type KeyboardEvent } from "react";
import type { Citation, Desk, Message } from "../shared/contract";
import { TroubleNote } from "../shared/parts";
import type { Turn } from "../stream/turn";
import { AnswerText } from "./answer-text";
import { Reason, Thumbs } from "./feedback";
import { LeaveMessage } from "./handoff";
import { Icon, IconButton } from "./icons";
import { useLayer } from "./layers";
import { words } from "./strings";
import { ApprovalCard, ToolLine } from "./tools";

/** Which version of a message is shown, of how many; `onVersion` goes that many further. */
export type Versions = { place: number; count: number; onVersion: (step: number) => void };

const VersionSwitch = ({ place, count, onVersion }: Versions) =>
  count < 2 ? null : (
    <span className="versions">
      <IconButton icon="back" label={words.earlier} disabled={place === 1} onPress={() => onVersion(-1)} />
      <span className="small" title={words.branch(place, count)}>
        {place}/{count}
      </span>
      <IconButton icon="forth" label={words.later} disabled={place === count} onPress={() => onVersion(1)} />
    </span>
  );

/**
 * Messages are compared by what they show. Their handlers look the newest state up when they are called, so an old
 * handler is as good as a new one, and a frame of a growing answer renders that answer alone.
 */
function showsTheSame<P extends object>(old: P, next: P): boolean {
  const values = (props: P): [string, unknown][] => Object.entries(props).filter(([, value]) => typeof value !== "function");
  const before = Object.fromEntries(values(old));
  return values(next).every(([name, value]) => Object.is(before[name], value));
}

function CopyButton({ text }: { text: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = (): void => {
    void navigator.clipboard.writeText(text).then(() => setCopied(true));
    setTimeout(() => setCopied(false), 1500);
  };
  return <IconButton icon="copy" label={isCopied ? words.copied : words.copy} onPress={copy} />;
}

type QuestionProps = Versions & {
  message: Message;
  isEditing: boolean;
  isBusy: boolean;
  onEditing: (isEditing: boolean) => void;
  onEdit: (text: string) => void;
};

export const QuestionView = memo(function QuestionView(props: QuestionProps) {
  const { message, place, count, onVersion, isEditing, isBusy, onEditing, onEdit } = props;
  return (
    <article className="question">
      <h2 className="hidden-label">{words.you}</h2>
      {isEditing ? (
        <EditForm text={message.text} onSave={onEdit} onCancel={() => onEditing(false)} />
      ) : (
        <div className="said" dir="auto">
          {message.text}
        </div>
      )}
      {message.files.length > 0 && (
        <ul className="plain row files">
          {message.files.map((file) => (
            <li key={file.id}>
              <a className="chip" href={`/api/v1/files/${file.id}`} target="_blank" rel="noopener">
                <Icon name="file" /> {file.name}
              </a>
            </li>
          ))}
        </ul>
      )}
      {!isEditing && (
        <div className="acts">
          <VersionSwitch place={place} count={count} onVersion={onVersion} />
          <CopyButton text={message.text} />
          <IconButton icon="edit" label={words.edit} disabled={isBusy} onPress={() => onEditing(true)} />
        </div>
      )}
    </article>
  );
}, showsTheSame);

function EditForm({ text, onSave, onCancel }: { text: string; onSave: (text: string) => void; onCancel: () => void }) {
  const [value, setValue] = useState(text);
  const field = useRef<HTMLTextAreaElement>(null);
  useLayer(true, onCancel);
  useEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(text.length, text.length);
  }, [text]);
  const save = (): void => {
    if (value.trim()) onSave(value.trim());
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    save();
  };
  return (
    <form
      className="edit"
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <textarea
        ref={field}
        className="input"
        aria-label={words.editLabel}
        dir="auto"
        rows={3}
        value={value}
        onInput={(event) => setValue(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <div className="row">
        <button className="button main" type="submit" disabled={!value.trim()}>
          {words.ask}
        </button>
        <button className="button" type="button" onClick={onCancel}>
          {words.cancel}
        </button>
      </div>
    </form>
  );
}

type AnswerProps = Versions & {
  message: Message;
  turn: Turn | null;
  desk: Desk;
  conversationId: string;
  question: string;
  contact: string;
  isLast: boolean;
  openPassage: string | null;
  onSource: (citation: Citation) => void;
  onAgain: () => void;
  onChange: (values: Partial<Message>) => void;
  onApproval: (id: string, state: "open" | "approved" | "denied") => void;
};

export const AnswerView = memo(function AnswerView(props: AnswerProps) {
  const { message, turn, desk, place, count, onVersion, isLast, onSource, onAgain, onChange } = props;
  const [isReasonAsked, setReasonAsked] = useState(false);
  const isOpen = message.state === "running";
  const open = (number: number): void => {
    const citation = message.citations.find((one) => one.number === number);
    if (citation) onSource(citation);
  };
  return (
    <article className="answer" data-grounding={isOpen ? "" : (message.grounding ?? "")} data-state={message.state}>
      <h2 className="hidden-label">{words.answerOf(desk.name)}</h2>
      {message.tools.map((tool) => (
        <ToolLine key={tool.call_id} tool={tool} />
      ))}
      {turn?.approvals.map((asked) => (
        <ApprovalCard key={asked.id} asked={asked} onAnswer={(state) => props.onApproval(asked.id, state)} />
      ))}
      {(message.text || !isOpen) && (
        <AnswerText
          text={message.text}
          isOpen={isOpen}
          numbers={message.citations.map((citation) => citation.number)}
          onMark={open}
        />
      )}
      {turn?.switched && <p className="aside">{words.switched(turn.switched.from, turn.switched.to)}</p>}
      {isOpen && <StatusLine turn={turn} />}
      {message.state === "stopped" && <p className="aside">{words.stopped}</p>}
      {message.error && <TroubleNote trouble={message.error} words={words.trouble} onAgain={isLast ? onAgain : undefined} />}
      {!isOpen && <Ground message={message} desk={desk} />}
      {!isOpen && message.citations.length > 0 && (
        <Sources citations={message.citations} openPassage={props.openPassage} onSource={onSource} />
      )}
      {!isOpen && (message.can_leave_message || message.grounding === "unknown") && (
        <LeaveMessage conversationId={props.conversationId} question={props.question} contact={props.contact} />
      )}
      {!isOpen && (
        <div className="acts">
          <VersionSwitch place={place} count={count} onVersion={onVersion} />
          {message.text && <CopyButton text={message.text} />}
          {isLast && <IconButton icon="again" label={words.again} onPress={onAgain} />}
          {message.state !== "failed" && <Thumbs message={message} onChange={onChange} onAsk={setReasonAsked} />}
        </div>
      )}
      {isReasonAsked && <Reason message={message} onChange={onChange} onClose={() => setReasonAsked(false)} />}
    </article>
  );
}, showsTheSame);

const StatusLine = ({ turn }: { turn: Turn | null }) => (
  <p className="working">
    <i aria-hidden="true" />
    {turn?.activity ? words.activity(turn.activity.kind, turn.activity.detail) : words.waiting}
  </p>
);

/** What the answer stands on, in words: its looks alone would not tell everybody. */
function Ground({ message, desk }: { message: Message; desk: Desk }) {
  const kind = message.grounding;
  if (!kind || kind === "notice") return null;
  const isSmall = kind === "unsourced" && desk.model.strength !== "strong";
  const note = isSmall ? words.grounds.small : words.grounds[kind];
  return (
    <p className="ground" title={message.model ? words.by(message.model) : undefined}>
      {note}
    </p>
  );
}

const Sources = ({
  citations,
  openPassage,
  onSource,
}: {
  citations: Citation[];
  openPassage: string | null;
  onSource: (citation: Citation) => void;
}) => (
  <ol className="plain sources" aria-label={words.sources}>
    {citations.map((citation) => (
      <li key={citation.number}>
        <button type="button" aria-expanded={openPassage === citation.passage_id} onClick={() => onSource(citation)}>
          <span className="cite">{citation.number}</span>
          <span>
            {citation.title}
            {citation.heading && <span className="muted"> · {citation.heading}</span>}
          </span>
        </button>
      </li>
    ))}
  </ol>
);
