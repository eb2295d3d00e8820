"""The live side of streams: stored events, handed to whoever follows the turn, in this process or another."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

import msgspec

from frontdesk.events import Numbered
from frontdesk.ports import Bus

TOPIC = "turns"
LOOK_AGAIN = 1.0  # seconds of silence after which a follower reads the database, in case news of the turn was lost
CAPACITY = 256  # events that wait for a slow follower

Piece = tuple[str, list[Numbered]]  # a turn's id and some of its events

_pieces = msgspec.msgpack.Decoder(list[tuple[str, msgspec.Raw]])  # most of them nobody here follows
_events = msgspec.msgpack.Decoder(list[Numbered])


class Follower:
    """What one reader has not been given yet. A slow one loses live events, never stored ones: it reads again."""

    def __init__(self) -> None:
        self._news: list[Numbered] = []
        self._waiting: asyncio.Future[None] | None = None
        self._silent = False

    async def news(self) -> list[Numbered]:
        """All that came since the last call, or comes next; empty when there has been none for a while."""
        if not self._news:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
            self._waiting = None
        news, self._news = self._news, []
        return news

    def hear(self, events: list[Numbered]) -> None:
        """More events of its turn."""
        if len(self._news) < CAPACITY:
            self._news += events
        self._silent = False
        self._wake()

    def look_round(self) -> None:
        """Wake the reader if nothing has come since this was called last."""
        if self._silent:
            self._wake()
        self._silent = True

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class Feeds:
    """Followers of running turns."""

    def __init__(self, bus: Bus | None = None) -> None:
        self._bus = bus
        self._followers: dict[str, list[Follower]] = {}
        self._outgoing: list[Piece] = []
        self._sending: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        if bus is not None:
            bus.subscribe(TOPIC, self._heard)

    @contextmanager
    def follow(self, turn_id: str) -> Generator[Follower]:
        """One who gets the turn's events from now on, as they are stored."""
        follower = Follower()
        self._followers.setdefault(turn_id, []).append(follower)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_round(), name="feeds-silence")
        try:
            yield follower
        finally:
            rest = self._followers[turn_id]
            rest.remove(follower)
            if not rest:
                del self._followers[turn_id]

    def publish(self, turn_id: str, events: list[Numbered], *, afar: bool = True) -> None:
        """Hand stored events to the followers. Those of several turns leave for other processes together.

        Without `afar` followers elsewhere find them in the database: for turns that hardly anybody follows.
        """
        self._hand_out(turn_id, events)
        if afar and self._bus is not None:
            self._outgoing.append((turn_id, events))
            if self._sending is None:
                self._sending = asyncio.create_task(self._send(self._bus), name="feeds")

    def _hand_out(self, turn_id: str, events: list[Numbered]) -> None:
        for follower in self._followers.get(turn_id, ()):
            follower.hear(events)

    def _heard(self, message: bytes) -> None:
        if self._followers:
            for turn_id, events in _pieces.decode(message):
                if turn_id in self._followers:
                    self._hand_out(turn_id, _events.decode(events))

    async def _send(self, bus: Bus) -> None:
        try:
            while self._outgoing:
                batch, self._outgoing = self._outgoing, []
                await bus.publish(TOPIC, msgspec.msgpack.encode(batch))
        finally:
            self._sending = None

    async def _look_round(self) -> None:
        while self._followers:
            await asyncio.sleep(LOOK_AGAIN)
            for followers in self._followers.values():
                for follower in followers:
                    follower.look_round()
