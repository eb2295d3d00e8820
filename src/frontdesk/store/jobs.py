"""Jobs: things to do once, now or later, each under a key of its own.

A job is leased as a letter is: while it runs, `due_at` is the end of its lease, and every write names its fence.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.ports import Clock, Ids, Job
from frontdesk.store.database import Database, UtcDateTime, metadata

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("schedule", sa.Text),
    sa.Column("state", sa.Text, nullable=False),  # waiting, running, done, dead
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
    sa.Column("due_at", UtcDateTime, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("problem", sa.Text),
    sa.Index("ix_jobs_state_due_at", "state", "due_at"),
    sa.Index("ix_jobs_schedule_created_at", "schedule", "created_at"),
)

SWEPT = 500  # jobs that one sweep hands out


class Jobs:
    """The jobs of all processes."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def add(
        self, name: str, payload: str = "{}", *, key: str | None = None, due_at: datetime | None = None
    ) -> str:
        """Have `name`'s handler called with `payload` at `due_at`, or now; the id. Of one `key` there is one job ever.

        Tell the dispatcher (`ready("job", id)`) if it is to start at once; otherwise a sweep finds it.
        """

        async def work(connection: AsyncConnection) -> str:
            return await put(connection, self._ids.new("job"), self._clock.now(), name, payload, key=key, due_at=due_at)

        return await self._database.commit(work)

    async def due(self) -> list[str]:
        """Jobs that may run now, those included whose lease has run out, the longest waiting first."""
        query = sa.select(jobs.c.id).where(jobs.c.state.in_(("waiting", "running")), jobs.c.due_at <= self._clock.now())
        async with self._database.read() as connection:
            return list((await connection.execute(query.order_by(jobs.c.due_at).limit(SWEPT))).scalars())

    async def claim(self, job_id: str, seconds: float) -> Job | None:
        """Lease the job for `seconds`; None when it is done, not due, or another's."""
        now = self._clock.now()
        take = (
            jobs.update()
            .where(jobs.c.id == job_id, jobs.c.state.in_(("waiting", "running")), jobs.c.due_at <= now)
            .values(
                state="running",
                due_at=now + timedelta(seconds=seconds),
                fence=jobs.c.fence + 1,
                attempts=jobs.c.attempts + 1,
            )
            .returning(*(jobs.c[name] for name in Job.__struct_fields__))
        )

        async def work(connection: AsyncConnection) -> Job | None:
            row = (await connection.execute(take)).mappings().one_or_none()
            return None if row is None else Job(**row)

        return await self._database.commit(work)

    async def renew(self, job: Job, seconds: float) -> bool:
        """Keep the lease for `seconds` from now; False when it is lost."""
        return await self._change(job, due_at=self._clock.now() + timedelta(seconds=seconds))

    async def end(self, job: Job, problem: str | None = None) -> bool:
        """Note that the job is done, or dead because of `problem`; False when it is another's now."""
        state = "done" if problem is None else "dead"
        return await self._change(job, state=state, ended_at=self._clock.now(), problem=problem)

    async def again(self, job: Job, seconds: float, problem: str) -> bool:
        """Have it tried again in `seconds`; False when it is another's now."""
        due_at = self._clock.now() + timedelta(seconds=seconds)
        return await self._change(job, state="waiting", due_at=due_at, problem=problem)

    async def tidy(self, before: datetime) -> int:
        """Remove jobs that were done before that moment; how many."""
        done = jobs.delete().where(jobs.c.state == "done", jobs.c.ended_at < before)

        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(done)).rowcount

        return await self._database.commit(work)

    async def state(self, job_id: str) -> str | None:
        """`waiting`, `running`, `done` or `dead`; None when there is no such job."""
        async with self._database.read() as connection:
            return (await connection.execute(sa.select(jobs.c.state).where(jobs.c.id == job_id))).scalar_one_or_none()

    async def _change(self, job: Job, **values: object) -> bool:
        change = jobs.update().where(jobs.c.id == job.id, jobs.c.fence == job.fence, jobs.c.state == "running")

        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(change.values(**values))).rowcount > 0

        return await self._database.commit(work)


async def put(
    connection: AsyncConnection,
    job_id: str,
    now: datetime,
    name: str,
    payload: str,
    *,
    key: str | None = None,
    due_at: datetime | None = None,
    schedule: str | None = None,
) -> str:
    """Write a job in the transaction of whatever causes it; the id of the job with this key, new or known."""
    row = {
        "id": job_id,
        "key": key or job_id,
        "name": name,
        "payload": payload,
        "schedule": schedule,
        "state": "waiting",
        "due_at": due_at or now,
        "created_at": now,
    }
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    if (await connection.execute(insert(jobs).values(row).on_conflict_do_nothing(index_elements=["key"]))).rowcount:
        return job_id
    return (await connection.execute(sa.select(jobs.c.id).where(jobs.c.key == row["key"]))).scalar_one()
