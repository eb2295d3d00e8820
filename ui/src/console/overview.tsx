import { useAnswer } from "../shared/use-answer";
import type { Overview } from "./contract";
import { Link, Screen } from "./parts";
import { hrefOf, type Route } from "./route";
import { words } from "./strings";

export function OverviewScreen(_: { route: Route }) {
  const { value, trouble, loading, reload } = useAnswer<Overview>("/api/v1/console/overview");
  const inbox = hrefOf("inbox");
  const facts: [number, string, string][] = value
    ? [
        [value.in_conversation, words.overview.conversations, `${inbox}?view=waiting`],
        [value.waiting, words.overview.waiting, hrefOf("messages")],
        [value.unhappy, words.overview.unhappy, `${inbox}?view=all`],
        [value.models_down.length, words.overview.down, hrefOf("models")],
        [value.running_turns, words.overview.running, inbox],
        [value.documents, words.overview.documents, hrefOf("knowledge")],
        [value.people, words.overview.people, hrefOf("people")],
        [value.tokens_today, words.overview.tokens, hrefOf("usage")],
      ]
    : [];
  return (
    <Screen page="overview" sentence={value?.answer ?? null} trouble={trouble} loading={loading} onAgain={reload}>
      <ul className="plain facts">
        {facts.map(([count, text, href]) => (
          <li key={text}>
            <Link href={href}>
              <span className="figure">{count.toLocaleString(words.language)}</span>
              <span>{text}</span>
            </Link>
          </li>
        ))}
      </ul>
    </Screen>
  );
}
