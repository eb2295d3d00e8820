import type { DecisionState, LetterState, OutcomeKind, OutreachState } from "./contract";

const states: Record<DecisionState, string> = {
  act: "Acts",
  approval: "Asks a person",
  hold: "Holds back",
  nothing: "Does nothing",
  shadow: "Only scored",
};

const messages: Record<OutreachState, string> = {
  writing: "is being written",
  approval: "waits for a person",
  scheduled: "waits for its time",
  released: "is on its way",
  held: "is held back",
  withheld: "was kept back: no text passed the checks",
  rejected: "was rejected",
  expired: "was not approved in time",
  withdrawn: "was withdrawn",
  shadow: "was only scored",
};

const letters: Record<LetterState, string> = {
  waiting: "waits to be sent",
  sending: "is being sent",
  sent: "sent",
  failed: "could not be sent",
  unknown: "perhaps arrived",
  withdrawn: "withdrawn",
};

const outcomes: Record<OutcomeKind, string> = {
  open: "opened it",
  click: "clicked",
  reply: "replied",
  conversion: "did what was hoped for",
  unsubscribe: "unsubscribed",
  complaint: "complained",
  bounce: "could not be reached",
};

/** Every sentence of the pages of engagement. */
export const words = {
  states,
  messages,
  letters,
  outcomes,
  nothing: "nothing",
  all: "all",
  decisions: {
    sentence: (shown: number, acts: number, asks: number) =>
      shown === 0
        ? "Nothing was decided yet."
        : `Of the last ${shown} decisions ${acts} ${acts === 1 ? "acts" : "act"} and ${asks} ${asks === 1 ? "asks" : "ask"} a person.`,
    none: "Each event of a customer becomes a decision, which is listed here with its reasons. Post events to /api/v1/events, or run `frontdesk simulate engagement`.",
    noneLikeThat: "No decision is like that. Take a filter away.",
    at: "When",
    customer: "Customer",
    objective: "Objective",
    arm: "Chose",
    state: "Then",
    segment: "Segment",
    confidence: "Confidence",
    risk: "Risk",
    policy: "Policy",
    objectives: {
      onboard: "Onboard",
      activate: "Activate",
      retain: "Retain",
      upsell: "Upsell",
      win_back: "Win back",
      support: "Support",
    } as Record<string, string>,
    challenger: "challenger",
    back: "All decisions",
    story: (state: string, arm: string, customer: string) => `${state}: ${arm} for ${customer}.`,
    why: "Why",
    contributions: "What spoke for it",
    contributionsNote: "In units of one conversion, against the runner-up and against doing nothing.",
    feature: "Feature",
    runnerUp: (arm: string | null) => `Against ${arm ?? "the runner-up"}`,
    againstNothing: "Against doing nothing",
    noContributions: "Nothing was left to compare with.",
    chances: "What it could have chosen",
    chancesNote: "The chance with which each was drawn.",
    chance: "Chance",
    masks: "Rules that took something away",
    rule: "Rule",
    arms: "Choices",
    noMasks: "No rule took anything away.",
    message: "Message",
    noMessage: "No message came of it.",
    by: (model: string) => `written by ${model}`,
    people: "People's words",
    noPeople: "Nobody was asked.",
    verdicts: { approve: "approved", edit: "edited", reject: "rejected" } as Record<string, string>,
    delivery: "Delivery",
    noDelivery: "Nothing was sent.",
    followed: "What came of it",
    noOutcome: "Nothing yet.",
    late: "too late to count",
    reward: (reward: string) => `Its reward: ${reward}.`,
    open: (when: string) => `What the customer does until ${when} counts for it.`,
    facts: "Facts",
    human: "A person changed it, so it teaches the policy nothing.",
    event: "Event",
    seed: "Seed",
    propensity: "Chance of the choice",
    replay: (id: string) => `frontdesk decisions replay ${id}`,
    replayNote: "Makes it again, bit for bit:",
  },
};
