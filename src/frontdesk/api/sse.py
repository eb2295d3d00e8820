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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        waiting: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING)
        reading = asyncio.create_task(_read(self._source, waiting))
        sending = asyncio.create_task(self._send(waiting, send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reading, sending, leaving):
                if not task.done():
                    task.cancel()
            await asyncio.gather(reading, leaving, return_exceptions=True)
            with contextlib.suppress(asyncio.CancelledError):
                await sending
        if not reading.cancelled() and (error := reading.exception()) is not None:
            raise error

    async def _send(self, waiting: asyncio.Queue[bytes | None], send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        more = True
        while more:
            try:
                async with asyncio.timeout(self._ping):
                    batch: list[bytes | None] = [await waiting.get()]
            except TimeoutError:
                batch = [b": ping\n\n"]
            while not waiting.empty():
                batch.append(waiting.get_nowait())
            more = batch[-1] is not None
            body = b"".join(piece for piece in batch if piece is not None)
            await send({"type": "http.response.body", "body": body, "more_body": more})


async def _read(source: AsyncGenerator[bytes], waiting: asyncio.Queue[bytes | None]) -> None:
    async with contextlib.aclosing(source):
        try:
            async for piece in source:
                await waiting.put(piece)
        except Exception:
            await waiting.put(None)
            raise
        await waiting.put(None)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
