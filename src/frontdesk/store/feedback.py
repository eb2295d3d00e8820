"""Thumbs on answers, with a reason."""

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import NotFound
from frontdesk.ports import Clock
from frontdesk.store.conversations import messages
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.sealed import SealedText

feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("message_id", sa.Text, sa.ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("value", sa.Integer, nullable=False),
    sa.Column("reason", SealedText, nullable=False, server_default=""),
    sa.Column("at", UtcDateTime, nullable=False),
)


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """1 for a thumb up, -1 for one down."""

    value: int
    reason: str


class Feedback:
    """One opinion for each answer."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def give(self, person_id: str, message_id: str, value: int, reason: str) -> None:
        """Keep, change or (with 0) take back an opinion. Raises `NotFound` unless it is an answer to this person."""
        own = sa.select(messages.c.id).where(
            messages.c.id == message_id, messages.c.person_id == person_id, messages.c.role == "assistant"
        )
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        row = {
            "message_id": message_id,
            "person_id": person_id,
            "value": value,
            "reason": reason,
            "at": self._clock.now(),
        }
        keep = insert(feedback).values(row).on_conflict_do_update(index_elements=["message_id"], set_=row)

        async def work(connection: AsyncConnection) -> None:
            if (await connection.execute(own)).scalar_one_or_none() is None:
                raise NotFound("There is no such answer", where=message_id)
            remove = feedback.delete().where(feedback.c.message_id == message_id)
            await connection.execute(keep if value else remove)

        await self._database.commit(work)

    async def on(self, message_ids: list[str]) -> dict[str, Opinion]:
        """The opinions on these messages."""
        query = sa.select(feedback).where(feedback.c.message_id.in_(message_ids))
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return {row.message_id: Opinion(value=row.value, reason=row.reason) for row in rows}

    async def unhappy(self, days: int = 7) -> int:
        """How many thumbs went down in the last days."""
        since = self._clock.now().timestamp() - days * 86400
        query = sa.select(feedback.c.at).where(feedback.c.value < 0)
        async with self._database.read() as connection:
            return sum(1 for at in (await connection.execute(query)).scalars() if at.timestamp() >= since)
