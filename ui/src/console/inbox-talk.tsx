import { useEffect, useRef, useState, type ReactNode } from "react";
import { call, troubleOf, type Trouble } from "../shared/api";
import { Skeleton, TroubleNote, When } from "../shared/parts";
import type { Named, Person } from "../shared/contract";
import { useAtEnd } from "../shared/use-at-end";
import { branch } from "../shared/tree";
import type { Typists } from "../stream/use-news";
import type { Note, UnknownLetter, WatchedConversation } from "./contract";
import { MessageItem, unmarked, writerOf } from "./inbox-message";
import { InboxHead } from "./inbox-head";
import { InboxReply } from "./inbox-reply";
import { useRunningAnswer } from "./inbox-running";
import { Prose } from "./prose";
import { words } from "./strings";

const text = words.inbox;

type Props = {
  id: string | null;
  talk: WatchedConversation | null;
  trouble: Trouble | null;
  isLive: boolean;
  me: Person | null;
  typists: Typists;
  onEarlier: () => void;
  onChanged: () => void;
  onAgain: () => void;
};

/** One conversation as it goes on, and the place to take it over. */
export function InboxTalk({ id, talk, trouble, me, ...rest }: Props) {
  if (!id) return <p className="inbox-talk empty">{text.pick}</p>;
  if (talk && me) return <OpenTalk talk={talk} trouble={trouble} me={me} {...rest} />;
  return (
    <section className="inbox-talk inbox-wait">
      {trouble ? (
        <TroubleNote trouble={trouble} words={words.trouble} onAgain={rest.onAgain} />
      ) : (
        <Skeleton label={words.loading} lines={9} />
      )}
    </section>
  );
}

type OpenProps = Omit<Props, "id" | "talk" | "me"> & { talk: WatchedConversation; me: Person };

function OpenTalk({ talk, trouble, isLive, me, typists, onEarlier, onChanged, onAgain }: OpenProps) {
  const [failure, setFailure] = useState<Trouble | null>(null);
  const running = useRunningAnswer(talk.running_turn_id, onChanged);
  const person = talk.person.name || text.visitor;
  const end = useAtEnd(`${talk.messages.length} ${talk.notes.length} ${running?.text.length ?? 0}`, talk.id);
  const typing = typists.of("typing", talk.id);
  const answering = typists.of("answering", talk.id);
  const announcement = useAnnouncement(talk, me, person);

  const act = async (path: string, method: string, body?: object): Promise<void> => {
    try {
      await call(`/api/v1/console/${path}`, body ? { method, body } : { method });
      setFailure(null);
    } catch (reason) {
      setFailure(troubleOf(reason));
    }
    onChanged();
  };
  const here = `inbox/${encodeURIComponent(talk.id)}`;

  return (
    <section className="inbox-talk" aria-label={text.conversation(person)}>
      <InboxHead talk={talk} person={person} me={me} onAct={(path, method, body) => act(`${here}/${path}`, method, body)} />
      <div
        className="scroller"
        ref={end.scroller}
        onScroll={end.onScroll}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={text.log}
      >
        <div>
          {talk.earlier && (
            <button
              type="button"
              className="link"
              onClick={() => {
                end.hold();
                onEarlier();
              }}
            >
              {text.earlier}
            </button>
          )}
          <ol className="plain reading">
            {timeline(talk).map(({ key, show }) => show(key))}
            {running && (
              <li data-role="assistant" data-state="running">
                <p className="label">{text.desk}</p>
                {running.text && <Prose text={running.text} isOpen />}
                <p className="small live">{text.writing}</p>
              </li>
            )}
          </ol>
          {typing !== undefined && <Dots who={text.typing(person)} />}
          {answering !== undefined && answering !== me.name && <Dots who={text.typing(answering)} />}
        </div>
      </div>
      {(failure ?? (trouble?.isOffline ? null : trouble)) && (
        <TroubleNote trouble={(failure ?? trouble) as Trouble} words={words.trouble} onAgain={failure ? () => setFailure(null) : onAgain} />
      )}
      {!isLive && (trouble?.isOffline || !navigator.onLine) && <p className="small warn">{text.cut}</p>}
      <InboxReply
        talk={talk}
        person={person}
        me={me}
        onTakeOver={() => act(`${here}/take`, "POST")}
        onSent={() => {
          end.stick();
          onChanged();
        }}
      />
      <p className="hidden-label" role="status" data-announcer>
        {announcement}
      </p>
    </section>
  );

  /** Messages, notes and letters of unknown outcome, in the order in which they came. */
  function timeline(from: WatchedConversation): { key: string; at: number; show: (key: string) => ReactNode }[] {
    const messages = branch(from.messages, from.head_id).filter((message) => message.id !== running?.replyId && message.state !== "running");
    return [
      ...messages.map((message) => ({
        key: message.id,
        at: Date.parse(message.created_at),
        show: (key: string) => <MessageItem key={key} message={message} person={person} filesAt={`/api/v1/console/${here}/files`} />,
      })),
      ...from.notes.map((note) => ({
        key: note.id,
        at: Date.parse(note.created_at),
        show: (key: string) => (
          <NoteItem key={key} note={note} isOwn={note.author?.id === me.id || me.role === "owner"} onRemove={() => void act(`${here}/notes/${note.id}`, "DELETE")} />
        ),
      })),
      ...from.letters_unknown.map((letter) => ({
        key: letter.id,
        at: Date.parse(letter.at),
        show: (key: string) => (
          <LetterItem key={key} letter={letter} onDecide={(decision) => void act(`work/unknown/${letter.id}`, "POST", { decision })} />
        ),
      })),
    ].sort((a, b) => a.at - b.at);
  }
}

const Dots = ({ who }: { who: string }) => (
  <p className="dots small muted">
    <i aria-hidden="true" />
    <i aria-hidden="true" />
    <i aria-hidden="true" /> {who}
  </p>
);

const NoteItem = ({ note, isOwn, onRemove }: { note: Note; isOwn: boolean; onRemove: () => void }) => (
  <li data-role="note">
    <p className="label">
      {text.noteBy(note.author?.name ?? text.nobody)} · <When at={note.created_at} />
    </p>
    <p className="as-written" dir="auto">
      {note.text}
    </p>
    {isOwn && (
      <button type="button" className="link small" onClick={onRemove}>
        {text.removeNote}
      </button>
    )}
  </li>
);

const LetterItem = ({ letter, onDecide }: { letter: UnknownLetter; onDecide: (decision: "sent" | "send_again") => void }) => (
  <li data-role="unknown">
    <p className="label warn">
      {text.unknown} · <When at={letter.at} />
    </p>
    <p className="as-written" dir="auto">
      {letter.text}
    </p>
    <p className="small muted">{text.unknownNote}</p>
    <div className="row">
      <button type="button" className="button" onClick={() => onDecide("sent")}>
        {text.arrived}
      </button>
      <button type="button" className="button" onClick={() => onDecide("send_again")}>
        {text.sendAgain}
      </button>
    </div>
  </li>
);

/** What has just come, said once to screen readers: finished messages of others, and who holds the conversation. */
function useAnnouncement(talk: WatchedConversation, me: Person, person: string): string {
  const [said, setSaid] = useState("");
  const known = useRef<ReadonlySet<string> | null>(null);
  const holder = useRef<Named | null>(talk.held_by);
  useEffect(() => {
    const finished = talk.messages.filter((message) => message.state !== "running");
    const fresh = known.current && finished.filter((message) => !known.current?.has(message.id) && message.author?.id !== me.id);
    known.current = new Set(finished.map((message) => message.id));
    const news = fresh?.at(-1);
    if (holder.current?.id !== talk.held_by?.id) {
      const wasMine = holder.current?.id === me.id;
      holder.current = talk.held_by;
      if (talk.held_by?.id === me.id) setSaid(text.youHold);
      else if (talk.held_by) setSaid(wasMine ? text.takenBy(talk.held_by.name) : text.holds(talk.held_by.name));
      else setSaid(text.handedBack);
    } else if (news) setSaid(news.role === "notice" ? news.text : text.said(writerOf(news, person), unmarked(news.text)));
  }, [talk, me.id, person]);
  return said;
}
