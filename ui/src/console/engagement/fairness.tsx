import { useState, type FormEvent } from "react";
import { call, troubleOf, type Trouble } from "../../shared/api";
import { TroubleNote } from "../../shared/parts";
import { useAnswer } from "../../shared/use-answer";
import { DataTable, type Column } from "../data-table";
import { Modal, Screen } from "../parts";
import type { Route } from "../route";
import { words as all } from "../strings";
import type { Bias, Gap } from "./contract";
import { percent } from "./decisions";
import { Range } from "./plots";
import { words } from "./strings";
import "./engagement.css";

const text = words.fairness;
const MOST = 2;

const columns = (least: number): Column<Gap>[] => [
  { id: "group", title: text.group, value: (row) => `${row.trait}: ${row.group}` },
  { id: "measure", title: text.measure, value: (row) => text.measures[row.measure] },
  { id: "rate", title: text.rate, value: (row) => row.rate, show: (row) => percent(row.rate, 1), isNumber: true },
  {
    id: "reference",
    title: text.reference,
    value: (row) => row.reference_rate,
    show: (row) => `${row.reference}: ${percent(row.reference_rate, 1)}`,
    isNumber: true,
  },
  {
    id: "ratio",
    title: text.ratio,
    value: (row) => row.ratio,
    show: (row) => (
      <>
        <Range low={row.low} high={row.high ?? MOST} value={row.ratio} mark={least} from={0} to={MOST} />
        <span className="small">{`${row.ratio.toFixed(2)} (${row.low.toFixed(2)} … ${row.high?.toFixed(2) ?? "∞"})`}</span>
      </>
    ),
    isNumber: true,
  },
  { id: "people", title: text.people, value: (row) => row.people, isNumber: true },
  {
    id: "state",
    title: text.state,
    value: (row) => text.states[row.state],
    show: (row) => (
      <>
        <span className={row.state === "open" ? "bad" : row.state === "fair" ? "ok" : ""}>{text.states[row.state]}</span>
        {row.note && <span className="as-written small muted">{row.note}</span>}
      </>
    ),
  },
];

/** Whether groups of customers are treated alike. */
export default function FairnessScreen({ route }: { route: Route }) {
  const { value, trouble, loading, reload } = useAnswer<Bias>("/api/v1/bias");
  const [accepted, setAccepted] = useState<Gap | null>(null);
  return (
    <Screen
      page="fairness"
      sentence={value && (!value.enabled ? text.off : value.findings ? text.open(value.findings) : text.fair)}
      trouble={trouble}
      loading={loading}
      onAgain={reload}
    >
      {value && (
        <>
          <p className="small muted">
            {text.note(value.least_ratio.toString(), value.least_count)} {text.rangeSays}
          </p>
          <DataTable
            label={all.pages.fairness}
            columns={columns(value.least_ratio)}
            rows={value.items}
            nameOf={(row) => `${row.trait} ${row.group}`}
            sort={route.params.get("sort") ?? ""}
            empty={text.none}
            {...(value.findings > 0 && {
              acts: (row: Gap) =>
                row.state === "open" && (
                  <button type="button" className="button" onClick={() => setAccepted(row)}>
                    {text.accept}
                  </button>
                ),
            })}
          />
        </>
      )}
      <Modal title={text.acceptTitle} isOpen={accepted !== null} onClose={() => setAccepted(null)}>
        {accepted && (
          <AcceptForm
            gap={accepted}
            onDone={() => {
              setAccepted(null);
              reload();
            }}
          />
        )}
      </Modal>
    </Screen>
  );
}

function AcceptForm({ gap, onDone }: { gap: Gap; onDone: () => void }) {
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    try {
      const body = Object.fromEntries(new FormData(event.currentTarget));
      await call(`/api/v1/bias/findings/${encodeURIComponent(gap.id)}`, { method: "POST", body });
      onDone();
    } catch (reason) {
      setTrouble(troubleOf(reason));
    }
  };
  return (
    <form className="stack" onSubmit={(event) => void submit(event)}>
      <p className="muted">{text.acceptNote}</p>
      <label className="field">
        <span>{text.why}</span>
        <input className="input" name="note" required maxLength={200} dir="auto" />
      </label>
      {trouble && <TroubleNote trouble={trouble} words={all.trouble} />}
      <button className="button main" type="submit">
        {text.accept}
      </button>
    </form>
  );
}
