"""Comparing rates while outcomes come in, with bounds that hold at every look, however often somebody looks.

Rates are of people, who come back: the outcomes of one person resemble each other, so a rate's variance is taken
between people (the linearised ratio estimator of cluster samples), and never less than that of as many strangers. The
bounds are the one-sided normal mixture of Howard, Ramdas, McAuliffe and Sekhon (Annals of Statistics 49:2, 2021,
section 3.2), laid on the two-sample statistic in its information time (Jennison and Turnbull, 2000, chapter 11). They
are asymptotic: exact for a normal statistic. Where a person's outcomes go together the statistic correlates more with
its own past than the mixture allows for, which by Slepian's inequality makes a crossing rarer, not more frequent.
"""

import math
from collections.abc import Iterable
from typing import Self

import msgspec

TIGHTEST = 1_000.0  # effective outcomes at which the bound is as near as it gets
MULTIPLES = (1.25, 1.5, 2.0, 3.0, 5.0, 8.0)  # of a limit: the rates that `surely_above` holds against it


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a rate: `total` of values from 0 to 1 in `trials`, by `people`.

    `squares`, `cross` and `sizes` are the sums over people of total², total × trials and trials².
    """

    people: int = 0
    trials: int = 0
    total: float = 0.0
    squares: float = 0.0
    cross: float = 0.0
    sizes: int = 0

    @classmethod
    def of(cls, people: Iterable[tuple[int, float]]) -> Self:
        """From each person's trials and the total of their values."""
        rows = list(people)
        return cls(
            people=len(rows),
            trials=sum(trials for trials, _ in rows),
            total=sum(total for _, total in rows),
            squares=sum(total * total for _, total in rows),
            cross=sum(trials * total for trials, total in rows),
            sizes=sum(trials * trials for trials, _ in rows),
        )

    def __add__(self, other: "Tally") -> "Tally":
        """The two together, where nobody is in both."""
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    @property
    def rate(self) -> float:
        """The mean of the values; 0 without any."""
        return self.total / self.trials if self.trials else 0.0

    def variance(self, spread: float) -> float:
        """Of the rate, between people, and at least `spread` (the variance of one value) over the trials."""
        if not self.trials:
            return math.inf
        rate = self.rate
        between = self.squares - 2 * rate * self.cross + rate * rate * self.sizes
        correction = self.people / (self.people - 1) if self.people > 1 else 1.0
        return max(correction * between / self.trials**2, spread / self.trials)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A rate beside its baseline: `ratio` with bounds of which each fails, ever, with the chance that was asked for.

    `ratio` is None while the baseline has no success; `high` is infinite while the baseline could be none.
    """

    baseline: float
    rate: float
    ratio: float | None
    low: float
    high: float

    @property
    def surely_lower(self) -> bool:
        """Whether the rate is below its baseline."""
        return self.high < 1

    @property
    def surely_higher(self) -> bool:
        """Whether the rate is above its baseline."""
        return self.low > 1


def compare(baseline: Tally, other: Tally, alpha: float) -> Comparison:
    """`other` as a ratio of `baseline`, at any look; each bound errs, ever, with probability `alpha` at most.

    The bounds are Fieller's for a ratio of two independent means, with the mixture's width in place of the normal's.
    """
    rate, base = other.rate, baseline.rate
    pooled = (baseline.total + other.total) / max(1, baseline.trials + other.trials)
    spread = pooled * (1 - pooled)
    ratio = rate / base if base else None
    unknown = Comparison(baseline=base, rate=rate, ratio=ratio, low=0.0, high=math.inf)
    if spread <= 0 or not (baseline.trials and other.trials):
        return unknown
    of_base, of_rate = baseline.variance(spread), other.variance(spread)
    width = standard_errors(spread / (of_base + of_rate), alpha) ** 2
    a, b, c = base * base - width * of_base, base * rate, rate * rate - width * of_rate
    if a <= 0:
        return unknown
    root = math.sqrt(max(0.0, b * b - a * c))
    return msgspec.structs.replace(unknown, low=max(0.0, (b - root) / a), high=(b + root) / a)


def standard_errors(information: float, alpha: float) -> float:
    """How many standard errors the one-sided mixture allows at `information` (in effective outcomes).

    `u(v) = √(2 (v+ρ) log(√((v+ρ)/ρ) / 2α + 1))`, over `√v`; ρ makes it tightest at `TIGHTEST`.
    """
    half = 2 * math.log(1 / (2 * alpha))
    rho = TIGHTEST / (half + math.log(1 + half))
    stretched = (information + rho) / rho
    return math.sqrt(2 * (1 + rho / information) * math.log(math.sqrt(stretched) / (2 * alpha) + 1))


def surely_above(events: int, trials: int, limit: float, alpha: float) -> bool:
    """Whether a rate is above `limit`, at any look: wrong, ever, with probability `alpha` at most, at any size.

    A mixture of likelihood ratios against `limit` is a test martingale (Ville, 1939): it reaches 1/α no more often.
    """
    if not 0 < limit < 1:
        return limit <= 0 < events
    rates = [min(limit * multiple, (1 + limit) / 2) for multiple in MULTIPLES]
    logs = [events * math.log(rate / limit) + (trials - events) * math.log((1 - rate) / (1 - limit)) for rate in rates]
    most = max(logs)
    evidence = most + math.log(sum(math.exp(each - most) for each in logs) / len(logs))
    return evidence >= math.log(1 / alpha)
