"""The load generator, a process of its own: `python -m benchmarks.load` reads its orders as JSON from standard input.

Every connection sends its next request when the answer to the last one is complete and was checked word by word.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field

import httptools
import uvloop

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
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
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
        self.sent = self.wrong = 0
        self.problem = ""
        self.latencies: list[float] = []


class _Connection(asyncio.Protocol):
    """Sends, checks and sends again until the time is over."""

    def __init__(self, request: bytes, tally: _Tally, done: asyncio.Future[None]) -> None:
        self._request = request
        self._tally = tally
        self._done = done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._tally.sent += 1
        self._since = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        tally = self._tally
        body = b"".join(self._pieces)
        if self._parser.get_status_code() != 200 or b"".join(SAID.findall(body)) != TEXT.encode():
            tally.wrong += 1
            tally.problem = f"{self._parser.get_status_code()} {body[:300].decode('utf-8', 'replace')}"
        elif tally.begin <= now < tally.end:
            tally.latencies.append(now - self._since)
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
    loop = asyncio.get_running_loop()
    request = _request(orders)
    tally = _Tally(orders)
    ends: list[asyncio.Future[None]] = []
    for _ in range(orders.connections):
        end = loop.create_future()
        ends.append(end)
        await loop.create_connection(lambda end=end: _Connection(request, tally, end), "127.0.0.1", orders.port)
    await asyncio.wait(ends, timeout=orders.warm_up + orders.seconds + 60)
    ordered = sorted(tally.latencies)
    return Result(
        sent=tally.sent,
        wrong=tally.wrong,
        per_second=len(ordered) / orders.seconds,
        p50_ms=_percentile(ordered, 50),
        p99_ms=_percentile(ordered, 99),
        problem=tally.problem,
    )


def _request(orders: Orders) -> bytes:
    body = json.dumps(
        {
            "model": orders.model,
            "messages": [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": "Say the words."},
            ],
            "stream": orders.stream,
        }
    ).encode()
    headers = {
        "host": f"127.0.0.1:{orders.port}",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **orders.headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {orders.path} HTTP/1.1\r\n{head}\r\n".encode() + body


def _percentile(ordered: list[float], percent: float) -> float:
    if not ordered:
        return float("inf")
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(_run(Orders(**json.load(sys.stdin)))))))
