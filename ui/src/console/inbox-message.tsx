import type { ReactNode } from "react";
import { When } from "../shared/parts";
import type { Message } from "../shared/contract";
import { Prose } from "./prose";
import { words } from "./strings";

const text = words.inbox;
const more = words.conversations;

/** Whose words a message holds, as a name. */
export function writerOf(message: Message, person: string): string {
  if (message.role === "user") return person;
  return message.author ? text.team(message.author.name) : text.desk;
}

/** One line without Markdown's signs, to be heard or seen at a glance. */
export const unmarked = (markdown: string): string => markdown.replace(/[*_`]{2,}|`|^#+ | *\[\d+\]/gmu, "").replace(/\s+/g, " ");

/** A message as the team reads it: the visitor's, the desk's, a person's of the team, or a notice of what happened. */
export function MessageItem({ message, person, children }: { message: Message; person: string; children?: ReactNode }) {
  if (message.role === "notice") {
    return (
      <li data-role="notice" className="small muted">
        {message.text} · <When at={message.created_at} />
      </li>
    );
  }
  const isOwnWords = message.role === "user" || message.author !== null;
  return (
    <li data-role={message.author ? "operator" : message.role}>
      <p className="label">
        {writerOf(message, person)} · <When at={message.created_at} />
        {message.model && ` · ${message.model}`}
      </p>
      {isOwnWords ? (
        <p className="as-written" dir="auto">
          {message.text}
        </p>
      ) : (
        <Prose text={message.text} />
      )}
      {children}
      {message.files.length > 0 && <p className="small muted">{message.files.map((file) => file.name).join(", ")}</p>}
      {message.error && <p className="bad">{`${message.error.message} (${message.error.code})`}</p>}
      {message.citations.length > 0 && (
        <p className="small muted">
          {more.sources}: {message.citations.map((citation) => `${citation.number} ${citation.title}`).join(", ")}
        </p>
      )}
      {message.feedback && (
        <p className={message.feedback.value > 0 ? "small ok" : "small warn"}>
          {message.feedback.value > 0 ? more.liked : more.disliked(message.feedback.reason)}
        </p>
      )}
    </li>
  );
}
