import { useEffect, useState, type ReactNode } from "react";
import { call, troubleOf, type Trouble } from "../shared/api";
import { When } from "../shared/parts";
import { lasting } from "../shared/time";
import { useAnswer } from "../shared/use-answer";
import type { DeadLetter, KeptUpdate, Queue, Schedule, UnknownSend, Work, Worker } from "./contract";
import { DataTable, type Column } from "./data-table";
import { Confirm, Screen, type Question } from "./parts";
import type { Route } from "./route";
import { words } from "./strings";

const text = words.work;
const LOOK_AGAIN = 5000;

type Line<T> = T & { id: string };

const moment = (at: string | null): ReactNode => (at ? <When at={at} /> : words.never);

const QUEUES: Column<Line<Queue>>[] = [
  { id: "kind", title: text.kind, value: (row) => row.kind },
  { id: "queue", title: text.queue, value: (row) => row.queue },
  { id: "length", title: text.length, value: (row) => row.length, isNumber: true },
  {
    id: "oldest",
    title: text.oldest,
    value: (row) => row.oldest_seconds,
    show: (row) => (row.length ? lasting(row.oldest_seconds) : words.none),
    isNumber: true,
  },
  { id: "running", title: text.running, value: (row) => row.running, isNumber: true },
];

const WORKERS: Column<Line<Worker>>[] = [
  { id: "worker", title: text.worker, value: (row) => row.name, show: (row) => <code>{row.name}</code> },
  { id: "queues", title: text.queues, value: (row) => row.queues.join(", ") },
  {
    id: "state",
    title: text.state,
    value: (row) => text.states[row.state],
    show: (row) => <span className={{ up: "ok", draining: "warn", down: "bad" }[row.state]}>{text.states[row.state]}</span>,
  },
  { id: "running", title: text.running, value: (row) => row.running, isNumber: true },
  { id: "seen", title: text.seen, value: (row) => row.seen_at, show: (row) => moment(row.seen_at) },
];

const DEAD: Column<DeadLetter>[] = [
  {
    id: "what",
    title: text.what,
    value: (row) => row.summary || row.id,
    show: (row) => (
      <>
        <span className="as-written" dir="auto">
          {row.summary || row.id}
        </span>
        <span className="small muted">
          {row.kind}
          {row.channel && ` · ${row.channel}`}
        </span>
      </>
    ),
    isLong: true,
  },
  { id: "reason", title: text.reason, value: (row) => row.reason, isLong: true },
  { id: "attempts", title: text.attempts, value: (row) => row.attempts, isNumber: true },
  { id: "at", title: text.at, value: (row) => row.at, show: (row) => moment(row.at) },
];

const UNKNOWN: Column<UnknownSend>[] = [
  {
    id: "text",
    title: text.text,
    value: (row) => row.text,
    show: (row) => (
      <>
        <span className="as-written" dir="auto">
          {row.text}
        </span>
        {row.proactive && <span className="small muted">{text.proactive}</span>}
      </>
    ),
    isLong: true,
  },
  { id: "channel", title: text.channel, value: (row) => row.channel },
  { id: "place", title: text.place, value: (row) => row.place, show: (row) => <code>{row.place}</code> },
  { id: "at", title: text.at, value: (row) => row.at, show: (row) => moment(row.at) },
];

const SCHEDULES: Column<Line<Schedule>>[] = [
  { id: "name", title: text.schedule, value: (row) => row.name },
  { id: "every", title: text.every, value: (row) => row.every },
  { id: "next", title: text.next, value: (row) => row.next_at ?? "", show: (row) => moment(row.next_at) },
  { id: "last", title: text.last, value: (row) => row.last_at ?? "", show: (row) => moment(row.last_at) },
  { id: "result", title: text.result, value: (row) => row.last_result ?? words.none },
];

const KEPT: Column<KeptUpdate & { update: string }>[] = [
  { id: "channel", title: text.channel, value: (row) => row.channel },
  { id: "id", title: text.id, value: (row) => row.update, show: (row) => <code>{row.update}</code> },
  { id: "kind", title: text.kind, value: (row) => row.kind },
  { id: "at", title: text.at, value: (row) => row.at, show: (row) => moment(row.at) },
];

/** Whether work is stuck: queues, workers, what failed for good, what may have been sent, and what comes next. */
export function WorkScreen({ route }: { route: Route }) {
  const { value, trouble, loading, reload } = useAnswer<Work>("/api/v1/console/work");
  const [failure, setFailure] = useState<Trouble | null>(null);
  const [question, setQuestion] = useState<Question | null>(null);
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && reload(), LOOK_AGAIN);
    return () => clearInterval(timer);
  }, [reload]);

  const act = async (calls: Promise<unknown>[]): Promise<void> => {
    const failed = (await Promise.allSettled(calls)).find((one) => one.status === "rejected");
    setFailure(failed ? troubleOf(failed.reason) : null);
    reload();
  };
  const replay = (rows: DeadLetter[]): Promise<void> =>
    act(rows.map((row) => call(`${pathOf(row)}/replay`, { method: "POST" })));
  const remove = (rows: DeadLetter[], clear: () => void): void =>
    setQuestion({
      title: text.removeAsk(rows.length),
      note: text.removeNote,
      act: text.remove,
      work: async () => {
        await act(rows.map((row) => call(pathOf(row), { method: "DELETE" })));
        clear();
      },
    });
  const decide = (row: UnknownSend, decision: "sent" | "send_again"): void =>
    void act([call(`/api/v1/console/work/unknown/${encodeURIComponent(row.id)}`, { method: "POST", body: { decision } })]);
  const sortOf = (name: string): string => route.params.get(name) ?? "";

  return (
    <Screen
      page="work"
      sentence={value?.answer ?? null}
      trouble={failure ?? trouble}
      loading={loading}
      onAgain={() => {
        setFailure(null);
        reload();
      }}
    >
      {value && (
        <div className="work">
          <Part title={text.dead} count={value.dead.length}>
            <DataTable
              label={text.dead}
              columns={DEAD}
              rows={value.dead}
              nameOf={(row) => row.summary || row.id}
              sortName="dead"
              sort={sortOf("dead")}
              empty={text.deadNone}
              acts={(row) => (
                <button type="button" className="button" onClick={() => void replay([row])}>
                  {text.replay}
                </button>
              )}
              bulk={(rows, clear) => (
                <>
                  <button type="button" className="button" onClick={() => void replay(rows).then(clear)}>
                    {text.replay}
                  </button>
                  <button type="button" className="button bad" onClick={() => remove(rows, clear)}>
                    {text.remove}
                  </button>
                </>
              )}
            />
          </Part>
          <Part title={text.unknown} count={value.unknown.length}>
            {value.unknown.length > 0 && <p className="muted">{text.unknownNote}</p>}
            <DataTable
              label={text.unknown}
              columns={UNKNOWN}
              rows={value.unknown}
              nameOf={(row) => row.text}
              sortName="unknown"
              sort={sortOf("unknown")}
              empty={text.unknownNone}
              acts={(row) => (
                <span className="row">
                  <button type="button" className="button" onClick={() => decide(row, "sent")}>
                    {words.inbox.arrived}
                  </button>
                  <button type="button" className="button" onClick={() => decide(row, "send_again")}>
                    {words.inbox.sendAgain}
                  </button>
                </span>
              )}
            />
          </Part>
          <Part title={text.queues}>
            <DataTable
              label={text.queues}
              columns={QUEUES}
              rows={value.queues.map((one) => ({ ...one, id: `${one.kind} ${one.queue}` }))}
              nameOf={(row) => row.id}
              sortName="queues"
              sort={sortOf("queues")}
              empty={text.queuesNone}
            />
          </Part>
          <Part title={text.workers}>
            <DataTable
              label={text.workers}
              columns={WORKERS}
              rows={value.workers.map((one) => ({ ...one, id: one.name }))}
              nameOf={(row) => row.name}
              sortName="workers"
              sort={sortOf("workers")}
              empty={text.workersNone}
            />
          </Part>
          <Part title={text.schedules}>
            <DataTable
              label={text.schedules}
              columns={SCHEDULES}
              rows={value.schedules.map((one) => ({ ...one, id: one.name }))}
              nameOf={(row) => row.name}
              sortName="schedules"
              sort={sortOf("schedules")}
              empty={text.schedulesNone}
            />
          </Part>
          <Part title={text.kept} count={value.updates_kept.length}>
            <DataTable
              label={text.kept}
              columns={KEPT}
              rows={value.updates_kept.map((one) => ({ ...one, update: one.id, id: `${one.channel} ${one.id}` }))}
              nameOf={(row) => row.id}
              sortName="kept"
              sort={sortOf("kept")}
              empty={text.keptNone}
            />
          </Part>
        </div>
      )}
      <Confirm question={question} onClose={() => setQuestion(null)} />
    </Screen>
  );
}

const pathOf = (row: DeadLetter): string =>
  `/api/v1/console/work/dead/${encodeURIComponent(row.kind)}/${encodeURIComponent(row.id)}`;

const Part = ({ title, count = 0, children }: { title: string; count?: number; children: ReactNode }) => (
  <section>
    <h2>
      {title} {count > 0 && <span className="count">{count}</span>}
    </h2>
    {children}
  </section>
);
