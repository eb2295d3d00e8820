import type { Activity, Call, Citation, Fault, Grounding, Message, ToolUse, TurnEvent } from "../shared/contract";
import { messageOf } from "../shared/message";

export type Asked = { id: string; call: Call; state: "open" | "approved" | "denied" };

/** An answer while it is being written: what the events so far add up to. */
export type Turn = {
  turnId: string;
  conversationId: string;
  messageId: string;
  replyId: string;
  /** The number of the last event that is in here; a repeated one changes nothing. */
  seq: number;
  activity: { kind: Activity; detail: string } | null;
  text: string;
  citations: Citation[];
  tools: ToolUse[];
  approvals: Asked[];
  switched: { from: string; to: string; at: number } | null;
  /** `handed`: the desk writes no answer, because a person has the conversation. */
  state: "running" | "complete" | "stopped" | "failed" | "handed";
  grounding: Grounding | null;
  model: string | null;
  canLeaveMessage: boolean;
  error: Fault | null;
};

export const newTurn = (known: Partial<Turn> = {}): Turn => ({
  turnId: "",
  conversationId: "",
  messageId: "",
  replyId: "",
  seq: 0,
  activity: null,
  text: "",
  citations: [],
  tools: [],
  approvals: [],
  switched: null,
  state: "running",
  grounding: null,
  model: null,
  canLeaveMessage: false,
  error: null,
  ...known,
});

/** The turn after event number `seq`. Events that it already holds are ignored, so a resumed stream doubles nothing. */
export function advance(turn: Turn, seq: number, event: TurnEvent): Turn {
  if (seq <= turn.seq) return turn;
  return { ...turn, seq, ...change(turn, event) };
}

/** The answer as a message that follows `parent`, as far as it has come. */
export const replyOf = (turn: Turn, parent: string | null, at: string): Message =>
  messageOf({
    id: turn.replyId,
    parent_id: parent,
    role: "assistant",
    text: turn.text,
    state: turn.state === "handed" ? "complete" : turn.state,
    created_at: at,
    grounding: turn.grounding,
    model: turn.model,
    citations: turn.citations,
    tools: turn.tools,
    turn_id: turn.turnId,
    error: turn.error,
    can_leave_message: turn.canLeaveMessage,
  });

function change(turn: Turn, event: TurnEvent): Partial<Turn> {
  switch (event.type) {
    case "turn.started":
      return {
        turnId: event.turn_id,
        conversationId: event.conversation_id,
        messageId: event.message_id,
        replyId: event.reply_id,
      };
    case "turn.working":
      return { activity: { kind: event.activity, detail: event.detail } };
    case "text.added":
      return { text: turn.text + event.text, activity: { kind: "writing", detail: "" } };
    case "sources.cited":
      return { citations: mergeCitations(turn.citations, event.citations) };
    case "tool.called":
      return { tools: [...turn.tools, toolOf(event.call, event.server)] };
    case "tool.returned":
      return returned(turn, event.result);
    case "approval.asked":
      return { approvals: [...turn.approvals, { id: event.approval_id, call: event.call, state: "open" }] };
    case "model.switched":
      return { switched: { from: event.from_model, to: event.to_model, at: turn.text.length } };
    case "turn.finished":
      return {
        activity: null,
        state: event.reason === "stopped" ? "stopped" : "complete",
        grounding: event.grounding,
        model: event.model,
        canLeaveMessage: event.can_leave_message,
      };
    case "turn.failed":
      return { activity: null, state: "failed", error: { code: event.code, message: event.message, hint: event.hint } };
    case "turn.handed":
      return { activity: null, state: "handed" };
    default:
      return {}; // an event of a newer desk: its place in the stream is kept
  }
}

function mergeCitations(old: Citation[], fresh: Citation[]): Citation[] {
  const byNumber = new Map([...old, ...fresh].map((citation) => [citation.number, citation]));
  return [...byNumber.values()].sort((a, b) => a.number - b.number);
}

const toolOf = (call: Call, server: string): ToolUse => ({
  call_id: call.id,
  name: call.name,
  server,
  arguments: call.arguments,
  result: null,
  is_error: false,
});

function returned(turn: Turn, result: { call_id: string; text: string; is_error: boolean }): Partial<Turn> {
  const tools = turn.tools.map((tool) =>
    tool.call_id === result.call_id ? { ...tool, result: result.text, is_error: result.is_error } : tool,
  );
  const approvals = turn.approvals.filter((asked) => asked.call.id !== result.call_id);
  return { tools, approvals };
}
