"""Work inside this process: ready rows are run here, and a sweeper for each kind picks up what was left lying.

The database is the truth: being told that a row is ready only saves the time until the next sweep.
"""

import asyncio
from collections.abc import Sequence

import structlog

from frontdesk.ports import Clock, Dispatcher
from frontdesk.work.kinds import Kind

log = structlog.get_logger("frontdesk.work")


class LocalWork:
    """Runs rows of `kinds`; what it does not run, other kinds or while it drains, it tells `others`, if any."""

    def __init__(self, kinds: Sequence[Kind], clock: Clock, others: Dispatcher | None = None) -> None:
        self._kinds = {kind.name: kind for kind in kinds}
        self._places = {kind.name: asyncio.Semaphore(kind.parallel) for kind in kinds}
        self._clock = clock
        self._others = others
        self._rows: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._again: set[tuple[str, str]] = set()
        self._sweepers: list[asyncio.Task[None]] = []
        self._draining = False

    async def start(self) -> None:
        """Begin to sweep."""
        self._sweepers = [
            asyncio.create_task(self._sweep_forever(kind), name=f"sweep-{kind.name}") for kind in self._kinds.values()
        ]

    async def ready(self, kind: str, row_id: str) -> None:
        """Run the row soon, once more if it is being run."""
        if kind in self._kinds and not self._draining:
            if (kind, row_id) in self._rows:
                self._again.add((kind, row_id))
            else:
                self._take(self._kinds[kind], row_id)
        elif self._others is not None:
            await self._others.ready(kind, row_id)

    async def run(self, kind: str, row_id: str) -> None:
        """Run the row and return at its end. What this process does not run is told to the others."""
        await self.ready(kind, row_id)
        while (task := self._rows.get((kind, row_id))) is not None:
            await asyncio.wait([task])

    async def drain(self, seconds: float) -> None:
        """Take nothing new and let what runs finish, for at most `seconds`; the rest is left to its lease."""
        self._draining = True
        for sweeper in self._sweepers:
            sweeper.cancel()
        await asyncio.gather(*self._sweepers, return_exceptions=True)
        running = list(self._rows.values())
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
        """How many rows have been handed in and are not done: here, or where others work too, in all processes."""
        return len(self._rows) if self._others is None else self._others.backlog

    @property
    def in_hand(self) -> int:
        """How many rows this process has, those included that wait for a place."""
        return len(self._rows)

    def running(self, kind: str) -> int:
        """How many rows of this kind it has."""
        return sum(1 for name, _ in self._rows if name == kind)

    def _take(self, kind: Kind, row_id: str) -> None:
        self._rows[kind.name, row_id] = asyncio.create_task(self._one(kind, row_id), name=f"{kind.name}-{row_id}")

    async def _one(self, kind: Kind, row_id: str) -> None:
        try:
            async with self._places[kind.name]:
                await kind.run(row_id)
        except Exception:
            log.exception("work_failed", kind=kind.name, row=row_id)
        finally:
            del self._rows[kind.name, row_id]
            if (kind.name, row_id) in self._again:
                self._again.discard((kind.name, row_id))
                await self.ready(kind.name, row_id)

    async def _sweep_forever(self, kind: Kind) -> None:
        while True:
            try:
                for row_id in await kind.sweep():
                    if (kind.name, row_id) not in self._rows:
                        self._take(kind, row_id)
            except Exception:
                log.exception("sweep_failed", kind=kind.name)
            await self._clock.sleep(kind.every)
