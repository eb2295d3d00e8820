"""Somebody is told of alerts."""

from collections.abc import Iterator

from frontdesk.system.alerts import AlertsOptions
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.proofs.found import Found, warning


def told(plan: Plan) -> Iterator[Found]:
    """A warning where production's alerts reach nobody."""
    if plan.environment == "production" and plan.system.section(AlertsOptions).rules and not plan.dashboards.alerts_to:
        hint = "Name a variable there, and put the address that alerts are posted to into the secret of that name."
        yield warning(plan, "dashboards.alerts_to", "Alerts are shown on dashboards and told to nobody", hint)
