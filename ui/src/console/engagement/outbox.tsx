import { useState } from "react";
import { call, troubleOf, type Trouble } from "../../shared/api";
import { When } from "../../shared/parts";
import { DataTable, type Column } from "../data-table";
import { ListEnd } from "../list-end";
import { Choice, Link, Screen } from "../parts";
import { hrefOf, type Route } from "../route";
import { words as all } from "../strings";
import { useList, usePageSize } from "../use-list";
import type { CustomerLetter } from "./contract";
import { words } from "./strings";
import "./engagement.css";

const text = words.outbox;
const CHANNELS = ["email", "sms", "push", "in_app", "telegram", "webhook"];

const COLUMNS: Column<CustomerLetter>[] = [
  { id: "at", title: text.at, value: (row) => row.created_at, show: (row) => <When at={row.created_at} /> },
  {
    id: "customer",
    title: text.customer,
    value: (row) => row.customer_id,
    show: (row) => <Link href={hrefOf("customers", row.customer_id)}>{row.customer_id}</Link>,
  },
  { id: "channel", title: text.channel, value: (row) => row.channel },
  {
    id: "text",
    title: text.text,
    value: (row) => row.subject || row.body,
    show: (row) => (
      <details className="sent">
        <summary dir="auto">{row.subject || row.message}</summary>
        <span className="as-written" dir="auto">
          {row.body}
        </span>
        <Link href={hrefOf("decisions", row.decision_id)}>{words.approvals.why}</Link>
      </details>
    ),
    isLong: true,
  },
  {
    id: "state",
    title: text.state,
    value: (row) => words.letters[row.state],
    show: (row) => (
      <>
        <span className={row.state === "failed" || row.state === "unknown" ? "bad" : ""}>{words.letters[row.state]}</span>
        {row.problem && <span className="small muted"> {row.problem}</span>}
      </>
    ),
  },
];

const choices = (names: string[], shown: Record<string, string> = {}): [string, string][] => [
  ["", words.all],
  ...names.map((name): [string, string] => [name, shown[name] ?? name]),
];

/** What left the house to customers, or was kept here because its channel has no adapter. */
export default function OutboxScreen({ route }: { route: Route }) {
  const [size, setSize] = usePageSize();
  const [failure, setFailure] = useState<Trouble | null>(null);
  const channel = route.params.get("channel") ?? "";
  const state = route.params.get("state") ?? "";
  const list = useList<CustomerLetter>("/api/v1/console/outbox", {
    limit: size,
    channel: channel || undefined,
    state: state || undefined,
  });
  const unknown = list.items?.filter((row) => row.state === "unknown").length ?? 0;
  const decide = async (row: CustomerLetter, decision: "sent" | "send_again"): Promise<void> => {
    try {
      await call(`/api/v1/console/work/unknown/${encodeURIComponent(row.id)}`, { method: "POST", body: { decision } });
      setFailure(null);
    } catch (reason) {
      setFailure(troubleOf(reason));
    }
    list.reload();
  };
  return (
    <Screen
      page="outbox"
      sentence={list.items && text.sentence(list.items.length, list.hasMore, unknown)}
      trouble={failure ?? list.trouble}
      loading={list.loading}
      onAgain={() => {
        setFailure(null);
        list.reload();
      }}
      acts={
        <>
          <Choice label={text.channel} name="channel" value={channel} options={choices(CHANNELS)} />
          <Choice label={text.state} name="state" value={state} options={choices(Object.keys(words.letters), words.letters)} />
        </>
      }
    >
      <DataTable
        label={all.pages.outbox}
        columns={COLUMNS}
        rows={list.items ?? []}
        nameOf={(row) => row.subject || row.message}
        sort={route.params.get("sort") ?? ""}
        empty={channel || state ? text.noneLikeThat : text.none}
        {...(unknown > 0 && {
          acts: (row: CustomerLetter) =>
            row.state === "unknown" && (
              <span className="row">
                <button type="button" className="button" onClick={() => void decide(row, "sent")}>
                  {text.arrived}
                </button>
                <button type="button" className="button" onClick={() => void decide(row, "send_again")}>
                  {text.again}
                </button>
              </span>
            ),
        })}
      />
      <ListEnd list={list} size={size} onSize={setSize} />
    </Screen>
  );
}
