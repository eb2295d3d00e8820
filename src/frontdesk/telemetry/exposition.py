"""What `GET /metrics` answers: everything that was counted, and figures that are looked up when somebody asks.

A port of its own for each process, instead of one answer for several: Prometheus takes each for a target, so a process
that dies and comes back is a counter that begins anew, and its memory and CPU are told apart from its neighbours'.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from prometheus_client import generate_latest

from frontdesk.ports import Clock
from frontdesk.telemetry import metrics

FRESH = 5.0  # seconds for which a looked-up figure is told again
PATIENCE = 2.0  # seconds for each look: a scrape must end whatever is away

Look = Callable[[], Awaitable[None]]

log = structlog.get_logger("frontdesk.telemetry")


class Exposition:
    """Tells the registry's text. Each of `looks` sets gauges; one that fails leaves them as they were."""

    def __init__(self, looks: Sequence[Look], clock: Clock) -> None:
        self._looks = tuple(looks)
        self._clock = clock
        self._looked_at: float | None = None
        self._looking = asyncio.Lock()

    async def text(self) -> bytes:
        """The metrics in Prometheus' text form (version 0.0.4)."""
        async with self._looking:
            now = self._clock.monotonic()
            if self._looked_at is None or now - self._looked_at >= FRESH:
                self._looked_at = now
                await asyncio.gather(*(self._look(look) for look in self._looks))
        return generate_latest(metrics.registry)

    async def _look(self, look: Look) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await look()
        except Exception:  # what is away tells so by its own metric, and must not hide all others
            log.debug("metric_not_looked_up", exc_info=True)
