"""Schedules: rows that say when which job is due. However many processes look, each time makes one job."""

from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.ports import Clock, Ids
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.jobs import jobs, put

schedules = sa.Table(
    "schedules",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("every", sa.Text, nullable=False),
    sa.Column("job", sa.Text, nullable=False),
    sa.Column("next_at", UtcDateTime, nullable=False, index=True),
)


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Job `job` is made at `next_at`, and then `every` so often (`5m`, `daily 02:00 Europe/Berlin`).

    `last_at` and `last_result` tell of the latest job that it made: waiting, running, done or dead.
    """

    name: str
    every: str
    job: str
    next_at: datetime
    last_at: datetime | None = None
    last_result: str | None = None


class Schedules:
    """The schedules of the desk."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def declare(self, name: str, every: str, job: str, next_at: datetime) -> None:
        """Have the schedule; `next_at` counts when it is new or had another rhythm."""

        async def work(connection: AsyncConnection) -> None:
            insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            row = {"name": name, "every": every, "job": job, "next_at": next_at}
            added = insert(schedules).values(row)
            changed = added.on_conflict_do_update(
                index_elements=["name"],
                set_=row,
                where=sa.or_(schedules.c.every != every, schedules.c.job != job),
            )
            await connection.execute(changed)

        await self._database.commit(work)

    async def due(self) -> list[str]:
        """Names of the schedules whose time has come."""
        query = sa.select(schedules.c.name).where(schedules.c.next_at <= self._clock.now())
        async with self._database.read() as connection:
            return list((await connection.execute(query.order_by(schedules.c.next_at))).scalars())

    async def find(self, name: str) -> Schedule | None:
        """The schedule of that name, without what became of its jobs."""
        query = sa.select(schedules).where(schedules.c.name == name)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else Schedule(**row)

    async def fire(self, schedule: Schedule, next_at: datetime) -> str | None:
        """Make the job of `schedule.next_at` and move on to `next_at`; its id, or None when somebody else did."""
        moved = (
            schedules.update()
            .where(schedules.c.name == schedule.name, schedules.c.next_at == schedule.next_at)
            .values(next_at=next_at)
        )

        async def work(connection: AsyncConnection) -> str | None:
            if (await connection.execute(moved)).rowcount == 0:
                return None
            key = f"schedule:{schedule.name}:{schedule.next_at.isoformat()}"
            made = self._ids.new("job")
            return await put(connection, made, self._clock.now(), schedule.job, "{}", key=key, schedule=schedule.name)

        return await self._database.commit(work)

    async def page(self) -> list[Schedule]:
        """All schedules, the next one first."""
        latest = (
            sa.select(jobs.c.schedule, sa.func.max(jobs.c.created_at).label("at"))
            .where(jobs.c.schedule.is_not(None))
            .group_by(jobs.c.schedule)
            .subquery()
        )
        query = (
            sa.select(schedules, jobs.c.created_at.label("last_at"), jobs.c.state.label("last_result"))
            .outerjoin(latest, latest.c.schedule == schedules.c.name)
            .outerjoin(jobs, sa.and_(jobs.c.schedule == latest.c.schedule, jobs.c.created_at == latest.c.at))
            .order_by(schedules.c.next_at, schedules.c.name)
        )
        async with self._database.read() as connection:
            return [Schedule(**row) for row in (await connection.execute(query)).mappings()]
