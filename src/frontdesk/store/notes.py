"""Notes that the team leaves at a conversation. The person who talks there never sees them."""

from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import NotFound
from frontdesk.messages import Person
from frontdesk.ports import Clock, Ids
from frontdesk.store.conversations import find
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.people import people
from frontdesk.store.sealed import SealedText

notes = sa.Table(
    "notes",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column(
        "conversation_id", sa.Text, sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("author_id", sa.Text, sa.ForeignKey("people.id", ondelete="SET NULL"), index=True),
    sa.Column("text", SealedText, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A note; it outlives its author, who is None then."""

    id: str
    text: str
    created_at: datetime
    author_id: str | None = None
    author_name: str | None = None


class Notes:
    """The notes of one conversation at a time."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def of(self, conversation_id: str) -> list[Note]:
        """The notes, oldest first."""
        query = (
            sa.select(notes.c.id, notes.c.text, notes.c.created_at, notes.c.author_id, people.c.name)
            .outerjoin(people, people.c.id == notes.c.author_id)
            .where(notes.c.conversation_id == conversation_id)
            .order_by(notes.c.created_at, notes.c.id)
        )
        async with self._database.read() as connection:
            return [
                Note(
                    id=row.id,
                    text=row.text,
                    created_at=row.created_at,
                    author_id=row.author_id,
                    author_name=row.name,
                )
                for row in await connection.execute(query)
            ]

    async def add(self, conversation_id: str, author: Person, text: str) -> Note:
        """Leave a note. Raises `NotFound`."""
        note_id, now = self._ids.new("note"), self._clock.now()

        async def work(connection: AsyncConnection) -> None:
            conversation = await find(connection, conversation_id, None)
            row = {"id": note_id, "conversation_id": conversation_id, "person_id": conversation.person_id}
            await connection.execute(notes.insert(), row | {"author_id": author.id, "text": text, "created_at": now})

        await self._database.commit(work)
        return Note(id=note_id, text=text, created_at=now, author_id=author.id, author_name=author.name)

    async def remove(self, note_id: str, conversation_id: str, author_id: str | None) -> None:
        """Take a note away; None removes anybody's. Raises `NotFound`, also for the note of another author."""
        which = [notes.c.id == note_id, notes.c.conversation_id == conversation_id]
        if author_id is not None:
            which.append(notes.c.author_id == author_id)

        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(notes.delete().where(*which))).rowcount

        if await self._database.commit(work) == 0:
            raise NotFound("There is no such note of yours", where=note_id)
