import { useAnswer } from "../shared/use-answer";
import { When } from "../shared/parts";
import type { AuditLine, Verdict } from "./contract";
import { DataTable, type Column } from "./data-table";
import { ListEnd } from "./list-end";
import { Screen } from "./parts";
import type { Route } from "./route";
import { words } from "./strings";
import { useList, usePageSize } from "./use-list";

const text = words.audit;
type Line = AuditLine & { id: string };

const COLUMNS: Column<Line>[] = [
  { id: "at", title: text.at, value: (row) => row.at, show: (row) => <When at={row.at} /> },
  { id: "act", title: text.act, value: (row) => row.act },
  { id: "actor", title: text.actor, value: (row) => row.actor || words.none, show: (row) => <code>{row.actor || words.none}</code>, isLong: true },
  { id: "subject", title: text.subject, value: (row) => row.subject, show: (row) => <code>{row.subject || words.none}</code>, isLong: true },
  {
    id: "outcome",
    title: text.outcome,
    value: (row) => row.outcome,
    show: (row) => <span className={row.outcome < 400 ? "" : "bad"}>{row.outcome}</span>,
    isNumber: true,
  },
  { id: "origin", title: text.origin, value: (row) => row.origin },
];

export function AuditScreen({ route }: { route: Route }) {
  const [size, setSize] = usePageSize();
  const list = useList<AuditLine>("/api/v1/audit", { limit: size });
  const verdict = useAnswer<Verdict>("/api/v1/audit/verdict");
  const rows = list.items?.map((line) => ({ ...line, id: String(line.seq) })) ?? [];
  const whole = verdict.value && (verdict.value.whole ? text.whole(verdict.value.rows) : text.broken(verdict.value.at));
  return (
    <Screen
      page="audit"
      sentence={list.items && whole}
      trouble={list.trouble ?? verdict.trouble}
      loading={list.loading || verdict.loading}
      onAgain={list.reload}
    >
      <DataTable
        label={words.pages.audit}
        columns={COLUMNS}
        rows={rows}
        nameOf={(row) => row.act}
        sort={route.params.get("sort") ?? ""}
        empty={text.none}
      />
      <ListEnd list={list} size={size} onSize={setSize} />
    </Screen>
  );
}
