import { useCallback, useEffect, useState, type FormEvent } from "react";
import { call, troubleOf, type Trouble } from "../../shared/api";
import { TroubleNote, When } from "../../shared/parts";
import { useAnswer } from "../../shared/use-answer";
import { DataTable, type Column } from "../data-table";
import { ListEnd } from "../list-end";
import { Link, Modal, Screen } from "../parts";
import { hrefOf, type Route } from "../route";
import { words as all } from "../strings";
import { useList, usePageSize } from "../use-list";
import type { Move, PolicyLine, Rollbacks, Serving } from "./contract";
import { percent } from "./decisions";
import { PolicyPage } from "./policy";
import { words } from "./strings";
import "./engagement.css";

const text = words.policies;
const LOOK_AGAIN = 10_000;

const times = (value: number | null): string => (value === null ? "∞" : value.toFixed(2));

export const LINES: Column<PolicyLine>[] = [
  { id: "at", title: text.at, value: (row) => row.created_at, show: (row) => <When at={row.created_at} /> },
  {
    id: "policy",
    title: text.policy,
    value: (row) => row.id,
    show: (row) => <Link className="whole" href={hrefOf("policies", row.id)}>{`${text.origins[row.origin]} · ${row.id.slice(-6)}`}</Link>,
  },
  { id: "generation", title: words.evolution.generation, value: (row) => row.generation, isNumber: true },
  { id: "outcomes", title: text.learnedFrom, value: (row) => row.outcomes, show: (row) => text.outcomes(row.outcomes), isNumber: true },
  {
    id: "error",
    title: text.error,
    value: (row) => row.calibration_error ?? -1,
    show: (row) => (row.calibration_error === null ? all.none : percent(row.calibration_error, 1)),
    isNumber: true,
  },
  { id: "note", title: text.note, value: (row) => row.note, isLong: true },
];

const shown = (value: number): string => (Number.isInteger(value) ? value.toLocaleString("en") : value.toPrecision(3));

const FIRST = 4;

/** The figures that a move stands on; the rest of many behind the first. */
function Figures({ figures }: { figures: Record<string, number> }) {
  const told = Object.entries(figures).map(([name, value]) => `${name.replaceAll("_", " ")} ${shown(value)}`);
  if (told.length <= FIRST) return <span className="small">{told.join(" · ") || all.none}</span>;
  return (
    <details className="sent small">
      <summary>{told.slice(0, FIRST).join(" · ")} …</summary>
      {told.slice(FIRST).join(" · ")}
    </details>
  );
}

const MOVES: Column<Move>[] = [
  { id: "at", title: text.at, value: (row) => row.at, show: (row) => <When at={row.at} /> },
  {
    id: "kind",
    title: text.kind,
    value: (row) => text.kinds[row.kind],
    show: (row) => <span className={row.kind === "rolled_back" ? "bad" : row.kind === "promoted" ? "ok" : ""}>{text.kinds[row.kind]}</span>,
  },
  { id: "reason", title: text.reason, value: (row) => row.reason, isLong: true },
  {
    id: "figures",
    title: text.figures,
    value: (row) => Object.keys(row.figures).length,
    show: (row) => <Figures figures={row.figures} />,
    isLong: true,
  },
  { id: "by", title: text.by, value: (row) => row.actor || text.desk },
];

/** Who decides, on trial or for good; how that came about; and every snapshot. */
export default function PoliciesScreen({ route }: { route: Route }) {
  return route.id ? <PolicyPage id={route.id} /> : <PolicyList route={route} />;
}

function PolicyList({ route }: { route: Route }) {
  const [size, setSize] = usePageSize();
  const serving = useAnswer<Serving>("/api/v1/policies/serving");
  const moves = useAnswer<Rollbacks>("/api/v1/rollbacks?kind=all");
  const list = useList<PolicyLine>("/api/v1/policies", { limit: size });
  const [isOpen, setOpen] = useState(false);
  const [lookAtServing, lookAtMoves, lookAtList] = [serving.reload, moves.reload, list.reload];
  const reload = useCallback((): void => {
    lookAtServing();
    lookAtMoves();
    lookAtList();
  }, [lookAtServing, lookAtMoves, lookAtList]);
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && !isOpen && reload(), LOOK_AGAIN);
    return () => clearInterval(timer);
  }, [isOpen, reload]);
  const now = serving.value;
  const sentence = now && (now.challenger_id ? text.trial(percent(now.share)) : now.shadow_id ? text.shadow : text.alone);
  const trial = moves.value?.trial;
  return (
    <Screen
      page="policies"
      sentence={sentence}
      trouble={serving.trouble ?? moves.trouble ?? list.trouble}
      loading={serving.loading}
      onAgain={reload}
      acts={
        <button type="button" className="button bad" onClick={() => setOpen(true)}>
          {text.takeBack}
        </button>
      }
    >
      <div className="story">
        {now && <Roles serving={now} />}
        {trial && (
          <section>
            <h2>{text.trialTitle}</h2>
            <p>{text.rates(percent(trial.champion_rate, 1), percent(trial.challenger_rate, 1))}</p>
            <p>{text.ratio(times(trial.ratio), times(trial.low), times(trial.high))}</p>
            <p className="muted">{trial.words}</p>
          </section>
        )}
        <section>
          <h2>{text.moves}</h2>
          <DataTable
            label={text.moves}
            columns={MOVES}
            rows={moves.value?.items ?? []}
            nameOf={(row) => row.reason}
            sortName="moves"
            sort={route.params.get("moves") ?? ""}
            empty={text.noMoves}
          />
        </section>
        <section>
          <h2>{text.snapshots}</h2>
          <DataTable
            label={text.snapshots}
            columns={LINES}
            rows={list.items ?? []}
            nameOf={(row) => row.id}
            sort={route.params.get("sort") ?? ""}
            empty={all.none}
          />
          <ListEnd list={list} size={size} onSize={setSize} />
        </section>
      </div>
      <Modal title={text.takeBackTitle} isOpen={isOpen} onClose={() => setOpen(false)}>
        <TakeBack
          onDone={() => {
            setOpen(false);
            reload();
          }}
        />
      </Modal>
    </Screen>
  );
}

function Roles({ serving }: { serving: Serving }) {
  const held: [keyof typeof text.roles, string | null][] = [
    ["champion", serving.champion_id],
    ["challenger", serving.challenger_id],
    ["shadow", serving.shadow_id],
  ];
  return (
    <dl className="pairs">
      {held.map(
        ([role, id]) =>
          id && (
            <div key={role}>
              <dt>{text.roles[role]}</dt>
              <dd>
                <Link href={hrefOf("policies", id)}>{id.slice(-6)}</Link>{" "}
                {role === "challenger" && <span className="muted">{percent(serving.share)}</span>}
                {role === "champion" && (
                  <span className="muted">
                    {text.since} <When at={serving.since} />
                  </span>
                )}
              </dd>
            </div>
          ),
      )}
    </dl>
  );
}

function TakeBack({ onDone }: { onDone: () => void }) {
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    try {
      await call("/api/v1/rollbacks", { method: "POST", body: Object.fromEntries(new FormData(event.currentTarget)) });
      onDone();
    } catch (reason) {
      setTrouble(troubleOf(reason));
    }
  };
  return (
    <form className="stack" onSubmit={(event) => void submit(event)}>
      <p className="muted">{text.takeBackNote}</p>
      <label className="field">
        <span>{text.takeBackWhy}</span>
        <input className="input" name="reason" required maxLength={500} dir="auto" />
      </label>
      {trouble && <TroubleNote trouble={trouble} words={all.trouble} />}
      <button className="button bad" type="submit">
        {text.takeBack}
      </button>
    </form>
  );
}
