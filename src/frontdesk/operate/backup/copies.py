"""A database that is read from a copy, so that a backup costs its server nothing."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog

from frontdesk.errors import StoreUnavailable
from frontdesk.operate.backup.databases import Proof, Snapshot, Stream
from frontdesk.operate.backup.manifest import Facts, Kind
from frontdesk.operate.backup.postgres import PostgresStore

PATIENCE = 30.0  # seconds that a copy has for what the server wrote before the backup began
PAUSE = 0.2

log = structlog.get_logger("frontdesk.operate")


class CopiedStore:
    """A PostgreSQL database and a copy that streams from it. Everything but reading concerns the database itself."""

    kind: Kind = "postgresql"

    def __init__(self, server: PostgresStore, copy: PostgresStore, patience: float = PATIENCE) -> None:
        self._server, self._copy, self._patience = server, copy, patience

    @property
    def where(self) -> str:
        """Host and name."""
        return self._server.where

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[Snapshot]:
        """Of the copy once it has all that the server has now; of the server where it is away, late or no copy."""
        chosen = self._copy if await self._has_all() else self._server
        if chosen is self._server:
            log.warning("backup_past_the_copy", place=self._copy.where)
        async with chosen.snapshot() as snapshot:
            yield snapshot

    async def exists(self) -> bool:
        """Whether there are tables of a desk."""
        return await self._server.exists()

    async def rows(self) -> int:
        """How many rows it holds now. Raises `StoreInUse`."""
        return await self._server.rows()

    async def restore(self, stream: Stream, facts: Facts, proof: Proof) -> None:
        """Put the stream's content in the place of what is there; the copy follows by itself."""
        await self._server.restore(stream, facts, proof)

    async def _has_all(self) -> bool:
        written = await self._server.written()
        try:
            async with asyncio.timeout(self._patience):
                while not await self._copy.follows(written):  # noqa: ASYNC110 — a server elsewhere tells nobody
                    await asyncio.sleep(PAUSE)
        except (StoreUnavailable, TimeoutError):
            return False
        return True
