import { useState, type FormEvent } from "react";
import { call, troubleOf, type Trouble } from "../shared/api";
import type { Message } from "../shared/contract";
import { TroubleNote } from "../shared/parts";
import { IconButton } from "./icons";
import { useLayer } from "./layers";
import { words } from "./strings";

type Props = { message: Message; onChange: (values: Partial<Message>) => void };

/** Thumbs, kept at once; a thumb down asks why. */
export function Thumbs({ message, onChange, onAsk }: Props & { onAsk: (isAsked: boolean) => void }) {
  const value = message.feedback?.value ?? 0;
  const choose = (next: number): void => {
    const feedback = { value: next, reason: "" };
    onChange({ feedback: next ? feedback : null });
    onAsk(next < 0);
    call(`/api/v1/messages/${message.id}/feedback`, { method: "PUT", body: feedback }).catch(() =>
      onChange({ feedback: message.feedback }),
    );
  };
  return (
    <>
      <IconButton icon="up" label={words.helpful} pressed={value > 0} onPress={() => choose(value > 0 ? 0 : 1)} />
      <IconButton icon="down" label={words.unhelpful} pressed={value < 0} onPress={() => choose(value < 0 ? 0 : -1)} />
    </>
  );
}

/** Why an answer was not helpful: one of four reasons, own words, or nothing. */
export function Reason({ message, onChange, onClose }: Props & { onClose: () => void }) {
  const [reason, setReason] = useState("");
  const [text, setText] = useState("");
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [isSent, setSent] = useState(false);
  useLayer(!isSent, onClose);

  const send = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const feedback = { value: -1, reason: [reason, text].filter(Boolean).join(": ") };
    try {
      await call(`/api/v1/messages/${message.id}/feedback`, { method: "PUT", body: feedback });
      onChange({ feedback });
      setSent(true);
    } catch (failure) {
      setTrouble(troubleOf(failure));
    }
  };

  if (isSent) {
    return (
      <p className="small muted" role="status">
        {words.thanks}
      </p>
    );
  }
  return (
    <form className="inset" onSubmit={(event) => void send(event)}>
      <fieldset className="choices">
        <legend className="label">{words.why}</legend>
        {words.reasons.map((choice) => (
          <label key={choice} className="choice">
            <input type="radio" name={`why-${message.id}`} checked={reason === choice} onChange={() => setReason(choice)} />
            {choice}
          </label>
        ))}
      </fieldset>
      <label className="field">
        <span>{words.reasonLabel}</span>
        <input className="input" value={text} maxLength={500} onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      {trouble && <TroubleNote trouble={trouble} words={words.trouble} />}
      <div className="row">
        <button className="button" type="submit" disabled={!reason && !text.trim()}>
          {words.tell}
        </button>
        <button className="button" type="button" onClick={onClose}>
          {words.cancel}
        </button>
      </div>
    </form>
  );
}
