"""What the desk may say in the simulated world when no system file says it: with "nothing", twenty arms."""

from frontdesk.decision.options import EngagementOptions, MessageOptions, RuleOptions, SegmentOptions, TemplateOptions
from frontdesk.engagement import Channel, Objective, Slot


def simulated_options() -> EngagementOptions:
    """The section `engagement` of the simulated world: nineteen messages × channel × slot, three segments, no cap."""
    segment = SegmentOptions(engagement_rules=RuleOptions(max_messages_per_week=7))
    return EngagementOptions(
        enabled=True,
        mode="fully_autonomous",
        segments={"default": segment, "smb": segment, "enterprise": segment},
        messages=[
            _message("welcome", ["onboard"], ["email", "in_app"], ["now"], "Welcome, {name}"),
            _message("tips", ["activate"], ["email", "push"], ["morning", "evening"], "A tip for {name}"),
            _message("check_in", ["retain"], ["email", "in_app"], ["now", "midday"], "How are you getting on, {name}?"),
            _message("upgrade", ["upsell"], ["email", "push"], ["morning", "evening"], "More room for {name}", 0.3),
            _message("come_back", ["win_back"], ["email", "sms"], ["evening"], "We kept your place, {name}", 0.8),
            _message("help", ["support"], ["email", "in_app"], ["now"], "Is it working again, {name}?"),
            _message("digest", ["retain", "activate"], ["email"], ["morning"], "Your week, {name}"),
        ],
    )


def _message(
    key: str, objectives: list[Objective], channels: list[Channel], slots: list[Slot], text: str, offer: float = 0.0
) -> MessageOptions:
    template = TemplateOptions(subject=text, body=f"{text}.")
    return MessageOptions(
        key=key,
        objectives=objectives,
        channels=channels,
        slots=slots,
        offer=offer,
        templates={"friendly": template, "professional": template},
    )
