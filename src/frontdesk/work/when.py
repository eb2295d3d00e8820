"""When something is due again: `every 5m`, `daily 02:00`, `daily 02:00 Europe/Berlin`."""

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

_EVERY = re.compile(r"every (\d+)([smhd])")
_DAILY = re.compile(r"daily ([01]\d|2[0-3]):([0-5]\d)(?: (\S+))?")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def next_after(rhythm: str, moment: datetime) -> datetime:
    """The first time of `rhythm` after `moment`, in UTC.

    `every` counts from `moment`. A daily time is one of the zone's clocks (UTC unless named): where they are put
    forward past it, it comes as much later; where they are put back over it, it comes once, the first time.
    Raises `ValueError` for a rhythm or zone that does not exist.
    """
    if found := _EVERY.fullmatch(rhythm):
        step = timedelta(**{_UNITS[found[2]]: int(found[1])})
        if not step:
            raise ValueError(f"Too often: {rhythm!r}")
        return moment.astimezone(UTC) + step
    if found := _DAILY.fullmatch(rhythm):
        return _daily(time(int(found[1]), int(found[2])), _zone(found[3] or "UTC"), moment)
    raise ValueError(f"A rhythm is `every 5m` or `daily 02:00 Europe/Berlin`, not {rhythm!r}")


def _daily(at: time, zone: ZoneInfo, moment: datetime) -> datetime:
    today = moment.astimezone(zone).date()
    days = (today + timedelta(days=days) for days in (-1, 0, 1, 2))
    moments = (datetime.combine(day, at, zone).astimezone(UTC) for day in days)
    return next(found for found in moments if found > moment)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"No time zone of that name: {name!r}") from error
