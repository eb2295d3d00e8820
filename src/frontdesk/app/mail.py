"""The links by which customers stop messages, wired."""

from frontdesk.delivery.options import DeliveryOptions
from frontdesk.delivery.unsubscribe import StopLinks, exits
from frontdesk.engagement import Exits
from frontdesk.gate.options import GateOptions
from frontdesk.gate.signing import derived_key
from frontdesk.system.system import System


def stop_links(system: System, desk_secret: bytes) -> StopLinks:
    """Those of this desk: the same from each of its processes."""
    return StopLinks(system.section(GateOptions).public_url, derived_key(desk_secret, "unsubscribe"))


def exits_of(system: System, desk_secret: bytes) -> Exits:
    """How the letters of this desk are stopped."""
    return exits(system.section(DeliveryOptions), stop_links(system, desk_secret))
