"""The people of a load run: each writes now and then, and the run ends when all are answered."""

import asyncio
import random
from collections.abc import Callable, Sequence
from itertools import count
from typing import Protocol

from frontdesk.operate.load.orders import Orders
from frontdesk.operate.load.shapes import SHAPES
from frontdesk.operate.load.tally import Report, Tally

WORDS = "Could you tell me when the desk opens and what a visit costs?"
SAMPLE_SECONDS = 1.0


class Channel(Protocol):
    """A way on which simulated people reach the desk. It tells the tally what is said, answered and refused."""

    async def open(self) -> None:
        """Connect. Raises `FrontdeskError` where nothing answers."""
        ...

    async def say(self, person: int, number: int, text: str) -> None:
        """Write `text`, which bears `number`, as `person`. May return before the reply."""
        ...

    async def close(self) -> None:
        """Hear what is left, and disconnect."""
        ...


class Crowd:
    """Runs the orders. `progress` is told the share that is done, from 0 to 1, every second and at the end."""

    def __init__(self, orders: Orders, channel: Channel, tally: Tally, pids: Sequence[int] = ()) -> None:
        self._orders = orders
        self._channel = channel
        self._tally = tally
        self._pids = pids
        self._shape = SHAPES[orders.shape]
        self._numbers = count(1)
        self._chance = random.Random(orders.seed)  # noqa: S311 — no secret
        self._begun = 0.0

    async def run(self, progress: Callable[[float], None]) -> Report:
        """Everybody writes for the ordered time; then the last replies are awaited."""
        await self._channel.open()
        loop = asyncio.get_running_loop()
        self._begun = loop.time()
        people = [asyncio.create_task(self._person(number), name=f"person-{number}") for number in self._everybody()]
        try:
            await self._watch(self._orders.seconds, progress, lambda: all(person.done() for person in people))
            late = self._orders.patience
            await self._watch(late, lambda _: progress(1), lambda: self._is_over(people))
            progress(1)
        finally:
            for person in people:
                person.cancel()
            await asyncio.gather(*people, return_exceptions=True)
            await self._channel.close()
        for person in people:
            if not person.cancelled() and (error := person.exception()) is not None:
                raise error
        return self._tally.report(self._orders.people, loop.time() - self._begun)

    def _everybody(self) -> range:
        return range(self._orders.people)

    def _is_over(self, people: Sequence["asyncio.Task[None]"]) -> bool:
        return all(person.done() for person in people) and self._tally.open == 0

    async def _watch(self, seconds: float, progress: Callable[[float], None], over: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while (passed := loop.time() - begun) < seconds and not over():
            progress(passed / seconds)
            self._tally.weigh(self._pids)
            await asyncio.sleep(min(SAMPLE_SECONDS, seconds - passed))
        self._tally.weigh(self._pids)

    async def _person(self, person: int) -> None:
        """Come at any time within the longest pause; then write after each pause, when it is this one's turn."""
        whole = self._orders.seconds
        await asyncio.sleep(self._chance.uniform(0, min(self._orders.most, whole / 2)))
        while (passed := asyncio.get_running_loop().time() - self._begun) < whole:
            if person < self._shape(passed / whole) * self._orders.people:
                number = next(self._numbers)
                await self._channel.say(person, number, f"n:{number} {WORDS}")
            pause = self._chance.uniform(self._orders.least, self._orders.most)
            await asyncio.sleep(min(pause, self._begun + whole - asyncio.get_running_loop().time()))
