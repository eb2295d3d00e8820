"""Patterns in what customers answer to: that a segment answers more in the evening, or less by e-mail, than otherwise.

Messages are weighed by one over the chance with which they were chosen, so that a time of day does not look good
because the policy kept it for those who answer anyway. A pattern is told when the interval of the difference leaves out
zero at a level that is shared among all that were looked at (Bonferroni), and enough answers speak on both sides.
"""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from statistics import NormalDist

import msgspec
import numpy as np

from frontdesk.decision.arms import Arms
from frontdesk.decision.features import Floats
from frontdesk.decision.logs import Log
from frontdesk.decision.scoring import Bools
from frontdesk.engagement import OUTCOMES, OutcomeKind
from frontdesk.store.patterns import Pattern

ANSWERS: tuple[OutcomeKind, ...] = ("click", "reply", "conversion")
LEAST_EFFECTIVE = 50.0  # messages that each side must be worth
LEAST_ANSWERS = 10
SURE = 0.01  # level of `high` confidence …
LIKELY = 0.05  # … and of `medium`

_ANSWERS = np.array([kind in ANSWERS for kind in OUTCOMES])


class _Side(msgspec.Struct, frozen=True):
    rate: float
    variance: float
    count: int


def find(log: Log, arms: Arms, now: datetime) -> list[Pattern]:
    """The patterns of messages that left, the strongest first."""
    answered = log.outcomes[:, _ANSWERS].sum(axis=1) > 0
    weights = 1.0 / log.propensity
    compared = [
        (kind, segment, subject, with_it, without)
        for kind, segment, subject, mine, others in _splits(log, arms)
        if (with_it := _side(answered, weights, mine)) and (without := _side(answered, weights, others))
    ]
    found = [
        _pattern(kind, segment, subject, with_it, without, now, len(compared))
        for kind, segment, subject, with_it, without in compared
    ]
    return sorted((each for each in found if each), key=lambda each: -abs(each.low + each.high))


def _splits(log: Log, arms: Arms) -> Iterator[tuple[str, str, str, Bools, Bools]]:
    sent = log.released & (log.arm > 0)
    for place, segment in enumerate(log.segments):
        here = sent & (log.segment == place)
        for kind in ("slot", "channel", "message"):
            of_arm = np.array([getattr(arm, kind) or "" for arm in arms])[log.arm]
            subjects = sorted(set(of_arm[here]))
            for subject in subjects if len(subjects) > 1 else ():
                yield kind, segment, str(subject), here & (of_arm == subject), here & (of_arm != subject)


def _side(answered: Bools, weights: Floats, which: Bools) -> _Side | None:
    """The weighted share of answers with its variance; None where too little speaks for it."""
    heavy, happened = weights[which], answered[which].astype(np.float64)
    mass = float(heavy.sum())
    if mass == 0 or mass**2 / float(heavy @ heavy) < LEAST_EFFECTIVE or happened.sum() < LEAST_ANSWERS:
        return None
    rate = float(heavy @ happened) / mass
    return _Side(rate, float(heavy**2 @ (happened - rate) ** 2) / mass**2, len(heavy))


def _pattern(
    kind: str, segment: str, subject: str, with_it: _Side, without: _Side, now: datetime, compared: int
) -> Pattern | None:
    difference = with_it.rate - without.rate
    error = float(np.sqrt(with_it.variance + without.variance))
    likely, sure = (NormalDist().inv_cdf(1 - level / (2 * compared)) for level in (LIKELY, SURE))
    if abs(difference) <= likely * error:
        return None
    return Pattern(
        id=sha256(f"{kind}:{segment}:{subject}".encode()).hexdigest()[:32],
        kind=kind,
        segment=segment,
        subject=subject,
        rate=with_it.rate,
        others=without.rate,
        low=difference - likely * error,
        high=difference + likely * error,
        count=with_it.count,
        confidence="high" if abs(difference) > sure * error else "medium",
        found_at=now,
        seen_at=now,
    )
