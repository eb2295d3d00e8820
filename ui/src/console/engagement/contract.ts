export type DecisionState = "act" | "approval" | "hold" | "nothing" | "shadow";
export type OutreachState =
  | "writing"
  | "approval"
  | "scheduled"
  | "released"
  | "held"
  | "withheld"
  | "rejected"
  | "expired"
  | "withdrawn"
  | "shadow";
export type LetterState = "waiting" | "sending" | "sent" | "failed" | "unknown" | "withdrawn";
export type OutcomeKind = "open" | "click" | "reply" | "conversion" | "unsubscribe" | "complaint" | "bounce";

export type Mask = { rule: string; words: string; arms: number };

/** In reward; the sums are the differences of the scores. */
export type Contribution = { feature: string; against_runner_up: number; against_nothing: number };

export type Decision = {
  id: string;
  customer_id: string;
  event_id: string | null;
  at: string;
  segment: string;
  objective: string;
  state: DecisionState;
  /** message/channel/time of day, or `nothing`. */
  arm: string;
  channel: string | null;
  send_at: string | null;
  confidence: number;
  risk: number;
  propensity: number;
  reasons: string[];
  masks: Mask[];
  contributions: Contribution[];
  runner_up: string | null;
  /** The arms that no rule took, and the chances with which each was drawn. */
  eligible: string[];
  probabilities: number[];
  policy_id: string;
  role: "champion" | "challenger";
  seed: number;
  human: boolean;
};

export type Check = { rule: string; words: string; weight: "block" | "flag"; of: "model" | "template" | "person" };

/** A decision and all that followed. */
export type Story = {
  decision: Decision;
  strategy: { id: string; strategy: string; origin: string; generation: number; created_at: string; note: string } | null;
  message: {
    id: string;
    state: OutreachState;
    tone: string;
    needs: number;
    send_at: string;
    subject: string | null;
    body: string | null;
    checks: Check[] | null;
    model: string | null;
    problem: string | null;
  } | null;
  votes: { person_id: string; name: string | null; verdict: string; note: string; at: string }[];
  delivery: { id: string; state: LetterState; channel: string; problem: string | null; settled_at: string | null } | null;
  outcomes: { id: string; kind: OutcomeKind; value: number; at: string; counted: boolean }[];
  outcome_due_at: string | null;
  reward: number | null;
  settled_at: string | null;
};
