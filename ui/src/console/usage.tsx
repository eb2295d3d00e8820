import { useMemo } from "react";
import { useAnswer } from "../shared/use-answer";
import type { Usage, UsageLine } from "../shared/contract";
import { DayChart } from "./chart";
import { ChartOrTable, Days, daysOf } from "./chart-or-table";
import { DataTable, type Column } from "./data-table";
import { Screen } from "./parts";
import type { Route } from "./route";
import { words } from "./strings";

const text = words.usage;
type Line = UsageLine & { id: string };

const number = (count: number): string => count.toLocaleString(words.language);
const dayAndMonth = (day: string): string =>
  new Date(day).toLocaleDateString(words.language, { day: "numeric", month: "long", timeZone: "UTC" });

const COLUMNS: Column<Line>[] = [
  { id: "day", title: text.day, value: (row) => row.day },
  { id: "model", title: text.model, value: (row) => row.model },
  { id: "read", title: text.read, value: (row) => row.prompt_tokens, show: (row) => number(row.prompt_tokens), isNumber: true },
  {
    id: "written",
    title: text.written,
    value: (row) => row.completion_tokens,
    show: (row) => number(row.completion_tokens),
    isNumber: true,
  },
  { id: "cost", title: text.cost, value: (row) => row.cost, show: (row) => (row.cost / 1e6).toFixed(4), isNumber: true },
];

export function UsageScreen({ route }: { route: Route }) {
  const days = daysOf(route);
  const { value, trouble, loading, reload } = useAnswer<Usage>(`/api/v1/console/usage?days=${days}`);
  const perDay = useMemo(() => tokensPerDay(value?.items ?? [], days), [value, days]);
  const busiest = perDay.reduce((best, day) => (day.tokens > best.tokens ? day : best), { day: "", tokens: 0 });
  const total = perDay.reduce((sum, day) => sum + day.tokens, 0);
  const sentence = value && text.sentence(number(total), days, busiest.day && dayAndMonth(busiest.day));
  const rows = value?.items.map((line) => ({ ...line, id: `${line.day} ${line.model}` })) ?? [];
  return (
    <Screen
      page="usage"
      sentence={sentence}
      trouble={trouble}
      loading={loading}
      onAgain={reload}
      acts={<Days days={days} />}
    >
      <ChartOrTable
        label={words.pages.usage}
        chart={<DayChart days={perDay} label={sentence ?? ""} unit={text.tokens} />}
        table={
          <DataTable
            label={words.pages.usage}
            columns={COLUMNS}
            rows={rows}
            nameOf={(row) => row.id}
            sort={route.params.get("sort") ?? "-day"}
            empty={text.sentence("0", days, "")}
          />
        }
      />
    </Screen>
  );
}

export type DayTokens = { day: string; tokens: number };

/** Every day of the span up to today, those without use too. */
function tokensPerDay(lines: UsageLine[], days: number): DayTokens[] {
  const used = new Map<string, number>();
  for (const line of lines) used.set(line.day, (used.get(line.day) ?? 0) + line.prompt_tokens + line.completion_tokens);
  const today = Date.parse(new Date().toISOString().slice(0, 10));
  return Array.from({ length: days }, (_, index) => {
    const day = new Date(today - (days - 1 - index) * 86_400_000).toISOString().slice(0, 10);
    return { day, tokens: used.get(day) ?? 0 };
  });
}
