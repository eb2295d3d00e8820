"""How much work waits, kind by kind, counted in the rows themselves."""

from typing import Any

import msgspec
import sqlalchemy as sa

from frontdesk.ports import Clock
from frontdesk.store.database import Database
from frontdesk.store.jobs import jobs
from frontdesk.store.outbox import outbox
from frontdesk.store.turns import OPEN, turns
from frontdesk.store.updates import updates


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one kind: how many could be worked on now, for how long the oldest has, and how many are being so."""

    kind: str
    length: int
    oldest_seconds: float
    running: int


class Queues:
    """The lengths of all queues."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def lengths(self) -> list[Queue]:
        """Every kind: turn, letter, update, job. What is due at a later time does not wait yet."""
        now = self._clock.now()
        counts = [
            _count(turns, "queued", since=turns.c.created_at),
            _count(outbox, "waiting", outbox.c.due_at <= now, since=outbox.c.due_at),
            _count(updates, "waiting", updates.c.due_at <= now, since=updates.c.received_at),
            _count(jobs, "waiting", jobs.c.due_at <= now, since=jobs.c.due_at),
        ]
        found: list[Queue] = []
        async with self._database.read() as connection:
            for kind, count in zip(("turn", "letter", "update", "job"), counts, strict=True):
                row = (await connection.execute(count)).one()
                age = (now - row.oldest).total_seconds() if row.oldest else 0.0
                found.append(Queue(kind=kind, length=row.length, oldest_seconds=max(age, 0.0), running=row.running))
        return found

    async def open_turns(self) -> int:
        """How many turns have not ended."""
        query = sa.select(sa.func.count()).select_from(turns).where(turns.c.state.in_(OPEN))
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one()


def _count(
    table: sa.Table, waiting: str, *more: sa.ColumnElement[bool], since: sa.ColumnElement[Any]
) -> sa.Select[int, Any, int]:
    waits = sa.and_(table.c.state == waiting, *more)
    running = sa.select(sa.func.count()).where(table.c.state.in_(("running", "sending", "working"))).scalar_subquery()
    return sa.select(
        sa.func.count().label("length"), sa.func.min(since).label("oldest"), running.label("running")
    ).where(waits)
