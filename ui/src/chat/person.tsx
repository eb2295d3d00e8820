import type { Message } from "../shared/contract";
import { When } from "../shared/parts";
import { AnswerText } from "./answer-text";
import { words } from "./strings";

const NO_MARKS: readonly number[] = [];

/** What happened in the conversation: somebody joined, or the desk answers again. */
export const NoticeLine = ({ message }: { message: Message }) => (
  <p className="happened small muted">
    {message.text} · <When at={message.created_at} />
  </p>
);

/** A message of somebody of the team: their name stands on it, so that nobody takes it for the desk's. */
export const PersonView = ({ message, name }: { message: Message; name: string }) => (
  <article className="person">
    <h2>
      {words.fromTeam(name)}{" "}
      <span className="small muted">
        <When at={message.created_at} />
      </span>
    </h2>
    <AnswerText text={message.text} isOpen={false} numbers={NO_MARKS} onMark={() => undefined} />
  </article>
);

/** Who answers in the desk's place, and whether they are typing. */
export const Holder = ({ name, isTyping }: { name: string; isTyping: boolean }) => (
  <p className="holder small muted" data-typing={isTyping}>
    <i aria-hidden="true" />
    {isTyping ? words.typing(name) : words.holds(name)}
  </p>
);
