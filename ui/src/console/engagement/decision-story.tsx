import { ArrowLeft } from "lucide-react";
import { useState, type ReactNode } from "react";
import { call } from "../../shared/api";
import { When } from "../../shared/parts";
import { useAnswer } from "../../shared/use-answer";
import { ChartOrTable } from "../chart-or-table";
import { DataTable, type Column } from "../data-table";
import { Confirm, Link, Screen, type Question } from "../parts";
import { hrefOf } from "../route";
import { Checks } from "./checks";
import type { Contribution, Decision, Story } from "./contract";
import { percent } from "./decisions";
import { words } from "./strings";

const text = words.decisions;
const amount = (value: number): string => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(3)}`;

/** One decision, from what was known to what came of it. */
export function DecisionStory({ id }: { id: string }) {
  const { value, trouble, loading, reload } = useAnswer<Story>(`/api/v1/decisions/${encodeURIComponent(id)}`);
  const decision = value?.decision;
  return (
    <Screen
      page="decisions"
      sentence={decision ? text.story(words.states[decision.state], decision.arm.split("/").join(" · "), decision.customer_id) : null}
      trouble={trouble}
      loading={loading}
      onAgain={reload}
      acts={
        <Link href={hrefOf("decisions")} className="button">
          <ArrowLeft size={18} strokeWidth={1.5} aria-hidden /> {text.back}
        </Link>
      }
    >
      {value && decision && (
        <div className="story">
          <Part title={text.why}>
            <ul className="plain reasons">
              {decision.reasons
                .filter((reason) => !decision.masks.some((mask) => mask.words === reason))
                .map((reason) => (
                  <li key={reason}>{withCode(reason)}</li>
                ))}
              {decision.masks.length > 0 && <li>{text.ruledOut}</li>}
            </ul>
            {decision.human && <p className="warn">{text.human}</p>}
          </Part>
          <Part title={text.contributions}>
            {decision.contributions.length ? <Contributions decision={decision} /> : <p className="muted">{text.noContributions}</p>}
          </Part>
          <Part title={text.chances}>
            <Chances decision={decision} />
          </Part>
          <Part title={text.masks}>
            <DataTable
              label={text.masks}
              columns={[
                { id: "words", title: text.rule, value: (row) => row.words },
                { id: "arms", title: text.arms, value: (row) => row.arms, isNumber: true },
              ]}
              rows={decision.masks.map((mask) => ({ ...mask, id: mask.rule }))}
              nameOf={(row) => row.rule}
              sort=""
              empty={text.noMasks}
            />
          </Part>
          <Followed story={value} onOverruled={reload} />
          <Facts story={value} />
        </div>
      )}
    </Screen>
  );
}

/** A sentence in which names stand between backticks. */
const withCode = (said: string): ReactNode[] =>
  said.split("`").map((part, place) => (place % 2 ? <code key={place}>{part}</code> : part));

function Contributions({ decision }: { decision: Decision }) {
  const most = Math.max(...decision.contributions.flatMap((one) => [Math.abs(one.against_nothing), Math.abs(one.against_runner_up)]), 1e-9);
  const columns: Column<Contribution & { id: string }>[] = [
    { id: "feature", title: text.feature, value: (row) => row.feature },
    {
      id: "runner_up",
      title: text.runnerUp(decision.runner_up),
      value: (row) => row.against_runner_up,
      show: (row) => amount(row.against_runner_up),
      isNumber: true,
    },
    {
      id: "nothing",
      title: text.againstNothing,
      value: (row) => row.against_nothing,
      show: (row) => amount(row.against_nothing),
      isNumber: true,
    },
  ];
  return (
    <>
      <p className="small muted">{text.contributionsNote}</p>
      <ChartOrTable
        label={text.contributions}
        chart={
          <ul className="plain pulls" aria-label={text.contributions}>
            {decision.contributions.map((one) => (
              <li key={one.feature}>
                <span>{one.feature}</span>
                <Pull value={one.against_runner_up} most={most} label={text.runnerUp(decision.runner_up)} />
                <Pull value={one.against_nothing} most={most} label={text.againstNothing} />
              </li>
            ))}
          </ul>
        }
        table={
          <DataTable
            label={text.contributions}
            columns={columns}
            rows={decision.contributions.map((one) => ({ ...one, id: one.feature }))}
            nameOf={(row) => row.feature}
            sort=""
            empty={text.noContributions}
          />
        }
      />
    </>
  );
}

/** A bar to the right for what spoke for the choice, to the left for what spoke against it. */
const Pull = ({ value, most, label }: { value: number; most: number; label: string }) => (
  <span className="pull">
    <svg viewBox="-100 0 200 10" preserveAspectRatio="none" aria-hidden>
      <line x1="0" x2="0" y1="0" y2="10" />
      <rect x={value < 0 ? (value / most) * 100 : 0} y="1" width={(Math.abs(value) / most) * 100} height="8" data-against={value < 0} />
    </svg>
    <span className="small muted">
      {label} {amount(value)}
    </span>
  </span>
);

function Chances({ decision }: { decision: Decision }) {
  const rows = decision.eligible
    .map((arm, place) => ({ id: arm, arm, chance: decision.probabilities[place] ?? 0 }))
    .sort((one, other) => other.chance - one.chance);
  return (
    <>
      <p className="small muted">{text.chancesNote}</p>
      <DataTable
        label={text.chances}
        columns={[
          {
            id: "arm",
            title: text.arm,
            value: (row) => row.arm,
            show: (row) => <span className={row.arm === decision.arm ? "chosen" : ""}>{row.arm.split("/").join(" · ")}</span>,
          },
          {
            id: "chance",
            title: text.chance,
            value: (row) => row.chance,
            show: (row) => (
              <span className="chance">
                <meter min={0} max={1} value={row.chance} aria-hidden /> {percent(row.chance, 1)}
              </span>
            ),
            isNumber: true,
          },
        ]}
        rows={rows}
        nameOf={(row) => row.arm}
        sort=""
        empty={text.noMasks}
      />
    </>
  );
}

/** A person's word that what was held is to be written after all. */
function Overrule({ decision, onDone }: { decision: Decision; onDone: () => void }) {
  const [question, setQuestion] = useState<Question | null>(null);
  const ask = (): void =>
    setQuestion({
      title: text.overruleAsk(decision.customer_id),
      note: text.overruleNote,
      act: text.overrule,
      work: () => call(`/api/v1/decisions/${encodeURIComponent(decision.id)}/overrule`, { method: "POST" }).then(onDone),
    });
  return (
    <>
      <button type="button" className="button" onClick={ask}>
        {text.overrule}
      </button>
      <Confirm question={question} onClose={() => setQuestion(null)} />
    </>
  );
}

const Followed = ({ story, onOverruled }: { story: Story; onOverruled: () => void }) => (
  <>
    <Part title={text.message}>
      {story.message ? (
        <div className="letter">
          <p className="small muted">
            {words.messages[story.message.state]}
            {story.message.model && ` · ${text.by(story.message.model)}`}
            {story.message.problem && ` · ${story.message.problem}`}
          </p>
          {story.message.subject && <p className="subject">{story.message.subject}</p>}
          {story.message.body && (
            <p className="as-written" dir="auto">
              {story.message.body}
            </p>
          )}
          <Checks checks={story.message.checks ?? []} model={story.message.model} />
          {story.message.state === "approval" && <Link href={hrefOf("approvals")}>{text.toApprovals}</Link>}
        </div>
      ) : (
        <>
          <p className="muted">{text.noMessage}</p>
          {story.decision.state === "hold" && <Overrule decision={story.decision} onDone={onOverruled} />}
        </>
      )}
    </Part>
    <Part title={text.people}>
      {story.votes.length === 0 && <p className="muted">{text.noPeople}</p>}
      {story.votes.map((vote) => (
        <p key={`${vote.person_id} ${vote.at}`}>
          {vote.name ?? vote.person_id} {text.verdicts[vote.verdict] ?? vote.verdict} <When at={vote.at} />
          {vote.note && <span className="as-written muted">{vote.note}</span>}
        </p>
      ))}
    </Part>
    <Part title={text.delivery}>
      {story.delivery ? (
        <p>
          {story.delivery.channel}: {words.letters[story.delivery.state]}
          {story.delivery.problem && ` (${story.delivery.problem})`} {story.delivery.settled_at && <When at={story.delivery.settled_at} />}
        </p>
      ) : (
        <p className="muted">{text.noDelivery}</p>
      )}
    </Part>
    <Part title={text.followed}>
      {story.outcomes.length === 0 && <p className="muted">{text.noOutcome}</p>}
      {story.outcomes.map((one) => (
        <p key={one.id}>
          {words.outcomes[one.kind]} <When at={one.at} /> {!one.counted && <span className="muted">{text.late}</span>}
        </p>
      ))}
      {story.reward !== null && <p>{text.reward(amount(story.reward))}</p>}
      {story.outcome_due_at && story.reward === null && (
        <p className="small muted">{text.open(new Date(story.outcome_due_at).toLocaleString("en"))}</p>
      )}
    </Part>
  </>
);

function Facts({ story: { decision, strategy } }: { story: Story }) {
  const facts: [string, ReactNode][] = [
    [text.at, <When key="at" at={decision.at} />],
    [text.customer, <Link key="customer" href={hrefOf("customers", decision.customer_id)}>{decision.customer_id}</Link>],
    [text.segment, decision.segment],
    [text.objective, text.objectives[decision.objective] ?? decision.objective],
    [text.confidence, percent(decision.confidence, 1)],
    [text.risk, percent(decision.risk, 1)],
    [text.propensity, percent(decision.propensity, 1)],
    [text.policy, <Link key="policy" href={hrefOf("policies", decision.policy_id)}>{strategy ? `${strategy.origin} · ${strategy.generation}` : decision.policy_id}</Link>],
    [text.event, <code key="event">{decision.event_id ?? "–"}</code>],
  ];
  return (
    <Part title={text.facts}>
      <dl className="pairs">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p className="small muted">
        {text.replayNote} <code>{text.replay(decision.id)}</code>
      </p>
    </Part>
  );
}

const Part = ({ title, children }: { title: string; children: ReactNode }) => (
  <section>
    <h2>{title}</h2>
    {children}
  </section>
);
