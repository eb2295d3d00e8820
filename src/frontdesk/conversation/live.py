"""News of conversations for open pages: in this process at once, and over the bus to the others."""

import asyncio
from collections.abc import AsyncGenerator

import msgspec

from frontdesk.outgoing import Signal
from frontdesk.ports import Bus

TOPIC = "conversations"
GATHERING = 0.1  # seconds that news for other processes waits for more: each message to them wakes all of them
WAITING = 256  # signals that wait for a slow reader; beyond it the oldest is dropped, for the next says the same

_decoder = msgspec.msgpack.Decoder(list[Signal])


class LiveNews:
    """A `ports.Live`."""

    def __init__(self, bus: Bus | None = None) -> None:
        self._bus = bus
        self._followers: dict[str | None, list[asyncio.Queue[Signal | None]]] = {}
        self._outgoing: dict[Signal, None] = {}  # each once, in their order
        self._sending: asyncio.Task[None] | None = None
        if bus is not None:
            bus.subscribe(TOPIC, self._heard)

    async def tell(self, signal: Signal) -> None:
        self._hand_out(signal)
        if self._bus is not None:
            self._outgoing[signal] = None
            if self._sending is None:
                self._sending = asyncio.create_task(self._send(self._bus), name="live-news")

    async def follow(self, conversation_id: str | None = None) -> AsyncGenerator[Signal]:
        queue: asyncio.Queue[Signal | None] = asyncio.Queue(WAITING)
        self._followers.setdefault(conversation_id, []).append(queue)
        try:
            while (signal := await queue.get()) is not None:
                yield signal
        finally:
            rest = self._followers[conversation_id]
            rest.remove(queue)
            if not rest:
                del self._followers[conversation_id]

    def end(self) -> None:
        """End what every follower follows: the process stops, and open pages turn to another one."""
        for queues in self._followers.values():
            for queue in queues:
                _put(queue, None)

    async def _send(self, bus: Bus) -> None:
        try:
            while self._outgoing:
                await asyncio.sleep(GATHERING)
                batch, self._outgoing = self._outgoing, {}
                await bus.publish(TOPIC, msgspec.msgpack.encode(list(batch)))
        finally:
            self._sending = None

    def _heard(self, message: bytes) -> None:
        for signal in _decoder.decode(message):
            self._hand_out(signal)

    def _hand_out(self, signal: Signal) -> None:
        for key in (signal.conversation_id, None):
            for queue in self._followers.get(key, ()):
                _put(queue, signal)


def _put(queue: asyncio.Queue[Signal | None], signal: Signal | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(signal)
