"""Moving what is sealed to the ring's newest key, while the desk works.

A value says with which key it was sealed, so a rotation needs no notes: it takes the rows whose value does not begin
with the newest mark. It may be cut off and begun again, and two may run at once. A row that somebody changes meanwhile
is left to them: it was sealed anew by that.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import WrongKey
from frontdesk.store.database import Database, metadata
from frontdesk.store.keyring import MARK_LENGTH, KeyRing
from frontdesk.store.sealed import SealedBytes, SealedColumn, seal_text, unseal_bytes, unseal_text

BATCH = 200  # rows in one transaction: bounds how long others wait for it on SQLite

Column = sa.Column[Any]  # of whatever type its values have


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many values of a column are sealed with the newest key, with an older one, and not at all."""

    column: str
    newest: int
    older: int
    open: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """How far a rotation is in one column. `unreadable` values were left as they are: no key opens them."""

    column: str
    done: int
    total: int
    unreadable: int = 0


def columns() -> list[Column]:
    """Every sealed column of the desk's tables."""
    return [
        column
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, SealedColumn)  # pyright: ignore[reportUnknownMemberType] — of any type
    ]


async def status(database: Database) -> list[Count]:
    """How the values of each sealed column lie there. Reads the tables from end to end."""
    newest = database.ring.mark
    counts: list[Count] = []
    async with database.read() as connection:
        for column in columns():
            raw = _raw(column)
            head = sa.func.substr(raw, 1, MARK_LENGTH)
            older = sa.func.substr(raw, 1, 4) == _literal(column, newest[:4])
            query = sa.select(
                sa.func.count(),
                sa.func.count().filter(head == _literal(column, newest)),
                sa.func.count().filter(older),
            ).where(column.is_not(None), sa.func.length(raw) > 0)
            every, now, sealed = (await connection.execute(query)).one()
            counts.append(Count(column=str(column), newest=now, older=sealed - now, open=every - sealed))
    return counts


async def rotate(database: Database, *, batch: int = BATCH) -> AsyncGenerator[Step]:
    """Seal every value with the newest key, and tell after each batch of rows how far it is."""
    for column in columns():
        async with database.read() as connection:
            total = (
                await connection.execute(sa.select(sa.func.count()).where(_behind(column, database.ring)))
            ).scalar_one()
        done = unreadable = 0
        after: Sequence[object] | None = None
        yield Step(column=str(column), done=0, total=total)
        while total:
            seen, bad, after = await _batch(database, column, after, batch)
            done, unreadable = done + seen, unreadable + bad
            yield Step(column=str(column), done=done, total=max(total, done), unreadable=unreadable)
            if seen < batch:
                break


async def _batch(
    database: Database, column: Column, after: Sequence[object] | None, size: int
) -> tuple[int, int, Sequence[object] | None]:
    """Seal the next rows behind the key `after`: how many were seen, how many of them no key opens, and the last."""
    keys, raw = list(column.table.primary_key), _raw(column)
    query = sa.select(*keys, raw.label("value")).where(_behind(column, database.ring)).order_by(*keys).limit(size)
    if after is not None:
        query = query.where(sa.tuple_(*keys) > sa.tuple_(*map(sa.literal, after)))

    async def work(connection: AsyncConnection) -> tuple[int, int, Sequence[object] | None]:
        rows = (await connection.execute(query)).all()
        bad = 0
        for *row_key, value in rows:
            fresh = _anew(database.ring, column, value)
            if fresh is None:
                bad += 1
                continue
            here = (key == part for key, part in zip(keys, row_key, strict=True))
            change = sa.update(column.table).where(*here, raw == _literal(column, value))
            await connection.execute(change.values({column.name: _literal(column, fresh)}))
        return len(rows), bad, tuple(rows[-1][:-1]) if rows else None

    return await database.commit(work)


def _anew(ring: KeyRing, column: Column, value: str | bytes) -> str | bytes | None:
    place = str(column)
    try:
        if isinstance(value, str):
            return seal_text(ring, unseal_text(ring, value, place), place)
        return ring.seal(unseal_bytes(ring, value, place), place)
    except WrongKey:
        return None


def _behind(column: Column, ring: KeyRing) -> sa.ColumnElement[bool]:
    raw = _raw(column)
    return sa.and_(sa.func.length(raw) > 0, sa.func.substr(raw, 1, MARK_LENGTH) != _literal(column, ring.mark))


def _raw(column: Column) -> sa.ColumnElement[Any]:
    """The column as it is stored."""
    return sa.type_coerce(column, _storage(column))


def _storage(column: Column) -> sa.types.TypeEngine[Any]:
    return sa.LargeBinary() if isinstance(column.type, SealedBytes) else sa.Text()


def _literal(column: Column, value: str | bytes) -> sa.ColumnElement[Any]:
    if isinstance(value, bytes) and not isinstance(column.type, SealedBytes):
        value = value.decode()
    return sa.literal(value, _storage(column))
