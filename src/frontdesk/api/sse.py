"""Server-sent events: frames on the way out, and the response that carries them.

The format is the WHATWG HTML standard's, section "Server-sent events".
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

import msgspec
import structlog
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from frontdesk.errors import StoreUnavailable
from frontdesk.events import Numbered

log = structlog.get_logger("frontdesk.channels")

PING_SECONDS: Final = 15
WAITING: Final = 256  # frames that wait for a slow reader before their source is held back

HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

_encoder = msgspec.json.Encoder()


def frame(numbered: Numbered) -> bytes:
    """A turn's event: its number as `id`, its tag as `event`, the rest of it as `data`."""
    values = msgspec.to_builtins(numbered.event)
    tag = values.pop("type")
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (numbered.seq, tag.encode(), _encoder.encode(values))


def plain_frame(tag: str, data: object) -> bytes:
    """An event without a number: whoever misses it cannot ask for it again."""
    return b"event: %s\ndata: %s\n\n" % (tag.encode(), _encoder.encode(data))


async def frames(events: AsyncIterator[Numbered]) -> AsyncGenerator[bytes]:
    """A turn's events as frames. Where the store goes away the stream ends, and its reader resumes it later."""
    try:
        async for numbered in events:
            yield frame(numbered)
    except StoreUnavailable:
        log.warning("stream_cut")


class EventStream(StreamingResponse):
    """An ASGI response that sends frames as they come, and a comment when none came for `ping` seconds.

    Frames that are ready together leave in one write. When the reader goes away the source is closed, nothing else: a
    source that follows a turn leaves the turn running.
    """

    def __init__(self, source: AsyncGenerator[bytes], *, ping: float = PING_SECONDS) -> None:
        super().__init__(source, headers=HEADERS, media_type="text/event-stream")
        self._source = source
        self._ping = ping
        self._ready: list[bytes] = []
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self._sent_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        reading = asyncio.create_task(self._read())
        attending = asyncio.create_task(self._attend(receive, send))
        attending.add_done_callback(lambda _: reading.cancel())
        reading.add_done_callback(lambda _: self._more.set())
        try:
            await self._send(reading, send)
        finally:
            attending.cancel()
            reading.cancel()
            await asyncio.gather(reading, attending, return_exceptions=True)
        if not reading.cancelled():
            reading.result()  # raises what the source met

    async def _read(self) -> None:
        async with contextlib.aclosing(self._source):
            async for piece in self._source:
                self._ready.append(piece)
                self._more.set()
                if len(self._ready) >= WAITING:
                    self._room.clear()
                    await self._room.wait()

    async def _send(self, reading: "asyncio.Task[None]", send: Send) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            over = reading.done()
            ready, self._ready = self._ready, []
            self._room.set()
            self._sent_at = asyncio.get_running_loop().time()
            await send({"type": "http.response.body", "body": b"".join(ready), "more_body": not over})
            if over:
                return

    async def _attend(self, receive: Receive, send: Send) -> None:
        """Return when the reader has gone; until then, break the silence."""
        loop = asyncio.get_running_loop()
        self._sent_at = loop.time()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._sent_at + self._ping):
                    if (await receive())["type"] == "http.disconnect":
                        return
            if loop.time() >= self._sent_at + self._ping:
                self._sent_at = loop.time()
                await send({"type": "http.response.body", "body": b": ping\n\n", "more_body": True})
