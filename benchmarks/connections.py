"""Connections that ask over HTTP, and ask again as soon as they are answered, in a process of their own."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httptools


def run_apart(module: str, orders: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """What the program `module` prints as JSON for these orders; it works for so many seconds."""
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(orders),
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 120,
    )
    return json.loads(done.stdout)


class Tally:
    """What came of it. Latencies in seconds and `bytes` are of the counted time, `sent` and `wrong` of all."""

    def __init__(self, warm_up: float, seconds: float) -> None:
        self.begin = time.perf_counter() + warm_up
        self.end = self.begin + seconds
        self.sent = self.wrong = self.bytes = 0
        self.problem = ""
        self.latencies: list[float] = []

    def percentile(self, percent: float) -> float:
        """Of the latencies, in milliseconds."""
        if not self.latencies:
            return float("inf")
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000


class Connection(asyncio.Protocol):
    """Asks its requests in turn, has each answer judged, and asks again until the time is over."""

    def __init__(
        self, requests: Sequence[bytes], is_right: Callable[[bytes], bool], tally: Tally, done: asyncio.Future[None]
    ) -> None:
        self._requests = requests
        self._is_right = is_right
        self._tally = tally
        self._done = done
        self._next = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._tally.sent += 1
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
        if self._parser.get_status_code() != 200 or not self._is_right(body):
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


async def keep_asking(
    port: int, requests_of_each: Sequence[Sequence[bytes]], is_right: Callable[[bytes], bool], tally: Tally
) -> None:
    """A connection for each of these lists of requests, until the tally's end."""
    loop = asyncio.get_running_loop()
    ends: list[asyncio.Future[None]] = []
    for requests in requests_of_each:
        end = loop.create_future()
        ends.append(end)
        await loop.create_connection(
            lambda requests=requests, end=end: Connection(requests, is_right, tally, end), "127.0.0.1", port
        )
    await asyncio.wait(ends, timeout=tally.end - time.perf_counter() + 60)


def post(port: int, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A POST of JSON, as bytes."""
    lines = {"host": f"127.0.0.1:{port}", "content-type": "application/json", "content-length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in (lines | dict(headers)).items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body
