"""Typing in a chat: shown while a reply is made, and for as long as somebody would have taken to type it."""

import asyncio
from collections.abc import Callable

from frontdesk.outgoing import Rhythm
from frontdesk.ports import Clock, Outlet
from frontdesk.telemetry import metrics

GLANCE = 1.0  # seconds between two looks at the text so far


class Silent:
    """No typing at all: nothing is shown and nothing waited for."""

    async def __aenter__(self) -> "Silent":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def finished(self, text: str) -> None:
        """Return at once."""


class Typing:
    """`async with Typing(…) as typing`: typing shows from now on; `finished` returns when it has lasted long enough.

    `so_far` is the text that has been written; where the channel can, readers are shown it.
    """

    def __init__(
        self, outlet: Outlet, rhythm: Rhythm, place: str, turn_id: str, so_far: Callable[[], str], clock: Clock
    ) -> None:
        self._outlet = outlet
        self._rhythm = rhythm
        self._place = place
        self._turn_id = turn_id
        self._so_far = so_far
        self._clock = clock
        self._begun = clock.monotonic()
        self._showing: asyncio.Task[None] | None = None
        self._outcome = "cancelled"

    async def __aenter__(self) -> "Typing":
        self._begun = self._clock.monotonic()
        self._showing = asyncio.create_task(self._show(), name=f"typing-{self._turn_id}")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._showing is not None:
            self._showing.cancel()
            await asyncio.gather(self._showing, return_exceptions=True)
        metrics.typing_simulations.labels(self._outcome).inc()

    async def finished(self, text: str) -> None:
        """Return once typing has been shown for as long as `text` takes; the time since the start counts."""
        left = self._rhythm.seconds(len(text)) - (self._clock.monotonic() - self._begun)
        if left > 0:
            await self._clock.sleep(left)
        self._outcome = "finished"

    async def _show(self) -> None:
        shown, renew_at = "", self._begun
        while True:
            if self._clock.monotonic() >= renew_at:
                await self._outlet.typing(self._place)
                renew_at += self._rhythm.renew
            if (text := self._so_far()) != shown:
                await self._outlet.preview(self._place, self._turn_id, text)
                shown = text
            await self._clock.sleep(min(GLANCE, self._rhythm.renew))
