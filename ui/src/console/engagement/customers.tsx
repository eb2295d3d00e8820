import { When } from "../../shared/parts";
import { DataTable, type Column } from "../data-table";
import { ListEnd } from "../list-end";
import { Link, Screen, Search } from "../parts";
import { hrefOf, type Route } from "../route";
import { words as all } from "../strings";
import { useList, usePageSize } from "../use-list";
import type { Customer } from "./contract";
import { CustomerPage } from "./customer";
import { percent } from "./decisions";
import { words } from "./strings";
import "./engagement.css";

const text = words.customers;

const COLUMNS: Column<Customer>[] = [
  {
    id: "id",
    title: text.id,
    value: (row) => row.id,
    show: (row) => <Link href={hrefOf("customers", row.id)}>{row.id}</Link>,
    isLong: true,
  },
  { id: "name", title: text.name, value: (row) => row.name, isLong: true },
  { id: "segment", title: text.segment, value: (row) => row.segment },
  { id: "stage", title: text.stage, value: (row) => text.stages[row.signals.stage] },
  {
    id: "engagement",
    title: text.engagement,
    value: (row) => row.signals.engagement,
    show: (row) => percent(row.signals.engagement),
    isNumber: true,
  },
  { id: "churn", title: text.churn, value: (row) => row.signals.churn_risk, show: (row) => percent(row.signals.churn_risk), isNumber: true },
  { id: "fatigue", title: text.fatigue, value: (row) => row.signals.fatigue, show: (row) => percent(row.signals.fatigue), isNumber: true },
  {
    id: "last",
    title: text.last,
    value: (row) => row.last_at ?? "",
    show: (row) => (row.last_at ? <When at={row.last_at} /> : all.never),
  },
];

/** Whom the desk may write to; one of them with all that happened. */
export default function CustomersScreen({ route }: { route: Route }) {
  return route.id ? <CustomerPage id={route.id} /> : <CustomerList route={route} />;
}

function CustomerList({ route }: { route: Route }) {
  const [size, setSize] = usePageSize();
  const query = route.params.get("query") ?? "";
  const list = useList<Customer>("/api/v1/customers", { limit: size, prefix: query || undefined });
  return (
    <Screen
      page="customers"
      sentence={list.items && text.sentence(list.items.length, list.hasMore)}
      trouble={list.trouble}
      loading={list.loading}
      onAgain={list.reload}
      acts={<Search value={query} />}
    >
      <DataTable
        label={all.pages.customers}
        columns={COLUMNS}
        rows={list.items ?? []}
        nameOf={(row) => row.id}
        sort={route.params.get("sort") ?? ""}
        empty={query ? text.noneLikeThat : text.none}
      />
      <ListEnd list={list} size={size} onSize={setSize} />
    </Screen>
  );
}
