import type { FormEvent } from "react";
import { Modal } from "./parts";
import { words } from "./strings";

const text = words.inbox;

export type Choices = { answer: boolean; close: boolean; survey: boolean };

type Props = { isOpen: boolean; waits: boolean; onClose: () => void; onHandBack: (choices: Choices) => void };

/** Giving a conversation back to the desk: what it shall do with it. `waits`: the last word is the visitor's. */
export function HandBack({ isOpen, waits, onClose, onHandBack }: Props) {
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const next = form.get("next");
    onHandBack({ answer: next === "answer", close: next === "close", survey: form.has("survey") });
  };
  return (
    <Modal title={text.handBackTitle} isOpen={isOpen} onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <fieldset className="choices">
          <legend className="hidden-label">{text.handBackTitle}</legend>
          {(["answer", "wait", "close"] as const).map((next) => (
            <label key={next} className="choice wide">
              <input type="radio" name="next" value={next} defaultChecked={next === (waits ? "answer" : "wait")} />
              {text.handBackNext[next]}
            </label>
          ))}
        </fieldset>
        <label className="choice wide">
          <input type="checkbox" name="survey" /> {text.handBackSurvey}
        </label>
        <div className="row">
          <button className="button main" type="submit" autoFocus>
            {text.handBack}
          </button>
          <button className="button" type="button" onClick={onClose}>
            {words.cancel}
          </button>
        </div>
      </form>
    </Modal>
  );
}
