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

export type Outreach = {
  id: string;
  decision_id: string;
  customer_id: string;
  channel: string;
  message: string;
  segment: string;
  objective: string;
  state: OutreachState;
  confidence: number;
  risk: number;
  /** How many people must approve it. */
  needs: number;
  send_at: string;
  deadline: string | null;
  escalated: boolean;
  subject: string | null;
  body: string | null;
  /** The way out that stands below the text, in the owner's words. */
  footer: string;
  /** Of exactly what will be sent; a verdict names it. */
  digest: string | null;
  checks: Check[];
  model: string | null;
  problem: string | null;
  created_at: string;
};

export type Customer = {
  id: string;
  segment: string;
  name: string;
  time_zone: string;
  consents: string[];
  reachable: string[];
  addresses: Record<string, string>;
  traits: Record<string, unknown>;
  events: number;
  first_at: string | null;
  last_at: string | null;
  signals: {
    recency_days: number;
    frequency: number;
    engagement: number;
    churn_risk: number;
    fatigue: number;
    value: number;
    stage: "new" | "active" | "loyal" | "at_risk" | "lapsed";
    best_channel: string;
    best_hour: number;
  };
  contacts: { at: number; channel: string }[];
  plan: { weekly: number; gap_hours: number; tier: string; made_at: string } | null;
};

export type Entry = {
  at: string;
  kind: "event" | "decision" | "message" | "outcome";
  id: string;
  what: string;
  decision_id: string | null;
  state: string | null;
  channel: string | null;
  objective: string | null;
  confidence: number | null;
  subject: string | null;
  problem: string | null;
};

export type CustomerLetter = {
  id: string;
  customer_id: string;
  decision_id: string;
  channel: string;
  message: string;
  subject: string;
  body: string;
  state: LetterState;
  problem: string | null;
  created_at: string;
  settled_at: string | null;
};

export type PolicyLine = {
  id: string;
  parent_id: string | null;
  strategy: string;
  origin: "first" | "learned" | "evolved" | "planted";
  generation: number;
  created_at: string;
  born_at: string;
  outcomes: number;
  calibration_error: number | null;
  note: string;
};

export type Policy = PolicyLine & {
  genes: Record<string, number | string>;
  weights: { feature: string; reward: number; reward_deviation: number; harm: number; harm_deviation: number }[];
  calibration: Calibration;
};

export type Serving = {
  champion_id: string;
  challenger_id: string | null;
  share: number;
  shadow_id: string | null;
  since: string;
};

export type Move = {
  id: string;
  at: string;
  kind: "shadow" | "canary" | "promoted" | "rolled_back" | "ended" | "chosen";
  before: Serving;
  after: Serving;
  reason: string;
  figures: Record<string, number>;
  actor: string;
};

/** A challenger beside the champion; the bounds hold at every look. */
export type Trial = {
  act: string;
  words: string;
  champion_rate: number;
  challenger_rate: number;
  ratio: number | null;
  low: number;
  high: number | null;
  figures: Record<string, number>;
};

export type Rollbacks = { trial: Trial | null; items: Move[] };

export type Calibration = { x: number[]; y: number[]; error: number | null; n: number };

export type Calibrations = {
  policy_id: string;
  calibration: Calibration;
  /** Decisions of the holdout by their confidence: what was said, and what came true. */
  bins: { low: number; high: number; said: number; true: number; count: number }[];
  items: { policy_id: string; at: string; error: number }[];
};

export type Estimate = {
  method: string;
  value: number;
  low: number;
  high: number;
  effective: number;
  matched: number;
  enough: boolean;
  why: string;
};

export type OffPolicy = {
  items: { policy_id: string; decisions: number; logged: number; earned: number; estimates: Estimate[] }[];
};

export type Evolution = {
  id: string;
  state: string;
  generation: number;
  seed: string;
  actor: string;
  parent_id: string;
  policy_id: string | null;
  note: string;
  created_at: string;
  changed_at: string;
  found: {
    rounds: { best: number; mean: number }[];
    tried: number;
    decisions: number;
    held_out_decisions: number;
    fitness: number;
    held_out: number;
    gap: number;
    parent_fitness: number;
    parent_held_out: number;
    gain: number;
    gain_low: number;
    gain_high: number;
    load: number;
    parent_load: number;
    harm: number;
    parent_harm: number;
    changes: { gene: string; before: number | string; after: number | string; worth: number }[];
  };
};

export type Gap = {
  id: string;
  measure: "selection" | "offer" | "outcome";
  trait: string;
  group: string;
  reference: string;
  rate: number;
  reference_rate: number;
  ratio: number;
  low: number;
  high: number | null;
  people: number;
  reference_people: number;
  state: "open" | "accepted" | "fair";
  since: string;
  seen_at: string;
  settled_by: string | null;
  note: string;
};

export type Bias = {
  enabled: boolean;
  groups: string[];
  least_ratio: number;
  least_count: number;
  findings: number;
  items: Gap[];
};
