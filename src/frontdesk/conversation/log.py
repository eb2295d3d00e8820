"""A turn's events on their way out: numbered, stored, and only then shown.

A reader never holds a word that a crash could take back. The first words are stored at once, and what else happens with
them or very soon; text that follows waits a moment (`pace`) for more. One scribe serves all turns of a process: what is
due of all of them is one transaction, so a stream costs no task and no timer, and the first words of one wait for no
running text. A `quiet` log, whose reader sees the whole reply alone, lets everything wait: what is stored then only
spares whoever takes over.
"""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from frontdesk.conversation.feed import Feeds
from frontdesk.errors import StoreUnavailable
from frontdesk.events import Numbered, TextAdded, TurnEvent, Working
from frontdesk.ports import Clock
from frontdesk.store.outbox import NewLetter
from frontdesk.store.turns import Ended, Lease, Outcome, Turns

T = TypeVar("T")

PATIENCE = 40  # tries, half a second apart, before a turn gives an absent database up
BEAT = 0.05  # seconds at least between two transactions of running text
SOON = 0.01  # seconds that news of what the desk does may wait for the next such
AT_ONCE = 0.0  # a time that has always come


def no_pause() -> float:
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
    """Events of one leased turn. `stop` is set when somebody asks the turn to end, or the lease is lost.

    `due` is when the scribe should store what waits here, on the event loop's clock.
    """

    def __init__(
        self,
        lease: Lease,
        scribe: "Scribe",
        clock: Clock,
        *,
        pace: Callable[[], float] = no_pause,
        quiet: bool = False,
    ) -> None:
        self.lease = lease
        self.stop = asyncio.Event()
        self.text = ""
        self.due = _in(pace()) if quiet else math.inf
        self._scribe = scribe
        self._clock = clock
        self._pace = pace
        self.quiet = quiet
        self._seq = lease.last_seq
        self._pending: list[TurnEvent] = []
        self._taken = False  # by the scribe, which has not said yet how it went
        self._error: Exception | None = None

    def put(self, event: TurnEvent) -> None:
        """Queue an event. Raises what an earlier store attempt met (`LostLease`, `StoreUnavailable`)."""
        if self._error is not None:
            raise self._error
        if self.quiet and isinstance(event, Working):
            return  # it tells a reader who waits what is being done, and here is none
        if isinstance(event, TextAdded):
            goes_on = bool(self.text)
            self.text += event.text
            if goes_on and self._pending and isinstance(last := self._pending[-1], TextAdded):
                self._pending[-1] = TextAdded(text=last.text + event.text)
                return
        else:
            goes_on = False
        self._pending.append(event)
        if not (goes_on or self.quiet):
            self.due = AT_ONCE if isinstance(event, TextAdded) else min(self.due, _in(SOON))
        self._scribe.expect(self)

    async def flushed(self) -> None:
        """Return when all that was put is stored. Raises as `put`."""
        while self._pending or self._taken:
            if self._pending:
                self.due = AT_ONCE
                self._scribe.expect(self)
            await self._scribe.round()
        if self._error is not None:
            raise self._error

    async def finish(
        self, event: TurnEvent, outcome: Outcome, letters: Sequence[NewLetter] = (), *, dead: bool = False
    ) -> Ended:
        """Store the last event together with the reply and its letters. Raises `LostLease`."""
        rest, self._pending = self._pending, []
        self._scribe.leave(self)
        await self.flushed()
        return await self._scribe.finish(self, self._number([*rest, event]), outcome, letters, dead=dead)

    def take(self) -> list[Numbered]:
        """What waits, for the scribe to store; `kept` or `refused` tells how that went."""
        pending, self._pending = self._pending, []
        self._taken = True
        self.due = _in(self._pace())
        return self._number(pending)

    def kept(self, *, stop: bool) -> None:
        """What was taken is stored; somebody asks the turn to end, or not."""
        self._taken = False
        if stop:
            self.stop.set()

    def refused(self, error: Exception) -> None:
        """What was taken is not stored, and nothing more will be."""
        self._taken = False
        self._error = error
        self.stop.set()

    def _number(self, events: list[TurnEvent]) -> list[Numbered]:
        now = self._clock.now()
        first = self._seq + 1
        self._seq += len(events)
        return [Numbered(seq=first + index, event=event, at=now) for index, event in enumerate(events)]


class Scribe:
    """Stores what the turns of a process say, and shows it then."""

    def __init__(self, turns: Turns, feeds: Feeds, clock: Clock) -> None:
        self._turns = turns
        self._feeds = feeds
        self._clock = clock
        self._waiting: dict[TurnLog, None] = {}  # in the order in which they began to wait
        self._hurry = asyncio.Event()
        self._beat = 0.0  # when running text may be stored again
        self._resting_until = AT_ONCE
        self._round: asyncio.Future[None] | None = None
        self._writing: asyncio.Task[None] | None = None

    def expect(self, log: TurnLog) -> None:
        """Something waits in `log`."""
        self._waiting[log] = None
        if log.due == AT_ONCE or max(log.due, self._beat) < self._resting_until:
            self._hurry.set()
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="scribe")

    def leave(self, log: TurnLog) -> None:
        """Nothing waits in `log` any more."""
        self._waiting.pop(log, None)

    async def round(self) -> None:
        """Return when the next transaction has ended."""
        if self._round is None:
            self._round = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._round)

    async def finish(
        self, log: TurnLog, last: list[Numbered], outcome: Outcome, letters: Sequence[NewLetter], *, dead: bool
    ) -> Ended:
        """Store the end of a turn, and show it."""
        ended = await self._patiently(partial(self._turns.finish, log.lease, last, outcome, letters, dead=dead))
        self._feeds.publish(log.lease.turn_id, last, afar=not log.quiet)
        return ended

    async def _write(self) -> None:
        while self._waiting:
            self._hurry.clear()
            now = _in(0)
            if now < self._beat:
                due = [log for log in self._waiting if log.due == AT_ONCE]
            elif due := [log for log in self._waiting if log.due <= now]:
                self._beat = now + BEAT
            if due:
                await self._store(due)
            else:
                await self._rest(max(self._beat, min(log.due for log in self._waiting)))

    async def _store(self, due: list[TurnLog]) -> None:
        batch = [(log.lease, log.take()) for log in due]
        for log in due:
            del self._waiting[log]
        try:
            results = await self._patiently(partial(self._turns.append_all, batch))
        except Exception as error:
            results = [error] * len(batch)
        for log, (lease, events), result in zip(due, batch, results, strict=True):
            if isinstance(result, Exception):
                log.refused(result)
            else:
                self._feeds.publish(lease.turn_id, events, afar=not log.quiet)
                log.kept(stop=result)
        if self._round is not None:
            self._round.set_result(None)
            self._round = None

    async def _rest(self, until: float) -> None:
        """Until then, or until something must be stored before."""
        self._resting_until = until
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until if until < math.inf else None):
                await self._hurry.wait()
        self._resting_until = AT_ONCE

    async def _patiently(self, store: Callable[[], Awaitable[T]]) -> T:
        for _ in range(PATIENCE - 1):
            try:
                return await store()
            except StoreUnavailable:
                await self._clock.sleep(0.5)
        return await store()


def _in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds
