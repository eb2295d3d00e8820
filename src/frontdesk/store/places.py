"""Chats as channels know them: which conversation a place leads to, and which places have shut the desk out."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import Conflict
from frontdesk.ports import Clock, Ids
from frontdesk.store import words
from frontdesk.store.conversations import conversations, find
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.inbox import may_set_aside, set_aside
from frontdesk.store.outbox import outbox
from frontdesk.store.people import identities

shut_places = sa.Table(
    "shut_places",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("place", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("since", UtcDateTime, nullable=False),
)


class Places:
    """What becomes of chats. A place is a channel's own address of one."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def begin_anew(self, channel: str, place: str, person_id: str, title: str) -> None:
        """Let the place lead to a new conversation; how its replies are typed stays. What was said before stays too.

        A reply that is still being made for the old one ends unsaid, unless a tool was called for it.

        Raises `Conflict` while somebody of the team has the conversation.
        """

        async def work(connection: AsyncConnection) -> None:
            row = await _at(connection, channel, place)
            if row is not None and row.held_by is not None:
                raise Conflict("Somebody of the team is talking here just now", where="conversation")
            if row is not None:
                await self._leave(connection, row.id)
            await self._begin(connection, channel, place, person_id, title, quick=row is not None and row.quick)

        await self._database.commit(work)

    async def be_quick(self, channel: str, place: str, person_id: str, title: str, *, quick: bool) -> None:
        """Whether replies come at once here, or are seen to be typed."""

        async def work(connection: AsyncConnection) -> None:
            row = await _at(connection, channel, place)
            if row is None:
                await self._begin(connection, channel, place, person_id, title, quick=quick)
            else:
                here = conversations.update().where(conversations.c.id == row.id)
                await connection.execute(here.values(quick=quick))

        await self._database.commit(work)

    async def move(self, channel: str, old: str, new: str) -> None:
        """The chat has another address now: its conversation, its person and what waits to be sent go with it."""

        async def work(connection: AsyncConnection) -> None:
            if await _at(connection, channel, new) is None:
                await connection.execute(_here(conversations.update(), conversations, channel, old).values(place=new))
            await connection.execute(
                _here(outbox.update(), outbox, channel, old).where(outbox.c.state == "waiting").values(place=new)
            )
            known = sa.select(identities.c.subject).where(identities.c.issuer == channel, identities.c.subject == new)
            if (await connection.execute(known)).first() is None:
                mine = identities.update().where(identities.c.issuer == channel, identities.c.subject == old)
                await connection.execute(mine.values(subject=new))

        await self._database.commit(work)

    async def shut(self, channel: str, place: str, person_id: str) -> None:
        """The chat takes nothing from the desk any more: what waits to be sent there will not be."""
        now = self._clock.now()
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        row = {"channel": channel, "place": place, "person_id": person_id, "since": now}

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(insert(shut_places).values(row).on_conflict_do_nothing())
            waiting = _here(outbox.update(), outbox, channel, place).where(outbox.c.state == "waiting")
            await connection.execute(waiting.values(state="failed", settled_at=now, problem="blocked"))

        await self._database.commit(work)

    async def reopen(self, channel: str, place: str) -> None:
        """The chat takes messages again."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(
                shut_places.delete().where(shut_places.c.channel == channel, shut_places.c.place == place)
            )

        await self._database.commit(work)

    async def _leave(self, connection: AsyncConnection, conversation_id: str) -> None:
        now, old = self._clock.now(), await find(connection, conversation_id, None)
        head_id = old.head_id
        if await may_set_aside(connection, old.id):
            head_id = await set_aside(connection, old, "merged", now)
        left = conversations.update().where(conversations.c.id == old.id)
        await connection.execute(left.values(head_id=head_id, place=None, status="closed", closed_at=now))

    async def _begin(
        self, connection: AsyncConnection, channel: str, place: str, person_id: str, title: str, *, quick: bool
    ) -> None:
        now, conversation_id = self._clock.now(), self._ids.new("conv")
        row = {"id": conversation_id, "person_id": person_id, "channel": channel, "place": place, "title": title}
        await connection.execute(
            conversations.insert(), row | {"created_at": now, "updated_at": now, "quick": quick, "last_from": "person"}
        )
        await words.index(connection, conversation_id, words.TITLE, title)


async def _at(connection: AsyncConnection, channel: str, place: str) -> sa.Row[Any, Any, Any] | None:
    query = sa.select(conversations.c.id, conversations.c.held_by, conversations.c.quick)
    query = query.where(conversations.c.channel == channel, conversations.c.place == place).with_for_update()
    return (await connection.execute(query)).one_or_none()


def _here(change: sa.Update, table: sa.Table, channel: str, place: str) -> sa.Update:
    return change.where(table.c.channel == channel, table.c.place == place)
