"""What flows through the engagement rooms: an event, a decision about it, a message, and what came of it.

A *customer* is somebody whom the desk may write to of its own accord, known by the owner's id for them. An *arm* is one
choice: a message by a channel at a time of day, or nothing. A *policy* is an immutable snapshot of how arms are chosen.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal, get_args

import msgspec

NOTHING = "nothing"  # the key of the arm that is always there
MOST_VALUE = 1e12  # of an outcome, in the owner's money: sums of many must stay numbers

Channel = Literal["email", "sms", "push", "in_app", "telegram", "webhook"]
Slot = Literal["now", "morning", "midday", "evening"]  # when a message leaves: 09, 12, 17 o'clock where the customer is
Objective = Literal["onboard", "activate", "retain", "upsell", "win_back", "support"]
Stage = Literal["new", "active", "loyal", "at_risk", "lapsed"]

CHANNELS: tuple[Channel, ...] = get_args(Channel)  # in the order of the bits of a consent
SLOTS: tuple[Slot, ...] = get_args(Slot)
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
STAGES: tuple[Stage, ...] = get_args(Stage)

DecisionState = Literal["act", "approval", "hold", "nothing", "shadow"]
OutreachState = Literal[
    "writing", "approval", "scheduled", "released", "held", "withheld", "rejected", "expired", "withdrawn", "shadow"
]
OutcomeKind = Literal["open", "click", "reply", "conversion", "unsubscribe", "complaint", "bounce"]
OUTCOMES: tuple[OutcomeKind, ...] = get_args(OutcomeKind)
PolicyRole = Literal["champion", "challenger"]
PolicyOrigin = Literal["first", "learned", "evolved", "planted"]


class CustomerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a customer did. The same `id` again is the same event. `at` is when it happened, in UTC."""

    id: str
    customer_id: str
    type: str
    at: datetime
    properties: dict[str, str | int | float | bool | None] = {}


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What the events of a customer tell, all of it rebuildable from them in any order.

    Counters decay by half every `HALF_LIFE_DAYS` of `decision/profiles.py` and are given as of `as_of`. `hours` counts
    activity by hour of the day (UTC), `channels` answers by channel. `sums` are the same counters as exact integers,
    so that no order of events makes a difference.
    """

    first_at: datetime | None = None
    last_at: datetime | None = None
    as_of: datetime | None = None
    events: int = 0
    activity: float = 0.0
    value: float = 0.0
    answers: float = 0.0
    messages: float = 0.0
    refusals: float = 0.0
    hours: tuple[float, ...] = ()
    channels: tuple[float, ...] = ()
    sums: tuple[bytes, ...] = ()


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    """A profile read at a moment. Shares are 0 to 1; `recency_days` counts from the last event.

    `engagement` and `fatigue` grow with answers and with messages that got none; `churn_risk` with silence beyond the
    customer's own rhythm; `best_hour` is in the customer's time zone.
    """

    recency_days: float
    frequency: float
    engagement: float
    churn_risk: float
    fatigue: float
    value: float
    stage: Stage
    best_channel: str
    best_hour: int


class Contact(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A message that is meant to reach a customer at `at` (seconds since 1970), which caps count."""

    at: float
    channel: str
    outreach_id: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The slow policy's word on a customer: at most `weekly` messages in rolling 7 days, `gap_hours` apart."""

    weekly: int
    gap_hours: float
    tier: str
    made_at: datetime


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whom the desk may write to. `traits` are the owner's facts (plan, language, …), which texts and fairness
    checks use; `addresses` are by channel; `consents` and `reachable` (has an address) hold a bit for each of
    `CHANNELS`. Where many are read to decide about them, `name` and `addresses` are left out."""

    id: str
    segment: str
    name: str = ""
    time_zone: str = "UTC"
    consents: int = 0
    reachable: int = 0
    addresses: dict[str, str] = {}
    traits: dict[str, str | int | float | bool | None] = {}
    profile: Profile = Profile()
    contacts: tuple[Contact, ...] = ()
    plan: Plan | None = None

    def allows(self, channel: Channel) -> bool:
        """Whether the customer agreed to be written to by this channel and has an address there."""
        return bool((self.consents & self.reachable) >> CHANNELS.index(channel) & 1)


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A question to the engine: what, if anything, should this customer hear? `context` adds numbers to the features
    that policies know under these names. Nothing is kept of a `dry` one."""

    customer_id: str
    event_id: str | None = None
    objective: Objective | None = None
    context: dict[str, float] = {}
    dry: bool = False


class Mask(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that took arms away before any scoring: its `rule` (a stable name), in words, and how many arms."""

    rule: str
    words: str
    arms: int


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """How much a feature spoke for the chosen arm, in reward, against the runner-up and against doing nothing."""

    feature: str
    against_runner_up: float
    against_nothing: float


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision, with all that is needed to make it again and to explain it.

    `eligible` are the arms that no mask took, `probabilities` the chances with which each was drawn, in that order;
    `propensity` is the chosen one's. `confidence` is the calibrated probability that the arm beats doing nothing by the
    margin, `risk` the predicted probability of harm. `features` are the customer's numbers as the policy saw them.
    `floor` is the share of decisions that was drawn evenly; `arms_digest` tells whether the messages are still those of
    then. `human`: a person chose, so it teaches nothing about the policy.
    """

    id: str
    customer_id: str
    at: datetime
    segment: str
    objective: Objective
    state: DecisionState
    arm: str
    channel: Channel | None
    policy_id: str
    role: PolicyRole
    confidence: float
    risk: float
    propensity: float
    seed: int
    eligible: tuple[str, ...]
    probabilities: tuple[float, ...]
    features: tuple[float, ...]
    features_digest: str
    masks: tuple[Mask, ...]
    contributions: tuple[Contribution, ...]
    runner_up: str | None = None
    event_id: str | None = None
    send_at: datetime | None = None
    human: bool = False
    reasons: tuple[str, ...] = ()
    floor: float = 0.0
    arms_digest: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer did with a message: joined to its decision by id. The same `id` again is the same outcome."""

    id: str
    decision_id: str
    kind: OutcomeKind
    at: datetime
    value: float = 0.0


class Genes(msgspec.Struct, frozen=True, kw_only=True):
    """The knobs of a strategy, which evolution turns. Consent, caps, quiet hours, approval and fairness are not here.

    Rewards and costs are in units of one conversion; hours and days as named. Tones choose a template's wording.
    """

    reward_open: float = 0.05
    reward_click: float = 0.2
    reward_reply: float = 0.4
    reward_conversion: float = 1.0
    reward_unsubscribe: float = -1.0
    reward_complaint: float = -1.5
    reward_bounce: float = -0.3
    value_weight: float = 0.0
    cost_email: float = 0.01
    cost_sms: float = 0.03
    cost_push: float = 0.015
    cost_in_app: float = 0.005
    cost_telegram: float = 0.015
    cost_webhook: float = 0.01
    cost_offer: float = 0.05
    fatigue_cost: float = 0.05
    prior_scale: float = 0.3
    optimism: float = 0.08
    forgetting: float = 0.999
    floor: float = 0.0
    margin: float = 0.01
    gap_hours: float = 24.0
    gap_hours_tired: float = 72.0
    tier_low: float = 0.2
    tier_high: float = 0.6
    weekly_low: int = 1
    weekly_middle: int = 2
    weekly_high: int = 4
    harm_weight: float = 1.0
    tone_default: str = "friendly"
    tone_smb: str = "friendly"
    tone_enterprise: str = "professional"


class Posterior(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy believes of reward: weights that are jointly normal. `mean` has D values; `precision` D × D in
    rows, in units of one outcome, so that the covariance is `noise` times its inverse; `noise` is the variance of one
    outcome; `n` how many outcomes it has seen (forgotten ones discounted). `prior_mean` and `prior_precision` (of each
    weight alone) are what it believed before any, towards which evidence fades."""

    mean: tuple[float, ...]
    precision: tuple[float, ...]
    noise: float
    n: float
    prior_mean: tuple[float, ...] = ()
    prior_precision: tuple[float, ...] = ()


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """A rising step line from raw to calibrated confidence: `y[i]` from `x[i]` on, straight between. Empty: as it is.
    `error` is the expected calibration error on the holdout it was measured on, of `n` decisions."""

    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    error: float | None = None
    n: int = 0


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable snapshot. `features` names the D features that its weights belong to, `arms` the arms it knows.

    `strategy` groups the snapshots that learned under the same genes; `draws_seed` makes the posterior draws by which
    it chooses. `born_at` is when its strategy began, which a segment's innovation level looks at.
    """

    id: str
    parent_id: str | None
    strategy: str
    origin: PolicyOrigin
    generation: int
    created_at: datetime
    born_at: datetime
    genes: Genes
    features: tuple[str, ...]
    reward: Posterior
    harm: Posterior
    calibration: Calibration = Calibration()
    draws_seed: int = 0
    note: str = ""


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """Which snapshots decide. `share` is the challenger's share of the people; a `shadow` policy only scores."""

    champion_id: str
    challenger_id: str | None = None
    share: float = 0.0
    shadow_id: str | None = None
    since: datetime
    version: int = 0


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in a text before anybody saw it: the `rule` (a stable name) and why, in words.

    `block`: the text may not go out. `flag`: a person must look at it. `of` says whose text it was.
    """

    rule: str
    words: str
    weight: Literal["block", "flag"]
    of: Literal["model", "template", "person"]


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How a customer stops letters like this one: the link, and the words that stand below its text. Either may be
    empty."""

    url: str = ""
    footer: str = ""

    def below(self, body: str) -> str:
        """The text as it leaves."""
        return f"{body}\n\n-- \n{self.footer}" if self.footer else body


Exits = Callable[[Channel, str], Exit]  # of a letter by this channel, of the decision of this id


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a letter to a customer, exactly as it leaves: `to` is their address on the channel, `body` has the
    footer. Whoever opens `unsubscribe_url` can stop the channel; it is empty where the desk does not know its address.
    """

    to: str
    subject: str
    body: str
    customer_id: str
    decision_id: str
    message: str
    unsubscribe_url: str = ""
