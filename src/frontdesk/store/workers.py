"""Processes that work on rows, each by its own word: a row that it renews while it lives."""

from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.ports import Clock
from frontdesk.store.database import Database, UtcDateTime, metadata

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("queues", sa.Text, nullable=False),
    sa.Column("running", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
)

SILENT = timedelta(seconds=30)  # after which a worker counts as gone
FORGOTTEN = timedelta(hours=1)  # after which it is no longer listed


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A process, its queues (`general,ml`), and how many rows it has in hand. `state` is `up`, `draining`, or
    `down` when it has shown no sign of life for a while."""

    name: str
    queues: str
    running: int
    state: str
    seen_at: datetime


class Workers:
    """The processes that work for the desk."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def beat(self, name: str, queues: str, running: int, state: str) -> None:
        """Say that this process lives; those that have long been silent are forgotten."""
        now = self._clock.now()
        row = {"name": name, "queues": queues, "running": running, "state": state, "seen_at": now}

        async def work(connection: AsyncConnection) -> None:
            insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            await connection.execute(
                insert(workers).values(row).on_conflict_do_update(index_elements=["name"], set_=row)
            )
            await connection.execute(workers.delete().where(workers.c.seen_at < now - FORGOTTEN))

        await self._database.commit(work)

    async def leave(self, name: str) -> None:
        """Say that this process has ended well."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(workers.delete().where(workers.c.name == name))

        await self._database.commit(work)

    async def page(self) -> list[Worker]:
        """All processes, by name."""
        quiet = self._clock.now() - SILENT
        async with self._database.read() as connection:
            rows = (await connection.execute(sa.select(workers).order_by(workers.c.name))).mappings().all()
        found = [Worker(**row) for row in rows]
        return [msgspec.structs.replace(each, state="down") if each.seen_at < quiet else each for each in found]
