import type { Message, Role } from "../shared/contract";

export type Overview = {
  waiting: number;
  running_turns: number;
  unhappy: number;
  models_down: string[];
  documents: number;
  people: number;
  tokens_today: number;
  answer: string;
};

export type ConversationOf = { id: string; title: string; channel: string; updated_at: string; person_id: string };

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

export type ReadConversation = { id: string; title: string; running_turn_id: string | null; messages: Message[]; head_id: string | null };
