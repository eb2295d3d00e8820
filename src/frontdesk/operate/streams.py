"""Ending answers that last as long as whoever reads them: the application hears that its reader has left."""

import asyncio
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

GONE: Message = {"type": "http.disconnect"}


class Endable:
    """Wraps `app`. Once `end` was called, each running answer's caller counts as gone. What the application breaks off
    at that is completed, so that its reader gets a whole answer, and no server takes the end for a fault."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Let no answer go on for its reader's sake."""
        self._ended.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)

        async def until_the_end() -> Message:
            return await _first(receive(), self._ended) or GONE

        await self._app(scope, until_the_end, answer)
        if self._ended.is_set():
            await answer.complete()


class _Answer:
    """Hands on what is sent, and knows how much of the answer that was."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = self._whole = False

    async def __call__(self, message: Message) -> None:
        self._begun = True
        self._whole = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def complete(self) -> None:
        """Send what is missing, which is nothing where the answer is whole."""
        if not self._begun:
            await self({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
        if not self._whole:
            await self({"type": "http.response.body", "body": b""})


async def _first(message: Awaitable[Message], event: asyncio.Event) -> Message | None:
    """The message; None where the event came before it."""
    coming, ended = asyncio.ensure_future(message), asyncio.create_task(event.wait())
    try:
        await asyncio.wait([coming, ended], return_when=asyncio.FIRST_COMPLETED)
        return coming.result() if coming.done() else None
    finally:
        coming.cancel()
        ended.cancel()
