"""The load generator, a process of its own: `python -m benchmarks.load` reads its orders as JSON from standard input.

Every connection sends its next request when the answer to the last one is complete and was checked word by word.
"""

import json
import re
import sys
from dataclasses import asdict, dataclass, field

import uvloop

from benchmarks.connections import Tally, keep_asking, post, run_apart
from benchmarks.upstream import TEXT

SAID = re.compile(rb"w\d\d ")


@dataclass(frozen=True, slots=True)
class Orders:
    """`headers` are sent beside the usual ones. The first `warm_up` seconds are not counted."""

    port: int
    path: str
    model: str
    stream: bool
    connections: int
    seconds: float
    warm_up: float = 1.0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """Of the counted time; `sent` and `wrong` also count the warm-up. Latencies are whole answers, in milliseconds."""

    sent: int
    wrong: int
    per_second: float
    p50_ms: float
    p99_ms: float
    problem: str = ""


def load(orders: Orders) -> Result:
    """Run the orders in a process of their own."""
    return Result(**run_apart("benchmarks.load", asdict(orders), orders.warm_up + orders.seconds))


async def _run(orders: Orders) -> Result:
    tally = Tally(orders.warm_up, orders.seconds)
    await keep_asking(orders.port, [[_request(orders)]] * orders.connections, _is_right, tally)
    return Result(
        sent=tally.sent,
        wrong=tally.wrong,
        per_second=len(tally.latencies) / orders.seconds,
        p50_ms=tally.percentile(50),
        p99_ms=tally.percentile(99),
        problem=tally.problem,
    )


def _is_right(body: bytes) -> bool:
    return b"".join(SAID.findall(body)) == TEXT.encode()


def _request(orders: Orders) -> bytes:
    body = {
        "model": orders.model,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "Say the words."},
        ],
        "stream": orders.stream,
    }
    return post(orders.port, orders.path, orders.headers, json.dumps(body).encode())


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(_run(Orders(**json.load(sys.stdin)))))))
