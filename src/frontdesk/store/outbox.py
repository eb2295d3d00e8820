"""What goes out: rows written in the transaction of what caused them, sent afterwards, each under one idempotency key.

Sending is leased as turns are: a process that was paused while another took its row over cannot settle it.
"""

from datetime import datetime, timedelta
from typing import Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.ports import Clock, Ids
from frontdesk.store.database import Database, UtcDateTime, metadata

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("conversation_id", sa.Text, sa.ForeignKey("conversations.id", ondelete="CASCADE"), index=True),
    sa.Column("message_id", sa.Text),
    sa.Column("place", sa.Text),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("machine", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("proactive", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("external_id", sa.Text),
    sa.Column("problem", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
    sa.Column("due_at", UtcDateTime, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("settled_at", UtcDateTime),
    sa.Index("ix_outbox_state_due_at", "state", "due_at"),
    sa.Index("ix_outbox_channel_place_created_at", "channel", "place", "created_at"),
)


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to send, leased under `fence`. `key` lets the receiver tell a repetition from a second letter."""

    id: str
    key: str
    channel: str
    body: str
    attempts: int
    fence: int
    place: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    person_id: str = ""
    proactive: bool = False


async def put(
    connection: AsyncConnection, ids: Ids, now: datetime, *, key: str, channel: str, person_id: str, body: str
) -> str:
    """Write a letter in the caller's transaction and return its id. The same key again is the database's error."""
    letter_id = ids.new("out")
    await connection.execute(
        outbox.insert(),
        {
            "id": letter_id,
            "key": key,
            "channel": channel,
            "person_id": person_id,
            "body": body,
            "state": "waiting",
            "due_at": now,
            "created_at": now,
        },
    )
    return letter_id


class Outbox:
    """Claiming letters and settling them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def due(self) -> list[str]:
        """Letters whose time has come: never tried, to be tried again, or left by a process that died."""
        query = sa.select(outbox.c.id).where(outbox.c.state == "waiting", outbox.c.due_at <= self._clock.now())
        async with self._database.read() as connection:
            return list((await connection.execute(query.order_by(outbox.c.due_at).limit(500))).scalars())

    async def claim(self, letter_id: str, seconds: float) -> Letter | None:
        """Take the letter for `seconds`; None when it is not due, sent, or another's."""
        now = self._clock.now()
        take = (
            outbox.update()
            .where(outbox.c.id == letter_id, outbox.c.state == "waiting", outbox.c.due_at <= now)
            .values(due_at=now + timedelta(seconds=seconds), fence=outbox.c.fence + 1, attempts=outbox.c.attempts + 1)
            .returning(outbox.c.id, outbox.c.key, outbox.c.channel, outbox.c.body, outbox.c.attempts, outbox.c.fence)
        )

        async def work(connection: AsyncConnection) -> Letter | None:
            row = (await connection.execute(take)).mappings().one_or_none()
            return None if row is None else Letter(**row)

        return await self._database.commit(work)

    async def settle(self, letter: Letter, state: Literal["sent", "failed"]) -> bool:
        """Note how it ended; False when the letter has been taken over meanwhile."""
        return await self._mark(letter, state=state, settled_at=self._clock.now())

    async def again(self, letter: Letter, seconds: float) -> bool:
        """Try again after `seconds`; False when the letter has been taken over meanwhile."""
        return await self._mark(letter, due_at=self._clock.now() + timedelta(seconds=seconds))

    async def count(self, state: Literal["waiting", "sent", "failed"]) -> int:
        """How many letters are in `state`."""
        query = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.state == state)
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one()

    async def _mark(self, letter: Letter, **values: object) -> bool:
        held = outbox.update().where(
            outbox.c.id == letter.id, outbox.c.fence == letter.fence, outbox.c.state == "waiting"
        )

        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(held.values(values))).rowcount > 0

        return await self._database.commit(work)
