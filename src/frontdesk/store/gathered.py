"""Things that wait while a transaction is under way share the next one."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from itertools import accumulate, takewhile
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Gathered(Generic[T, R]):
    """`put` hands an item over; `write` gets all that came together and gives a result for each, or what it met.

    Items that together weigh more than `most` are written in turn, the first who came first. `lanes` writes may be
    under way at once, so that one computes while the database works on another.
    """

    def __init__(
        self,
        write: Callable[[list[T]], Awaitable[list[R | Exception]]],
        *,
        most: int = sys.maxsize,
        weight: Callable[[T], int] = lambda _: 1,
        lanes: int = 1,
    ) -> None:
        self._write = write
        self._most = most
        self._weight = weight
        self._lanes = lanes
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._writing: set[asyncio.Task[None]] = set()

    async def put(self, item: T) -> R:
        """The item's result. Raises what was given for it, or what `write` raised for all."""
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if len(self._writing) < self._lanes:
            task = asyncio.create_task(self._write_all(), name="store-gathered")
            self._writing.add(task)
        return await done

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch = self._batch()
                try:
                    results = await self._write([item for item, _ in batch])
                except Exception as error:
                    results = [error] * len(batch)
                for (_, done), result in zip(batch, results, strict=True):
                    _settle(done, result)
        finally:  # in the same breath as the last look: whoever comes now begins anew
            self._writing -= {task for task in self._writing if task is asyncio.current_task()}

    def _batch(self) -> list[tuple[T, asyncio.Future[R]]]:
        """The next that are written together: one at least."""
        weights = accumulate(self._weight(item) for item, _ in self._waiting)
        count = max(1, sum(1 for _ in takewhile(lambda weight: weight <= self._most, weights)))
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch


def _settle(done: asyncio.Future[R], result: R | Exception) -> None:
    if done.done():
        return
    if isinstance(result, Exception):
        done.set_exception(result)
    else:
        done.set_result(result)
