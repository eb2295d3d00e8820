"""What a policy sees: numbers of the customer, numbers of the arm, and the products of the two that it weighs.

All numbers are multiples of 2^-6 no larger than 8. A feature is a product of one of each, so a multiple of 2^-12 no
larger than 64, and its sums with weights on a grid of 2^-18 are exact in float64 in whatever order they are taken: the
same inputs give the same decision on every machine.
"""

import math
import struct
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from frontdesk.decision.arms import ARM_NUMBERS, LIMIT, STEP, Arms, quantised
from frontdesk.engagement import STAGES, Customer, Signals
from frontdesk.errors import BadFeature

Floats = NDArray[np.float64]
Layer = Literal[1, 2, 3, 4, 5]  # name, plan, usage, history, inferred preferences

LAYERS: dict[str, Layer] = {
    "bias": 1,
    "value": 2,
    "recency": 3,
    "frequency": 3,
    "engagement": 3,
    "intent": 3,
    "churn_risk": 4,
    "fatigue": 4,
    **dict.fromkeys(STAGES, 4),
    **dict.fromkeys(("likes_email", "likes_sms", "likes_push", "likes_in_app"), 5),
    **dict.fromkeys(("fits_now", "fits_morning", "fits_midday", "fits_evening"), 5),
}
"""How much must be allowed to be known of a customer before a number of theirs is used, by `personalization_depth`: in
rising order."""

CUSTOMER_NUMBERS: tuple[str, ...] = tuple(LAYERS)
"""What policies know of a customer. `recency` falls from 1 by half each week of silence, `value` grows with its
logarithm, stages and likes are 0 or 1, `fits_…` say how near a time of day is to the customer's best hour, and `intent`
is 0 unless the asker gives it. Some go into no feature yet: later ones can learn from their log."""

_KNOWN = tuple(sum(layer <= depth for layer in LAYERS.values()) for depth in range(6))  # numbers, by depth
SLOT_HOURS = {"fits_morning": 9, "fits_midday": 12, "fits_evening": 17}
HALF_RECENCY_DAYS = 7.0
FIT_HOURS = 6.0  # so far from the best hour nothing is left of the fit

FEATURES: tuple[tuple[str, int, int], ...] = tuple(
    (f"{customer} × {arm}", CUSTOMER_NUMBERS.index(customer), ARM_NUMBERS.index(arm))
    for customer, arm in (
        # what would happen anyway: the same for every arm, so it takes no side, but it makes outcomes less noisy
        ("bias", "always"),
        ("engagement", "always"),
        # what any message does to such a customer
        ("bias", "message"),
        ("fatigue", "message"),
        ("intent", "message"),
        # the channel (those without a weight of their own are measured by that of any message), and who likes it
        ("bias", "email"),
        ("bias", "sms"),
        ("bias", "push"),
        ("engagement", "in_app"),
        ("frequency", "in_app"),
        ("likes_email", "email"),
        ("likes_in_app", "in_app"),
        # the time, and whom it fits
        ("bias", "morning"),
        ("bias", "evening"),
        ("fits_now", "now"),
        ("fits_morning", "morning"),
        ("fits_midday", "midday"),
        ("fits_evening", "evening"),
        # what is given away
        ("bias", "offer"),
        ("churn_risk", "offer"),
        # what it is about, and whom that concerns
        ("bias", "onboard"),
        ("bias", "activate"),
        ("bias", "retain"),
        ("bias", "upsell"),
        ("bias", "win_back"),
        ("bias", "support"),
        ("new", "onboard"),
        ("frequency", "activate"),
        ("churn_risk", "retain"),
        ("frequency", "upsell"),
        ("churn_risk", "win_back"),
        # what tells two messages apart that are alike in all else
        ("bias", "mark"),
    )
)
"""The features: a name, and the places of the customer's and the arm's number that it is the product of."""

FEATURE_NAMES: tuple[str, ...] = tuple(name for name, _, _ in FEATURES)
_OF_CUSTOMER: NDArray[np.intp] = np.array([customer for _, customer, _ in FEATURES])
_OF_ARM: NDArray[np.intp] = np.array([arm for _, _, arm in FEATURES])
EFFECTS: Floats = np.where(ARM_NUMBERS.index("always") == _OF_ARM, 0.0, 1.0)
"""1 for the features that an arm can change, 0 for those that are the same for all arms."""
_WEIGHED, _OF_WEIGHED = np.unique(_OF_CUSTOMER, return_inverse=True)  # the numbers of a customer that some feature has


def numbers_of(
    customer: Customer, signals: Signals, depth: int, now: datetime, context: Mapping[str, float] | None = None
) -> tuple[float, ...]:
    """A customer's numbers at a moment, in the order of `CUSTOMER_NUMBERS`; those beyond `depth` are 0.

    `context` gives values in place of what the signals say, by name.

    Raises:
        BadFeature: a value is not a number, or the context names one that no policy knows.
    """
    measured = (
        1.0,
        math.log1p(max(0.0, signals.value)) / 4.0,
        0.5 ** (max(0.0, signals.recency_days) / HALF_RECENCY_DAYS),
        signals.frequency,
        signals.engagement,
        0.0,  # intent, which only the asker may know
        signals.churn_risk,
        signals.fatigue,
    )
    told = _told(signals.stage, signals.best_channel, _hour(now, customer.time_zone), signals.best_hour)
    numbers = [_on_the_grid(value, name) for value, name in zip(measured, CUSTOMER_NUMBERS, strict=False)]
    numbers += told
    for name, value in (context or {}).items():
        if name not in LAYERS or name == "bias":
            raise BadFeature(f"No policy knows a number `{name}`.", where=f"context.{name}")
        numbers[CUSTOMER_NUMBERS.index(name)] = _on_the_grid(value, name)
    known = _KNOWN[depth]
    return (*numbers[:known], *(0.0,) * (len(numbers) - known))


def digest(numbers: tuple[float, ...]) -> str:
    """The SHA-256 of a customer's numbers, in hexadecimal: tells whether two decisions saw the same."""
    return sha256(struct.pack(f"<{len(numbers)}d", *numbers)).hexdigest()


def weighed(numbers: Floats) -> Floats:
    """Those of customers' numbers [B, C] that some feature has: [B, W]. `weighed(numbers) @ folded(weights, arms)` are
    the scores of all features, to the last bit, for a third of the work.

    Raises:
        BadFeature: a number is not finite, too large, or between two steps of the grid.
    """
    _check(numbers)
    return numbers.take(_WEIGHED, axis=1)


def folded(weights: Floats, arms: Arms) -> Floats:
    """What each number that is `weighed` is worth for each arm, under S vectors of weights [D, S]: [A, W, S]."""
    made = np.zeros((len(arms), len(_WEIGHED), weights.shape[1]))
    for feature, (number, arm) in enumerate(zip(_OF_WEIGHED.tolist(), _OF_ARM.tolist(), strict=True)):
        made[:, number] += arms.numbers[:, arm, None] * weights[feature]
    return made


def rows(numbers: Floats, arms: Arms, chosen: NDArray[np.intp]) -> Floats:
    """The features of one arm for each customer, as outcomes are learned from: [B, D]."""
    return numbers.take(_OF_CUSTOMER, axis=1) * _sides(arms)[chosen]


def gained(numbers: Floats, arms: Arms, chosen: NDArray[np.intp]) -> Floats:
    """What their features have more than those of nothing: [B, D]."""
    sides = _sides(arms)
    return numbers.take(_OF_CUSTOMER, axis=1) * (sides[chosen] - sides[0])


def _check(numbers: Floats) -> None:
    steps = numbers / STEP
    if not (np.rint(steps) == steps).all() or np.abs(steps).max(initial=0.0) > LIMIT / STEP:
        raise BadFeature("A customer's numbers hold one that is not on the grid of 1/64 within ±8.")


@lru_cache
def _sides(arms: Arms) -> Floats:
    """The arm's side of each feature: [A, D]."""
    return arms.numbers[:, _OF_ARM]


def _on_the_grid(value: float, name: str) -> float:
    if not math.isfinite(value):
        raise BadFeature(f"The number `{name}` is {value}.", where=name)
    return quantised(value)


@lru_cache(maxsize=8192)
def _told(stage: str, channel: str, hour: int, best: int) -> tuple[float, ...]:
    """The numbers from the stages on: what a customer is, what they like, and how the times of day fit them."""
    fits = {"fits_now": _fit(hour, best)} | {name: _fit(slot, best) for name, slot in SLOT_HOURS.items()}
    known = {stage: 1.0, f"likes_{channel}": 1.0} | fits
    return tuple(quantised(known.get(name, 0.0)) for name in CUSTOMER_NUMBERS[CUSTOMER_NUMBERS.index(STAGES[0]) :])


def _fit(hour: int, best: int) -> float:
    apart = abs(hour - best) % 24
    return max(0.0, 1.0 - min(apart, 24 - apart) / FIT_HOURS)


@lru_cache(maxsize=1024)
def _hour(now: datetime, time_zone: str) -> int:
    """What the clock says there; an unknown zone counts as UTC."""
    return now.astimezone(_zone(time_zone)).hour


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")
