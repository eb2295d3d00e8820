import { useAnswer } from "../shared/use-answer";
import { When } from "../shared/parts";
import { ChartOrTable, Days, daysOf } from "./chart-or-table";
import type { Satisfaction } from "./contract";
import { DataTable, type Column } from "./data-table";
import { Link, Screen } from "./parts";
import { hrefOf, type Route } from "./route";
import { words } from "./strings";

const text = words.satisfaction;
const SCORES = [5, 4, 3, 2, 1];

type Line = { id: string; score: number; count: number; share: number };

const percent = (share: number): string => share.toLocaleString(words.language, { style: "percent" });

const COLUMNS: Column<Line>[] = [
  { id: "score", title: text.score, value: (row) => row.score, show: (row) => text.scores[row.score] },
  { id: "count", title: text.count, value: (row) => row.count, isNumber: true },
  { id: "share", title: text.share, value: (row) => row.share, show: (row) => percent(row.share), isNumber: true },
];

/** What visitors said when they were asked how it went. */
export function SatisfactionScreen({ route }: { route: Route }) {
  const days = daysOf(route);
  const { value, trouble, loading, reload } = useAnswer<Satisfaction>(`/api/v1/console/satisfaction?days=${days}`);
  const average = (value?.average ?? 0).toLocaleString(words.language, { maximumFractionDigits: 1 });
  const sentence = value && text.sentence(average, value.answered, days);
  const lines = SCORES.map((score): Line => {
    const count = value?.by_score[score] ?? 0;
    return { id: String(score), score, count, share: value?.answered ? count / value.answered : 0 };
  });
  return (
    <Screen
      page="satisfaction"
      sentence={sentence}
      trouble={trouble}
      loading={loading}
      onAgain={reload}
      acts={<Days days={days} />}
    >
      {value?.answered === 0 ? (
        <p className="empty">{text.none}</p>
      ) : (
        <>
          <p className="muted">{text.asked(value?.asked ?? 0, value?.answered ?? 0)}</p>
          <ChartOrTable
            label={words.pages.satisfaction}
            chart={<Bars lines={lines} label={sentence ?? ""} />}
            table={
              <DataTable
                label={words.pages.satisfaction}
                columns={COLUMNS}
                rows={lines}
                nameOf={(row) => row.id}
                sort={route.params.get("sort") ?? ""}
                empty={text.none}
              />
            }
          />
          <Comments items={value?.items ?? []} />
        </>
      )}
    </Screen>
  );
}

const ROW = 40;

/** A bar for each score, its share beside it. */
const Bars = ({ lines, label }: { lines: Line[]; label: string }) => (
  <svg className="bars" width="100%" height={lines.length * ROW} role="img" aria-label={label}>
    {lines.map((line, index) => (
      <g key={line.id} transform={`translate(0 ${index * ROW})`}>
        <text x="0" y="25">
          {text.scores[line.score]}
        </text>
        <svg x="72" width="70%" height={ROW}>
          <rect y="8" width={`${line.share * 100}%`} height="24" rx="3" data-score={line.score} />
        </svg>
        <text x="100%" y="25" textAnchor="end">
          {`${line.count} · ${percent(line.share)}`}
        </text>
      </g>
    ))}
  </svg>
);

const Comments = ({ items }: { items: Satisfaction["items"] }) =>
  items.length === 0 ? null : (
    <section className="comments">
      <h2>{text.comments}</h2>
      <ul className="plain lines">
        {items.map((item) => (
          <li key={item.id}>
            <p className="as-written" dir="auto">
              {item.comment}
            </p>
            <p className="small muted">
              {text.scores[item.score]} · {item.person.name || words.inbox.visitor} · <When at={item.at} /> ·{" "}
              <Link href={hrefOf("inbox", item.conversation_id)}>{text.read}</Link>
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
