"""Rows that many write at once: those that wait together share one statement execution and one commit."""

import asyncio
from collections.abc import Mapping
from functools import partial

from frontdesk.store.database import Database
from frontdesk.store.prepared import Connection, Prepared

Row = Mapping[str, object]
GATHERING = 0.001  # seconds that the first row waits for others: a commit costs as much as many rows
Waiting = dict[Prepared, list[tuple[Row, asyncio.Future[None]]]]


class Rows:
    """Writes single rows at a fraction of a transaction's price."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: Waiting = {}
        self._writing: asyncio.Task[None] | None = None

    async def write(self, statement: Prepared, row: Row) -> None:
        """Execute `statement` with `row`; returns when it is durable. Raises as `Database.commit`."""
        await self.put(statement, row)

    def put(self, statement: Prepared, row: Row) -> asyncio.Future[None]:
        """Hand over a row to be written with `statement`. The future is done when it is durable, or has what failed."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(statement, []).append((row, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="store-rows")
        return done

    async def _write(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(GATHERING)
                batch, self._waiting = self._waiting, {}
                try:
                    await self._store(batch)
                except Exception:  # one row spoiled the batch: each is written alone and meets its own error
                    await self._one_by_one(batch)
                for _, done in (pair for pairs in batch.values() for pair in pairs):
                    if not done.done():
                        done.set_result(None)
        finally:
            self._writing = None

    async def _store(self, batch: Waiting) -> None:
        first, *others = [(statement, row) for statement, pairs in batch.items() for row, _ in pairs]
        if others:
            await self._database.act(partial(_execute, batch))
        else:
            await self._database.run(*first)  # a transaction by itself, in one round trip

    async def _one_by_one(self, batch: Waiting) -> None:
        for statement, pairs in batch.items():
            for row, done in pairs:
                try:
                    await self._database.run(statement, row)
                except Exception as error:
                    if not done.done():
                        done.set_exception(error)


async def _execute(batch: Waiting, connection: Connection) -> None:
    for statement, pairs in batch.items():
        await statement.many(connection, [row for row, _ in pairs])
