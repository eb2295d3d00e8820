"""When a customer may be written to: business hours and quiet hours where they are, and the times of day of slots."""

from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from frontdesk.decision.options import RuleOptions
from frontdesk.engagement import Slot

OPENS, CLOSES = 9, 17  # business hours, Monday to Friday
SLOT_HOURS: dict[Slot, int] = {"morning": 9, "midday": 12, "evening": 17}
LOOK_AHEAD = timedelta(days=8)  # a week holds every opening there is, and a day to spare for clocks that are moved


@lru_cache(1024)
def zone_of(name: str) -> tzinfo | None:
    """The time zone of this name, or None where there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # unknown, no file of one, no name at all
        return None


def is_open(at: datetime, zone: tzinfo, rules: RuleOptions) -> bool:
    """Whether a message may reach somebody in `zone` at this moment."""
    local = at.astimezone(zone)
    if rules.business_hours_only and not (local.weekday() < 5 and OPENS <= local.hour < CLOSES):
        return False
    begins, ends = rules.quiet_from, rules.quiet_until
    if begins <= ends:
        return not begins <= local.hour < ends
    return ends <= local.hour < begins


def opening(at: datetime, zone: tzinfo, rules: RuleOptions) -> datetime | None:
    """The first open moment from `at` on; None where the rules never open.

    It walks by full hours of the local clock, whatever that does meanwhile: rules change at full hours alone.
    """
    moment, end = at, at + LOOK_AHEAD
    while not is_open(moment, zone, rules):
        local = moment.astimezone(zone)
        past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        moment += timedelta(hours=1) - past
        if moment > end:
            return None
    return moment


def moment_of(slot: Slot, now: datetime, zone: tzinfo, rules: RuleOptions) -> datetime | None:
    """When a message of this slot would leave; None where the rules are never open then.

    `now` waits for the next opening; the others for the next open day, at their own hour.
    """
    if slot == "now":
        return opening(now, zone, rules)
    today = now.astimezone(zone).date()
    for days in range(LOOK_AHEAD.days + 1):
        local = datetime.combine(today + timedelta(days=days), time(SLOT_HOURS[slot]), zone)
        moment = local.astimezone(UTC)
        if moment >= now and is_open(moment, zone, rules):
            return moment
    return None
