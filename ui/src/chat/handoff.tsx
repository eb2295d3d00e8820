import { useState, type FormEvent } from "react";
import { call, troubleOf, type Trouble } from "../shared/api";
import { TroubleNote } from "../shared/parts";
import { useLayer } from "./layers";
import { words } from "./strings";

/** Where the desk does not know, a person is offered. */
export function LeaveMessage({ conversationId, question, contact }: { conversationId: string; question: string; contact: string }) {
  const [isOpen, setOpen] = useState(false);
  const [isLeft, setLeft] = useState(false);
  const [text, setText] = useState(question);
  const [reach, setReach] = useState(contact);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  useLayer(isOpen && !isLeft, () => setOpen(false));

  const send = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    try {
      const body = { conversation_id: conversationId, text: text.trim(), contact: reach.trim() };
      await call("/api/v1/handoffs", { method: "POST", body });
      setLeft(true);
    } catch (reason) {
      setTrouble(troubleOf(reason));
    }
  };

  if (isLeft) return <p role="status">{words.left}</p>;
  if (!isOpen) {
    return (
      <button type="button" className="button" onClick={() => setOpen(true)}>
        {words.leave}
      </button>
    );
  }
  return (
    <form className="inset" onSubmit={(event) => void send(event)} aria-label={words.leave}>
      <label className="field">
        <span>{words.leaveText}</span>
        <textarea
          className="input"
          rows={3}
          required
          autoFocus
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <label className="field">
        <span>{words.leaveContact}</span>
        <input className="input" value={reach} onInput={(event) => setReach(event.currentTarget.value)} />
      </label>
      {trouble && <TroubleNote trouble={trouble} words={words.trouble} />}
      <div className="row">
        <button className="button main" type="submit">
          {words.leaveSend}
        </button>
        <button className="button" type="button" onClick={() => setOpen(false)}>
          {words.cancel}
        </button>
      </div>
    </form>
  );
}
