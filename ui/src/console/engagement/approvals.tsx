import { useEffect, useState, type FormEvent } from "react";
import { call, troubleOf, type Trouble } from "../../shared/api";
import { TroubleNote, When } from "../../shared/parts";
import { Confirm, Link, Modal, Screen, type Question } from "../parts";
import { hrefOf, type Route } from "../route";
import { words as all } from "../strings";
import { useList } from "../use-list";
import { Checks } from "./checks";
import type { Outreach } from "./contract";
import { percent } from "./decisions";
import { words } from "./strings";
import "./engagement.css";

const text = words.approvals;
const LOOK_AGAIN = 5000;

type Verdict = { verdict: "approve" | "edit" | "reject"; note?: string; subject?: string; body?: string };

const settle = (row: Outreach, verdict: Verdict): Promise<unknown> =>
  call(`/api/v1/outreach/${encodeURIComponent(row.id)}/verdict`, { method: "POST", body: { ...verdict, digest: row.digest } });

/** Messages that wait for somebody's word: exactly the text that will be sent. */
export default function ApprovalsScreen(_: { route: Route }) {
  const list = useList<Outreach>("/api/v1/outreach", { state: "approval", limit: 50 });
  const [failure, setFailure] = useState<Trouble | null>(null);
  const [open, setOpen] = useState<{ row: Outreach; verdict: "edit" | "reject" } | null>(null);
  const [question, setQuestion] = useState<Question | null>(null);
  const [settled, setSettled] = useState<ReadonlySet<string>>(new Set()); // gone at once, before the list is read anew
  const items = list.items?.filter((row) => !settled.has(row.id)) ?? null;
  const { reload } = list;
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && reload(), LOOK_AGAIN);
    return () => clearInterval(timer);
  }, [reload]);

  const leave = (...rows: Outreach[]): void => setSettled((old) => new Set([...old, ...rows.map((row) => row.id)]));
  const approve = async (...rows: Outreach[]): Promise<void> => {
    try {
      await Promise.all(rows.map((row) => settle(row, { verdict: "approve" }).then(() => row.needs < 2 && leave(row))));
      setFailure(null);
    } catch (reason) {
      setFailure(troubleOf(reason));
    }
    reload();
  };
  const approveAll = (rows: Outreach[]): void =>
    setQuestion({
      title: `${text.approveAll(rows.length)}?`,
      note: text.approveAllNote,
      act: text.approve,
      work: () => approve(...rows),
    });
  return (
    <Screen
      page="approvals"
      sentence={items && text.sentence(items.length)}
      trouble={failure ?? list.trouble}
      loading={list.loading}
      onAgain={() => {
        setFailure(null);
        reload();
      }}
      acts={
        <>
          <Link href={`${hrefOf("decisions")}?state=hold`} className="button">
            {text.held}
          </Link>
          {items && items.length > 1 && (
            <button type="button" className="button" onClick={() => approveAll(items)}>
              {text.approveAll(items.length)}
            </button>
          )}
        </>
      }
    >
      {items?.length === 0 && <p className="empty">{text.none}</p>}
      <ul className="plain waiting">
        {items?.map((row) => (
          <Waiting
            key={row.id}
            row={row}
            onApprove={() => void approve(row)}
            onOpen={(verdict) => setOpen({ row, verdict })}
          />
        ))}
      </ul>
      <Modal
        title={open?.verdict === "edit" ? text.editTitle : text.rejectTitle}
        isOpen={open !== null}
        onClose={() => setOpen(null)}
      >
        {open && (
          <VerdictForm
            row={open.row}
            verdict={open.verdict}
            onDone={() => {
              if (open.verdict === "reject" || open.row.needs < 2) leave(open.row);
              setOpen(null);
              reload();
            }}
          />
        )}
      </Modal>
      <Confirm question={question} onClose={() => setQuestion(null)} />
    </Screen>
  );
}

type WaitingProps = { row: Outreach; onApprove: () => void; onOpen: (verdict: "edit" | "reject") => void };

const Waiting = ({ row, onApprove, onOpen }: WaitingProps) => (
  <li>
    <article className="letter" aria-label={text.to(row.customer_id, row.channel)}>
      <h2>
        <Link href={hrefOf("customers", row.customer_id)}>{text.to(row.customer_id, row.channel)}</Link>
      </h2>
      <p className="small muted">
        {text.confidence(percent(row.confidence), percent(row.risk, 1))} · {row.model && text.byModel(row.model)} · {text.sends}{" "}
        <When at={row.send_at} />
        {row.deadline && (
          <>
            {" "}
            · {text.until} <When at={row.deadline} />
          </>
        )}{" "}
        · <Link href={hrefOf("decisions", row.decision_id)}>{text.why}</Link>
      </p>
      {row.escalated && <p className="warn">{text.escalated}</p>}
      {text.people(row.needs) && <p className="warn">{text.people(row.needs)}</p>}
      <Checks checks={row.checks} model={row.model} />
      {row.subject && <p className="subject">{row.subject}</p>}
      <p className="as-written" dir="auto">
        {row.body}
      </p>
      {row.footer && (
        <p className="as-written small muted foot" dir="auto">
          {row.footer}
        </p>
      )}
    </article>
    <div className="row">
      <button type="button" className="button main" onClick={onApprove}>
        {text.approve}
      </button>
      <button type="button" className="button" onClick={() => onOpen("edit")}>
        {text.edit}
      </button>
      <button type="button" className="button bad" onClick={() => onOpen("reject")}>
        {text.reject}
      </button>
    </div>
  </li>
);

function VerdictForm({ row, verdict, onDone }: { row: Outreach; verdict: "edit" | "reject"; onDone: () => void }) {
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    try {
      await settle(row, { verdict, ...Object.fromEntries(new FormData(event.currentTarget)) });
      onDone();
    } catch (reason) {
      setTrouble(troubleOf(reason));
    }
  };
  return (
    <form className="stack" onSubmit={(event) => void submit(event)}>
      <p className="muted">{verdict === "edit" ? text.editNote(row.footer !== "") : text.rejectNote}</p>
      {verdict === "edit" && (
        <>
          <label className="field">
            <span>{text.subject}</span>
            <input className="input" name="subject" maxLength={200} dir="auto" defaultValue={row.subject ?? ""} />
          </label>
          <label className="field">
            <span>{text.body}</span>
            <textarea className="input" name="body" required rows={10} maxLength={5000} dir="auto" defaultValue={row.body ?? ""} />
          </label>
        </>
      )}
      <label className="field">
        <span>{text.note}</span>
        <input className="input" name="note" maxLength={200} dir="auto" />
      </label>
      {trouble && <TroubleNote trouble={trouble} words={all.trouble} />}
      <button className={`button ${verdict === "edit" ? "main" : "bad"}`} type="submit">
        {verdict === "edit" ? text.save : text.reject}
      </button>
    </form>
  );
}
