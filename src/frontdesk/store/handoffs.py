"""Messages that people left for a person, because the desk could not help."""

from datetime import datetime
from typing import Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import NotFound
from frontdesk.ports import Clock, Ids
from frontdesk.store.conversations import find
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.outbox import NewLetter, put
from frontdesk.store.sealed import SealedText

handoffs = sa.Table(
    "handoffs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column(
        "conversation_id", sa.Text, sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("text", SealedText, nullable=False),
    sa.Column("contact", SealedText, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("settled_at", UtcDateTime),
    sa.Index("ix_handoffs_state_created_at", "state", "created_at"),
)

HandoffState = Literal["waiting", "settled"]


class Handoff(msgspec.Struct, frozen=True, kw_only=True):
    """A message for a person, with how to answer it (`contact`: an address or number, may be empty)."""

    id: str
    conversation_id: str
    person_id: str
    text: str
    contact: str
    state: HandoffState
    created_at: datetime
    settled_at: datetime | None = None


class Handoffs:
    """Leaving messages, and settling them. With a `notice` channel, each one goes out by it too."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, *, notice: str | None = None) -> None:
        self._notice = notice
        self._database = database
        self._clock = clock
        self._ids = ids

    async def leave(self, person_id: str, conversation_id: str, text: str, contact: str) -> Handoff:
        """Keep the message for a person to read. Raises `NotFound` for a conversation that is not theirs."""
        handoff = Handoff(
            id=self._ids.new("handoff"),
            conversation_id=conversation_id,
            person_id=person_id,
            text=text,
            contact=contact,
            state="waiting",
            created_at=self._clock.now(),
        )

        async def work(connection: AsyncConnection) -> Handoff:
            await find(connection, conversation_id, person_id)
            await connection.execute(handoffs.insert(), msgspec.structs.asdict(handoff))
            if self._notice is not None:
                body = msgspec.json.encode({"type": "message_left", "message": handoff}).decode()
                letter = NewLetter(
                    key=f"handoff:{handoff.id}", channel=self._notice, person_id=person_id, body=body, repeatable=True
                )
                await put(connection, self._ids, handoff.created_at, letter)
            return handoff

        return await self._database.commit(work)

    async def page(self, state: HandoffState | None = None, limit: int = 200) -> list[Handoff]:
        """The messages, oldest waiting ones first."""
        query = sa.select(handoffs).order_by(handoffs.c.state.desc(), handoffs.c.created_at).limit(limit)
        if state is not None:
            query = query.where(handoffs.c.state == state)
        async with self._database.read() as connection:
            return [Handoff(**row) for row in (await connection.execute(query)).mappings()]

    async def of(self, person_id: str) -> list[Handoff]:
        """The messages that the person left."""
        query = sa.select(handoffs).where(handoffs.c.person_id == person_id).order_by(handoffs.c.created_at)
        async with self._database.read() as connection:
            return [Handoff(**row) for row in (await connection.execute(query)).mappings()]

    async def settle(self, handoff_id: str, state: HandoffState) -> None:
        """Mark as settled, or as waiting again. Raises `NotFound`."""
        settled_at = self._clock.now() if state == "settled" else None

        async def work(connection: AsyncConnection) -> None:
            change = handoffs.update().where(handoffs.c.id == handoff_id)
            done = await connection.execute(change.values(state=state, settled_at=settled_at))
            if done.rowcount == 0:
                raise NotFound("There is no such message", where=handoff_id)

        await self._database.commit(work)

    async def count(self, state: HandoffState) -> int:
        """How many are in `state`."""
        query = sa.select(sa.func.count()).select_from(handoffs).where(handoffs.c.state == state)
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one()
