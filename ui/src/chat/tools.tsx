import { useEffect, useState } from "react";
import { call, troubleOf, type Trouble } from "../shared/api";
import type { Approval, Page, ToolUse } from "../shared/contract";
import { TroubleNote } from "../shared/parts";
import type { Asked } from "../stream/turn";
import { Icon } from "./icons";
import { words } from "./strings";

/** A tool's name without its server's: the part that says what it does. */
const shortName = (name: string): string => name.slice(name.lastIndexOf("__") + 1 + Number(name.includes("__")));

/** A tool call as one quiet line that opens. */
export const ToolLine = ({ tool }: { tool: ToolUse }) => (
  <details className="tool">
    <summary>
      <Icon name="tool" />
      <span>
        {words.toolAsked(tool.server)} · {shortName(tool.name)}
        {tool.is_error && <em> · {words.toolFailed}</em>}
        {tool.result === null && <em> · {words.toolRuns}</em>}
      </span>
    </summary>
    <p className="label">{words.toolArguments}</p>
    <pre tabIndex={0}>{pretty(tool.arguments)}</pre>
    {tool.result !== null && (
      <>
        <p className="label">{words.toolResult}</p>
        <pre tabIndex={0}>{tool.result}</pre>
      </>
    )}
  </details>
);

/** Asks the person whether a tool may act, with the arguments in full; the answer is bound to their digest. */
export function ApprovalCard({ asked, onAnswer }: { asked: Asked; onAnswer: (state: Asked["state"]) => void }) {
  const [approval, setApproval] = useState<Approval | null>(null);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [round, setRound] = useState(0);
  const [isBusy, setBusy] = useState(false);

  useEffect(() => {
    const abort = new AbortController();
    call<Page<Approval>>("/api/v1/approvals", { signal: abort.signal })
      .then((page) => setApproval(page.items.find((item) => item.id === asked.id) ?? null))
      .catch((reason: unknown) => !abort.signal.aborted && setTrouble(troubleOf(reason)));
    return () => abort.abort();
  }, [asked.id, round]);

  const answer = async (decision: "approve" | "deny"): Promise<void> => {
    setBusy(true);
    try {
      const body = { decision, digest: approval?.digest };
      await call(`/api/v1/approvals/${asked.id}`, { method: "POST", body });
      onAnswer(decision === "approve" ? "approved" : "denied");
    } catch (reason) {
      setTrouble(troubleOf(reason));
    }
    setBusy(false);
  };

  if (asked.state !== "open") {
    return <p className="small muted">{asked.state === "approved" ? words.approved : words.denied}</p>;
  }
  return (
    <section className="approval" aria-label={words.approvalAsk(asked.call.name)}>
      <h3>{words.approvalAsk(asked.call.name)}</h3>
      <p className="muted">{words.approvalNote}</p>
      <pre tabIndex={0}>{pretty(approval?.arguments ?? asked.call.arguments)}</pre>
      {trouble && <TroubleNote trouble={trouble} words={words.trouble} onAgain={() => setRound((count) => count + 1)} />}
      <div className="row">
        <button type="button" className="button main" disabled={!approval || isBusy} onClick={() => void answer("approve")}>
          {words.approve}
        </button>
        <button type="button" className="button" disabled={!approval || isBusy} onClick={() => void answer("deny")}>
          {words.deny}
        </button>
      </div>
    </section>
  );
}

/** JSON with line breaks; what is no JSON as it is. Look-alike and invisible signs are written as escapes. */
function pretty(text: string): string {
  let shown = text;
  try {
    shown = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // Shown as it came.
  }
  return shown.replace(/[^\P{C}\n\t]/gu, (sign) => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`);
}
