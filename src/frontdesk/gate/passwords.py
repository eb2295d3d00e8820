"""Passwords: argon2id in a thread, a few at a time, since each check takes 64 MiB and tens of milliseconds."""

import asyncio

from pwdlib import PasswordHash
from pwdlib.exceptions import PwdlibError

from frontdesk.errors import Unprocessable

SHORTEST, LONGEST = 10, 512
AT_ONCE = 2


class Passwords:
    """Hashing and checking."""

    def __init__(self) -> None:
        self._hasher = PasswordHash.recommended()
        self._free = asyncio.Semaphore(AT_ONCE)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The hash to store. `Unprocessable` for a password that is too short or too long."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise Unprocessable(f"A password has {SHORTEST} to {LONGEST} characters", where="password")
        async with self._free:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, password: str, stored: str | None) -> bool:
        """Whether the password is the stored one. Takes the same work when there is none (an unknown address)."""
        async with self._free:
            return await asyncio.to_thread(self._fits, password[:LONGEST], stored)

    def _fits(self, password: str, stored: str | None) -> bool:
        if self._nobody is None:
            self._nobody = self._hasher.hash("nobody's password")
        try:
            right = self._hasher.verify(password, stored or self._nobody)
        except PwdlibError:
            return False
        return right and stored is not None
