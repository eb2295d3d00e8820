// The values of the desk's HTTP API, version 1, as the pages read them.

export type Desk = {
  name: string;
  greeting: string;
  suggestions: string[];
  version: string;
  sign_in: "required" | "open";
  providers: { id: string; name: string }[];
  local_sign_in: boolean;
  model: { name: string; strength: "strong" | "small" | "extractive" };
  max_upload_bytes: number;
  /** Whether the desk writes to customers of its own accord. */
  engagement: boolean;
};

export type Role = "owner" | "operator" | "member" | "visitor";

export type Person = { id: string; name: string; role: Role; email: string | null };

export type Me = { person: Person; credential: string; scopes: string[] };

export type Page<T> = { items: T[]; next: string | null };

export type Grounding = "sourced" | "quoted" | "unsourced" | "unknown" | "notice";

export type Citation = {
  number: number;
  passage_id: string;
  document_id: string;
  title: string;
  source: string;
  heading: string;
  quote: string;
};

export type ToolUse = {
  call_id: string;
  name: string;
  server: string;
  arguments: string;
  result: string | null;
  is_error: boolean;
};

export type FileFact = { id: string; name: string; media_type: string };

export type Fault = { code: string; message: string; hint: string };

/** A person of the team, by name. */
export type Named = { id: string; name: string };

/** `author` is the person of the team who wrote it; a `notice` says what happened, such as "Ann has joined". */
export type Message = {
  id: string;
  parent_id: string | null;
  role: "user" | "assistant" | "notice";
  text: string;
  state: "complete" | "running" | "stopped" | "failed";
  created_at: string;
  author: Named | null;
  grounding: Grounding | null;
  model: string | null;
  citations: Citation[];
  tools: ToolUse[];
  files: FileFact[];
  feedback: { value: number; reason: string } | null;
  turn_id: string | null;
  error: Fault | null;
  can_leave_message: boolean;
};

export type ConversationLine = { id: string; title: string; updated_at: string };

export type Conversation = {
  id: string;
  title: string;
  head_id: string | null;
  running_turn_id: string | null;
  status: "open" | "closed";
  /** Who answers in the desk's place; null while the desk does. */
  held_by: Named | null;
  survey: Survey | null;
  /** Older messages exist than those here. */
  earlier: boolean;
  messages: Message[];
};

/** The question how it went, asked once at the end. */
export type Survey = { id: string; asked_at: string; score: number | null };

/** A way to the same person over another channel. `address` is where to write to there, if it is known. */
export type LinkOffer = { code: string; expires_at: string; channels: { id: string; name: string; address: string | null }[] };

export type LinkLine = { channel: string; since: string };

export type PassageView = {
  id: string;
  document_id: string;
  title: string;
  source: string;
  heading: string;
  before: string;
  text: string;
  after: string;
};

export type Memory = { id: string; text: string; created_at: string };

export type UsageLine = {
  day: string;
  model: string;
  prompt_tokens: number;
  completion_tokens: number;
  cost: number;
};

export type Usage = {
  items: UsageLine[];
  totals: { prompt_tokens: number; completion_tokens: number; cost: number };
};

export type Call = { id: string; name: string; arguments: string };

export type Approval = { id: string; tool: string; arguments: string; digest: string };

/** A turn's event as the stream carries it: the frame's `event` is `type`, its `data` the rest. */
export type TurnEvent =
  | { type: "turn.started"; turn_id: string; conversation_id: string; message_id: string; reply_id: string }
  | { type: "turn.working"; activity: Activity; detail: string }
  | { type: "text.added"; text: string }
  | { type: "sources.cited"; citations: Citation[] }
  | { type: "tool.called"; call: Call; server: string }
  | { type: "tool.returned"; result: { call_id: string; name: string; text: string; is_error: boolean } }
  | { type: "approval.asked"; approval_id: string; call: Call }
  | { type: "model.switched"; from_model: string; to_model: string; reason: string }
  | {
      type: "turn.finished";
      reply_id: string;
      grounding: Grounding;
      model: string;
      reason: "stop" | "length" | "stopped" | "content_filter";
      can_leave_message: boolean;
    }
  | { type: "turn.failed"; code: string; message: string; hint: string }
  | { type: "turn.handed"; name: string };

export type Activity =
  | "reading"
  | "searching"
  | "thinking"
  | "writing"
  | "calling"
  | "waiting_for_approval"
  | "resuming";
