"""How well a policy would have done on decisions that another one made: IPS, SNIPS and doubly robust estimates.

All weigh an outcome by w, the chance that the target chooses what was chosen over the logged chance of it (Horvitz and
Thompson 1952; Swaminathan and Joachims 2015; Dudík et al. 2014). Intervals are asymptotic, with sums by customer, since
one customer's outcomes are alike (Liang and Zeger 1986). A few large weights make errors lopsided and their variance
hard to know: Hall's transformation (1992) allows for the skewness, and Student's t has as many degrees of freedom as
the kurtosis leaves to the variance (Satterthwaite 1946). Bounds that hold for every sample, like the empirical
Bernstein one, are several times as wide here: they pay for the largest weight that could occur.

Asymptotics need something to stand on. With little overlap, or none of the few outcomes among what overlaps, the
observed variance is near zero and an interval falsely tight. So an estimate says how large a sample it is worth (Kish's
effective size) and how many outcomes it rests on; with too few it is marked, and its interval is the range of rewards.
"""

from statistics import NormalDist
from typing import Literal, Protocol

import msgspec
import numpy as np

from frontdesk.decision.arms import Arms
from frontdesk.decision.features import FEATURES, Floats, rows
from frontdesk.decision.logs import Log
from frontdesk.decision.posterior import learn, mean_of, prior
from frontdesk.decision.rewards import STANDARD
from frontdesk.decision.scoring import Bools, Places

Method = Literal["ips", "snips", "doubly_robust"]

LEAST_EFFECTIVE = 100.0  # decisions that the sample must be worth
LEAST_MATCHED = 20.0  # outcomes that must have come of what the target would have done too
FOLDS = 3


class Played(Protocol):
    """N logged decisions: places of the chosen `arm`, its `propensity`, the `reward`, whether anything came of it
    (`answered`), and numbers of the customers [N each]."""

    @property
    def arm(self) -> Places: ...
    @property
    def propensity(self) -> Floats: ...
    @property
    def reward(self) -> Floats: ...
    @property
    def answered(self) -> Bools: ...
    @property
    def customer(self) -> Places: ...


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A policy's mean reward a decision, with the bounds of its interval.

    `effective` is how many decisions of the target's own the sample is worth, `matched` how many outcomes stand behind
    it. Not `enough`: `why` says what is missing, and nothing may be decided on it.
    """

    method: Method
    value: float
    low: float
    high: float
    count: int
    effective: float
    matched: float
    enough: bool
    why: str = ""


def ips(log: Played, target: Floats, *, level: float = 0.95) -> Estimate:
    """Inverse propensity scoring: unbiased, and as unsteady as its weights. `target` [N, A] are the chances of arms."""
    weights = _weights(log, target)
    parts = weights * log.reward
    return _estimate("ips", log, weights, float(parts.mean()) if len(parts) else 0.0, parts, level)


def snips(log: Played, target: Floats, *, level: float = 0.95) -> Estimate:
    """Self-normalised: the weighted mean of the rewards, steadier, with a bias that vanishes as the log grows."""
    weights = _weights(log, target)
    mass = float(weights.mean()) if len(weights) else 0.0
    value = float((weights @ log.reward) / weights.sum()) if mass > 0 else 0.0
    parts = value + weights * (log.reward - value) / (mass or 1.0)
    return _estimate("snips", log, weights, value, parts, level)


def doubly_robust(log: Played, target: Floats, model: Floats, *, level: float = 0.95) -> Estimate:
    """What `model` [N, A] expects of the target's choices, corrected by what it got wrong on those that were made.

    Right when either the propensities or the model are, and the steadier the better the model. A row of the model must
    come from other customers than the row's own, as in `model_of`.
    """
    weights = _weights(log, target)
    expected = np.einsum("na,na->n", target, model)
    parts = expected + weights * (log.reward - model[np.arange(len(log.arm)), log.arm])
    return _estimate("doubly_robust", log, weights, float(parts.mean()) if len(parts) else 0.0, parts, level)


def model_of(log: Log, arms: Arms) -> Floats:
    """The expected reward of each arm for the customers of the log [N, A], learned from the other customers alone."""
    expected = np.zeros((len(log), len(arms)))
    x = rows(log.numbers, arms, log.arm)
    for fold in range(FOLDS):
        mine = log.customer % FOLDS == fold
        fitted = learn(prior(STANDARD), x[~mine], log.reward[~mine])
        expected[mine] = expectations(mean_of(fitted), log.numbers[mine], arms)
    return expected


def expectations(weights: Floats, numbers: Floats, arms: Arms) -> Floats:
    """The linear model's value of each arm for each customer [N, A], without making N × A × D features."""
    bilinear = np.zeros((numbers.shape[1], arms.numbers.shape[1]))
    for weight, (_, of_customer, of_arm) in zip(weights, FEATURES, strict=True):
        bilinear[of_customer, of_arm] += weight
    return numbers @ bilinear @ arms.numbers.T


def _weights(log: Played, target: Floats) -> Floats:
    return target[np.arange(len(log.arm)), log.arm] / log.propensity


def _estimate(method: Method, log: Played, weights: Floats, value: float, parts: Floats, level: float) -> Estimate:
    effective = float(weights.sum() ** 2 / max(float(weights @ weights), 1e-300)) if len(weights) else 0.0
    matched = float(np.minimum(weights, 1.0) @ log.answered)
    why = ""
    if effective < LEAST_EFFECTIVE:
        why = f"the log is worth {effective:.0f} decisions of this policy, and {LEAST_EFFECTIVE:.0f} are needed"
    elif matched < LEAST_MATCHED:
        why = f"it rests on {matched:.0f} outcomes, and {LEAST_MATCHED:.0f} are needed"
    if why:
        low, high = (float(log.reward.min()), float(log.reward.max())) if len(weights) else (0.0, 0.0)
    else:
        low, high = _interval(parts, value, log.customer, level)
    return Estimate(
        method=method,
        value=value,
        low=low,
        high=high,
        count=len(weights),
        effective=effective,
        matched=matched,
        enough=not why,
        why=why,
    )


def _interval(parts: Floats, value: float, customer: Places, level: float) -> tuple[float, float]:
    """Bounds of the mean of `parts`, whose errors are independent between customers only."""
    error = np.bincount(customer, parts - value)
    error = error[np.bincount(customer) > 0]
    count = len(error)
    deviation = float(np.sqrt(np.mean(error**2))) * np.sqrt(count / max(count - 1, 1))
    if deviation == 0.0:
        return value, value
    scale = deviation * np.sqrt(count) / len(parts)  # the standard error of the mean
    skew, kurtosis = float(np.mean(error**3)) / deviation**3, float(np.mean(error**4)) / deviation**4
    t = _student((1 + level) / 2, 2 * count / max(kurtosis - 1, 1e-9))
    return value - scale * _hall(t, skew, count), value - scale * _hall(-t, skew, count)


def _hall(t: float, skew: float, count: int) -> float:
    """The quantile of a studentised mean of skewed terms, by the inverse of Hall's monotone transformation."""
    a = skew / (3.0 * np.sqrt(count))
    if abs(a) < 1e-12:
        return t
    shifted = t - skew / (6.0 * np.sqrt(count))
    return float((np.cbrt(1.0 + 3.0 * a * shifted) - 1.0) / a)


def _student(p: float, freedom: float) -> float:
    """Student's quantile by its expansion about the normal one (Abramowitz and Stegun 26.7.5)."""
    z = NormalDist().inv_cdf(p)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / freedom + second / freedom**2
