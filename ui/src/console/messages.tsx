import { useMemo, useState } from "react";
import { call, troubleOf, type Trouble } from "../shared/api";
import { When } from "../shared/parts";
import type { Handoff } from "./contract";
import { DataTable, type Column } from "./data-table";
import { Choice, Link, Screen } from "./parts";
import { hrefOf, type Route } from "./route";
import { words } from "./strings";
import { useList } from "./use-list";

const text = words.messages;

const COLUMNS: Column<Handoff>[] = [
  {
    id: "text",
    title: text.text,
    value: (row) => row.text,
    show: (row) => (
      <>
        <span className="as-written" dir="auto">
          {row.text}
        </span>
        <Link className="small" href={hrefOf("inbox", row.conversation_id)}>
          {text.open}
        </Link>
      </>
    ),
    isLong: true,
  },
  { id: "contact", title: text.contact, value: (row) => row.contact || words.none, isLong: true },
  { id: "state", title: text.state, value: (row) => text.states[row.state] },
  { id: "left", title: text.left, value: (row) => row.created_at, show: (row) => <When at={row.created_at} /> },
];

export function MessagesScreen({ route }: { route: Route }) {
  const show = route.params.get("state") ?? "waiting";
  const list = useList<Handoff>("/api/v1/console/handoffs", { state: show === "all" ? undefined : show });
  const waiting = useList<Handoff>("/api/v1/console/handoffs", { state: "waiting" });
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const options = useMemo((): [string, string][] => [["waiting", text.showWaiting], ["settled", text.showSettled], ["all", text.showAll]], []);

  const settle = async (rows: Handoff[], state: Handoff["state"]): Promise<void> => {
    try {
      await Promise.all(rows.map((row) => call(`/api/v1/console/handoffs/${row.id}`, { method: "PATCH", body: { state } })));
      setTrouble(null);
    } catch (reason) {
      setTrouble(troubleOf(reason));
    }
    list.reload();
    waiting.reload();
  };

  return (
    <Screen
      page="messages"
      sentence={waiting.items && list.items && text.sentence(waiting.items.length)}
      trouble={trouble ?? list.trouble}
      loading={list.loading}
      onAgain={list.reload}
      acts={<Choice label={text.show} name="state" value={show} options={options} />}
    >
      <DataTable
        label={words.pages.messages}
        columns={COLUMNS}
        rows={list.items ?? []}
        nameOf={(row) => row.text.slice(0, 40)}
        sort={route.params.get("sort") ?? ""}
        empty={text.none}
        acts={(row) => (
          <button type="button" className="button" onClick={() => void settle([row], row.state === "waiting" ? "settled" : "waiting")}>
            {row.state === "waiting" ? text.settle : text.reopen}
          </button>
        )}
        bulk={(rows, clear) => (
          <button type="button" className="button" onClick={() => void settle(rows, "settled").then(clear)}>
            {text.settle}
          </button>
        )}
      />
    </Screen>
  );
}
