"""The batch route: 32 decisions a request over HTTP, with authentication, full explanation and a durable log.

Beside the rate stands whose processor time it took, and how much of the machine others had meanwhile.
"""

import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from benchmarks.asking import Orders, Result, ask
from benchmarks.deciding import CUSTOMERS, Deciding, deciding_desk, logged
from benchmarks.figures import Figure, at_least, below, seen
from benchmarks.processes import cpu_seconds

TOGETHER, CONNECTIONS = 32, 12
LEAST_PER_SECOND, P95_MS, WRONG_PERCENT = 10_000, 100, 0.1


class Asked(NamedTuple):
    """What came of asking, the processor seconds of each part, and the share of the machine that others used."""

    result: Result
    processor: Mapping[str, float]
    others: float


def run(quick: bool) -> list[Figure]:
    """About one minute when `quick`, two otherwise, most of it to make the customers."""
    with deciding_desk() as desk:
        found = asked(desk, TOGETHER, CONNECTIONS, 10 if quick else 30)
        return figures("batch route", desk, found, LEAST_PER_SECOND, P95_MS)


def asked(desk: Deciding, together: int, connections: int, seconds: float) -> Asked:
    """Ask for so long, after a first round that pays for connections and caches."""
    headers = {"authorization": f"Bearer {desk.key}"}
    first = Orders(desk.port, together, CUSTOMERS, connections, 3, seed=2, headers=headers)
    ask(first)
    before, machine = _processor(desk), _machine()
    result = ask(replace(first, seconds=seconds, seed=1, warm_up=0))
    processor = {name: used - before[name] for name, used in _processor(desk).items()}
    busy, whole = (now - then for now, then in zip(_machine(), machine, strict=True))
    return Asked(result, processor, max(0.0, busy - sum(processor.values())) / whole)


def figures(what: str, desk: Deciding, found: Asked, least: float, p95_ms: float) -> list[Figure]:
    """The figures of a route and its bars."""
    result = found.result
    if result.problem:
        print(f"{what}: {result.wrong} wrong, such as: {result.problem}", file=sys.stderr)
    log = logged(desk.url)
    told, made = sum(log.values()), max(1, result.decisions)
    return [
        at_least(f"{what}: decisions", result.per_second, "/s", least),
        below(f"{what}: 95th percentile", result.p95_ms, "ms", p95_ms),
        seen(f"{what}: median", result.p50_ms, "ms"),
        below(f"{what}: wrong or failed", 100 * result.wrong / max(1, result.requests), "%", WRONG_PERCENT),
        seen(f"{what}: size of an answer", result.kilobytes, "kB"),
        seen(f"{what}: with a message", 100 * log.get("act", 0) / max(1, told), "%"),
        below(f"{what}: answered and not in the log", max(0, result.decisions - told), "rows", 1),
        *(seen(f"{what}: {name}, each decision", 1e6 * used / made, "µs") for name, used in found.processor.items()),
        seen(f"{what}: of the machine others had", 100 * found.others, "%"),
    ]


def _processor(desk: Deciding) -> dict[str, float]:
    """Processor seconds so far of the desk's parts, and of this process with all that it has started and awaited."""
    own = os.times()
    used = {name: cpu_seconds(session) for name, session in desk.sessions.items()}
    used["PostgreSQL"] = _at_home(desk.postgres)
    return used | {"load generator": own.children_user + own.children_system}


def _at_home(folder: Path) -> float:
    """Processor seconds of the processes that live in this folder: each of PostgreSQL's has a session of its own."""
    ticks = 0
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if place.joinpath("cwd").readlink().is_relative_to(folder):
                fields = place.joinpath("stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _machine() -> tuple[float, float]:
    """Seconds in which the machine's processors were busy so far, and all seconds that they had."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = ticks[3] + ticks[4]  # and waiting for disks
    per_second = os.sysconf("SC_CLK_TCK")
    return (sum(ticks) - idle) / per_second, sum(ticks) / per_second
