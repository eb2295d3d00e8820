"""The live side of streams: stored events, handed to whoever follows the turn, in this process or another."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

import msgspec

from frontdesk.events import Numbered
from frontdesk.ports import Bus

TOPIC = "turns"
Piece = tuple[str, list[Numbered]]  # a turn's id and some of its events

_decoder = msgspec.msgpack.Decoder(list[Piece])


class Feeds:
    """Followers of running turns. A follower that is too slow loses live events, never stored ones: it reads again."""

    def __init__(self, bus: Bus | None = None, capacity: int = 256) -> None:
        self._bus = bus
        self._capacity = capacity
        self._followers: dict[str, list[asyncio.Queue[Numbered]]] = {}
        self._outgoing: list[Piece] = []
        self._sending: asyncio.Task[None] | None = None
        if bus is not None:
            bus.subscribe(TOPIC, self._heard)

    @contextmanager
    def follow(self, turn_id: str) -> Generator[asyncio.Queue[Numbered]]:
        """A queue that gets the turn's events from now on, as they are stored."""
        queue: asyncio.Queue[Numbered] = asyncio.Queue(self._capacity)
        self._followers.setdefault(turn_id, []).append(queue)
        try:
            yield queue
        finally:
            rest = self._followers[turn_id]
            rest.remove(queue)
            if not rest:
                del self._followers[turn_id]

    def publish(self, turn_id: str, events: list[Numbered]) -> None:
        """Hand stored events to the followers. Those of several turns leave for other processes together."""
        self._hand_out(turn_id, events)
        if self._bus is not None:
            self._outgoing.append((turn_id, events))
            if self._sending is None:
                self._sending = asyncio.create_task(self._send(self._bus), name="feeds")

    def _hand_out(self, turn_id: str, events: list[Numbered]) -> None:
        for queue in self._followers.get(turn_id, ()):
            for event in events:
                if queue.full():
                    break
                queue.put_nowait(event)

    def _heard(self, message: bytes) -> None:
        for turn_id, events in _decoder.decode(message):
            self._hand_out(turn_id, events)

    async def _send(self, bus: Bus) -> None:
        try:
            while self._outgoing:
                batch, self._outgoing = self._outgoing, []
                await bus.publish(TOPIC, msgspec.msgpack.encode(batch))
        finally:
            self._sending = None
