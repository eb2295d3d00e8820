"""Time and ids that a test owns."""

import asyncio
from datetime import UTC, datetime, timedelta


class FakeClock:
    """Stands still until `advance`; sleepers wake in order when their time has come."""

    def __init__(self, start: datetime = datetime(2026, 1, 5, 12, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._elapsed + seconds, wake))
        await wake

    @property
    def sleeping(self) -> int:
        """How many wait for time to move."""
        return sum(not wake.done() for _, wake in self._sleepers)

    def advance(self, seconds: float) -> None:
        """Move time on and wake whoever is due."""
        self._elapsed += seconds
        due = sorted((pair for pair in self._sleepers if pair[0] <= self._elapsed), key=lambda pair: pair[0])
        self._sleepers = [pair for pair in self._sleepers if pair[0] > self._elapsed]
        for _, wake in due:
            if not wake.done():
                wake.set_result(None)


class CountingIds:
    """`msg_000001`, `msg_000002`, … and secrets `secret-1`, …: the same in every run."""

    def __init__(self) -> None:
        self._count = 0

    def new(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count:06d}"

    def secret(self, size: int = 32) -> str:
        self._count += 1
        return f"secret-{self._count}".ljust(size, "x")
