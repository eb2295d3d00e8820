"""A load run of decisions: connections that ask again when they have their answer, or by a planned rate."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import count

import msgspec

from frontdesk.operate.load.desk import Answer
from frontdesk.operate.load.tally import Percentiles, now
from frontdesk.operate.load.verdict import Found, Targets, Verdict, judge

ONE, MANY = "/api/v1/decisions", "/api/v1/decisions/batch"
TICK = 0.5  # seconds between two words of progress

Decide = Callable[[str, bytes], Awaitable[Answer]]  # by the path and the body of a request

_encode = msgspec.json.Encoder().encode


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for `seconds`, which count, after `warm_up` seconds, which don't, about customers drawn by the seed.

    `together` questions go in one request, 1 to the route of single questions. `rate` is decisions a second; None asks
    as fast as the connections get their answers. Of `dry` decisions the desk keeps nothing.
    """

    seconds: float
    connections: int
    together: int = 32
    rate: float | None = None
    warm_up: float = 2.0
    dry: bool = False
    seed: int = 1


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a load run of decisions. Times are seconds.

    `generator_share` is the share of one processor core that the asking itself took: near 1, it was the asking that was
    slow.
    """

    passed: bool
    verdicts: tuple[Verdict, ...]
    decisions: int
    errors: int
    unsent: int
    per_second: float
    latency: Percentiles
    seconds: float
    connections: int
    together: int
    rate: float | None
    dry: bool
    customers: int
    generator_share: float
    error_kinds: dict[str, int]


class Count:
    """What came of the requests of a run whose time counts from `begin` to `end`, on one clock."""

    def __init__(self, begin: float, end: float) -> None:
        self._begin = begin
        self._end = end
        self._latencies: list[float] = []
        self._errors: Counter[str] = Counter()
        self._answered = 0
        self._unsent = 0
        self.decisions = 0

    @property
    def begun(self) -> bool:
        """Whether anything has counted yet."""
        return self.decisions + self.errors > 0

    @property
    def errors(self) -> int:
        """Decisions that were asked for in vain."""
        return self._errors.total()

    def note(self, asked: float, at: float, answer: Answer, together: int) -> None:
        """A request for `together` decisions that was asked, or was to be asked, at one moment, and its answer."""
        if self._begin <= at < self._end:
            self._answered += answer.decisions
        if not self._begin <= asked < self._end:
            return
        self.decisions += answer.decisions
        if answer.decisions:
            self._latencies.append(at - asked)
        errors = Counter(answer.errors)
        if short := together - answer.decisions - errors.total():  # the whole request failed
            errors[answer.errors[0] if answer.errors else "no_decision"] += short
        self._errors += errors

    def missed(self, planned: float, together: int) -> None:
        """A request that was planned for this moment and has not been sent."""
        self._unsent += together * (planned >= self._begin)

    def found(self) -> Found:
        """All of it."""
        return Found(
            seconds=self._end - self._begin,
            decisions=self.decisions,
            answered=self._answered,
            latency=Percentiles.of(self._latencies),
            error_kinds=dict(self._errors.most_common()),
            unsent=self._unsent,
        )


class Asking:
    """Runs the orders. `progress` is told the share that is done, from 0 to 1, and what was counted so far."""

    def __init__(self, decide: Decide, orders: Orders, customers: Sequence[str]) -> None:
        self._decide = decide
        self._orders = orders
        self._customers = customers
        self._chance = random.Random(orders.seed)  # noqa: S311 — no secret
        self._path = ONE if orders.together == 1 else MANY

    async def run(self, targets: Targets, progress: Callable[[float, Count], None]) -> Report:
        """Ask for the ordered time, await the last answers, and judge."""
        orders, start, used = self._orders, now(), time.process_time()
        end = start + orders.warm_up + orders.seconds
        tally = Count(start + orders.warm_up, end)
        moments = self._moments(start, end)
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(self._ask(moments, end, tally)) for _ in range(orders.connections)]
            while (passed := now()) < end and not all(each.done() for each in asking):
                progress((passed - start) / (end - start), tally)
                await asyncio.wait(asking, timeout=min(TICK, end - passed))
        progress(1, tally)
        share = (time.process_time() - used) / (now() - start)
        return self._report(tally.found(), targets, share)

    def _moments(self, start: float, end: float) -> Iterator[float]:
        """When requests are to be asked, for whichever connection is free."""
        if self._orders.rate is None:
            while (moment := now()) < end:
                yield moment
            return
        pause = self._orders.together / self._orders.rate
        for number in count():
            if (moment := start + number * pause) >= end:
                return
            yield moment

    async def _ask(self, moments: Iterator[float], end: float, tally: Count) -> None:
        """One connection. A request that is late is asked at once, and its time runs from when it was to be asked."""
        together = self._orders.together
        for moment in moments:
            if (early := moment - now()) > 0:
                await asyncio.sleep(early)
            if now() >= end:
                tally.missed(moment, together)
                continue
            answer = await self._decide(self._path, self._body())
            tally.note(moment, now(), answer, together)

    def _body(self) -> bytes:
        more = {"dry": True} if self._orders.dry else {}
        asks = [
            {"customer_id": name, **more} for name in self._chance.choices(self._customers, k=self._orders.together)
        ]
        return _encode(asks[0] if self._path == ONE else {"asks": asks})

    def _report(self, found: Found, targets: Targets, share: float) -> Report:
        orders = self._orders
        verdicts = judge(found, targets, rate=orders.rate, together=orders.together)
        return Report(
            passed=all(each.verdict == "pass" for each in verdicts),
            verdicts=verdicts,
            decisions=found.decisions,
            errors=found.errors,
            unsent=found.unsent,
            per_second=found.per_second,
            latency=found.latency,
            seconds=orders.seconds,
            connections=orders.connections,
            together=orders.together,
            rate=orders.rate,
            dry=orders.dry,
            customers=len(self._customers),
            generator_share=share,
            error_kinds={**found.error_kinds},
        )
