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
from frontdesk.store.updates import updates

PAGE = 200


class Dead(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was given up: why, after how many tries, and in a few words what it was. No word that people wrote."""

    kind: str
    id: str
    channel: str | None
    reason: str
    attempts: int
    at: datetime
    summary: str


class Doubtful(msgspec.Struct, frozen=True, kw_only=True):
    """A letter that may have arrived: only a person can find out. `text` is what it says, where it is a message."""

    id: str
    channel: str
    place: str
    at: datetime
    proactive: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """Where the dead of one kind lie and how they are told; what makes one as good as new, or takes it off the list."""

    table: sa.Table
    key: sa.ColumnElement[str]
    state: str
    anew: Mapping[str, object]
    hidden: Mapping[str, object]
    channel: sa.ColumnElement[Any]
    reason: sa.ColumnElement[Any]
    attempts: sa.ColumnElement[Any]
    at: sa.ColumnElement[Any]
    summary: sa.ColumnElement[Any]

    def told(self, kind: str) -> sa.Select[*tuple[Any, ...]]:
        """A select that yields the fields of `Dead`."""
        columns = {name: getattr(self, name).label(name) for name in ("channel", "reason", "attempts", "at", "summary")}
        named = sa.select(sa.literal(kind).label("kind"), self.key.label("id"), *columns.values())
        return named.where(self.table.c.state == self.state)


class DeadLetters:
    """What nobody works on any more, until a person says so."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def page(self) -> list[Dead]:
        """The newest first, at most `PAGE`."""
        every = sa.union_all(*(kind.told(name) for name, kind in _KINDS.items())).subquery()
        query = sa.select(every).order_by(every.c.at.desc()).limit(PAGE)
        async with self._database.read() as connection:
            return [Dead(**row) for row in (await connection.execute(query)).mappings()]

    async def doubtful(self) -> list[Doubtful]:
        """Letters of unknown outcome, the oldest first, at most `PAGE`."""
        query = (
            sa.select(outbox, messages.c.text)
            .outerjoin(messages, messages.c.id == outbox.c.message_id)
            .where(outbox.c.state == "unknown")
            .order_by(outbox.c.created_at, outbox.c.id)
            .limit(PAGE)
        )
        async with self._database.read() as connection:
            return [
                Doubtful(
                    id=row.id,
                    channel=row.channel,
                    place=row.place or "",
                    at=row.created_at,
                    proactive=row.proactive,
                    text=row.text or "",
                )
                for row in await connection.execute(query)
            ]

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
            await _change(connection, where, row_id, where.hidden)

        await self._database.commit(work)


async def _change(connection: AsyncConnection, kind: _Kind, row_id: str, values: Mapping[str, object]) -> None:
    found = kind.table.update().where(kind.key == row_id, kind.table.c.state == kind.state)
    if (await connection.execute(found.values(values))).rowcount == 0:
        raise _unknown(row_id)


def _kind(kind: str, row_id: str) -> _Kind:
    if kind not in _KINDS:
        raise _unknown(row_id)
    return _KINDS[kind]


def _unknown(row_id: str) -> NotFound:
    return NotFound("There is no such dead letter", where=row_id)


_KINDS = {
    "turn": _Kind(
        table=turns,
        key=turns.c.id,
        state="dead",
        anew={"state": "queued", "claims": 0, "last_seq": 0, "stop_requested": False, "finished_at": None},
        hidden={"state": "failed"},
        channel=sa.select(conversations.c.channel)
        .where(conversations.c.id == turns.c.conversation_id)
        .correlate(turns)
        .scalar_subquery(),
        reason=sa.literal("never_ended"),
        attempts=turns.c.claims,
        at=turns.c.finished_at,
        summary=sa.literal("A reply in conversation ") + turns.c.conversation_id,
    ),
    "letter": _Kind(
        table=outbox,
        key=outbox.c.id,
        state="failed",
        anew={"state": "waiting", "attempts": 0, "settled_at": None, "problem": None},
        hidden={"state": "withdrawn"},
        channel=outbox.c.channel,
        reason=sa.func.coalesce(outbox.c.problem, "failed"),
        attempts=outbox.c.attempts,
        at=outbox.c.settled_at,
        summary=sa.case((outbox.c.machine, "A letter of the desk"), else_="A letter of a person of the team"),
    ),
    "update": _Kind(
        table=updates,
        key=updates.c.channel + ":" + updates.c.external_id,
        state="dead",
        anew={"state": "waiting", "attempts": 0, "settled_at": None, "problem": None},
        hidden={"state": "done", "body": "", "lane": ""},
        channel=updates.c.channel,
        reason=sa.func.coalesce(updates.c.problem, "failed"),
        attempts=updates.c.attempts,
        at=sa.func.coalesce(updates.c.settled_at, updates.c.received_at),
        summary=sa.literal("An update of kind ") + updates.c.kind,
    ),
    "job": _Kind(
        table=jobs,
        key=jobs.c.id,
        state="dead",
        anew={"state": "waiting", "attempts": 0, "ended_at": None, "problem": None},
        hidden={"state": "withdrawn"},
        channel=sa.null(),
        reason=sa.func.coalesce(jobs.c.problem, "failed"),
        attempts=jobs.c.attempts,
        at=jobs.c.ended_at,
        summary=sa.literal("Job ") + jobs.c.name,
    ),
}
