import type { Conversation, Named, Page, Role } from "../shared/contract";

export type Overview = {
  /** People who wait for somebody of the team in a conversation; `waiting` counts messages left. */
  in_conversation: number;
  waiting: number;
  running_turns: number;
  unhappy: number;
  models_down: string[];
  documents: number;
  people: number;
  tokens_today: number;
  answer: string;
};

export type Handoff = {
  id: string;
  conversation_id: string;
  person_id: string;
  text: string;
  contact: string;
  state: "waiting" | "settled";
  created_at: string;
};

export type Document = { id: string; title: string; source: string; passages: number; embedded: number; updated_at: string };

/** `problems` are documents that could not be read; `notice` says why search goes by words alone, if it does. */
export type Documents = {
  items: Document[];
  next: string | null;
  problems: { source: string; what: string; hint: string }[];
  notice: string;
};

export type Try = {
  confidence: number;
  would: "quote" | "answer" | "not_known";
  passages: { id: string; title: string; heading: string; text: string; source: string; score: number }[];
};

export type PersonLine = {
  id: string;
  name: string;
  role: Role;
  email: string | null;
  state: "active" | "blocked";
  created_at: string;
  signed_in_at: string | null;
};

export type Key = {
  id: string;
  name: string;
  prefix: string;
  scopes: string[];
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
};

export type Tool = {
  name: string;
  description: string;
  parameters: unknown;
  state: "approved" | "changed" | "disabled" | "new";
  needs_approval: boolean;
  digest: string;
};

export type Server = { url: string; name: string; state: "up" | "down" | "refused"; problem: string; tools: Tool[] };

export type ModelHealth = {
  name: string;
  wire: string;
  model: string;
  state: "closed" | "open" | "half_open";
  calls: number;
  failures: number;
  p50_ms: number | null;
  last_error: string | null;
};

export type AuditLine = {
  seq: number;
  at: string;
  act: string;
  actor: string;
  subject: string;
  outcome: number;
  origin: string;
};

export type Verdict = { whole: boolean; rows: number; at: number | null; reason: string };

export type InboxLine = {
  id: string;
  channel: string;
  title: string;
  person: Named;
  status: "open" | "closed";
  held_by: Named | null;
  assigned_to: Named | null;
  last_from: "person" | "desk" | "operator" | null;
  last_text: string;
  updated_at: string;
  waiting_since: string | null;
  unhappy: boolean;
  running: boolean;
};

export type InboxView = "open" | "mine" | "unassigned" | "held" | "waiting" | "closed" | "all";

/** `answer` says in a sentence who waits for a person. */
export type InboxPage = Page<InboxLine> & { counts: Record<InboxView, number>; answer: string };

/** `author` is null when they are gone. */
export type Note = { id: string; author: Named | null; text: string; created_at: string };

/** A letter that may have arrived: nobody but a person can tell. */
export type UnknownLetter = { id: string; text: string; at: string };

export type WatchedConversation = Conversation & {
  channel: string;
  person: Named;
  assigned_to: Named | null;
  notes: Note[];
  letters_unknown: UnknownLetter[];
};

export type Canned = { id: string; shortcut: string; title: string; text: string };

export type Satisfaction = {
  answered: number;
  asked: number;
  average: number | null;
  by_score: Record<string, number>;
  items: { id: string; conversation_id: string; score: number; comment: string; at: string; person: Named }[];
};

export type Queue = { kind: string; queue: string; length: number; oldest_seconds: number; running: number };

/** `down`: it has shown no sign of life for a while. */
export type Worker = { name: string; queues: string[]; seen_at: string; running: number; state: "up" | "draining" | "down" };

export type DeadLetter = {
  kind: string;
  id: string;
  channel: string | null;
  reason: string;
  attempts: number;
  at: string;
  summary: string;
};

export type UnknownSend = { id: string; channel: string; place: string; at: string; proactive: boolean; text: string };

export type Schedule = { name: string; every: string; next_at: string; last_at: string | null; last_result: string | null };

export type KeptUpdate = { channel: string; id: string; kind: string; at: string };

/** `answer` says in a sentence whether anything is stuck. */
export type Work = {
  queues: Queue[];
  workers: Worker[];
  dead: DeadLetter[];
  unknown: UnknownSend[];
  schedules: Schedule[];
  updates_kept: KeptUpdate[];
  answer: string;
};
