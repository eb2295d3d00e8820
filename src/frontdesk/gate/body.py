"""A request's body, bounded in size and time while it streams in."""

import asyncio

from starlette.types import Message, Receive

from frontdesk.errors import BadRequest, FrontdeskError, TooLarge


class SlowBody(BadRequest):
    """The body did not arrive in its time."""

    code = "slow_body"
    status = 408


class BoundedBody:
    """An ASGI `receive` that stops at `limit` bytes or after `seconds`.

    What is behind it then sees the client gone, and `refused` says why. Once the body is there, time no longer counts.
    """

    def __init__(self, receive: Receive, *, limit: int, seconds: float) -> None:
        self._receive = receive
        self._limit = limit
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._size = 0
        self._complete = False
        self.refused: FrontdeskError | None = None

    async def __call__(self) -> Message:
        """The next message."""
        if self._complete:
            return await self._receive()
        if self.refused is not None:
            return {"type": "http.disconnect"}
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            return self._stop(SlowBody("The request's body took too long to arrive"))
        if message["type"] != "http.request":
            return message
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            return self._stop(too_large(self._limit))
        self._complete = not message.get("more_body", False)
        return message

    def _stop(self, reason: FrontdeskError) -> Message:
        self.refused = reason
        return {"type": "http.disconnect"}


def too_large(limit: int) -> TooLarge:
    """The refusal of a body beyond `limit` bytes."""
    return TooLarge(
        f"The request's body is larger than {limit} bytes", where="body", hint="Send less, or split it into parts."
    )
