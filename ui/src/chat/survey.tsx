import { useState, type FormEvent } from "react";
import { call } from "../shared/api";
import type { Survey } from "../shared/contract";
import { Outcome, useAct } from "./act";
import { words } from "./strings";

type Props = { conversation: string; survey: Survey; isPast: boolean };

/** How it went, from 1 to 5, with a word if one likes; who goes on asking (`isPast`) is not held up by it. */
export function SurveyCard({ conversation, survey, isPast }: Props) {
  const act = useAct();
  const [score, setScore] = useState(0);
  if ((survey.score !== null || isPast) && !act.isDone) return null;
  const send = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const comment = String(new FormData(event.currentTarget).get("comment")).trim();
    const body = { score, ...(comment ? { comment } : {}) };
    void act.run(() => call(`/api/v1/conversations/${encodeURIComponent(conversation)}/satisfaction`, { method: "PUT", body }));
  };
  if (act.isDone) return <Outcome act={act} done={words.surveyDone} />;
  return (
    <form className="survey" onSubmit={send}>
      <fieldset>
        <legend>{words.survey}</legend>
        <div className="scores">
          {words.surveyScores.map((label, index) => (
            <label key={label}>
              <input type="radio" name="score" checked={score === index + 1} onChange={() => setScore(index + 1)} />
              <span>{index + 1}</span>
              <span className="small muted">{label}</span>
            </label>
          ))}
        </div>
      </fieldset>
      {score > 0 && (
        <label className="field">
          <span>{words.surveyComment}</span>
          <textarea className="input" name="comment" rows={2} maxLength={2000} dir="auto" />
        </label>
      )}
      <Outcome act={act} done={words.surveyDone} />
      {score > 0 && (
        <button className="button main" type="submit" disabled={act.isBusy}>
          {words.surveySend}
        </button>
      )}
    </form>
  );
}
