import { useAnswer } from "../shared/use-answer";
import type { Page } from "../shared/contract";
import type { ModelHealth } from "./contract";
import { DataTable, type Column } from "./data-table";
import { Screen } from "./parts";
import type { Route } from "./route";
import { words } from "./strings";

const text = words.models;
type Line = ModelHealth & { id: string };

const COLUMNS: Column<Line>[] = [
  {
    id: "name",
    title: text.name,
    value: (row) => row.name,
    show: (row) => (
      <>
        {row.name} {row.model !== row.name && <span className="small muted">{row.model}</span>}
      </>
    ),
  },
  { id: "wire", title: text.wire, value: (row) => row.wire },
  {
    id: "state",
    title: text.state,
    value: (row) => text.states[row.state],
    show: (row) => <span className={{ closed: "ok", open: "bad", half_open: "warn" }[row.state]}>{text.states[row.state]}</span>,
  },
  { id: "calls", title: text.calls, value: (row) => row.calls, isNumber: true },
  { id: "failures", title: text.failures, value: (row) => row.failures, isNumber: true },
  {
    id: "p50",
    title: text.p50,
    value: (row) => row.p50_ms ?? -1,
    show: (row) => (row.p50_ms === null ? words.none : `${Math.round(row.p50_ms).toLocaleString(words.language)} ms`),
    isNumber: true,
  },
  { id: "error", title: text.error, value: (row) => row.last_error ?? words.none, isLong: true },
];

export function ModelsScreen({ route }: { route: Route }) {
  const { value, trouble, loading, reload } = useAnswer<Page<ModelHealth>>("/api/v1/console/models");
  const rows = value?.items.map((model) => ({ ...model, id: model.name })) ?? [];
  const down = rows.filter((row) => row.state === "open").length;
  return (
    <Screen page="models" sentence={value && text.sentence(down, rows.length)} trouble={trouble} loading={loading} onAgain={reload}>
      <DataTable
        label={words.pages.models}
        columns={COLUMNS}
        rows={rows}
        nameOf={(row) => row.name}
        sort={route.params.get("sort") ?? ""}
        empty={text.none}
      />
    </Screen>
  );
}
