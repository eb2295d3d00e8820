"""Everybody's conversations as the team sees them: who has them, who waits, who is unhappy."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal, get_args

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import NotFound
from frontdesk.store import words
from frontdesk.store.conversations import Conversation, conversations, messages
from frontdesk.store.cursors import cursor, seen
from frontdesk.store.database import Database
from frontdesk.store.feedback import feedback
from frontdesk.store.files import File, whole
from frontdesk.store.outbox import outbox
from frontdesk.store.people import people
from frontdesk.store.surveys import LOW, surveys
from frontdesk.store.turns import OPEN, turns

View = Literal["open", "mine", "unassigned", "held", "waiting", "closed", "all"]
VIEWS: tuple[View, ...] = get_args(View)
COUNTED = 1000  # conversations of a view that are counted; nobody works through more of them
ONE_LINE = 200  # characters of the last message in a list


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation in the team's list. `last_text` begins the last message; notices are not among them."""

    conversation: Conversation
    person_name: str
    held_by_name: str | None
    assigned_to_name: str | None
    unhappy: bool
    running: bool
    last_text: str


class UnknownLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A letter that perhaps arrived. `text` is the message that it brings, as far as it is one."""

    id: str
    text: str
    at: datetime


class Watch:
    """Reading over the desk's shoulder. For operators alone: nothing here is scoped to a person.

    Channels in `but` are shown only when they are asked for by name.
    """

    def __init__(self, database: Database, *, but: Collection[str] = ()) -> None:
        self._database = database
        self._but = but

    async def page(
        self,
        operator_id: str,
        view: View,
        *,
        channel: str | None = None,
        query: str = "",
        before: str | None = None,
        limit: int = 50,
    ) -> tuple[list[Line], str | None]:
        """The conversations of a view and the cursor of the next page: whoever waits longest first in `waiting`, else
        the newest. `query` keeps those that hold its words."""
        waiting = view == "waiting"
        moment = conversations.c.waiting_since if waiting else conversations.c.updated_at
        where = [_in_view(view, operator_id), self._of(channel)]
        if before is not None:
            here = sa.tuple_(moment, conversations.c.id)
            where.append(here > seen(before) if waiting else here < seen(before))
        order = (moment, conversations.c.id) if waiting else (moment.desc(), conversations.c.id.desc())
        async with self._database.read() as connection:
            if query:
                where.append(conversations.c.id.in_(await words.found(connection, query)))
            chosen = _lines().where(*where).order_by(*order).limit(limit + 1)
            rows = (await connection.execute(chosen)).mappings().all()
            lines = await _complete(connection, rows[:limit])
        if len(rows) <= limit:
            return lines, None
        last = lines[-1].conversation
        return lines, cursor((last.waiting_since if waiting else None) or last.updated_at, last.id)

    async def one(self, conversation_id: str) -> Line:
        """One conversation. Raises `NotFound`."""
        async with self._database.read() as connection:
            rows = (await connection.execute(_lines().where(conversations.c.id == conversation_id))).mappings().all()
            if not rows:
                raise NotFound("There is no such conversation", where=conversation_id)
            [line] = await _complete(connection, rows)
        return line

    async def counts(self, operator_id: str, channel: str | None = None) -> dict[View, int]:
        """How many conversations each view has, up to `COUNTED`."""
        counted = [
            sa.select(sa.func.count())
            .select_from(
                sa.select(conversations.c.id)
                .where(_in_view(view, operator_id), self._of(channel))
                .limit(COUNTED)
                .subquery()
            )
            .scalar_subquery()
            .label(view)
            for view in VIEWS
        ]
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(*counted))).one()
        return dict(zip(VIEWS, row, strict=True))

    async def unknown_letters(self, conversation_id: str) -> list[UnknownLetter]:
        """The letters of the conversation of which nobody knows whether they arrived, oldest first."""
        query = (
            sa.select(outbox.c.id, messages.c.text, outbox.c.created_at)
            .outerjoin(messages, messages.c.id == outbox.c.message_id)
            .where(outbox.c.conversation_id == conversation_id, outbox.c.state == "unknown")
            .order_by(outbox.c.created_at, outbox.c.id)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return [UnknownLetter(id=row.id, text=row.text or "", at=row.created_at) for row in rows]

    async def file(self, conversation_id: str, file_id: str) -> tuple[File, bytes]:
        """A file that came with a message of the conversation. Raises `NotFound`, also for files that were not sent."""
        sent = sa.select(messages.c.file_ids).where(
            messages.c.conversation_id == conversation_id, messages.c.file_ids.is_not(None)
        )
        async with self._database.read() as connection:
            if not any(file_id in file_ids for file_ids in (await connection.execute(sent)).scalars()):
                raise NotFound("There is no such file in this conversation", where=file_id)
            return await whole(connection, file_id)

    def _of(self, channel: str | None) -> sa.ColumnElement[bool]:
        if channel is not None:
            return conversations.c.channel == channel
        return conversations.c.channel.not_in(self._but)


def _in_view(view: View, operator_id: str) -> sa.ColumnElement[bool]:
    is_open = conversations.c.status == "open"
    match view:
        case "open":
            return is_open
        case "mine":
            mine = sa.or_(conversations.c.held_by == operator_id, conversations.c.assigned_to == operator_id)
            return sa.and_(is_open, mine)
        case "unassigned":
            return sa.and_(is_open, conversations.c.held_by.is_(None), conversations.c.assigned_to.is_(None))
        case "held":
            return sa.and_(is_open, conversations.c.held_by.is_not(None))
        case "waiting":
            return sa.and_(is_open, conversations.c.waiting_since.is_not(None))
        case "closed":
            return conversations.c.status == "closed"
        case "all":
            return sa.true()


_person, _holder, _assignee = people.alias("person"), people.alias("holder"), people.alias("assignee")


def _lines() -> sa.Select[*tuple[object, ...]]:
    disappointed = (
        sa.exists()
        .where(feedback.c.message_id == messages.c.id, feedback.c.value < 0)
        .where(messages.c.conversation_id == conversations.c.id)
    )
    low = sa.exists().where(surveys.c.conversation_id == conversations.c.id, surveys.c.score <= LOW)
    asked_in_vain = sa.and_(conversations.c.waiting_since.is_not(None), conversations.c.held_by.is_(None))
    running = sa.exists().where(turns.c.conversation_id == conversations.c.id, turns.c.state.in_(OPEN))
    return (
        sa.select(
            conversations,
            _person.c.name.label("person_name"),
            _holder.c.name.label("held_by_name"),
            _assignee.c.name.label("assigned_to_name"),
            sa.or_(disappointed, low, asked_in_vain).label("unhappy"),
            running.label("running"),
        )
        .join(_person, _person.c.id == conversations.c.person_id)
        .outerjoin(_holder, _holder.c.id == conversations.c.held_by)
        .outerjoin(_assignee, _assignee.c.id == conversations.c.assigned_to)
    )


async def _complete(connection: AsyncConnection, rows: Sequence[sa.RowMapping]) -> list[Line]:
    said = await _last_words(connection, [row["head_id"] for row in rows if row["head_id"]])
    own = ("person_name", "held_by_name", "assigned_to_name")
    return [
        Line(
            conversation=Conversation(**{name: row[name] for name in Conversation.__struct_fields__}),
            **{name: row[name] for name in own},
            unhappy=bool(row["unhappy"]),
            running=bool(row["running"]),
            last_text=said.get(row["head_id"] or "", ""),
        )
        for row in rows
    ]


async def _last_words(connection: AsyncConnection, heads: Sequence[str]) -> dict[str, str]:
    """By head, how the newest message of its branch begins that is no notice and holds any words."""
    said: dict[str, str] = {}
    at: dict[str, str] = {head: head for head in heads}  # head → the message that is looked at
    while at:
        query = sa.select(messages.c.id, messages.c.parent_id, messages.c.role, messages.c.text)
        rows = {row.id: row for row in await connection.execute(query.where(messages.c.id.in_(at.values())))}
        found = {head: rows[message_id] for head, message_id in at.items() if message_id in rows}
        said |= {head: row.text[:ONE_LINE] for head, row in found.items() if row.role != "notice" and row.text}
        at = {head: row.parent_id for head, row in found.items() if head not in said and row.parent_id}
    return said
