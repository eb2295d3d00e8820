"""What `frontdesk check` proves of rooms that do not know each other."""

from collections.abc import Iterator

from frontdesk.delivery.options import DeliveryOptions
from frontdesk.gate.options import GateOptions
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.proofs.found import Found, warning
from frontdesk.system.system import System


def stoppable(plan: Plan, here: System | None) -> Iterator[Found]:
    """A warning where production's e-mail to customers has no link that a mailbox can stop it by.

    `here` is the desk of this machine, whose variables may say what the file leaves open.
    """
    said = [plan.system] if here is None or here.environment != plan.environment else [plan.system, here]
    has_link = any(system.section(GateOptions).public_url.startswith("https://") for system in said)
    goes_out = "smtp" in plan.system.section(DeliveryOptions).channels.values()
    if plan.environment == "production" and goes_out and not has_link:
        what = "E-mail to customers has no link that stops it with one click: large mailboxes may refuse it"
        hint = "Set PUBLIC_URL to the desk's https address, and let your mail server sign what it sends (DKIM)."
        yield warning(plan, "gate.public_url", what, hint)
