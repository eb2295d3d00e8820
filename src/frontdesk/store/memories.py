"""Facts that the desk remembers about a person: theirs to see, edit and erase."""

from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import Conflict, NotFound
from frontdesk.ports import Clock, Ids
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.prepared import Prepared
from frontdesk.store.sealed import SealedBytes, SealedText
from frontdesk.store.words import fingerprint, key

memories = sa.Table(
    "memories",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    sa.Column("text", SealedText, nullable=False),
    sa.Column("digest", sa.Text),
    sa.Column("vector", SealedBytes),
    sa.Column("message_id", sa.Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("person_id", "digest"),
)


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """One remembered fact; `vector` is its embedding (float32), None when no embedder is set up."""

    id: str
    text: str
    created_at: datetime
    updated_at: datetime
    message_id: str | None = None
    vector: bytes | None = None


_OF = Prepared(
    sa.select(*(memories.c[name] for name in Memory.__struct_fields__))
    .where(memories.c.person_id == sa.bindparam("person"))
    .order_by(memories.c.created_at.desc())
)


class Memories:
    """The facts of one person at a time; nobody else's can be named."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def of(self, person_id: str) -> list[Memory]:
        """All facts about the person, newest first."""
        return [Memory(**row) for row in await self._database.run(_OF, {"person": person_id})]

    async def add(
        self, person_id: str, text: str, *, vector: bytes | None = None, message_id: str | None = None
    ) -> Memory:
        """Remember a fact; one that is known already stays as it is."""
        now = self._clock.now()
        fresh = Memory(
            id=self._ids.new("mem"), text=text, created_at=now, updated_at=now, message_id=message_id, vector=vector
        )

        async def work(connection: AsyncConnection) -> Memory:
            digest = fingerprint(text, await key(connection))
            same = sa.select(memories).where(memories.c.person_id == person_id, memories.c.digest == digest)
            row = (await connection.execute(same)).mappings().one_or_none()
            if row is not None:
                return _memory(row)
            values = msgspec.structs.asdict(fresh) | {"person_id": person_id, "digest": digest}
            await connection.execute(memories.insert(), values)
            return fresh

        return await self._database.commit(work)

    async def change(self, person_id: str, memory_id: str, text: str, *, vector: bytes | None = None) -> None:
        """Correct a fact. Raises `NotFound`, and `Conflict` when another one says the same."""
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> None:
            digest = fingerprint(text, await key(connection))
            values = {"text": text, "digest": digest, "vector": vector, "updated_at": now}
            await _one(connection, memories.update().values(values), person_id, memory_id)

        try:
            await self._database.commit(work)
        except IntegrityError as error:
            raise Conflict("The desk remembers this already", where="text") from error

    async def forget(self, person_id: str, memory_id: str) -> None:
        """Erase a fact to the last byte. Raises `NotFound`."""

        async def work(connection: AsyncConnection) -> None:
            await _one(connection, memories.delete(), person_id, memory_id)

        await self._database.commit(work)
        await self._database.wipe()


async def _one(connection: AsyncConnection, change: sa.Update | sa.Delete, person_id: str, memory_id: str) -> None:
    own = change.where(memories.c.id == memory_id, memories.c.person_id == person_id)
    if (await connection.execute(own)).rowcount == 0:
        raise NotFound("There is no such memory", where=memory_id)


def _memory(row: sa.RowMapping) -> Memory:
    return Memory(**{name: value for name, value in row.items() if name not in ("person_id", "digest")})
