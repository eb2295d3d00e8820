import { When } from "../shared/parts";
import type { FileFact, Message } from "../shared/contract";
import { Prose } from "./prose";
import { words } from "./strings";

const text = words.inbox;

/** Whose words a message holds, as a name. */
export function writerOf(message: Message, person: string): string {
  if (message.role === "user") return person;
  return message.author ? text.team(message.author.name) : text.desk;
}

/** One line without Markdown's signs, to be heard or seen at a glance. */
export const unmarked = (markdown: string): string => markdown.replace(/[*_`]{2,}|`|^#+ | *\[\d+\]/gmu, "").replace(/\s+/g, " ");

type Props = {
  message: Message;
  person: string;
  /** Where the conversation's files are. */
  filesAt: string;
};

/** A message as the team reads it: the visitor's, the desk's, a person's of the team, or a notice of what happened. */
export function MessageItem({ message, person, filesAt }: Props) {
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
      <Files files={message.files} from={filesAt} />
      {message.error && <p className="bad">{`${message.error.message} (${message.error.code})`}</p>}
      {message.citations.length > 0 && (
        <p className="small muted">
          {text.sources}: {message.citations.map((citation) => `${citation.number} ${citation.title}`).join(", ")}
        </p>
      )}
      {message.feedback && (
        <p className={message.feedback.value > 0 ? "small ok" : "small warn"}>
          {message.feedback.value > 0 ? text.liked : text.disliked(message.feedback.reason)}
        </p>
      )}
    </li>
  );
}

/** The pictures that the desk shows in place; it offers anything else for saving alone. */
const PICTURE = /^image\/(png|jpeg|webp|gif)$/;

const Files = ({ files, from }: { files: FileFact[]; from: string }) =>
  files.length === 0 ? null : (
    <ul className="plain row sent-files">
      {files.map((file) => (
        <li key={file.id}>
          <a href={`${from}/${encodeURIComponent(file.id)}`} target="_blank" rel="noopener">
            {PICTURE.test(file.media_type) ? (
              <img src={`${from}/${encodeURIComponent(file.id)}`} alt={file.name} title={file.name} loading="lazy" />
            ) : (
              file.name
            )}
          </a>
        </li>
      ))}
    </ul>
  );
