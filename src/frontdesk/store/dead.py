"""The dead letters of all tables: rows that the desk gave up on, for a person to look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import NotFound
from frontdesk.ports import Clock
from frontdesk.store.conversations import conversations, messages
from frontdesk.store.database import Database
from frontdesk.store.jobs import jobs
from frontdesk.store.outbox import outbox
from frontdesk.store.turns import turn_events, turns

PAGE = 200
HIDDEN = "withdrawn"  # the state of a dead row that a person took off the list


class Dead(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was given up: why, after how many tries, and in a few words what it was. No word that people wrote."""

    kind: str
    id: str
    channel: str | None
    reason: str
    attempts: int
    at: datetime
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """Where the dead of one kind lie, how they are told, and what makes one as good as new."""

    table: sa.Table
    state: str
    anew: Mapping[str, object]
    told: sa.Select[Any]

    def found(self, row_id: str) -> sa.ColumnElement[bool]:
        return sa.and_(self.table.c.id == row_id, self.table.c.state == self.state)


class DeadLetters:
    """What nobody works on any more, until a person says so."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def page(self) -> list[Dead]:
        """The newest first, at most `PAGE`."""
        every = sa.union_all(*(kind.told for kind in _KINDS.values())).subquery()
        query = sa.select(every).order_by(every.c.at.desc()).limit(PAGE)
        async with self._database.read() as connection:
            return [Dead(**row) for row in (await connection.execute(query)).mappings()]

    async def replay(self, kind: str, row_id: str) -> None:
        """Have the row worked on again as if it were new; a sweep finds it, or the dispatcher is told.

        A turn's reply is written anew: those who follow it see it from its beginning. Raises `NotFound`.
        """
        where = _kind(kind, row_id)
        now = {"due_at": self._clock.now()} if "due_at" in where.table.c else {}

        async def work(connection: AsyncConnection) -> None:
            await _change(connection, where, row_id, {**where.anew, **now})
            if where.table is turns:
                await connection.execute(turn_events.delete().where(turn_events.c.turn_id == row_id))
                reply = sa.select(turns.c.reply_id).where(turns.c.id == row_id).scalar_subquery()
                await connection.execute(messages.update().where(messages.c.id == reply).values(state="running"))

        await self._database.commit(work)

    async def hide(self, kind: str, row_id: str) -> None:
        """Take the row off the list; nobody will work on it. Raises `NotFound`."""
        where = _kind(kind, row_id)

        async def work(connection: AsyncConnection) -> None:
            await _change(connection, where, row_id, {"state": HIDDEN})

        await self._database.commit(work)


async def _change(connection: AsyncConnection, kind: _Kind, row_id: str, values: Mapping[str, object]) -> None:
    if (await connection.execute(kind.table.update().where(kind.found(row_id)).values(values))).rowcount == 0:
        raise _unknown(row_id)


def _kind(kind: str, row_id: str) -> _Kind:
    if kind not in _KINDS:
        raise _unknown(row_id)
    return _KINDS[kind]


def _unknown(row_id: str) -> NotFound:
    return NotFound("There is no such dead letter", where=row_id)


def _told(kind: str, table: sa.Table, state: str, **columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """A select that yields the fields of `Dead`."""
    labelled = [columns[name].label(name) for name in ("channel", "reason", "attempts", "at", "summary")]
    return sa.select(sa.literal(kind).label("kind"), table.c.id.label("id"), *labelled).where(table.c.state == state)


_KINDS = {
    "turn": _Kind(
        table=turns,
        state="dead",
        anew={"state": "queued", "claims": 0, "last_seq": 0, "stop_requested": False, "finished_at": None},
        told=_told(
            "turn",
            turns,
            "dead",
            channel=conversations.c.channel,
            reason=sa.literal("never_ended"),
            attempts=turns.c.claims,
            at=turns.c.finished_at,
            summary=sa.literal("A reply in conversation ") + turns.c.conversation_id,
        ).join(conversations, conversations.c.id == turns.c.conversation_id),
    ),
    "letter": _Kind(
        table=outbox,
        state="failed",
        anew={"state": "waiting", "attempts": 0, "settled_at": None, "problem": None},
        told=_told(
            "letter",
            outbox,
            "failed",
            channel=outbox.c.channel,
            reason=sa.func.coalesce(outbox.c.problem, "failed"),
            attempts=outbox.c.attempts,
            at=outbox.c.settled_at,
            summary=sa.case((outbox.c.machine, "A letter of the desk"), else_="A letter of a person of the team"),
        ),
    ),
    "job": _Kind(
        table=jobs,
        state="dead",
        anew={"state": "waiting", "attempts": 0, "ended_at": None, "problem": None},
        told=_told(
            "job",
            jobs,
            "dead",
            channel=sa.null(),
            reason=sa.func.coalesce(jobs.c.problem, "failed"),
            attempts=jobs.c.attempts,
            at=jobs.c.ended_at,
            summary=sa.literal("Job ") + jobs.c.name,
        ),
    ),
}
