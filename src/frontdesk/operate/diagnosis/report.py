"""The health report: six parts, each well or not, as operators of the engagement blueprint know it."""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from frontdesk.operate.diagnosis.case import duration, share, size
from frontdesk.operate.diagnosis.seen import Seen

Result = Literal["ok", "bad"]
HIGH = 0.9  # of memory


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the report: `lines` are what there is to see."""

    name: str
    result: Result
    lines: tuple[str, ...]


def report(seen: Seen) -> list[Part]:
    """Engagement, section 11: replicas; endpoints; CPU and memory; errors; `/health`; decisions and confidence."""
    return [
        _replicas(seen),
        _endpoints(seen),
        _use(seen),
        _errors(seen),
        _health(seen),
        _decisions(seen),
    ]


def _replicas(seen: Seen) -> Part:
    pods = seen.cluster.replicas if seen.cluster else ()
    lines = [f"{pod.name}: {'ready' if pod.ready else 'not ready'}" for pod in pods]
    bad = any(not pod.ready for pod in pods) or bool(seen.cluster and seen.cluster.fault)
    for process in seen.processes if not pods else ():
        state = process.state or ("ready" if process.ready else "counted" if process.ready is None else "not ready")
        away = ", ".join(process.away)
        again = f", started again {process.restarts} times" if process.restarts else ""
        lines.append(f"{process.name}: {state}{f' ({away})' if away else ''}{again}")
        bad = bad or process.ready is False
    return _part("replicas", bad or not lines, lines or ["none is known to run"])


def _endpoints(seen: Seen) -> Part:
    lines = [f"{each.name} {each.address}: {each.cause}" for each in seen.probes]
    return _part("endpoints", any(not each.well for each in seen.probes), lines)


def _use(seen: Seen) -> Part:
    lines: list[str] = []
    bad = False
    for process in seen.processes:
        if process.memory is None:
            continue
        of = f" of {size(process.memory_limit)}" if process.memory_limit else ""
        cpu = f"{share(process.cpu)} of a core, " if process.cpu is not None else ""
        lines.append(f"{process.name}: {cpu}{size(process.memory)}{of}")
        bad = bad or bool(process.memory_limit and process.memory > HIGH * process.memory_limit)
    machine = seen.machine
    if machine.memory_most:
        lines.append(f"this machine: load {machine.load:.2g} on {machine.cores} cores, {size(machine.memory)} used")
        bad = bad or machine.memory > HIGH * machine.memory_most
    return _part("cpu and memory", bad or not lines, lines or ["no process tells"])


def _errors(seen: Seen) -> Part:
    return _part("errors of the last hour", bool(seen.errors), seen.errors or ["none"])


def _health(seen: Seen) -> Part:
    if seen.answers is None:
        return _part("health", True, ["the desk does not run"])
    return _part("health", seen.answers.state != "healthy", [f"{seen.answers.address}: {seen.answers.cause}"])


def _decisions(seen: Seen) -> Part:
    lines = list(_of_decisions(seen))
    mean = seen.figures.mean("ai_decision_confidence")
    low = mean is not None and mean < seen.targets.confidence
    return _part("decisions", low, lines or ["none was made"])


def _of_decisions(seen: Seen) -> Iterator[str]:
    count = seen.figures.sum("ai_decisions_total")
    if not count:
        return
    bands = seen.figures.by("ai_decisions_total", "confidence_level")
    yield f"{count:.0f} decisions: {', '.join(f'{value:.0f} {band}' for band, value in sorted(bands.items()))}"
    mean = seen.figures.mean("ai_decision_confidence")
    if mean is not None:
        yield f"mean confidence {share(mean)}, the measure is {share(seen.targets.confidence)}"
    p95 = seen.figures.quantile(0.95, "ai_decision_duration_seconds")
    if p95 is not None:
        yield f"95 of 100 within {duration(p95)}, the target is {duration(seen.targets.decision)}"


def _part(name: str, bad: bool, lines: Sequence[str]) -> Part:
    return Part(name=name, result="bad" if bad else "ok", lines=tuple(lines))
