"""Files that people add to their messages, as rows: erasing a person erases them in the same transaction."""

import hashlib
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import NotFound
from frontdesk.ports import Clock, Ids
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.sealed import SealedBytes, SealedText

files = sa.Table(
    "files",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", SealedText, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("digest", SealedText, nullable=False),
    sa.Column("data", SealedBytes, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

FACTS = [column for column in files.c if column.name not in ("data", "person_id")]


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file's facts, without its bytes. `digest` is SHA-256 in hexadecimal."""

    id: str
    name: str
    media_type: str
    bytes: int
    digest: str
    created_at: datetime


class Files:
    """Files of one person at a time."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def add(self, person_id: str, name: str, media_type: str, data: bytes) -> File:
        """Keep a file."""
        file = File(
            id=self._ids.new("file"),
            name=name,
            media_type=media_type,
            bytes=len(data),
            digest=hashlib.sha256(data).hexdigest(),
            created_at=self._clock.now(),
        )

        async def work(connection: AsyncConnection) -> None:
            row = msgspec.structs.asdict(file) | {"person_id": person_id, "data": data}
            await connection.execute(files.insert(), row)

        await self._database.commit(work)
        return file

    async def facts(self, person_id: str | None, file_ids: tuple[str, ...]) -> list[File]:
        """The files of those ids that are the person's (None: anybody's, for operators), in the order asked for."""
        query = sa.select(*FACTS).where(files.c.id.in_(file_ids))
        if person_id is not None:
            query = query.where(files.c.person_id == person_id)
        async with self._database.read() as connection:
            found = {row["id"]: File(**row) for row in (await connection.execute(query)).mappings()}
        return [found[file_id] for file_id in file_ids if file_id in found]

    async def of(self, person_id: str) -> list[File]:
        """All files of the person, oldest first."""
        query = sa.select(*FACTS).where(files.c.person_id == person_id).order_by(files.c.id)
        async with self._database.read() as connection:
            return [File(**row) for row in (await connection.execute(query)).mappings()]

    async def data(self, person_id: str, file_id: str) -> tuple[File, bytes]:
        """The file with its bytes. Raises `NotFound`, also for somebody else's."""
        async with self._database.read() as connection:
            return await whole(connection, file_id, files.c.person_id == person_id)


async def whole(connection: AsyncConnection, file_id: str, *where: sa.ColumnElement[bool]) -> tuple[File, bytes]:
    """The file of that id with its bytes, where the conditions hold. Raises `NotFound`."""
    query = sa.select(*FACTS, files.c.data).where(files.c.id == file_id, *where)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no such file", where=file_id)
    values = dict(row)
    data = values.pop("data")
    return File(**values), data
