"""How much work waits, kind by kind, counted in the rows themselves."""

from typing import Any

import msgspec
import sqlalchemy as sa

from frontdesk.ports import Clock
from frontdesk.store.database import Database, UtcDateTime
from frontdesk.store.jobs import jobs
from frontdesk.store.outbox import outbox
from frontdesk.store.prepared import Prepared
from frontdesk.store.turns import is_open, turns
from frontdesk.store.updates import updates


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one kind: how many could be worked on now, for how long the oldest has, and how many are being so."""

    kind: str
    length: int
    oldest_seconds: float
    running: int


def _counting(
    table: sa.Table,
    waiting: str,
    running: str,
    *,
    since: sa.ColumnElement[Any],
    due: sa.ColumnElement[Any] | None = None,
) -> Prepared:
    waits = table.c.state == waiting
    if due is not None:
        waits = sa.and_(waits, due <= sa.bindparam("now", type_=UtcDateTime))
    runs = sa.select(sa.func.count()).select_from(table).where(table.c.state == running).scalar_subquery()
    oldest = sa.func.min(since).label("oldest")
    return Prepared(sa.select(sa.func.count().label("length"), oldest, runs.label("running")).where(waits))


_COUNTS = {
    "turn": _counting(turns, "queued", "running", since=turns.c.created_at),
    "letter": _counting(outbox, "waiting", "sending", since=outbox.c.due_at, due=outbox.c.due_at),
    "update": _counting(updates, "waiting", "working", since=updates.c.received_at, due=updates.c.due_at),
    "job": _counting(jobs, "waiting", "running", since=jobs.c.due_at, due=jobs.c.due_at),
}
_OPEN_TURNS = Prepared(sa.select(sa.func.count().label("open")).where(is_open(turns.c.state)))


class Queues:
    """The lengths of all queues."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def lengths(self) -> list[Queue]:
        """Every kind: turn, letter, update, job. What is due at a later time does not wait yet."""
        now = self._clock.now()
        found: list[Queue] = []
        for kind, count in _COUNTS.items():
            row = (await self._database.run(count, {"now": now}))[0]
            age = (now - row["oldest"]).total_seconds() if row["oldest"] else 0.0
            found.append(Queue(kind=kind, length=row["length"], oldest_seconds=max(age, 0.0), running=row["running"]))
        return found

    async def open_turns(self) -> int:
        """How many turns have not ended."""
        return (await self._database.run(_OPEN_TURNS, {}))[0]["open"]
