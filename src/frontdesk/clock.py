"""The real clock and the real source of ids."""

import asyncio
import secrets
import time
from datetime import UTC, datetime


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class RandomIds:
    """Ids that sort by time of creation and cannot be guessed: kind, milliseconds, 80 random bits, in hexadecimal."""

    def new(self, kind: str) -> str:
        return f"{kind}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"

    def secret(self, size: int = 32) -> str:
        return secrets.token_urlsafe(size)
