import { useAnswer } from "../shared/use-answer";
import type { Overview } from "./contract";
import { Link, Screen } from "./parts";
import { hrefOf, type Route } from "./route";
import { words, type PageName } from "./strings";

export function OverviewScreen(_: { route: Route }) {
  const { value, trouble, loading, reload } = useAnswer<Overview>("/api/v1/console/overview");
  const facts: [number, string, PageName][] = value
    ? [
        [value.in_conversation, words.overview.conversations, "inbox"],
        [value.waiting, words.overview.waiting, "messages"],
        [value.unhappy, words.overview.unhappy, "conversations"],
        [value.models_down.length, words.overview.down, "models"],
        [value.running_turns, words.overview.running, "conversations"],
        [value.documents, words.overview.documents, "knowledge"],
        [value.people, words.overview.people, "people"],
        [value.tokens_today, words.overview.tokens, "usage"],
      ]
    : [];
  return (
    <Screen page="overview" sentence={value?.answer ?? null} trouble={trouble} loading={loading} onAgain={reload}>
      <ul className="plain facts">
        {facts.map(([count, text, page]) => (
          <li key={text}>
            <Link href={hrefOf(page) + (page === "inbox" ? "?view=waiting" : "")}>
              <span className="figure">{count.toLocaleString(words.language)}</span>
              <span>{text}</span>
            </Link>
          </li>
        ))}
      </ul>
    </Screen>
  );
}
