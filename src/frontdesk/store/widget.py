"""What the widget keeps: answers to its form, tokens of sites that have been used up, and whose a conversation is."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.ports import Clock, Ids
from frontdesk.store.conversations import conversations, messages
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.sealed import Sealed, SealedText
from frontdesk.store.turns import turns

CHANNEL = "widget"
TITLE_LENGTH = 80

widget_visitors = sa.Table(
    "widget_visitors",
    metadata,
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("site", sa.Text, nullable=False),
    sa.Column("email", SealedText(), nullable=False, server_default=""),
    sa.Column("answers", Sealed[dict[str, str]](dict[str, str]), nullable=False),
    sa.Column("told_at", UtcDateTime, nullable=False),
)

widget_tokens = sa.Table(
    "widget_tokens",
    metadata,
    sa.Column("site", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody, or their site, has told of themselves. The address proves nothing: nobody signs in with it."""

    person_id: str
    site: str
    email: str
    answers: dict[str, str]
    told_at: datetime


class WidgetVisitors:
    """The people on the other side of the widget."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def spend(self, site: str, token_id: str, expires_at: datetime) -> bool:
        """Note that a site's token has been used; False when it had been before. Kept for as long as it could count."""
        now = self._clock.now()
        row = {"site": site, "digest": sha256(token_id.encode()).hexdigest(), "expires_at": expires_at}

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(widget_tokens.delete().where(widget_tokens.c.expires_at < now))
            await connection.execute(widget_tokens.insert(), row)

        try:
            await self._database.commit(work)
        except IntegrityError:
            return False
        return True

    async def told(self, person_id: str) -> Told | None:
        """What the person has told, or None."""
        query = sa.select(widget_visitors).where(widget_visitors.c.person_id == person_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else Told(**row)

    async def tell(self, told: Told) -> None:
        """Keep what the person has told, in place of what was told before."""
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        row = msgspec.structs.asdict(told)
        keep = insert(widget_visitors).values(row).on_conflict_do_update(index_elements=["person_id"], set_=row)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(keep)

        await self._database.commit(work)

    async def conversation(self, person_id: str) -> str | None:
        """The newest conversation that the person has in the widget."""
        query = (
            sa.select(conversations.c.id)
            .where(conversations.c.person_id == person_id, conversations.c.channel == CHANNEL)
            .order_by(conversations.c.updated_at.desc(), conversations.c.id.desc())
            .limit(1)
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def begin(self, person_id: str, title: str, note: str) -> str:
        """A conversation that opens with a line about who writes, and its id."""
        now, conversation_id, message_id = self._clock.now(), self._ids.new("conv"), self._ids.new("msg")
        conversation = {
            "id": conversation_id,
            "person_id": person_id,
            "channel": CHANNEL,
            "title": title[:TITLE_LENGTH],
            "head_id": message_id,
            "created_at": now,
            "updated_at": now,
        }
        line = {
            "id": message_id,
            "conversation_id": conversation_id,
            "person_id": person_id,
            "role": "notice",
            "text": note,
            "state": "complete",
            "created_at": now,
        }

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(conversations.insert(), conversation)
            await connection.execute(messages.insert(), line)

        await self._database.commit(work)
        return conversation_id

    async def carry(self, visitor_id: str, person_id: str, since: datetime) -> None:
        """Give the person what the visitor began in the widget from `since` on, and what the visitor has told.

        Every row of those conversations, their messages and turns changes hands in the same transaction.
        """
        begun = sa.select(conversations.c.id).where(
            conversations.c.person_id == visitor_id,
            conversations.c.channel == CHANNEL,
            conversations.c.created_at >= since,
        )

        async def work(connection: AsyncConnection) -> None:
            moved = list((await connection.execute(begun.with_for_update())).scalars())
            for rows in _rows_of(moved) if moved else ():
                await connection.execute(rows.values(person_id=person_id))
            known = sa.select(widget_visitors.c.person_id).where(widget_visitors.c.person_id == person_id)
            if (await connection.execute(known)).scalar_one_or_none() is None:
                own = widget_visitors.update().where(
                    widget_visitors.c.person_id == visitor_id, widget_visitors.c.told_at >= since
                )
                await connection.execute(own.values(person_id=person_id))

        await self._database.commit(work)


def _rows_of(moved: Sequence[str]) -> Iterator[sa.Update]:
    """The rows of a person's that belong to these conversations, whatever table holds them."""
    yield conversations.update().where(conversations.c.id.in_(moved))
    belongs = {
        "conversation_id": sa.select(conversations.c.id).where(conversations.c.id.in_(moved)),
        "message_id": sa.select(messages.c.id).where(messages.c.conversation_id.in_(moved)),
        "turn_id": sa.select(turns.c.id).where(turns.c.conversation_id.in_(moved)),
    }
    for table in metadata.sorted_tables:
        link = next((name for name in belongs if name in table.c), None)
        if link is not None and "person_id" in table.c:
            yield sa.update(table).where(table.c[link].in_(belongs[link]))
