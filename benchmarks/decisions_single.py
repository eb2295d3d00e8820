"""The single route: one decision a request, all of it: authentication, rules, scores, explanation, durable log."""

from benchmarks.deciding import deciding_desk
from benchmarks.decisions_batch import asked, figures
from benchmarks.figures import Figure

CONNECTIONS = 64
LEAST_PER_SECOND, P95_MS = 3_000, 50


def run(quick: bool) -> list[Figure]:
    """About one minute when `quick`, two otherwise, most of it to make the customers."""
    with deciding_desk() as desk:
        result = asked(desk, 0, CONNECTIONS, 10 if quick else 30)
        return figures("single route", desk, result, LEAST_PER_SECOND, P95_MS)
