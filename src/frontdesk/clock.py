"""The real clock and the real source of ids."""

import asyncio
import os
import secrets
import sys
import threading
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


class _Random:
    """Random bytes from the system, asked for in bulk: one call for each id would cost more than the rest of it."""

    SIZE = 10  # bytes of one id

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = bytearray()
        if sys.platform != "win32":
            os.register_at_fork(after_in_child=self._forget)

    def take(self) -> bytes:
        """Bytes that nobody else gets."""
        with self._lock:
            if len(self._bytes) < self.SIZE:
                self._bytes += os.urandom(100 * self.SIZE)
            taken = bytes(self._bytes[-self.SIZE :])
            del self._bytes[-self.SIZE :]
            return taken

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._bytes.clear()


_random = _Random()


class RandomIds:
    """Ids that sort by time of creation and cannot be guessed: kind, milliseconds, 80 random bits, in hexadecimal."""

    def new(self, kind: str) -> str:
        return f"{kind}_{time.time_ns() // 1_000_000:012x}{_random.take().hex()}"

    def secret(self, size: int = 32) -> str:
        return secrets.token_urlsafe(size)
