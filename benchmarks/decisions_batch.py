"""The batch route: 32 decisions a request over HTTP, with authentication, full explanation and a durable log."""

from benchmarks.asking import Orders, Result, ask
from benchmarks.deciding import CUSTOMERS, Deciding, deciding_desk, logged
from benchmarks.figures import Figure, at_least, below, seen

TOGETHER, CONNECTIONS = 32, 12
LEAST_PER_SECOND, P95_MS, WRONG_PERCENT = 10_000, 100, 0.1


def run(quick: bool) -> list[Figure]:
    """About one minute when `quick`, two otherwise, most of it to make the customers."""
    with deciding_desk() as desk:
        result = asked(desk, TOGETHER, CONNECTIONS, 10 if quick else 30)
        return figures("batch route", desk, result, LEAST_PER_SECOND, P95_MS)


def asked(desk: Deciding, together: int, connections: int, seconds: float) -> Result:
    """What came of asking for so long."""
    headers = {"authorization": f"Bearer {desk.key}"}
    return ask(Orders(desk.port, together, CUSTOMERS, connections, seconds, seed=1, headers=headers))


def figures(what: str, desk: Deciding, result: Result, least: float, p95_ms: float) -> list[Figure]:
    """The figures of a route and its bars."""
    if result.problem:
        print(f"{what}: {result.wrong} wrong, such as: {result.problem}")
    log = logged(desk.url)
    told = sum(log.values())
    return [
        at_least(f"{what}: decisions", result.per_second, "/s", least),
        below(f"{what}: 95th percentile", result.p95_ms, "ms", p95_ms),
        seen(f"{what}: median", result.p50_ms, "ms"),
        below(f"{what}: wrong or failed", 100 * result.wrong / max(1, result.requests), "%", WRONG_PERCENT),
        seen(f"{what}: size of an answer", result.kilobytes, "kB"),
        seen(f"{what}: decisions in the log", told, "rows"),
        seen(f"{what}: of these with a message", 100 * log.get("act", 0) / max(1, told), "%"),
        below(f"{what}: answered and not in the log", max(0, result.decisions - told), "rows", 1),
    ]
