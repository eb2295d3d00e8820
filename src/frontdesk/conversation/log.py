"""A turn's events on their way out: numbered, stored, and only then shown.

A reader never holds a word that a crash could take back. The first words, and whatever is not text, are stored at once;
text that follows waits a moment (`pace`) for more, so a fast model costs few transactions. A `quiet` log, whose reader
sees the whole reply alone, lets everything wait: what is stored then only spares whoever takes over.
"""

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from frontdesk.conversation.feed import Feeds
from frontdesk.errors import StoreUnavailable
from frontdesk.events import Numbered, TextAdded, TurnEvent
from frontdesk.ports import Clock
from frontdesk.store.outbox import NewLetter
from frontdesk.store.turns import Lease, LostLease, Outcome, Turns

T = TypeVar("T")

PATIENCE = 40  # tries, half a second apart, before a turn gives an absent database up


def at_once() -> float:
    """The pace of a log in which nothing waits."""
    return 0


class Log(Protocol):
    """What a turn says goes here; `text` is all that its reader has been told."""

    lease: Lease
    text: str

    def put(self, event: TurnEvent) -> None:
        """The next event. Raises what the keeping of an earlier one met."""
        ...

    async def flushed(self) -> None:
        """Return when all that was put is kept. Raises as `put`."""
        ...


class TurnLog:
    """Events of one leased turn. `stop` is set when somebody asks the turn to end, or the lease is lost."""

    def __init__(
        self,
        lease: Lease,
        turns: Turns,
        feeds: Feeds,
        clock: Clock,
        *,
        pace: Callable[[], float] = at_once,
        quiet: bool = False,
    ) -> None:
        self.lease = lease
        self.stop = asyncio.Event()
        self.text = ""
        self._turns = turns
        self._feeds = feeds
        self._clock = clock
        self._pace = pace
        self._quiet = quiet
        self._hurry = asyncio.Event()
        self._urgent = False
        self._seq = lease.last_seq
        self._pending: list[TurnEvent] = []
        self._flushing: asyncio.Task[None] | None = None
        self._error: Exception | None = None

    def put(self, event: TurnEvent) -> None:
        """Queue an event. Raises what an earlier store attempt met (`LostLease`, `StoreUnavailable`)."""
        if self._error is not None:
            raise self._error
        if isinstance(event, TextAdded) and self.text:
            self.text += event.text
            if self._pending and isinstance(last := self._pending[-1], TextAdded):
                self._pending[-1] = TextAdded(text=last.text + event.text)
                return
        else:
            self.text += event.text if isinstance(event, TextAdded) else ""
            if not self._quiet:
                self._hurry.set()
        self._pending.append(event)
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush(), name=f"flush-{self.lease.turn_id}")

    async def flushed(self) -> None:
        """Return when all that was put is stored. Raises as `put`."""
        self._urgent = True
        self._hurry.set()
        while self._flushing is not None and not self._flushing.done():
            await asyncio.shield(self._flushing)
        self._urgent = False
        if self._error is not None:
            raise self._error

    async def finish(
        self, event: TurnEvent, outcome: Outcome, letters: Sequence[NewLetter] = (), *, dead: bool = False
    ) -> list[str]:
        """Store the last event together with the reply and its letters, whose ids it returns. Raises `LostLease`."""
        rest, self._pending = self._pending, []
        await self.flushed()
        last = self._number([*rest, event])
        ids = await self._patiently(
            functools.partial(self._turns.finish, self.lease, last, outcome, letters, dead=dead)
        )
        self._feeds.publish(self.lease.turn_id, last)
        return ids

    async def _flush(self) -> None:
        if self._quiet:
            await self._breathe()
        while self._pending:
            self._hurry.clear()
            batch, self._pending = self._number(self._pending), []
            try:
                if await self._patiently(functools.partial(self._turns.append, self.lease, batch)):
                    self.stop.set()
            except (LostLease, StoreUnavailable) as error:
                self._error = error
                self.stop.set()
                return
            self._feeds.publish(self.lease.turn_id, batch)
            await self._breathe()

    async def _breathe(self) -> None:
        if self._urgent:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._pace()):
                await self._hurry.wait()

    def _number(self, events: list[TurnEvent]) -> list[Numbered]:
        now = self._clock.now()
        first = self._seq + 1
        self._seq += len(events)
        return [Numbered(seq=first + index, event=event, at=now) for index, event in enumerate(events)]

    async def _patiently(self, store: Callable[[], Awaitable[T]]) -> T:
        for _ in range(PATIENCE - 1):
            try:
                return await store()
            except StoreUnavailable:
                await self._clock.sleep(0.5)
        return await store()
