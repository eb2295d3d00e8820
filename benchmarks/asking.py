"""The load generator of decisions, a process of its own: `python -m benchmarks.asking` reads orders as JSON from stdin.

Every connection asks about customers who are drawn by the seed, and asks again when the answer is complete. An answer
counts when it holds a decision for each question.
"""

import json
import random
import sys
from dataclasses import asdict, dataclass, field

import uvloop

from benchmarks.connections import Tally, keep_asking, post, run_apart

VARIANTS = 1000  # different requests, made beforehand and sent in turn


@dataclass(frozen=True, slots=True)
class Orders:
    """`together` questions in each request about `customers` customers; 0: the route of single questions. The first
    `warm_up` seconds are not counted."""

    port: int
    together: int
    customers: int
    connections: int
    seconds: float
    seed: int
    warm_up: float = 3.0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """Of the counted time; latencies are of whole requests, in milliseconds. `kilobytes` is an answer's size."""

    requests: int
    decisions: int
    wrong: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    kilobytes: float
    problem: str = ""


def ask(orders: Orders) -> Result:
    """Run the orders in a process of their own."""
    return Result(**run_apart("benchmarks.asking", asdict(orders), orders.warm_up + orders.seconds))


async def _run(orders: Orders) -> Result:
    chance = random.Random(orders.seed)
    expected = b'"decided":%d,"refused":0' % orders.together if orders.together else b'{"id":"dec_'
    requests = [_request(orders, chance) for _ in range(VARIANTS)]
    begins = [number * VARIANTS // orders.connections for number in range(orders.connections)]
    tally = Tally(orders.warm_up, orders.seconds)
    mine = [requests[begin:] + requests[:begin] for begin in begins]
    await keep_asking(orders.port, mine, lambda body: expected in body[-100:] + body[:20], tally)
    counted = len(tally.latencies)
    decisions = counted * max(1, orders.together)
    return Result(
        requests=counted,
        decisions=decisions,
        wrong=tally.wrong,
        per_second=decisions / orders.seconds,
        p50_ms=tally.percentile(50),
        p95_ms=tally.percentile(95),
        p99_ms=tally.percentile(99),
        kilobytes=tally.bytes / max(1, counted) / 1000,
        problem=tally.problem,
    )


def _request(orders: Orders, chance: random.Random) -> bytes:
    asks = [{"customer_id": f"cus_{chance.randrange(orders.customers):06d}"} for _ in range(max(1, orders.together))]
    path = "/api/v1/decisions/batch" if orders.together else "/api/v1/decisions"
    body = json.dumps({"asks": asks} if orders.together else asks[0]).encode()
    return post(orders.port, path, orders.headers, body)


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(_run(Orders(**json.load(sys.stdin)))))))
