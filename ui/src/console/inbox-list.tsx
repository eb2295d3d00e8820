import { useEffect, useRef } from "react";
import { When } from "../shared/parts";
import { lasting, secondsSince } from "../shared/time";
import type { Typists } from "../stream/use-news";
import type { InboxLine, InboxView } from "./contract";
import { unmarked } from "./inbox-message";
import { Link } from "./parts";
import { filter, hrefOf } from "./route";
import { words } from "./strings";

const text = words.inbox;
const VIEWS = Object.keys(text.views) as InboxView[];

type Props = {
  lines: InboxLine[];
  counts: Record<InboxView, number> | undefined;
  view: string;
  isFiltered: boolean;
  /** The lines are those of the filters before; the answer to these is on its way. */
  isOld: boolean;
  here: string | null;
  me: string;
  typists: Typists;
  hasMore: boolean;
  onMore: () => void;
};

/** The views with their counts, and the conversations of the chosen one. */
export function InboxList({ lines, counts, view, isFiltered, isOld, here, me, typists, hasMore, onMore }: Props) {
  const current = useRef<HTMLLIElement>(null);
  useEffect(() => {
    void current.current?.scrollIntoView({ block: "nearest" });
  }, [here]);
  return (
    <section className="inbox-list" aria-label={text.list} aria-busy={isOld}>
      <ul className="plain inbox-views" aria-label={text.viewsLabel}>
        {VIEWS.map((name) => (
          <li key={name}>
            <button type="button" aria-pressed={view === name} onClick={() => filter("view", name === "open" ? "" : name)}>
              {text.views[name]} <span className="count">{counts?.[name] ?? ""}</span>
            </button>
          </li>
        ))}
      </ul>
      {lines.length === 0 ? (
        <div className="empty">
          <p>{isFiltered ? text.noneFound : (text.none[view as InboxView] ?? text.none.all)}</p>
          {isFiltered && view !== "all" && (
            <button type="button" className="link" onClick={() => filter("view", "all")}>
              {text.lookInAll}
            </button>
          )}
        </div>
      ) : (
        <ul className="plain inbox-lines">
          {lines.map((line) => (
            <li key={line.id} ref={line.id === here ? current : undefined}>
              <Link href={hrefOf("inbox", line.id) + location.search} aria-current={line.id === here ? "page" : undefined}>
                <span className="inbox-line-head">
                  <strong dir="auto">{line.person.name || text.visitor}</strong>
                  <span className="small muted">
                    <When at={line.updated_at} />
                  </span>
                </span>
                <span className="inbox-line-text" dir="auto">
                  {lastWords(line)}
                </span>
                <Facts line={line} me={me} isTyping={typists.of("typing", line.id) !== undefined} />
              </Link>
            </li>
          ))}
        </ul>
      )}
      {hasMore && (
        <button type="button" className="link" onClick={onMore}>
          {words.more}
        </button>
      )}
    </section>
  );
}

function lastWords(line: InboxLine): string {
  if (line.last_from === "desk") return text.deskSaid(unmarked(line.last_text));
  if (line.last_from === "operator") return text.teamSaid(unmarked(line.last_text));
  return line.last_text || line.title;
}

/** What matters about a conversation, in words: its colour alone would not tell everybody. */
function Facts({ line, me, isTyping }: { line: InboxLine; me: string; isTyping: boolean }) {
  const holder = line.held_by && (line.held_by.id === me ? text.youHold : text.holds(line.held_by.name));
  return (
    <span className="small inbox-facts">
      <span>{text.channels[line.channel] ?? line.channel}</span>
      {line.waiting_since && <span className="warn">{text.waits(lasting(secondsSince(line.waiting_since)))}</span>}
      {holder && <span className="held">{holder}</span>}
      {!holder && line.assigned_to && <span>{text.assignedTo(line.assigned_to.name)}</span>}
      {line.unhappy && <span className="bad">{text.unhappy}</span>}
      {line.status === "closed" && <span>{text.closed}</span>}
      {isTyping ? <span className="live">{text.typing(line.person.name)}</span> : line.running && <span className="live">{text.writing}</span>}
    </span>
  );
}
