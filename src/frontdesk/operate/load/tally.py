"""Every message of a load run, followed from its writing to its replies."""

import math
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from frontdesk.operate.load.orders import Script

NUMBER = re.compile(r"\bn:(\d+)\b")  # each message bears one, and the scripted model repeats it


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """Of seconds; 0 where there are none."""

    p50: float = 0
    p95: float = 0
    p99: float = 0
    most: float = 0

    @classmethod
    def of(cls, values: Iterable[float]) -> "Percentiles":
        """By the nearest rank."""
        ordered = sorted(values)
        if not ordered:
            return cls()

        def at(percent: int) -> float:
            return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]

        return cls(p50=at(50), p95=at(95), p99=at(99), most=ordered[-1])


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Megabytes of a process at the start, at most, and at the end of a run."""

    pid: int
    start: float
    most: float
    end: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a load run. Times are seconds.

    `latency` runs from the arrival of a message at the channel to its whole reply there, `first` to the reply's first
    words (web alone). `added` and `added_first` are the same without what the scripted model and typing take. `webhook`
    is how long the desk took to say that it has an update (Telegram alone). `doubled` counts messages with more than
    one reply, `most_open` the messages that waited for their reply at one time.
    """

    people: int
    seconds: float
    messages: int
    answered: int
    errors: int
    lost: int
    doubled: int
    most_open: int
    latency: Percentiles
    added: Percentiles
    first: Percentiles
    added_first: Percentiles
    webhook: Percentiles
    memory: tuple[Memory, ...] = ()
    error_kinds: dict[str, int] = {}

    @property
    def is_good(self) -> bool:
        """Nothing lost, nothing doubled, and fewer than one message in a hundred refused."""
        return self.lost == 0 and self.doubled == 0 and self.errors < max(1, self.messages) / 100


class _Exchange(msgspec.Struct):
    said_at: float
    first_at: float | None = None
    replied_at: float | None = None
    replies: int = 0
    text: str = ""
    alone: bool = True  # the reply answers this message and no other
    error: str = ""


class Tally:
    """Is told of messages and replies, each with the time on one clock, and reports."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._exchanges: dict[int, _Exchange] = {}
        self._open = 0
        self._memory: dict[int, list[float]] = {}
        self.most_open = 0
        self.webhook: Sequence[float] = ()

    @property
    def messages(self) -> int:
        """How many were written."""
        return len(self._exchanges)

    @property
    def open(self) -> int:
        """How many of them wait for their reply."""
        return self._open

    def said(self, number: int, at: float) -> None:
        """Message `number` arrived at the channel."""
        self._exchanges[number] = _Exchange(at)
        self._open += 1
        self.most_open = max(self.most_open, self._open)

    def began(self, number: int, at: float) -> None:
        """The first words of its reply were seen."""
        if (exchange := self._exchanges.get(number)) is not None and exchange.first_at is None:
            exchange.first_at = at

    def replied(self, text: str, at: float) -> None:
        """A whole reply arrived. It answers each message whose number it repeats."""
        numbers = [int(number) for number in NUMBER.findall(text)]
        for number in numbers:
            exchange = self._exchanges.get(number)
            if exchange is None:
                continue
            exchange.replies += 1
            if exchange.replied_at is None:
                exchange.replied_at, exchange.text, exchange.alone = at, text, len(numbers) == 1
                self._open -= not exchange.error

    def failed(self, number: int, kind: str) -> None:
        """The desk refused the message, or said that it has no answer."""
        exchange = self._exchanges[number]
        if not exchange.error and exchange.replied_at is None:
            self._open -= 1
        exchange.error = kind

    def weigh(self, pids: Iterable[int]) -> None:
        """Note the memory of these processes."""
        for pid in pids:
            if (size := memory_mb(pid)) is not None:
                self._memory.setdefault(pid, []).append(size)

    def report(self, people: int, seconds: float) -> Report:
        """What became of all of them."""
        every = self._exchanges.values()
        whole = [exchange for exchange in every if exchange.replied_at is not None]
        begun = [exchange.first_at - exchange.said_at for exchange in every if exchange.first_at is not None]
        took = [(exchange, (exchange.replied_at or 0) - exchange.said_at) for exchange in whole]
        kinds: dict[str, int] = {}
        for exchange in every:
            if exchange.error:
                kinds[exchange.error] = kinds.get(exchange.error, 0) + 1
        return Report(
            people=people,
            seconds=round(seconds, 1),
            messages=len(every),
            answered=len(whole),
            errors=sum(kinds.values()),
            lost=sum(1 for exchange in every if exchange.replied_at is None and not exchange.error),
            doubled=sum(1 for exchange in every if exchange.replies > 1),
            most_open=self.most_open,
            latency=Percentiles.of(seconds for _, seconds in took),
            added=Percentiles.of(
                seconds - self._script.whole(exchange.text) for exchange, seconds in took if exchange.alone
            ),
            first=Percentiles.of(begun),
            added_first=Percentiles.of(seconds - self._script.first() for seconds in begun),
            webhook=Percentiles.of(self.webhook),
            memory=tuple(
                Memory(pid=pid, start=sizes[0], most=max(sizes), end=sizes[-1]) for pid, sizes in self._memory.items()
            ),
            error_kinds=kinds,
        )


def memory_mb(pid: int) -> float | None:
    """Resident memory of a process in MB; None where it is gone, or this system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((round(int(line.split()[1]) / 1024, 1) for line in lines if line.startswith("VmRSS:")), None)


def now() -> float:
    """The clock of this process's own measurements."""
    return time.perf_counter()
