"""Conversations and their messages.

A conversation is a tree: editing or regenerating makes a sibling, and `head_id` says which branch is current.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import NotFound
from frontdesk.messages import Citation, Grounding
from frontdesk.ports import Clock
from frontdesk.store import words
from frontdesk.store.cursors import cursor, seen
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.files import files
from frontdesk.store.prepared import Connection, Prepared, Row
from frontdesk.store.sealed import Sealed, SealedText
from frontdesk.store.typed import Typed


class ToolUse(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call and its result, as the history shows them. `result` is None while it runs."""

    call_id: str
    name: str
    server: str
    arguments: str
    result: str | None = None
    is_error: bool = False


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Why a reply failed, in the words of its error."""

    code: str
    message: str
    hint: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message as a row. `state` is `running` until its turn ends."""

    id: str
    conversation_id: str
    parent_id: str | None
    role: str
    text: str
    state: str
    created_at: datetime
    turn_id: str | None = None
    grounding: Grounding | None = None
    model: str | None = None
    citations: tuple[Citation, ...] = ()
    tools: tuple[ToolUse, ...] = ()
    file_ids: tuple[str, ...] = ()
    error: Fault | None = None
    can_leave_message: bool = False
    author_id: str | None = None
    external_id: str | None = None


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation's own facts. `summary` covers the branch up to the message `summary_upto`.

    `waiting_since`: since when the person waits for one of the team, whom they asked for or who has taken over.
    """

    id: str
    person_id: str
    channel: str
    title: str
    head_id: str | None
    summary: str
    summary_upto: str | None
    created_at: datetime
    updated_at: datetime
    place: str | None = None
    status: Literal["open", "closed"] = "open"
    held_by: str | None = None
    held_at: datetime | None = None
    assigned_to: str | None = None
    quick: bool = False
    last_from: Literal["person", "desk", "operator"] = "person"
    closed_at: datetime | None = None
    waiting_since: datetime | None = None


MANY = 500  # values in one IN list

conversations = sa.Table(
    "conversations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("title", SealedText, nullable=False, server_default=""),
    sa.Column("head_id", sa.Text),
    sa.Column("summary", SealedText, nullable=False, server_default=""),
    sa.Column("summary_upto", sa.Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("place", sa.Text),
    sa.Column("status", sa.Text, nullable=False, server_default="open"),
    sa.Column("held_by", sa.Text, sa.ForeignKey("people.id", ondelete="SET NULL"), index=True),
    sa.Column("held_at", UtcDateTime),
    sa.Column("assigned_to", sa.Text, sa.ForeignKey("people.id", ondelete="SET NULL"), index=True),
    sa.Column("quick", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("last_from", sa.Text, nullable=False, server_default="person"),
    sa.Column("closed_at", UtcDateTime),
    sa.Column("waiting_since", UtcDateTime, index=True),
    sa.Index("uq_conversations_channel_place", "channel", "place", unique=True),
    sa.Index("ix_conversations_person_id_updated_at", "person_id", "updated_at"),
    sa.Index("ix_conversations_updated_at", "updated_at"),
    sa.Index("ix_conversations_status_updated_at", "status", "updated_at"),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("conversation_id", sa.Text, sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("parent_id", sa.Text),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("text", SealedText, nullable=False, server_default=""),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("turn_id", sa.Text),
    sa.Column("grounding", Typed[Grounding](Grounding)),
    sa.Column("model", sa.Text),
    sa.Column("citations", Sealed[tuple[Citation, ...]](tuple[Citation, ...])),
    sa.Column("tools", Sealed[tuple[ToolUse, ...]](tuple[ToolUse, ...])),
    sa.Column("file_ids", Typed[tuple[str, ...]](tuple[str, ...])),
    sa.Column("error", Typed[Fault](Fault)),
    sa.Column("can_leave_message", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("author_id", sa.Text, sa.ForeignKey("people.id", ondelete="SET NULL")),
    sa.Column("external_id", sa.Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index("ix_messages_conversation_id_created_at", "conversation_id", "created_at"),
    sa.Index(  # whoever of the team leaves is looked up in all messages, of which they wrote few
        "ix_messages_author_id",
        "author_id",
        postgresql_where=sa.text("author_id IS NOT NULL"),
        sqlite_where=sa.text("author_id IS NOT NULL"),
    ),
)


def _path(*, by_key: bool) -> sa.Select[tuple[object, ...]]:
    """Walks a branch from its end, `head`, for at most `longest` messages.

    `by_key` has PostgreSQL look up each message by its key. It would plan a join for the table as it is, which in a
    young database has no rows, keep that plan, and read the whole table for every turn. SQLite has no such words, and
    no other way either.
    """
    own = [column.name for column in messages.c]
    walk = sa.select(messages, sa.literal(1).label("step")).where(messages.c.id == sa.bindparam("head"))
    branch = walk.cte("walk", recursive=True)
    its_parent = messages.alias("before")
    parent: sa.FromClause = its_parent
    if by_key:
        found = sa.select(its_parent).where(its_parent.c.id == branch.c.parent_id)
        parent = found.limit(sa.literal_column("1", sa.Integer)).lateral("parent")
    further = sa.select(*(parent.c[name] for name in own), branch.c.step + 1).select_from(branch)
    further = further.join(parent, parent.c.id == branch.c.parent_id)
    branch = branch.union_all(further.where(branch.c.step < sa.bindparam("longest", type_=sa.Integer)))
    return sa.select(*(branch.c[name] for name in own)).order_by(branch.c.step.desc())


_PATH = Prepared({"postgresql": _path(by_key=True), "sqlite": _path(by_key=False)})
_ANY = sa.select(conversations).where(conversations.c.id == sa.bindparam("conversation"))
_OWN = _ANY.where(conversations.c.person_id == sa.bindparam("person"))
_FIND = {  # whether only a person's own, whether locked until the transaction ends
    (False, False): Prepared(_ANY),
    (False, True): Prepared(_ANY.with_for_update()),
    (True, False): Prepared(_OWN),
    (True, True): Prepared(_OWN.with_for_update()),
}


class Conversations:
    """Reading and keeping conversations. Every method that takes `person_id` sees that person's rows alone."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def page(
        self,
        person_id: str,
        *,
        query: str = "",
        before: str | None = None,
        limit: int = 30,
        channel: str | None = None,
        but: tuple[str, ...] = (),
    ) -> tuple[list[Conversation], str | None]:
        """The person's conversations, newest first, and the cursor of the next page.

        `query` keeps those of which the title or one message holds its words, or words that begin so (`store.words`);
        `before` is a cursor from an earlier page; `channel` keeps one channel's, `but` leaves out those of others.
        """
        where = [conversations.c.person_id == person_id]
        if channel is not None:
            where.append(conversations.c.channel == channel)
        if but:
            where.append(conversations.c.channel.not_in(but))
        if before is not None:
            where.append(sa.tuple_(conversations.c.updated_at, conversations.c.id) < seen(before))
        newest = (
            sa.select(conversations)
            .where(*where)
            .order_by(conversations.c.updated_at.desc(), conversations.c.id.desc())
            .limit(limit + 1)
        )
        async with self._database.read() as connection:
            if query:
                newest = newest.where(conversations.c.id.in_(await words.found(connection, query)))
            rows = [Conversation(**row) for row in (await connection.execute(newest)).mappings()]
        more = len(rows) > limit
        rows = rows[:limit]
        return rows, cursor(rows[-1].updated_at, rows[-1].id) if more else None

    async def get(self, conversation_id: str, person_id: str | None) -> Conversation:
        """One conversation. Raises `NotFound`, also for somebody else's."""
        values = {"conversation": conversation_id, "person": person_id}
        return _the(await self._database.run(_FIND[person_id is not None, False], values), conversation_id)

    async def messages(self, conversation_id: str, limit: int | None = None) -> list[Message]:
        """The messages of all branches, oldest first: all of them, or the newest `limit`."""
        query = (
            sa.select(messages)
            .where(messages.c.conversation_id == conversation_id)  # read backwards: an answer before its question
            .order_by(messages.c.created_at.desc(), messages.c.role, messages.c.id.desc())
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [_message(row) for row in (await connection.execute(query)).mappings()][::-1]

    async def path(self, message_id: str, limit: int) -> list[Message]:
        """The newest `limit` messages of the branch that ends in `message_id`, oldest first."""
        rows = await self._database.run(_PATH, {"head": message_id, "longest": limit})
        return [_message(row) for row in rows]

    async def message(self, message_id: str, person_id: str | None) -> Message:
        """One message. Raises `NotFound`, also for somebody else's."""
        query = sa.select(messages).where(messages.c.id == message_id)
        if person_id is not None:
            query = query.where(messages.c.person_id == person_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise NotFound("There is no such message", where=message_id)
        return _message(row)

    async def rename(self, conversation_id: str, person_id: str, title: str) -> None:
        """Give it another title. Raises `NotFound`."""

        async def work(connection: AsyncConnection) -> None:
            await _change(connection, conversation_id, person_id, title=title)
            await words.index(connection, conversation_id, words.TITLE, title)

        await self._database.commit(work)

    async def choose_branch(self, conversation_id: str, person_id: str, head_id: str) -> None:
        """Make the branch that ends in `head_id` the current one. Raises `NotFound` for a foreign message."""
        message = await self.message(head_id, person_id)
        if message.conversation_id != conversation_id:
            raise NotFound("There is no such message in this conversation", where=head_id)

        async def work(connection: AsyncConnection) -> None:
            await _change(connection, conversation_id, person_id, head_id=head_id)

        await self._database.commit(work)

    async def delete(self, conversation_id: str, person_id: str) -> None:
        """Remove it with its messages, files, turns and events, to the last byte. Raises `NotFound`."""

        async def work(connection: AsyncConnection) -> None:
            await find(connection, conversation_id, person_id)
            await remove(connection, [conversation_id])

        await self._database.commit(work)
        await self._database.wipe()

    async def keep_summary(self, conversation_id: str, summary: str, upto: str) -> None:
        """Store what the older part of the branch, up to and with message `upto`, was about."""

        async def work(connection: AsyncConnection) -> None:
            change = conversations.update().where(conversations.c.id == conversation_id)
            await connection.execute(change.values(summary=summary, summary_upto=upto))

        await self._database.commit(work)


async def remove(connection: AsyncConnection, conversation_ids: Sequence[str]) -> None:
    """Remove conversations with all that is theirs, and the files that were sent in them."""
    within = messages.c.conversation_id.in_(conversation_ids)
    sent = sa.select(messages.c.file_ids).where(within, messages.c.file_ids.is_not(None))
    file_ids = [file_id for row in (await connection.execute(sent)).scalars() for file_id in row]
    await connection.execute(conversations.delete().where(conversations.c.id.in_(conversation_ids)))
    for at in range(0, len(file_ids), MANY):
        await connection.execute(files.delete().where(files.c.id.in_(file_ids[at : at + MANY])))


async def _change(connection: AsyncConnection, conversation_id: str, person_id: str, **values: str) -> None:
    await find(connection, conversation_id, person_id)
    await connection.execute(conversations.update().where(conversations.c.id == conversation_id).values(values))


async def find(
    connection: Connection, conversation_id: str, person_id: str | None, *, locked: bool = False
) -> Conversation:
    """The conversation inside a transaction, `locked` until its end. Raises `NotFound`, also for somebody else's."""
    values = {"conversation": conversation_id, "person": person_id}
    return _the(await _FIND[person_id is not None, locked](connection, values), conversation_id)


def _the(rows: Sequence[Row], conversation_id: str) -> Conversation:
    if not rows:
        raise NotFound("There is no such conversation", where=conversation_id)
    return Conversation(**rows[0])


def _message(row: Row | sa.RowMapping) -> Message:
    values: dict[str, Any] = {"parent_id": None}  # a row of mixed columns; the struct gives each its type back
    values.update((str(name), value) for name, value in row.items() if name != "person_id" and value is not None)
    return Message(**values)
