"""What a message to a customer would be for: from what they just did, or else from where they stand."""

from frontdesk.engagement import Objective, Signals, Stage

OF_EVENT: dict[str, Objective] = {
    **dict.fromkeys(
        ("support_ticket", "error", "payment_failed", "refund_requested", "outage_reported", "complaint"), "support"
    ),
    **dict.fromkeys(("cancel_clicked", "subscription_cancelled", "plan_downgraded"), "retain"),
    **dict.fromkeys(("signed_up", "invited", "trial_started"), "onboard"),
    **dict.fromkeys(("limit_reached", "pricing_viewed", "trial_ending"), "upsell"),
}
OF_STAGE: dict[Stage, Objective] = {
    "new": "onboard",
    "active": "activate",
    "loyal": "upsell",
    "at_risk": "retain",
    "lapsed": "win_back",
}


def objective_of(signals: Signals, event_type: str = "") -> Objective:
    """The objective that an event of this type asks for, or else the one of the customer's stage."""
    return OF_EVENT.get(event_type) or OF_STAGE[signals.stage]
