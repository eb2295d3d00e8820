"""What the API tells of decisions."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from frontdesk.api.errors import Error
from frontdesk.api.fields import View
from frontdesk.engagement import Channel, DecisionState, Objective, OutcomeKind, OutreachState, PolicyOrigin, PolicyRole
from frontdesk.store.outbox import LetterState


class MaskView(View):
    """A rule that took arms away before any scoring, whatever other rules took."""

    rule: str
    words: str
    arms: int = Field(description="How many it took.")


class ContributionView(View):
    """How much a feature spoke for the chosen arm, in reward. They add up to the difference of the scores."""

    feature: str
    against_runner_up: float
    against_nothing: float


class DecisionView(View):
    """A decision, with all by which it can be explained and made again."""

    id: str
    customer_id: str
    event_id: str | None
    at: datetime
    segment: str
    objective: Objective
    state: DecisionState = Field(description="act, approval (waits for a person), hold, nothing, or shadow (scored).")
    arm: str = Field(description="message/channel/time of day, or `nothing`.")
    channel: Channel | None
    send_at: datetime | None
    confidence: float = Field(description="Calibrated probability that it beats doing nothing, by the margin.")
    risk: float = Field(description="Predicted probability of harm.")
    propensity: float = Field(description="The chance with which this arm was drawn.")
    reasons: list[str] = Field(description="In words.")
    masks: list[MaskView]
    contributions: list[ContributionView]
    runner_up: str | None
    eligible: list[str] = Field(description="The arms that no rule took.")
    probabilities: list[float] = Field(description="Their chances, in that order.")
    features: list[float] = Field(description="The customer's numbers; empty unless the audit is comprehensive.")
    features_digest: str
    policy_id: str
    role: PolicyRole
    seed: int
    floor: float = Field(description="Share of decisions that was drawn evenly.")
    arms_digest: str
    human: bool = Field(description="A person has changed what was decided, so it teaches the policy nothing.")


class AnswerView(View):
    """A decision, or why there is none."""

    decision: DecisionView | None = None
    error: Error | None = None


class AnswersView(View):
    """An answer for each question, in their order."""

    results: list[AnswerView]
    decided: int
    refused: int


class DecisionsPage(View):
    """The newest first."""

    items: list[DecisionView]
    next: str | None


class StrategyView(View):
    """The snapshot that decided."""

    id: str
    parent_id: str | None
    strategy: str
    origin: PolicyOrigin
    generation: int
    created_at: datetime
    note: str


class CheckView(View):
    """What was found in the text before anybody saw it."""

    rule: str
    words: str
    weight: Literal["block", "flag"]
    of: Literal["model", "template", "person"]


class MessageView(View):
    """What was written."""

    id: str
    state: OutreachState
    message: str
    tone: str
    needs: int = Field(description="People who must approve it.")
    send_at: datetime
    deadline: datetime | None
    subject: str | None
    body: str | None
    digest: str | None = Field(description="SHA-256 over exactly what is sent.")
    checks: list[CheckView] | None
    prompt: str | None = Field(description="What the model was told; only where the audit is comprehensive.")
    model: str | None
    problem: str | None


class VoteView(View):
    """A person's word on the text of this digest."""

    person_id: str
    name: str | None
    verdict: str
    digest: str
    note: str
    at: datetime


class DeliveryView(View):
    """The letter that brings it. `unknown`: perhaps it arrived, and nobody sends it again."""

    id: str
    state: LetterState
    channel: str
    attempts: int
    external_id: str | None
    problem: str | None
    settled_at: datetime | None


class OutcomeView(View):
    """What the customer did. One that came after the decision was settled is not `counted`."""

    id: str
    kind: OutcomeKind
    value: float
    at: datetime
    counted: bool


class StoryView(View):
    """A decision and all that followed: its strategy, the message, who approved it, how it went, what came of it."""

    decision: DecisionView
    strategy: StrategyView | None
    message: MessageView | None
    votes: list[VoteView]
    delivery: DeliveryView | None
    outcomes: list[OutcomeView]
    outcome_due_at: datetime | None = Field(description="Until when outcomes count.")
    reward: float | None = Field(description="Once it is settled.")
    settled_at: datetime | None


class ReplayView(View):
    """What came out when the decision was made again."""

    decision_id: str
    arm: str
    same: bool = Field(description="Whether everything that could be made again is as it was.")
    same_arm: bool
    same_features: bool = Field(description="The logged features have the logged digest.")
    same_probabilities: bool | None = Field(description="Bit for bit; null where the scores could not be made again.")
    same_confidence: bool | None
    not_scored: str = Field(description="Why the scores could not be made again, or nothing.")
