"""Interrupts whoever waits too long for a model."""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import TypeVar

from frontdesk.ports import Clock

T = TypeVar("T")


class TooLong(Exception):
    """The next item did not come within its time."""


class Watch:
    """Guards the waits of one iteration with a single task, so that an item costs two assignments and no timer.

    `shortest` is the shortest limit that will be asked for, `whole` the seconds that all waits may take together with
    whatever happens between them. Time that the reader takes between two items counts against `whole` alone.
    """

    def __init__(self, clock: Clock, *, shortest: float, whole: float) -> None:
        self._clock = clock
        self._shortest = shortest
        self._end = clock.monotonic() + whole
        self._until = math.inf
        self._waiter: asyncio.Task[object] | None = None
        self._expired = False
        self._guard = asyncio.create_task(self._run(), name="model-watch")

    async def next(self, items: AsyncIterator[T], limit: float) -> T:
        """The next item. Raises `TooLong` after `limit` seconds, and `StopAsyncIteration` at the end."""
        waiter = asyncio.current_task()
        assert waiter is not None
        cancels = waiter.cancelling()
        self._until = self._clock.monotonic() + limit
        self._waiter = waiter
        try:
            return await anext(items)
        except asyncio.CancelledError:
            if self._expired and waiter.uncancel() <= cancels:
                raise TooLong from None
            raise
        finally:
            self._waiter = None

    def stop(self) -> None:
        """End the guard. Must be called when the iteration is over."""
        self._guard.cancel()

    async def _run(self) -> None:
        """No limit set later ends before `shortest` from now: sleeping at most that long misses none."""
        while True:
            left = min(self._until, self._end) - self._clock.monotonic()
            if self._waiter is None:
                left = self._shortest
            elif left <= 0:
                self._expired = True
                self._waiter.cancel()
                return
            await self._clock.sleep(min(left, self._shortest))
