"""What the events of customers tell of them: summed up as they come, read at the moment of a decision.

A profile depends on the set of events alone. Events that come late or out of order, or all at once when it is built
anew, give the same values bit for bit: all that is kept are least and greatest moments, sets, and sums of integers.

A counter decays by half every `HALF_LIFE`. An event at time t adds its weight times 2^((t - EPOCH) / HALF_LIFE),
rounded to a multiple of 2^-20: forward decay (Cormode, Shkapenyuk, Srivastava and Xu: "Forward decay: a practical time
decay model for streaming systems", ICDE 2009), which need not touch the sum as time goes by. Python's integers hold it
exactly, whatever the range; a counter grows by 26 bits a year.
"""

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, get_args

from frontdesk.decision.hours import zone_of
from frontdesk.engagement import CHANNELS, CustomerEvent, OutcomeKind, Profile, Signals, Stage

HALF_LIFE_DAYS = 14
HALF_LIFE = timedelta(days=HALF_LIFE_DAYS)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)

MESSAGE = "message"  # the type of the event that a message of the desk reached the customer
ANSWERS: dict[str, int] = {"open": 1, "click": 2, "reply": 4, "conversion": 4}  # quarters of an answer
REFUSALS = frozenset({"unsubscribe", "complaint"})
NOT_THEIRS = frozenset({MESSAGE, "bounce"})  # what customers did not do themselves
OUTCOME_TYPES: frozenset[str] = frozenset(get_args(OutcomeKind))
AMOUNTS = ("amount", "value")  # properties that tell what an event was worth, in the owner's currency
MOST_VALUE = 1e9  # more is taken for this

DAYS = 64  # back from the newest active one, in which active days are remembered

NEVER_DAYS = 365.0  # how long ago the last event is taken to be where there was none
USUAL_GAP_DAYS = 14.0  # between active days, of somebody of whom little is known
NEW_DAYS = 14.0
LOYAL_DAYS, LOYAL_TENURE = 8, 60.0  # active days of the last `DAYS`, and days since the first event
AT_RISK, LAPSED, LAPSED_DAYS = 0.5, 0.9, 90.0
HALF_FATIGUE = 4.0  # messages without an answer that make somebody half tired
USUAL_HOUR = 10

_GRID = 20  # bits after the point
_QUARTER = 4


class _Sums(NamedTuple):
    """Exact counters: decaying ones in units of 2^-20 at EPOCH; money in hundredths; active days as bits, the newest
    the lowest."""

    activity: int = 0
    answers: int = 0
    messages: int = 0
    refusals: int = 0
    hundredths: int = 0
    days: int = 0


def add(profile: Profile, event: CustomerEvent) -> Profile:
    """The profile with one more event. The caller sees to it that no event is added twice."""
    sums = _read(profile.sums)
    weight = _weight(event.at)
    theirs = event.type not in NOT_THEIRS
    quarters = ANSWERS.get(event.type, 0)
    as_of = _later(profile.as_of, event.at)
    sums = _Sums(
        activity=sums.activity + weight * theirs,
        answers=sums.answers + weight * quarters,
        messages=sums.messages + weight * (event.type == MESSAGE),
        refusals=sums.refusals + weight * (event.type in REFUSALS),
        hundredths=sums.hundredths + _hundredths(event),
        days=_with_day(sums.days, profile.last_at, event.at) if theirs else sums.days,
    )
    unit = max(1, _weight(as_of))  # long before EPOCH there is nothing to share out
    return Profile(
        first_at=_earlier(profile.first_at, event.at) if theirs else profile.first_at,
        last_at=_later(profile.last_at, event.at) if theirs else profile.last_at,
        as_of=as_of,
        events=profile.events + theirs,
        activity=sums.activity / unit,
        value=sums.hundredths / 100,
        answers=sums.answers / (_QUARTER * unit),
        messages=sums.messages / unit,
        refusals=sums.refusals / unit,
        hours=_counted(profile.hours, 24, event.at.astimezone(UTC).hour, 1.0) if theirs else profile.hours,
        channels=_with_answer(profile.channels, event, quarters),
        sums=tuple(_bytes(each) for each in sums),
    )


def fold(events: Iterable[CustomerEvent], profile: Profile | None = None) -> Profile:
    """The profile with all of these events more; without one, built from them alone."""
    profile = profile or Profile()
    for event in events:
        profile = add(profile, event)
    return profile


def signals(profile: Profile, now: datetime, time_zone: str) -> Signals:
    """The profile read at a moment, by somebody in this zone (an unknown one counts as UTC).

    - `frequency`: activities a week, of late: a steady rate r has a decayed count of r * half-life / ln 2.
    - `engagement`: 1 - 2^-(frequency / 4 + answers).
    - `churn_risk`: 0 up to the customer's own gap between active days, then 1 - 2^-((silence - gap) / (2 gap)). The
      gap of few days leans on `USUAL_GAP_DAYS` as if that had been one more.
    - `fatigue`: 1 - 2^-(u / HALF_FATIGUE), where u are messages without an answer; a refusal counts as four.
    """
    faded = 0.5 ** max(0.0, _days(profile.as_of, now) / HALF_LIFE_DAYS) if profile.as_of else 0.0
    silence = max(0.0, _days(profile.last_at, now)) if profile.last_at else NEVER_DAYS
    frequency = profile.activity * faded * math.log(2) / HALF_LIFE_DAYS * 7
    answers = profile.answers * faded
    unanswered = max(0.0, profile.messages * faded - answers) + 4 * profile.refusals * faded
    churn_risk = _churn_risk(profile, silence)
    return Signals(
        recency_days=silence,
        frequency=frequency,
        engagement=1.0 - 0.5 ** (frequency / 4 + answers),
        churn_risk=churn_risk,
        fatigue=1.0 - 0.5 ** (unanswered / HALF_FATIGUE),
        value=profile.value,
        stage=_stage(profile, now, silence, churn_risk),
        best_channel=_best_channel(profile.channels),
        best_hour=_best_hour(profile.hours, now, time_zone),
    )


def _churn_risk(profile: Profile, silence: float) -> float:
    if profile.last_at is None:
        return 0.0
    days = int.from_bytes(profile.sums[-1]) if profile.sums else 1
    gap = (days.bit_length() - 1 + USUAL_GAP_DAYS) / max(1, days.bit_count())
    return 1.0 - 0.5 ** max(0.0, (silence - gap) / (2 * gap))


def _stage(profile: Profile, now: datetime, silence: float, churn_risk: float) -> Stage:
    if profile.first_at is None or _days(profile.first_at, now) < NEW_DAYS:
        return "new"
    if churn_risk >= LAPSED or silence >= LAPSED_DAYS:
        return "lapsed"
    if churn_risk >= AT_RISK:
        return "at_risk"
    active = int.from_bytes(profile.sums[-1]).bit_count() if profile.sums else 0
    return "loyal" if active >= LOYAL_DAYS and _days(profile.first_at, now) >= LOYAL_TENURE else "active"


def _best_channel(channels: tuple[float, ...]) -> str:
    most = max(channels, default=0.0)
    return CHANNELS[channels.index(most)] if most > 0 else ""


def _best_hour(hours: tuple[float, ...], now: datetime, time_zone: str) -> int:
    """The middle of the three hours that saw most, where the customer is; of equals the earlier one in UTC."""
    if not hours:
        return USUAL_HOUR
    before, after = hours[-1:] + hours[:-1], hours[1:] + hours[:1]
    around = [left + 2 * middle + right for left, middle, right in zip(before, hours, after, strict=True)]
    offset = now.astimezone(zone_of(time_zone) or UTC).utcoffset() or timedelta()
    return (around.index(max(around)) + round(offset / HOUR)) % 24


def _weight(at: datetime) -> int:
    """2^((at - EPOCH) / HALF_LIFE) in units of 2^-20."""
    whole, part = divmod((at - EPOCH) / HALF_LIFE, 1.0)
    one = round(2.0 ** (part + _GRID))
    return one << int(whole) if whole >= 0 else one >> int(-whole)


def _hundredths(event: CustomerEvent) -> int:
    for name in AMOUNTS:
        amount = event.properties.get(name)
        if isinstance(amount, int | float) and not isinstance(amount, bool) and amount == amount:  # no NaN
            return round(max(-MOST_VALUE, min(MOST_VALUE, amount)) * 100)
    return 0


def _with_day(days: int, last_at: datetime | None, at: datetime) -> int:
    """The active days with that of `at`; those that lie too far before the newest are forgotten."""
    ahead = _day(at) - _day(last_at) if last_at else DAYS
    if ahead >= DAYS:
        return 1
    if ahead > 0:
        return (days << ahead | 1) & ((1 << DAYS) - 1)
    return days | 1 << -ahead if ahead > -DAYS else days


def _with_answer(channels: tuple[float, ...], event: CustomerEvent, quarters: int) -> tuple[float, ...]:
    channel = event.properties.get("channel")
    if not quarters or channel not in CHANNELS:
        return channels
    return _counted(channels, len(CHANNELS), CHANNELS.index(channel), quarters / _QUARTER)


def _counted(counts: tuple[float, ...], size: int, place: int, more: float) -> tuple[float, ...]:
    new = list(counts) or [0.0] * size
    new[place] += more
    return tuple(new)


def _read(stored: tuple[bytes, ...]) -> _Sums:
    return _Sums(*(int.from_bytes(each, signed=True) for each in stored))


def _bytes(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, signed=True)


def _day(at: datetime) -> int:
    return (at - EPOCH).days


def _days(since: datetime | None, now: datetime) -> float:
    return (now - since) / DAY if since else 0.0


def _earlier(known: datetime | None, at: datetime) -> datetime:
    return at if known is None else min(known, at)


def _later(known: datetime | None, at: datetime) -> datetime:
    return at if known is None else max(known, at)
