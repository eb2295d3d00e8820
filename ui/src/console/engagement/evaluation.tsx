import { useState } from "react";
import { call, troubleOf, type Trouble } from "../../shared/api";
import { When } from "../../shared/parts";
import { useAnswer } from "../../shared/use-answer";
import { ChartOrTable, Days, daysOf } from "../chart-or-table";
import { DataTable } from "../data-table";
import { Link, Screen } from "../parts";
import { hrefOf, type Route } from "../route";
import { words as all } from "../strings";
import type { Calibrations, OffPolicy } from "./contract";
import { percent } from "./decisions";
import { Plot } from "./plots";
import { words } from "./strings";
import "./engagement.css";

const text = words.evaluation;
const amount = (value: number): string => value.toFixed(4);

type Patterns = {
  items: { id: string; segment: string; subject: string; rate: number; others: number; count: number; found_at: string }[];
};

/** Whether confidence, and estimates of what was never tried, can be believed. */
export default function EvaluationScreen({ route }: { route: Route }) {
  const days = daysOf(route);
  const calibration = useAnswer<Calibrations>("/api/v1/calibration");
  const offPolicy = useAnswer<OffPolicy>(`/api/v1/off-policy?days=${days}`);
  const patterns = useAnswer<Patterns>("/api/v1/patterns");
  const [failure, setFailure] = useState<Trouble | null>(null);
  const found = calibration.value?.calibration;
  const refit = async (): Promise<void> => {
    try {
      await call("/api/v1/learning", { method: "POST" });
      setFailure(null);
    } catch (reason) {
      setFailure(troubleOf(reason));
    }
    calibration.reload();
    offPolicy.reload();
  };
  return (
    <Screen
      page="evaluation"
      sentence={found ? (found.error === null ? text.unknown : text.sentence(percent(found.error, 1), found.n)) : null}
      trouble={failure ?? calibration.trouble ?? offPolicy.trouble ?? patterns.trouble}
      loading={calibration.loading}
      onAgain={() => {
        setFailure(null);
        calibration.reload();
        offPolicy.reload();
      }}
      acts={
        <>
          <Days days={days} />
          <button type="button" className="button" onClick={() => void refit()}>
            {text.refit}
          </button>
        </>
      }
    >
      <div className="story">
        {calibration.value && <Calibrated value={calibration.value} />}
        {offPolicy.value && <Compared value={offPolicy.value} />}
        <section>
          <h2>{text.patterns}</h2>
          <DataTable
            label={text.patterns}
            columns={[
              { id: "pattern", title: text.patterns, value: (row) => text.pattern(row.segment, row.subject) },
              { id: "rate", title: text.rate, value: (row) => row.rate, show: (row) => percent(row.rate, 1), isNumber: true },
              { id: "others", title: text.others, value: (row) => row.others, show: (row) => percent(row.others, 1), isNumber: true },
              { id: "count", title: text.count, value: (row) => row.count, isNumber: true },
              { id: "found", title: text.found, value: (row) => row.found_at, show: (row) => <When at={row.found_at} /> },
            ]}
            rows={patterns.value?.items ?? []}
            nameOf={(row) => row.subject}
            sortName="patterns"
            sort={route.params.get("patterns") ?? ""}
            empty={text.noPatterns}
          />
        </section>
      </div>
    </Screen>
  );
}

function Calibrated({ value }: { value: Calibrations }) {
  const bins = value.bins.filter((bin) => bin.count > 0);
  return (
    <section>
      <h2>{text.calibration}</h2>
      {bins.length === 0 ? (
        <p className="muted">{text.noCalibration}</p>
      ) : (
        <>
          <p className="small muted">{text.calibrationSays}</p>
          <ChartOrTable
            label={text.calibration}
            chart={
              <Plot
                label={text.calibrationSays}
                lines={[
                  { name: text.cameTrue, points: bins.map((bin): [number, number] => [bin.said, bin.true]) },
                  { name: text.ideal, points: [[0, 0], [1, 1]], kind: "quiet" },
                ]}
                x={[0, 1]}
                y={[0, 1]}
                ticks={(share) => percent(share)}
                xName={text.said}
              />
            }
            table={
              <DataTable
                label={text.calibration}
                columns={[
                  { id: "said", title: text.said, value: (row) => row.said, show: (row) => percent(row.said, 1), isNumber: true },
                  { id: "true", title: text.cameTrue, value: (row) => row.true, show: (row) => percent(row.true, 1), isNumber: true },
                  { id: "count", title: text.decisions, value: (row) => row.count, isNumber: true },
                ]}
                rows={bins.map((bin) => ({ ...bin, id: String(bin.low) }))}
                nameOf={(row) => row.id}
                sort=""
                empty={all.none}
              />
            }
          />
        </>
      )}
      {value.items.length > 0 && (
        <>
          <h3>{text.history}</h3>
          <DataTable
            label={text.history}
            columns={[
              { id: "at", title: text.at, value: (row) => row.at, show: (row) => <When at={row.at} /> },
              { id: "error", title: text.error, value: (row) => row.error, show: (row) => percent(row.error, 1), isNumber: true },
            ]}
            rows={value.items.map((item) => ({ ...item, id: item.policy_id })).reverse()}
            nameOf={(row) => row.id}
            sort=""
            empty={all.none}
          />
        </>
      )}
    </section>
  );
}

const Compared = ({ value }: { value: OffPolicy }) => (
  <section>
    <h2>{text.offPolicy}</h2>
    <p className="small muted">{text.offPolicyNote}</p>
    {value.items.map((item) => (
      <div key={item.policy_id} className="compared">
        <h3>
          <Link href={hrefOf("policies", item.policy_id)}>{`${text.policy} ${item.policy_id.slice(-6)}`}</Link>
        </h3>
        <p>{text.earned(amount(item.earned), item.decisions)}</p>
        <DataTable
          label={`${text.offPolicy} ${item.policy_id}`}
          columns={[
            { id: "method", title: text.method, value: (row) => text.methods[row.method] ?? row.method },
            { id: "value", title: text.estimate, value: (row) => row.value, show: (row) => amount(row.value), isNumber: true },
            { id: "low", title: text.interval, value: (row) => row.low, show: (row) => `${amount(row.low)} … ${amount(row.high)}`, isNumber: true },
            { id: "effective", title: text.worth, value: (row) => row.effective, show: (row) => Math.round(row.effective), isNumber: true },
            {
              id: "enough",
              title: text.trust,
              value: (row) => (row.enough ? text.enough : row.why),
              show: (row) => <span className={row.enough ? "ok" : "warn"}>{row.enough ? text.enough : row.why}</span>,
            },
          ]}
          rows={item.estimates.map((one) => ({ ...one, id: one.method }))}
          nameOf={(row) => row.method}
          sort=""
          empty={text.noOffPolicy}
        />
      </div>
    ))}
  </section>
);
