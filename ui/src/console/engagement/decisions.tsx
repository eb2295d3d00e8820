import { useEffect } from "react";
import { When } from "../../shared/parts";
import { DataTable, type Column } from "../data-table";
import { ListEnd } from "../list-end";
import { Choice, Link, Screen } from "../parts";
import { hrefOf, type Route } from "../route";
import { useList, usePageSize } from "../use-list";
import type { Decision } from "./contract";
import { DecisionStory } from "./decision-story";
import { words } from "./strings";
import "./engagement.css";

const text = words.decisions;
const LOOK_AGAIN = 3000;

export const percent = (share: number, digits = 0): string =>
  share.toLocaleString("en", { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits });

export const StateMark = ({ state }: { state: Decision["state"] }) => (
  <span className="mark" data-state={state}>
    {words.states[state]}
  </span>
);

const COLUMNS: Column<Decision>[] = [
  {
    id: "at",
    title: text.at,
    value: (row) => row.at,
    show: (row) => (
      <Link href={hrefOf("decisions", row.id)}>
        <When at={row.at} />
      </Link>
    ),
  },
  {
    id: "customer",
    title: text.customer,
    value: (row) => row.customer_id,
    show: (row) => <Link href={hrefOf("customers", row.customer_id)}>{row.customer_id}</Link>,
  },
  { id: "objective", title: text.objective, value: (row) => text.objectives[row.objective] ?? row.objective },
  {
    id: "arm",
    title: text.arm,
    value: (row) => row.arm,
    show: (row) => (
      <>
        {row.arm.split("/").join(" · ")}
        {row.role === "challenger" && <span className="small muted"> {text.challenger}</span>}
      </>
    ),
  },
  { id: "state", title: text.state, value: (row) => words.states[row.state], show: (row) => <StateMark state={row.state} /> },
  {
    id: "confidence",
    title: text.confidence,
    value: (row) => row.confidence,
    show: (row) => percent(row.confidence),
    isNumber: true,
  },
  { id: "risk", title: text.risk, value: (row) => row.risk, show: (row) => percent(row.risk, 1), isNumber: true },
  { id: "segment", title: text.segment, value: (row) => row.segment },
];

const choices = (known: Record<string, string>): [string, string][] => [["", words.all], ...Object.entries(known)];

/** What was decided, the newest first and by itself; one of them with all that followed. */
export default function DecisionsScreen({ route }: { route: Route }) {
  return route.id ? <DecisionStory id={route.id} /> : <DecisionList route={route} />;
}

function DecisionList({ route }: { route: Route }) {
  const [size, setSize] = usePageSize();
  const state = route.params.get("state") ?? "";
  const objective = route.params.get("objective") ?? "";
  const list = useList<Decision>("/api/v1/decisions", {
    limit: size,
    state: state || undefined,
    objective: objective || undefined,
  });
  const { items, reload } = list;
  const isFirstPage = (items?.length ?? 0) <= size;
  useEffect(() => {
    const timer = setInterval(() => isFirstPage && !document.hidden && reload(), LOOK_AGAIN);
    return () => clearInterval(timer);
  }, [isFirstPage, reload]);
  const count = (wanted: Decision["state"]): number => items?.filter((row) => row.state === wanted).length ?? 0;
  return (
    <Screen
      page="decisions"
      sentence={items && text.sentence(items.length, count("act"), count("approval"))}
      trouble={list.trouble}
      loading={list.loading}
      onAgain={reload}
      acts={
        <>
          <Choice label={text.state} name="state" value={state} options={choices(words.states)} />
          <Choice label={text.objective} name="objective" value={objective} options={choices(text.objectives)} />
        </>
      }
    >
      <DataTable
        label={text.arm}
        columns={COLUMNS}
        rows={items ?? []}
        nameOf={(row) => row.arm}
        sort={route.params.get("sort") ?? ""}
        empty={state || objective ? text.noneLikeThat : text.none}
      />
      <ListEnd list={list} size={size} onSize={setSize} />
    </Screen>
  );
}
