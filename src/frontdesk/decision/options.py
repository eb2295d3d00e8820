"""The section `engagement` of the system file: how the desk decides about customers, and what it may say to them.

A segment's values override those of the section, and of the two the stricter one wins.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from frontdesk.engagement import NOTHING, OBJECTIVES, Channel, Objective, Slot
from frontdesk.system.section import Env, Section

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Hour = Annotated[int, Field(ge=0, le=24)]
Tone = Literal["friendly", "professional", "warm", "brief"]
Compliance = Literal["SOC2", "GDPR", "HIPAA"]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]


class GuidelineOptions(Section):
    """How texts for a segment sound."""

    tone: Tone = Field(default="friendly", description="The tone of its texts.")
    formality: Share = Field(default=0.5, description="0: as among friends; 1: as in a contract.")
    technical_depth: Literal["low", "medium", "high"] = Field(default="medium", description="How much detail it likes.")
    emoji_usage: Literal["never", "rare", "free"] = Field(default="rare", description="Whether texts may hold emoji.")
    length_preference: Literal["brief", "medium", "comprehensive"] = Field(
        default="medium", description="How long texts are: about 60, 120 or 250 words at most."
    )


class RuleOptions(Section):
    """What holds for every message to a segment. No policy and no evolution touches these."""

    max_messages_per_week: NonNegativeInt = Field(default=7, description="Messages in any 7 days, over all channels.")
    business_hours_only: bool = Field(default=False, description="Only 09-17, Mon-Fri, where the customer is.")
    quiet_from: Hour = Field(default=21, description="Nothing arrives from this hour on, where the customer is …")
    quiet_until: Hour = Field(default=8, description="… until this one. The same hour twice: no quiet hours.")
    approval_required: bool = Field(default=False, description="A person approves every message.")
    escalation_enabled: bool = Field(default=False, description="What nobody decides in time goes to another person.")


class SegmentOptions(Section):
    """A kind of customers and how the desk treats them."""

    approach: Literal["conservative", "balanced", "bold"] = Field(default="balanced", description="In one word.")
    personalization_depth: Annotated[int, Field(ge=1, le=5)] = Field(
        default=3, description="Layers of signals that may be used: name, plan, usage, history, inferred preferences."
    )
    risk_tolerance: Share = Field(default=1.0, description="Highest predicted harm; the stricter one holds.")
    innovation_level: Share = Field(
        default=1.0, description="Largest share of decisions by strategies younger than 30 days."
    )
    compliance_requirements: list[Compliance] = Field(default=[], description="What texts must keep to.")
    content_guidelines: GuidelineOptions = GuidelineOptions()
    engagement_rules: RuleOptions = RuleOptions()


class TemplateOptions(Section):
    """An approved text. `{name}`, `{plan}` and other slots are filled from what is known of the customer.

    A blank line parts paragraphs; a single line end is a space, unless an item of a list follows.
    """

    subject: str = Field(default="", max_length=200, description="The line above it, where the channel has one.")
    body: str = Field(min_length=1, max_length=5000, description="The text.")


class MessageOptions(Section):
    """Something that the desk may say. With a channel and a time of day it makes an arm: `welcome/email/now`."""

    key: Key = Field(description="Its name in arms, decisions and figures.")
    objectives: list[Objective] = Field(default=list(OBJECTIVES), min_length=1, description="What it is good for.")
    channels: list[Channel] = Field(default=["email", "in_app"], min_length=1, description="By which it may go.")
    slots: list[Slot] = Field(default=["now"], min_length=1, description="When it may leave.")
    segments: list[str] = Field(default=[], description="For whom; empty: for everybody.")
    offer: Share = Field(default=0.0, description="How much it gives away, as a share of the largest offer.")
    risk: Share = Field(default=0.0, description="The least harm that is ever predicted for it.")
    brief: str = Field(default="", max_length=2000, description="What a model is told to write; empty: the template.")
    templates: dict[Tone, TemplateOptions] = Field(min_length=1, description="Approved texts, by tone.")


class SafetyOptions(Section):
    """Checks of every text before anybody sees it."""

    content_filtering: Literal["strict", "moderate"] = Field(
        default="moderate", description="On doubt: block (strict), or flag for a person (moderate)."
    )
    pii_detection: bool = Field(default=True, description="Block other people's addresses and numbers.")
    compliance_checking: bool = Field(default=True, description="Check the words that a segment's rules forbid.")
    audit_logging: Literal["comprehensive", "detailed"] = Field(
        default="detailed", description="comprehensive keeps the prompt's text and the features as well."
    )
    forbidden_words: list[str] = Field(
        default=["guaranteed", "risk-free", "no risk", "cure"], description="Claims that no text may make."
    )
    health_words: list[str] = Field(
        default=["diagnosis", "disease", "medication", "prescription", "patient", "symptom", "treatment", "therapy"],
        description="What HIPAA keeps out of a text.",
    )


class LearningOptions(Section):
    """How outcomes change what is decided."""

    enabled: Annotated[bool, Env("LEARNING_ENABLED")] = Field(default=True, description="Learn at all.")
    feedback_integration: Literal["real_time", "batch"] = Field(
        default="real_time", description="Learn within a minute of an outcome, or with each model update."
    )
    model_update_frequency: Literal["hourly", "daily", "on_demand"] = Field(
        default="daily", description="How often the model is refitted with its calibration."
    )
    strategy_evolution: Literal["enabled", "testing", "disabled"] = Field(
        default="testing", description="testing: evolved strategies only score, and serve nobody."
    )
    evolution_search: str = Field(
        default="genetic",
        description="How better strategies are looked for: genetic, cma (the extra `cma`), or another plug-in.",
    )
    attribution_hours: PositiveFloat = Field(default=72, description="How long an outcome counts for a message.")
    holdout_share: Share = Field(default=0.1, description="Share of people who decide calibration and never training.")


class RollbackOptions(Section):
    """When a strategy is taken back by itself."""

    max_performance_drop: Annotated[Share, Env("MAX_PERFORMANCE_DROP")] = Field(
        default=0.10, description="Relative drop against the champion that is too much."
    )
    challenger_share: Share = Field(default=0.10, description="Share of the people whom a new strategy serves.")
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = Field(default=0.05, description="Chance of a false alarm, for ever.")
    most_outcomes: PositiveInt = Field(
        default=20_000, description="Outcomes after which a challenger that is not better is ended (futility)."
    )
    unsubscribe_rate: Share = Field(default=0.05, description="Above it the challenger ends at once.")
    complaint_rate: Share = Field(default=0.02, description="The same for complaints.")


class BiasOptions(Section):
    """Whether groups of people are treated alike."""

    enabled: Annotated[bool, Env("BIAS_DETECTION")] = Field(default=True, description="Look for gaps.")
    groups: list[str] = Field(default=[], description="Traits that must not matter, like `gender`.")
    least_ratio: Share = Field(default=0.8, description="A group's rate over the best group's: below it, a finding.")
    least_count: PositiveInt = Field(default=100, description="People in a group before anything is said of it.")


class EngagementOptions(Section):
    """Deciding whom to write to. Off until `enabled`."""

    enabled: bool = Field(default=False, description="Take events and decide.")
    demo: bool = Field(
        default=False, description="Fill an empty desk with made-up customers and let them go on; in development alone."
    )
    mode: Literal["fully_autonomous", "supervised"] = Field(
        default="supervised", description="supervised: every message needs a person's approval."
    )
    confidence_threshold: Annotated[Share, Env("CONFIDENCE_THRESHOLD")] = Field(
        default=0.85, description="Act without a person at or above this."
    )
    minimum_confidence: Annotated[Share, Env("MINIMUM_CONFIDENCE")] = Field(
        default=0.75, description="Hold below this; in between a person decides."
    )
    risk_tolerance: Annotated[Share, Env("RISK_TOLERANCE")] = Field(
        default=0.05, description="Highest predicted probability of harm."
    )
    learning_rate: Annotated[Share, Env("ADAPTATION_RATE"), Env("LEARNING_RATE")] = Field(
        default=0.10, description="Weight of a new outcome: 0.10 counts it once, 0.20 twice."
    )
    exploration_rate: Annotated[Share, Env("EXPLORATION_RATE")] = Field(
        default=0.05, description="Share of decisions drawn evenly from all that the rules allow."
    )
    explainability_required: Annotated[bool, Env("EXPLAINABILITY_REQUIRED")] = Field(
        default=True, description="Every decision bears its contributions."
    )
    cache_enabled: Annotated[bool, Env("CACHE_ENABLED")] = Field(
        default=True, description="Keep the serving policy in memory and look once a second whether it changed."
    )
    batch_processing: bool = Field(default=True, description="Decide together what is asked at the same moment.")
    parallel_execution: bool = Field(default=True, description="Write several texts at once …")
    max_workers: PositiveInt = Field(default=10, description="… at most so many in one process.")
    decision_latency_target: Annotated[PositiveInt, Env("DECISION_LATENCY_TARGET")] = Field(
        default=100, description="Milliseconds that 95 of 100 decisions should take at most."
    )
    throughput_target: Annotated[PositiveInt, Env("THROUGHPUT_TARGET")] = Field(
        default=10_000, description="Decisions per second that a load run is held against."
    )
    error_rate_threshold: Annotated[Share, Env("ERROR_RATE_THRESHOLD")] = Field(
        default=0.001, description="Share of decisions that may fail."
    )
    approval_hours: PositiveFloat = Field(default=24, description="How long a message waits for a person.")
    four_eyes_risk: Share = Field(default=0.04, description="Predicted harm from which two people must approve.")
    default_segment: str = Field(default="default", description="The segment of customers without one.")
    segments: dict[str, SegmentOptions] = Field(
        default={"default": SegmentOptions()}, min_length=1, description="Kinds of customers."
    )
    messages: list[MessageOptions] = Field(default=[], description="What the desk may say.")
    safety: SafetyOptions = SafetyOptions()
    learning: LearningOptions = LearningOptions()
    rollback: RollbackOptions = RollbackOptions()
    bias: BiasOptions = BiasOptions()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.minimum_confidence > self.confidence_threshold:
            raise ValueError(
                f"minimum_confidence {self.minimum_confidence} is above the threshold {self.confidence_threshold}"
            )
        if self.default_segment not in self.segments:
            raise ValueError(f"default_segment `{self.default_segment}` is not one of the segments")
        keys = [message.key for message in self.messages]
        if len(keys) != len(set(keys)) or NOTHING in keys:
            raise ValueError(f"messages need keys of their own, and none may be `{NOTHING}`")
        for message in self.messages:
            if unknown := set(message.segments) - self.segments.keys():
                raise ValueError(f"message `{message.key}` names unknown segments: {', '.join(sorted(unknown))}")
        return self

    def segment(self, name: str) -> SegmentOptions:
        """The segment of this name; the default one's where it is not known, or no longer."""
        return self.segments.get(name) or self.segments[self.default_segment]

    def message(self, key: str) -> MessageOptions | None:
        """The message of this key, or None where the owner has dropped it."""
        return next((message for message in self.messages if message.key == key), None)
