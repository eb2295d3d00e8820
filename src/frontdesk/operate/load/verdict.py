"""What a load run of decisions found, held against the targets that the desk has for itself."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from frontdesk.operate.load.tally import Percentiles

PLANNED_SHARE = 0.01  # of a planned rate that may be missing, as the ends of the counted time cut through requests

Holding = Literal["at most", "at least"]


class Targets(msgspec.Struct, frozen=True, kw_only=True):
    """`decision_latency_target`, `throughput_target` and `error_rate_threshold` of the desk, as they are in effect."""

    p95_ms: float
    per_second: float
    error_share: float


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Of the counted time. Requests that were asked in it are followed to their end, later or not.

    `decisions` and `errors` are what those requests came to, `latency` their seconds; of a run by a planned rate, from
    the moment that was planned. `answered` counts the decisions whose answer came within the counted time, whenever
    they were asked for. `unsent` are decisions that were planned and never asked for, as every connection was waiting.
    """

    seconds: float
    decisions: int
    answered: int
    latency: Percentiles
    error_kinds: Mapping[str, int] = {}
    unsent: int = 0

    @property
    def errors(self) -> int:
        """Decisions that were asked for in vain."""
        return sum(self.error_kinds.values())

    @property
    def per_second(self) -> float:
        """Throughput."""
        return self.answered / self.seconds


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A figure against its target. `value` is None where there is nothing to measure, which is no pass."""

    what: str
    value: float | None
    unit: str
    holding: Holding
    target: float
    against: str
    verdict: Literal["pass", "fail"]


def judge(found: Found, targets: Targets, *, rate: float | None = None, together: int = 1) -> tuple[Verdict, ...]:
    """The 95th percentile of decision time, throughput, and the share of errors, each against its target.

    Throughput is held against the desk's target, unless a lower `rate` (decisions a second, asked `together` in each
    request) was planned: then against that, less a hundredth or the one request that the end of the time cuts off.
    """
    p95 = found.latency.p95 * 1000 if found.decisions else None
    asked = found.decisions + found.errors
    errors = found.errors / asked if asked else None
    if rate is not None and rate < targets.per_second:
        least = max(0.0, rate - max(rate * PLANNED_SHARE, together / found.seconds))
        against = f"--rate {rate:,g} less 1 % or a request; the desk's throughput_target is {targets.per_second:,g}"
    else:
        least, against = targets.per_second, "the desk's throughput_target"
    per_second = found.per_second if found.answered else None
    return (
        _held("p95 decision time", p95, "ms", "at most", targets.p95_ms, "the desk's decision_latency_target"),
        _held("throughput", per_second, "/s", "at least", least, against),
        _held("share of errors", errors, "", "at most", targets.error_share, "the desk's error_rate_threshold"),
    )


def _held(what: str, value: float | None, unit: str, holding: Holding, target: float, against: str) -> Verdict:
    good = value is not None and (value <= target if holding == "at most" else value >= target)
    return Verdict(
        what=what,
        value=value,
        unit=unit,
        holding=holding,
        target=target,
        against=against,
        verdict="pass" if good else "fail",
    )
