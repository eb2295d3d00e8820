import { ChevronLeft } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { useAnswer } from "../shared/use-answer";
import type { Named, Page, Person } from "../shared/contract";
import { branch } from "../shared/tree";
import { useKeys } from "../shared/use-keys";
import type { PersonLine, WatchedConversation } from "./contract";
import { HandBack } from "./inbox-hand-back";
import { Link } from "./parts";
import { hrefOf } from "./route";
import { words } from "./strings";

const text = words.inbox;

/** Where the list and the conversation are two views; as in the style sheet. */
const ALONE = matchMedia("(max-width: 60rem)");

type Props = {
  talk: WatchedConversation;
  person: string;
  me: Person;
  onAct: (path: string, method: string, body?: object) => Promise<void>;
};

/** Whose conversation this is, who answers in it, and the acts that change that. */
export function InboxHead({ talk, person, me, onAct }: Props) {
  const [isHandingBack, setHandingBack] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (ALONE.matches) heading.current?.focus(); // the list that held the focus has gone out of sight
  }, []);
  const isMine = talk.held_by?.id === me.id;
  const isClosed = talk.status === "closed";
  const assign = (id: string | null): void => void onAct("assignee", "PUT", { person_id: id });
  const handBack = (): void => setHandingBack(true);
  useKeys({ a: () => assign(me.id), h: isMine ? handBack : undefined });

  return (
    <header className="inbox-head">
      <div className="inbox-who">
        <Link className="icon-button only-narrow" href={hrefOf("inbox") + location.search}>
          <ChevronLeft size={20} strokeWidth={1.5} aria-hidden />
          <span className="hidden-label">{text.back}</span>
        </Link>
        <div>
          <h2 ref={heading} dir="auto" tabIndex={-1}>
            {person}
          </h2>
          <p className="small muted">
            {text.channels[talk.channel] ?? talk.channel} · <Holder talk={talk} isMine={isMine} />
            {isClosed && ` · ${text.closed}`}
          </p>
        </div>
      </div>
      <div className="row">
        <Assignee assigned={talk.assigned_to} me={me} onChoose={assign} />
        <button
          type="button"
          className="button"
          onClick={() => void onAct("status", "PUT", { status: isClosed ? "open" : "closed", survey: false })}
        >
          {isClosed ? text.reopen : text.close}
        </button>
      </div>
      {isMine && (
        <button type="button" className="button main" onClick={handBack}>
          {text.handBack}
        </button>
      )}
      <HandBack
        isOpen={isHandingBack}
        waits={branch(talk.messages, talk.head_id).findLast((message) => message.role !== "notice")?.role === "user"}
        onClose={() => setHandingBack(false)}
        onHandBack={(choices) => {
          setHandingBack(false);
          void onAct("hand-back", "POST", choices);
        }}
      />
    </header>
  );
}

function Holder({ talk, isMine }: { talk: WatchedConversation; isMine: boolean }) {
  if (!talk.held_by) return <span>{text.deskAnswers}</span>;
  return <strong className="held">{isMine ? text.youHold : text.holds(talk.held_by.name)}</strong>;
}

/** Who of the team looks after it: a person can be named without taking over. */
function Assignee({ assigned, me, onChoose }: { assigned: Named | null; me: Person; onChoose: (id: string | null) => void }) {
  const people = useAnswer<Page<PersonLine>>("/api/v1/people?limit=100");
  const team = useMemo(() => {
    const found = people.value?.items.filter((one) => (one.role === "operator" || one.role === "owner") && one.state === "active");
    const all = [{ id: me.id, name: text.you(me.name) }, ...(found ?? []).filter((one) => one.id !== me.id)];
    return assigned && !all.some((one) => one.id === assigned.id) ? [...all, assigned] : all;
  }, [people.value, assigned, me]);
  return (
    <select
      className="input"
      aria-label={text.assignee}
      value={assigned?.id ?? ""}
      onChange={(event) => onChoose(event.currentTarget.value || null)}
    >
      <option value="">{text.nobody}</option>
      {team.map((one) => (
        <option key={one.id} value={one.id}>
          {one.name}
        </option>
      ))}
    </select>
  );
}
