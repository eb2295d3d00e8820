"""When a challenger is taken back, ended, or put in the champion's place: pure rules over what both have brought.

Tier 1 trips fast, on what must not be waited for: errors, unsubscribes, complaints, slowness. Tier 2 compares success
with the champion's by bounds that hold at every look. A challenger that is surely worse goes: as a rollback where it
fell by more than `max_performance_drop`, else as futile. One that is surely better takes over. All alarms together are
false, ever, with probability `alpha` at most.
"""

import math
from typing import Literal

import msgspec

from frontdesk.decision.options import RollbackOptions
from frontdesk.decision.sequential import Comparison, Tally, compare, surely_above

Act = Literal["wait", "roll_back", "end", "promote"]
Rule = Literal["errors", "unsubscribes", "complaints", "latency", "drop", "futile", "better", ""]

SLOW_SHARE = 0.05  # of the decisions may take longer than the target: it is a target for 95 of 100
PART_OF_TRIP = 0.1  # of alpha, for each of the four trips; tier 2 has the rest


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the decisions of one role have brought.

    `success` tallies settled decisions, of which those count that a click, a reply or a conversion followed. `messaged`
    people got a message; of them `unsubscribed` and `complained`. `decided` decisions were tried, of which `failed`
    failed and `slow` took longer than the target.
    """

    success: Tally = Tally()
    messaged: int = 0
    unsubscribed: int = 0
    complained: int = 0
    decided: int = 0
    failed: int = 0
    slow: int = 0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done about a challenger, by which rule, in words; with the numbers it stands on."""

    act: Act
    rule: Rule
    words: str
    champion: Evidence
    challenger: Evidence
    comparison: Comparison

    @property
    def drop(self) -> float | None:
        """The relative fall of the success rate; negative: a rise."""
        return None if self.comparison.ratio is None else 1 - self.comparison.ratio


def judge(champion: Evidence, challenger: Evidence, options: RollbackOptions, error_rate: float) -> Verdict:
    """The verdict at this look. `error_rate` is the share of decisions that may fail."""
    alpha = options.alpha * (1 - 4 * PART_OF_TRIP)
    comparison = compare(champion.success, challenger.success, alpha)
    act, rule, words = _tripped(champion, challenger, options, error_rate) or _compared(comparison, challenger, options)
    return Verdict(act=act, rule=rule, words=words, champion=champion, challenger=challenger, comparison=comparison)


def _tripped(
    champion: Evidence, challenger: Evidence, options: RollbackOptions, error_rate: float
) -> tuple[Act, Rule, str] | None:
    ours, base = challenger, champion
    trips: tuple[tuple[Rule, int, int, int, int, float], ...] = (
        ("errors", ours.failed, ours.decided, base.failed, base.decided, error_rate),
        ("unsubscribes", ours.unsubscribed, ours.messaged, base.unsubscribed, base.messaged, options.unsubscribe_rate),
        ("complaints", ours.complained, ours.messaged, base.complained, base.messaged, options.complaint_rate),
        ("latency", ours.slow, ours.decided, base.slow, base.decided, SLOW_SHARE),
    )
    alpha = options.alpha * PART_OF_TRIP
    for rule, events, trials, others, of, limit in trips:
        if not surely_above(events, trials, limit, alpha):
            continue
        # What befalls the champion as well is not the challenger's doing. Where that may be beyond the limit too, the
        # challenger must have more of the events than its part of the trials, as the champion's rate is only estimated
        alike = others + 2 * math.sqrt(others) > limit * of and others > 0
        if not alike or surely_above(events, events + others, trials / (trials + of), alpha):
            return "roll_back", rule, f"{rule}: {events} of {trials}, where {limit:.1%} are allowed"
    return None


def _compared(comparison: Comparison, challenger: Evidence, options: RollbackOptions) -> tuple[Act, Rule, str]:
    rates = f"{comparison.rate:.2%} against {comparison.baseline:.2%}"
    if comparison.surely_lower:
        drop = 1 - (comparison.ratio or 0.0)
        if drop > options.max_performance_drop:
            return "roll_back", "drop", f"{rates}: {drop:.0%} worse, and at least {1 - comparison.high:.1%}"
        return "end", "futile", f"{rates}: surely not better"
    if comparison.surely_higher:
        return "promote", "better", f"{rates}: at least {comparison.low - 1:.1%} better"
    if challenger.success.trials >= options.most_outcomes:
        return "end", "futile", f"{rates}: no better after {challenger.success.trials} outcomes"
    return "wait", "", f"{rates}: not enough to tell"
