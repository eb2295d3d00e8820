"""Rules that take arms away before anything is scored, and that are asked once more when a message is released.

Consent, caps, hours, approval and fairness are rules: no policy and no evolution touches them. Arms are bits of a whole
number here (bit 0: doing nothing, which is always left), so that a rule costs a decision next to nothing.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from frontdesk.decision.hours import is_open, moment_of, zone_of
from frontdesk.decision.hours import opening as opening_in
from frontdesk.decision.options import EngagementOptions, MessageOptions, SegmentOptions
from frontdesk.engagement import CHANNELS, OBJECTIVES, SLOTS, Channel, Contact, Customer, Mask, Objective, Slot

WEEK = timedelta(days=7).total_seconds()
REMEMBERED = 2 * WEEK  # seconds for which a contact is kept: longer than any rule looks back

WORDS = {
    "consent": "The customer has not agreed to be written to by this channel.",
    "address": "The customer has no address on this channel.",
    "segment": "The message is not meant for this segment, or harms more than it bears.",
    "objective": "The message does not serve the objective.",
    "unknown_segment": "The customer's segment is not set up, so nobody knows its rules.",
    "innovation": "The segment lets a strategy this young decide about a smaller share of its people.",
    "time_zone": "The customer's time zone is unknown, so nobody knows when they may be written to.",
    "hours": "It would arrive outside the hours in which this segment may be written to.",
    "cap": "The segment's limit of messages in 7 days is reached.",
    "plan": "The customer's pacing plan has no message left in 7 days.",
    "gap": "The last message is too recent, or the next one too near.",
    "fatigue": "The last messages got no answer, so the customer is left alone for longer.",
}
ALL, NONE = -1, 0

Moments = Mapping[Slot, datetime | None]


class Choice(NamedTuple):
    """An arm, as rules see it: which message, by which channel, at which time of day."""

    message: MessageOptions
    channel: Channel
    slot: Slot


class Pace(NamedTuple):
    """What the policy adds to the rules: at most `weekly` messages in 7 days, `gap` seconds apart. `tired`: the gap is
    long because of messages that got no answer."""

    weekly: int
    gap: float
    tired: bool


def has_room(times: Sequence[float], at: float, most: int) -> bool:
    """Whether a contact at `at` leaves at most `most` in every span of 7 days. `times`: seconds, in any order."""
    if most <= 0:
        return False
    if len(times) < most:
        return True
    ordered = sorted(times)
    place = bisect_left(ordered, at)
    ordered.insert(place, at)
    first, last = max(0, place - most), min(place, len(ordered) - most - 1)
    return all(ordered[index + most] - ordered[index] >= WEEK for index in range(first, last + 1))


def keeps_gap(times: Sequence[float], at: float, gap: float) -> bool:
    """Whether no contact is nearer than `gap` seconds."""
    return all(abs(at - time) >= gap for time in times)


def kept(contacts: Sequence[Contact], now: datetime) -> tuple[Contact, ...]:
    """The contacts that a rule may still ask for."""
    oldest = now.timestamp() - REMEMBERED
    return tuple([contact for contact in contacts if contact.at >= oldest])


def opening(customer: Customer, at: datetime, segment: SegmentOptions) -> datetime | None:
    """The first moment from `at` on at which the rules let a message reach the customer, or None."""
    zone = zone_of(customer.time_zone)
    return None if zone is None else opening_in(at, zone, segment.engagement_rules)


def recheck(
    customer: Customer, channel: Channel, at: datetime, segment: SegmentOptions, *, besides: str = ""
) -> Mask | None:
    """The rule that forbids a message to leave at this moment, or None. Its own contact, of the outreach `besides`, is
    left out of the count. `hours` may be waited out until `opening`; the others stand."""
    zone, rules = zone_of(customer.time_zone), segment.engagement_rules
    times = [contact.at for contact in customer.contacts if contact.outreach_id != besides]
    moment, bit = at.timestamp(), 1 << CHANNELS.index(channel)
    if not customer.consents & bit:
        return _mask("consent", 1)
    if not customer.reachable & bit:
        return _mask("address", 1)
    if zone is None:
        return _mask("time_zone", 1)
    if not is_open(at, zone, rules):
        return _mask("hours", 1)
    if not has_room(times, moment, rules.max_messages_per_week):
        return _mask("cap", 1)
    plan = customer.plan
    if plan is not None and not has_room(times, moment, plan.weekly):
        return _mask("plan", 1)
    if plan is not None and not keeps_gap(times, moment, plan.gap_hours * 3600):
        return _mask("gap", 1)
    return None


class Rules:
    """The rules for these arms. `choices` are the arms from number 1 on; bit n of a mask stands for arm n."""

    def __init__(self, options: EngagementOptions, choices: Sequence[Choice]) -> None:
        self._options = options
        self._choices = choices
        self.everything = (2 << len(choices)) - 1
        self._of_slot = {slot: self._where(lambda each, slot=slot: each.slot == slot) for slot in SLOTS}
        self._of_channel = [self._where(lambda each, by=by: each.channel == by) for by in CHANNELS]
        self._by_channels = lru_cache(1 << len(CHANNELS))(self._channels)
        self._by_segment = lru_cache(1024)(self._segment)
        self._by_objective = lru_cache(len(OBJECTIVES))(self._objective)

    def moments(self, now: datetime, time_zone: str, segment: str) -> Moments | None:
        """When a message of each slot would leave; None where the time zone is unknown."""
        zone, rules = zone_of(time_zone), self._options.segments[segment].engagement_rules
        return None if zone is None else {slot: moment_of(slot, now, zone, rules) for slot in SLOTS}

    def apply(
        self,
        customer: Customer,
        objective: Objective,
        moments: Moments | None,
        pace: Pace,
        *,
        innovates: bool,
    ) -> tuple[int, tuple[Mask, ...]]:
        """The arms that are left, and each rule that took some with how many it took, whatever others took.

        `moments` are those of the customer. `innovates`: a strategy as young as this one may decide here.
        """
        segment = customer.segment
        allowed = {
            "consent": self._by_channels(customer.consents),
            "address": self._by_channels(customer.reachable),
            "segment": self._by_segment(segment),
            "objective": self._by_objective(objective),
            "innovation": ALL if innovates else NONE,
        }
        if moments is None:
            allowed["time_zone"] = NONE
        else:
            times = [contact.at for contact in customer.contacts]
            most = self._options.segments[segment].engagement_rules.max_messages_per_week
            allowed["hours"] = sum(self._of_slot[slot] for slot, moment in moments.items() if moment is not None)
            if most <= len(times):
                allowed["cap"] = self._at(moments, lambda at: has_room(times, at, most))
            if pace.weekly <= len(times):
                allowed["plan"] = self._at(moments, lambda at: has_room(times, at, pace.weekly))
            if times:
                allowed["fatigue" if pace.tired else "gap"] = self._at(
                    moments, lambda at: keeps_gap(times, at, pace.gap)
                )
        left, masks = self.everything, list[Mask]()
        for rule, arms in allowed.items():
            taken = self.everything & ~(arms | 1)
            if taken:
                left &= ~taken
                masks.append(_mask(rule, taken.bit_count()))
        return left, tuple(masks)

    def without_segment(self) -> tuple[int, tuple[Mask, ...]]:
        """What is left for somebody in a segment that is not set up: nothing."""
        return 1, (_mask("unknown_segment", len(self._choices)),) if self._choices else ()

    def _at(self, moments: Moments, keeps: Callable[[float], bool]) -> int:
        """The arms of the slots whose moment keeps a rule. One that is never open is the rule `hours`' alone."""
        return sum(
            self._of_slot[slot] for slot, moment in moments.items() if moment is None or keeps(moment.timestamp())
        )

    def _where(self, holds: Callable[[Choice], bool]) -> int:
        return sum(2 << place for place, choice in enumerate(self._choices) if holds(choice))

    def _channels(self, bits: int) -> int:
        return sum(arms for place, arms in enumerate(self._of_channel) if bits >> place & 1)

    def _objective(self, objective: Objective) -> int:
        return self._where(lambda each: objective in each.message.objectives)

    def _segment(self, segment: str) -> int:
        """The arms of messages that are for this segment and never more harmful than it bears."""
        tolerance = tolerance_of(self._options, segment)
        return self._where(
            lambda each: segment in (each.message.segments or (segment,)) and each.message.risk <= tolerance
        )


def tolerance_of(options: EngagementOptions, segment: str) -> float:
    """The highest predicted harm that this segment bears: the stricter of its own and the desk's."""
    return min(options.risk_tolerance, options.segments[segment].risk_tolerance)


@lru_cache(4096)
def _mask(rule: str, arms: int) -> Mask:
    return Mask(rule=rule, words=WORDS[rule], arms=arms)
