import { ArrowLeft } from "lucide-react";
import { useState, type ReactNode } from "react";
import { call } from "../../shared/api";
import { When } from "../../shared/parts";
import { useAnswer } from "../../shared/use-answer";
import { Confirm, Link, Screen, type Question } from "../parts";
import { go, hrefOf } from "../route";
import { words as all } from "../strings";
import { useList } from "../use-list";
import type { Customer, Entry, OutcomeKind } from "./contract";
import { percent } from "./decisions";
import { words } from "./strings";

const text = words.customers;

/** One customer: what the events say, what may be sent, and all that happened. */
export function CustomerPage({ id }: { id: string }) {
  const path = `/api/v1/customers/${encodeURIComponent(id)}`;
  const { value, trouble, loading, reload } = useAnswer<Customer>(path);
  const entries = useList<Entry>(`${path}/timeline`, { limit: 50 });
  const [question, setQuestion] = useState<Question | null>(null);
  const withdraw = (customer: Customer): void =>
    setQuestion({
      title: text.withdrawAsk(id),
      note: text.withdrawNote,
      act: text.withdraw,
      work: async () => {
        const { segment, name, time_zone, addresses, traits } = customer;
        await call(path, { method: "PUT", body: { segment, name, time_zone, addresses, traits, consents: [] } });
        reload();
      },
    });
  const erase = (): void =>
    setQuestion({
      title: text.eraseAsk(id),
      note: text.eraseNote,
      act: text.erase,
      work: async () => {
        await call(path, { method: "DELETE" });
        go(hrefOf("customers"));
      },
    });
  return (
    <Screen
      page="customers"
      sentence={value && text.one(value.name || value.id, text.stages[value.signals.stage], value.segment)}
      trouble={trouble ?? entries.trouble}
      loading={loading}
      onAgain={() => {
        reload();
        entries.reload();
      }}
      acts={
        <>
          <Link href={hrefOf("customers")} className="button">
            <ArrowLeft size={18} strokeWidth={1.5} aria-hidden /> {text.back}
          </Link>
          <a className="button" href={`${path}/export`} download={`${id}.json`}>
            {text.export}
          </a>
          {value && value.consents.length > 0 && (
            <button type="button" className="button" onClick={() => withdraw(value)}>
              {text.withdraw}
            </button>
          )}
          <button type="button" className="button bad" onClick={erase}>
            {text.erase}
          </button>
        </>
      }
    >
      {value && (
        <div className="story">
          <section>
            <h2>{text.signals}</h2>
            <Signals customer={value} />
          </section>
          <section>
            <h2>{text.timeline}</h2>
            {entries.items?.length === 0 && <p className="muted">{text.noEntries}</p>}
            <ol className="plain timeline">
              {entries.items?.map((entry) => (
                <li key={`${entry.kind} ${entry.id}`} data-kind={entry.kind}>
                  <When at={entry.at} />
                  <span className="small muted">{text.kinds[entry.kind]}</span>
                  <span>
                    <Happened entry={entry} />
                  </span>
                </li>
              ))}
            </ol>
            {entries.hasMore && (
              <button type="button" className="button" disabled={entries.loading} onClick={entries.more}>
                {all.more}
              </button>
            )}
          </section>
        </div>
      )}
      <Confirm question={question} onClose={() => setQuestion(null)} />
    </Screen>
  );
}

function Signals({ customer }: { customer: Customer }) {
  const { signals, plan } = customer;
  const shown = (value: unknown): string => (typeof value === "object" ? JSON.stringify(value) : String(value));
  const pairs: [string, ReactNode][] = [
    [text.engagement, percent(signals.engagement)],
    [text.churn, percent(signals.churn_risk)],
    [text.fatigue, percent(signals.fatigue)],
    [text.frequency, signals.frequency.toFixed(1)],
    [text.recency, customer.last_at ? signals.recency_days.toFixed(1) : all.none],
    [text.value, signals.value.toLocaleString(all.language, { maximumFractionDigits: 2 })],
    [text.bestChannel, signals.best_channel || all.none],
    [text.bestHour, customer.last_at ? `${signals.best_hour}:00` : all.none],
    [text.zone, customer.time_zone],
    [text.consents, customer.consents.join(", ") || <span className="warn">{text.noConsent}</span>],
    [text.contacts, customer.contacts.length],
    [text.plan, plan ? text.planned(plan.weekly, plan.gap_hours) : text.noPlan],
    ...Object.entries(customer.traits).map(([name, value]): [string, ReactNode] => [name, shown(value)]),
  ];
  return (
    <dl className="pairs">
      {pairs.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Happened({ entry }: { entry: Entry }) {
  if (entry.kind === "decision")
    return (
      <>
        <Link href={hrefOf("decisions", entry.id)}>{entry.what.split("/").join(" · ")}</Link>{" "}
        <span className="muted">{entry.state && words.states[entry.state as keyof typeof words.states]}</span>
      </>
    );
  if (entry.kind === "message")
    return (
      <>
        {entry.subject || entry.what}{" "}
        <span className="muted">{entry.state && words.messages[entry.state as keyof typeof words.messages]}</span>
      </>
    );
  if (entry.kind === "outcome") return <>{words.outcomes[entry.what as OutcomeKind] ?? entry.what}</>;
  return <>{entry.what}</>;
}
