"""Replies that the team has ready, found by a shortcut. `{name}` in a text stands for the person's name."""

from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import Conflict, NotFound
from frontdesk.ports import Clock, Ids
from frontdesk.store.database import Database, UtcDateTime, metadata

canned = sa.Table(
    "canned_replies",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("shortcut", sa.Text, nullable=False, unique=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)


class CannedReply(msgspec.Struct, frozen=True, kw_only=True):
    """A reply that is ready."""

    id: str
    shortcut: str
    title: str
    text: str
    updated_at: datetime


class Canned:
    """The team's replies."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def all(self) -> list[CannedReply]:
        """Every reply, in order of the shortcuts."""
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(canned).order_by(canned.c.shortcut))
            return [CannedReply(**row) for row in rows.mappings()]

    async def add(self, *, shortcut: str, title: str, text: str) -> CannedReply:
        """Keep a new reply. Raises `Conflict` when the shortcut is taken."""
        reply = CannedReply(
            id=self._ids.new("canned"), shortcut=shortcut, title=title, text=text, updated_at=self._clock.now()
        )
        await self._write(canned.insert().values(msgspec.structs.asdict(reply)), shortcut)
        return reply

    async def change(self, reply_id: str, *, shortcut: str, title: str, text: str) -> CannedReply:
        """Write it anew. Raises `NotFound`, `Conflict` when the shortcut is another's."""
        reply = CannedReply(id=reply_id, shortcut=shortcut, title=title, text=text, updated_at=self._clock.now())
        changed = canned.update().where(canned.c.id == reply_id).values(msgspec.structs.asdict(reply))
        if await self._write(changed, shortcut) == 0:
            raise NotFound("There is no such reply", where=reply_id)
        return reply

    async def remove(self, reply_id: str) -> None:
        """Drop it. Raises `NotFound`."""
        if await self._write(canned.delete().where(canned.c.id == reply_id), "") == 0:
            raise NotFound("There is no such reply", where=reply_id)

    async def _write(self, statement: sa.Insert | sa.Update | sa.Delete, shortcut: str) -> int:
        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(statement)).rowcount

        try:
            return await self._database.commit(work)
        except IntegrityError as error:
            raise Conflict("Another reply has this shortcut", where=shortcut, hint="Choose another one.") from error
