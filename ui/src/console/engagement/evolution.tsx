import { useEffect, useState } from "react";
import { call, troubleOf, type Trouble } from "../../shared/api";
import { When } from "../../shared/parts";
import { ChartOrTable } from "../chart-or-table";
import { DataTable, type Column } from "../data-table";
import { Link, Screen } from "../parts";
import { hrefOf, type Route } from "../route";
import { words as all } from "../strings";
import { useList } from "../use-list";
import type { Evolution } from "./contract";
import { percent } from "./decisions";
import { Plot } from "./plots";
import { words } from "./strings";
import "./engagement.css";

const text = words.evolution;
const LOOK_AGAIN = 3000;
const amount = (value: number | string): string => (typeof value === "number" ? value.toFixed(4) : value);

const STEPS: Column<Evolution>[] = [
  {
    id: "at",
    title: text.at,
    value: (row) => row.created_at,
    show: (row) => (
      <Link href={`${hrefOf("evolution")}?step=${row.id}`}>
        <When at={row.created_at} />
      </Link>
    ),
  },
  { id: "generation", title: text.generation, value: (row) => row.generation, isNumber: true },
  { id: "state", title: text.state, value: (row) => row.state.replaceAll("_", " ") },
  { id: "note", title: text.note, value: (row) => row.note, isLong: true },
];

/** Steps of evolution: how the search went, and whether it holds where nobody had looked. */
export default function EvolutionScreen({ route }: { route: Route }) {
  const list = useList<Evolution>("/api/v1/evolutions", { limit: 50 });
  const [failure, setFailure] = useState<Trouble | null>(null);
  const { items, reload } = list;
  const isRunning = items?.some((step) => step.state === "running") ?? false;
  useEffect(() => {
    const timer = setInterval(() => isRunning && !document.hidden && reload(), LOOK_AGAIN);
    return () => clearInterval(timer);
  }, [isRunning, reload]);
  const step = items?.find((one) => one.id === route.params.get("step")) ?? items?.[0];
  const evolve = async (): Promise<void> => {
    try {
      await call("/api/v1/orchestration/evolve", { method: "POST" });
      setFailure(null);
    } catch (reason) {
      setFailure(troubleOf(reason));
    }
    reload();
  };
  return (
    <Screen
      page="evolution"
      sentence={items && (isRunning ? text.running : step ? text.sentence(step.generation, step.note) : text.none)}
      trouble={failure ?? list.trouble}
      loading={list.loading}
      onAgain={() => {
        setFailure(null);
        reload();
      }}
      acts={
        <button type="button" className="button main" disabled={isRunning} onClick={() => void evolve()}>
          {text.evolve}
        </button>
      }
    >
      {step && (
        <div className="story">
          {step.found.rounds.length > 0 && <Found step={step} />}
          <section>
            <h2>{text.steps}</h2>
            <DataTable label={text.steps} columns={STEPS} rows={items ?? []} nameOf={(row) => row.note} sort={route.params.get("sort") ?? ""} empty={all.none} />
          </section>
        </div>
      )}
    </Screen>
  );
}

function Found({ step: { found } }: { step: Evolution }) {
  const values = found.rounds.flatMap((round) => [round.best, round.mean]);
  const says = text.fitnessSays(amount(found.rounds[0]?.best ?? 0), amount(found.rounds.at(-1)?.best ?? 0), found.rounds.length);
  const line = (of: "best" | "mean"): [number, number][] => found.rounds.map((round, place) => [place + 1, round[of]]);
  return (
    <>
      <section>
        <h2>{text.fitness}</h2>
        <p>{says}</p>
        <p className={found.gap > Math.abs(found.held_out) ? "warn" : ""}>{text.gap(amount(found.fitness), amount(found.held_out), amount(found.gap))}</p>
        <p>{text.gain(amount(found.gain), amount(found.gain_low), amount(found.gain_high))}</p>
        <p className="muted">{text.load(percent(found.parent_load, 1), percent(found.load, 1))}</p>
        <p className="muted">{text.harm(percent(found.parent_harm, 2), percent(found.harm, 2))}</p>
        <p className="small muted">{text.tried(found.tried, found.decisions, found.held_out_decisions)}</p>
        <ChartOrTable
          label={text.fitness}
          chart={
            <Plot
              label={says}
              lines={[
                { name: text.best, points: line("best") },
                { name: text.mean, points: line("mean"), kind: "quiet" },
              ]}
              x={[1, found.rounds.length]}
              y={[Math.min(...values), Math.max(...values)]}
              ticks={(value) => value.toFixed(3)}
              xTicks={(value) => `${text.round} ${value}`}
            />
          }
          table={
            <DataTable
              label={text.fitness}
              columns={[
                { id: "round", title: text.round, value: (row) => row.round, isNumber: true },
                { id: "best", title: text.best, value: (row) => row.best, show: (row) => amount(row.best), isNumber: true },
                { id: "mean", title: text.mean, value: (row) => row.mean, show: (row) => amount(row.mean), isNumber: true },
              ]}
              rows={found.rounds.map((round, place) => ({ ...round, id: String(place), round: place + 1 }))}
              nameOf={(row) => row.id}
              sort=""
              empty={all.none}
            />
          }
        />
      </section>
      <section>
        <h2>{text.changes}</h2>
        <DataTable
          label={text.changes}
          columns={[
            { id: "gene", title: text.gene, value: (row) => row.gene.replaceAll("_", " ") },
            { id: "before", title: text.before, value: (row) => row.before, show: (row) => amount(row.before), isNumber: true },
            { id: "after", title: text.after, value: (row) => row.after, show: (row) => amount(row.after), isNumber: true },
            { id: "worth", title: text.worth, value: (row) => row.worth, show: (row) => amount(row.worth), isNumber: true },
          ]}
          rows={found.changes.map((change) => ({ ...change, id: change.gene }))}
          nameOf={(row) => row.gene}
          sort=""
          empty={text.noChanges}
        />
      </section>
    </>
  );
}
