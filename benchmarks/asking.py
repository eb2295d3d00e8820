"""The load generator of decisions, a process of its own: `python -m benchmarks.asking` reads orders as JSON from stdin.

Every connection asks about customers who are drawn by the seed, and asks again when the answer is complete. An answer
counts when it holds a decision for each question.
"""

import asyncio
import json
import random
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field

import httptools
import uvloop

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
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.asking"],
        input=json.dumps(asdict(orders)),
        capture_output=True,
        text=True,
        check=True,
        timeout=orders.seconds + orders.warm_up + 120,
    )
    return Result(**json.loads(done.stdout))


class _Tally:
    def __init__(self, orders: Orders) -> None:
        now = time.perf_counter()
        self.begin = now + orders.warm_up
        self.end = self.begin + orders.seconds
        self.wrong = self.bytes = 0
        self.problem = ""
        self.latencies: list[float] = []


class _Connection(asyncio.Protocol):
    """Asks, and asks again until the time is over."""

    def __init__(self, requests: list[bytes], expected: bytes, tally: _Tally, done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._expected = expected
        self._tally = tally
        self._done = done
        self._next = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._since = time.perf_counter()
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += 1

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        now, tally = time.perf_counter(), self._tally
        body = b"".join(self._pieces)
        if self._parser.get_status_code() != 200 or self._expected not in body[-100:] + body[:20]:
            tally.wrong += 1
            tally.problem = f"{self._parser.get_status_code()} {body[:300].decode('utf-8', 'replace')}"
        elif tally.begin <= now < tally.end:
            tally.latencies.append(now - self._since)
            tally.bytes += len(body)
        if now < tally.end:
            asyncio.get_running_loop().call_soon(self._send)  # the parser is still at work on this answer
        else:
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._tally.wrong += 1
            self._tally.problem = f"connection lost: {exc}"
            self._finish()

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)
        self._transport.close()


async def _run(orders: Orders) -> Result:
    loop, chance = asyncio.get_running_loop(), random.Random(orders.seed)
    expected = b'"decided":%d,"refused":0' % orders.together if orders.together else b'{"id":"dec_'
    requests = [_request(orders, chance) for _ in range(VARIANTS)]
    tally = _Tally(orders)
    ends: list[asyncio.Future[None]] = []
    for number in range(orders.connections):
        end = loop.create_future()
        ends.append(end)
        begin = number * VARIANTS // orders.connections
        mine = requests[begin:] + requests[:begin]
        await loop.create_connection(
            lambda mine=mine, end=end: _Connection(mine, expected, tally, end), "127.0.0.1", orders.port
        )
    await asyncio.wait(ends, timeout=orders.warm_up + orders.seconds + 60)
    ordered = sorted(tally.latencies)
    decisions = len(ordered) * max(1, orders.together)
    return Result(
        requests=len(ordered),
        decisions=decisions,
        wrong=tally.wrong,
        per_second=decisions / orders.seconds,
        p50_ms=_percentile(ordered, 50),
        p95_ms=_percentile(ordered, 95),
        p99_ms=_percentile(ordered, 99),
        kilobytes=tally.bytes / max(1, len(ordered)) / 1000,
        problem=tally.problem,
    )


def _request(orders: Orders, chance: random.Random) -> bytes:
    asks = [{"customer_id": f"cus_{chance.randrange(orders.customers):06d}"} for _ in range(max(1, orders.together))]
    path = "/api/v1/decisions/batch" if orders.together else "/api/v1/decisions"
    body = json.dumps({"asks": asks} if orders.together else asks[0]).encode()
    headers = {
        "host": f"127.0.0.1:{orders.port}",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **orders.headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def _percentile(ordered: list[float], percent: float) -> float:
    if not ordered:
        return float("inf")
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(_run(Orders(**json.load(sys.stdin)))))))
