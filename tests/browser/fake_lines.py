"""Open lines to pages: what is told goes out on each, as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse


def frame(event: str, data: Any) -> bytes:
    """One event on the wire."""
    return f"event: {event}\ndata: {json.dumps(data)}\n\n".encode()


class Lines:
    """The pages that listen."""

    def __init__(self) -> None:
        self._open: set[asyncio.Queue[bytes]] = set()

    def open(self) -> StreamingResponse:
        """A line of its own for whoever asks; it ends when they leave."""
        return StreamingResponse(self._frames(), media_type="text/event-stream")

    async def tell(self, event: str, **data: str) -> None:
        """News on every open line."""
        for line in self._open:
            await line.put(frame(event, data))

    async def _frames(self) -> AsyncIterator[bytes]:
        own: asyncio.Queue[bytes] = asyncio.Queue()
        self._open.add(own)
        try:
            yield b": here\n\n"
            while True:
                yield await own.get()
        finally:
            self._open.discard(own)
