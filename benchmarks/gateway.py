"""The OpenAI-compatible API as a gateway, beside LiteLLM's proxy and Portkey's gateway.

All run on this machine against the same scripted upstream and are measured in turn, round by round, so that whatever
else the machine does meets them alike. Ours authenticates by key, counts limits and books every request durably before
and after the model's answer (SQLite, `synchronous=FULL`); theirs do nothing of the kind.
"""

import os
import sys
from collections import defaultdict
from contextlib import ExitStack
from statistics import mean
from typing import NamedTuple

from benchmarks.desk import booked, desk
from benchmarks.figures import Figure, at_least, below, seen
from benchmarks.load import Orders, Result, load
from benchmarks.peers import Gateway, litellm, portkey
from benchmarks.processes import cpu_seconds, memory_mb, running, settled, wait_for
from frontdesk.operate.ports import free_port

CONNECTIONS = (10, 64)
WORKERS = os.cpu_count() or 1

LITELLM_WHOLE, PORTKEY_WHOLE, LITELLM_STREAMS = 5, 1, 10
ADDED_P50_MS, ADDED_P99_MS = 8, 25


class Job(NamedTuple):
    """One measurement of one gateway."""

    gateway: str
    stream: bool
    connections: int


class Book:
    """What all rounds found."""

    def __init__(self) -> None:
        self.results: dict[Job, list[Result]] = defaultdict(list)
        self.cpu: dict[Job, float] = defaultdict(float)
        self.memory: dict[str, float] = {}

    def rate(self, job: Job) -> float:
        """Answers a second."""
        return mean(result.per_second for result in self.results[job])

    def latency(self, job: Job) -> tuple[float, float]:
        """Median and 99th percentile in milliseconds, over the rounds."""
        results = self.results[job]
        return mean(result.p50_ms for result in results), mean(result.p99_ms for result in results)

    def sent(self, gateway: str) -> int:
        """Requests that were sent to the gateway, warm-ups included."""
        return sum(result.sent for job, results in self.results.items() if job.gateway == gateway for result in results)

    def wrong(self, gateway: str) -> int:
        """Answers that were not word for word the upstream's."""
        return sum(
            result.wrong for job, results in self.results.items() if job.gateway == gateway for result in results
        )

    def cpu_ms(self, job: Job) -> float:
        """Processor time a request, in milliseconds."""
        return self.cpu[job] * 1000 / sum(result.sent for result in self.results[job])


def run(quick: bool) -> list[Figure]:
    """Measure; about two minutes when `quick`, ten otherwise."""
    rounds, seconds = (2, 3.0) if quick else (4, 10.0)
    book = Book()
    with ExitStack() as stack:
        port = free_port()
        upstream = stack.enter_context(running([sys.executable, "-m", "benchmarks.upstream", str(port)], {}))
        wait_for(port, seconds=20)
        ours, home = stack.enter_context(desk(port, workers=WORKERS))
        gateways = [Gateway("upstream", port, upstream), ours]
        gateways += [stack.enter_context(peer(port)) for peer in (portkey, litellm)]
        for gateway in gateways:
            settled(gateway.pid, seconds=60)
            _warm_up(gateway, seconds)
        before = booked(home)
        for _ in range(rounds):
            for gateway in gateways:
                for job in _jobs(gateway.name):
                    _measure(gateway, job, seconds, book)
        for gateway in gateways:
            book.memory[gateway.name] = memory_mb(gateway.pid)
        books = booked(home)
        for state, count in before.items():
            books[state] -= count
    return _figures(book, books)


def _jobs(gateway: str) -> list[Job]:
    """What is measured of whom. Portkey's streams fail on current Node versions, so nothing is asked of them."""
    if gateway == "upstream":
        return [Job(gateway, False, 10)]
    streams = (False, True) if gateway != "Portkey" else (False,)
    return [Job(gateway, stream, connections) for stream in streams for connections in CONNECTIONS]


def _warm_up(gateway: Gateway, seconds: float) -> None:
    """The first requests pay for imports, connections and caches: every gateway may make them uncounted."""
    for stream in {job.stream for job in _jobs(gateway.name)}:
        load(_orders(gateway, Job(gateway.name, stream, CONNECTIONS[0]), seconds))


def _orders(gateway: Gateway, job: Job, seconds: float) -> Orders:
    return Orders(
        port=gateway.port,
        path="/v1/chat/completions",
        model=gateway.model,
        stream=job.stream,
        connections=job.connections,
        seconds=seconds,
        headers=gateway.headers,
    )


def _measure(gateway: Gateway, job: Job, seconds: float, book: Book) -> None:
    before = cpu_seconds(gateway.pid)
    result = load(_orders(gateway, job, seconds))
    book.cpu[job] += cpu_seconds(gateway.pid) - before
    book.results[job].append(result)
    if result.problem:
        print(f"{gateway.name}: {result.wrong} wrong, such as: {result.problem}", file=sys.stderr)


def _figures(book: Book, books: dict[str, int]) -> list[Figure]:
    figures: list[Figure] = []
    for stream, what, bar in ((False, "whole answers", LITELLM_WHOLE), (True, "streams of 50 chunks", LITELLM_STREAMS)):
        for connections in CONNECTIONS:
            where = f"{what}, {connections} connections"
            ours = Job("Frontdesk", stream, connections)
            peers = [Job(name, stream, connections) for name in ("LiteLLM", "Portkey")]
            figures += [
                seen(f"{job.gateway}: {where}", book.rate(job), "/s") for job in (ours, *peers) if job in book.results
            ]
            figures += [
                seen(f"{job.gateway}: processor time, {where}", book.cpu_ms(job), "ms")
                for job in (ours, *peers)
                if job in book.results
            ]
            figures.append(at_least(f"Frontdesk / LiteLLM: {where}", book.rate(ours) / book.rate(peers[0]), "×", bar))
            if not stream:
                ratio = book.rate(ours) / book.rate(peers[1])
                figures.append(at_least(f"Frontdesk / Portkey: {where}", ratio, "×", PORTKEY_WHOLE))
    direct, through = book.latency(Job("upstream", False, 10)), book.latency(Job("Frontdesk", False, 10))
    return [
        *figures,
        below("added latency, median, 10 connections", through[0] - direct[0], "ms", ADDED_P50_MS),
        below("added latency, 99th percentile, 10 connections", through[1] - direct[1], "ms", ADDED_P99_MS),
        *(seen(f"{name}: memory", book.memory[name], "MB") for name in ("Frontdesk", "LiteLLM", "Portkey")),
        below("Frontdesk: wrong answers", book.wrong("Frontdesk"), "answers", 1),
        below("Frontdesk: requests without a settled row", book.sent("Frontdesk") - books.get("done", 0), "rows", 1),
        seen("peers: wrong answers", book.wrong("LiteLLM") + book.wrong("Portkey"), "answers"),
    ]
