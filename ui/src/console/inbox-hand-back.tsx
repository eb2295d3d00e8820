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
    onHandBack({ answer: form.has("answer"), close: form.has("close"), survey: form.has("survey") });
  };
  return (
    <Modal title={text.handBackTitle} isOpen={isOpen} onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <div>
          <Tick name="answer" label={text.handBackAnswer} isOn={waits} />
          <Tick name="close" label={text.handBackClose} />
          <Tick name="survey" label={text.handBackSurvey} />
        </div>
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

const Tick = ({ name, label, isOn = false }: { name: keyof Choices; label: string; isOn?: boolean }) => (
  <label className="choice wide">
    <input type="checkbox" name={name} defaultChecked={isOn} /> {label}
  </label>
);
