"""Work inside this process: ready rows are run here, and a sweeper picks up what was left lying.

The database is the truth: being told that a row is ready only saves the time until the next sweep.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from frontdesk.ports import Clock

log = structlog.get_logger("frontdesk.work")

Run = Callable[[str], Awaitable[None]]
Sweep = Callable[[], Awaitable[list[str]]]


class LocalWork:
    """Runs rows of one kind, at most `parallel` at once. `run` must bear a row that is done or taken: claims decide."""

    def __init__(
        self, kind: str, run: Run, sweep: Sweep, clock: Clock, *, parallel: int = 64, every: float = 5
    ) -> None:
        self._kind = kind
        self._run = run
        self._sweep = sweep
        self._clock = clock
        self._every = every
        self._places = asyncio.Semaphore(parallel)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._draining = False

    async def start(self) -> None:
        """Begin to sweep."""
        self._sweeper = asyncio.create_task(self._sweep_forever(), name=f"sweep-{self._kind}")

    async def ready(self, kind: str, row_id: str) -> None:
        """Run the row soon. While draining it stays for another process, or for the next start."""
        if kind != self._kind or self._draining:
            return
        if row_id in self._tasks:
            self._again.add(row_id)
            return
        self._tasks[row_id] = asyncio.create_task(self._one(row_id), name=f"{kind}-{row_id}")

    async def drain(self, seconds: float) -> None:
        """Take nothing new and let what runs finish, for at most `seconds`; the rest is left to its lease."""
        self._draining = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        running = list(self._tasks.values())
        if running:
            _, late = await asyncio.wait(running, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @property
    def draining(self) -> bool:
        """Whether nothing new is taken any more."""
        return self._draining

    @property
    def backlog(self) -> int:
        """How many rows are in hand, those included that wait for a place."""
        return len(self._tasks)

    async def _one(self, row_id: str) -> None:
        try:
            async with self._places:
                await self._run(row_id)
        except Exception:
            log.exception("work_failed", kind=self._kind, row=row_id)
        finally:
            del self._tasks[row_id]
            if row_id in self._again:
                self._again.discard(row_id)
                await self.ready(self._kind, row_id)

    async def _sweep_forever(self) -> None:
        while True:
            try:
                for row_id in await self._sweep():
                    await self.ready(self._kind, row_id)
            except Exception:
                log.exception("sweep_failed", kind=self._kind)
            await self._clock.sleep(self._every)
