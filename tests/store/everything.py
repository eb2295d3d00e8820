"""One row in every table that belongs to a person, or to a customer, each text in it marked with their name.

It walks the tables as they are, so a table that is made tomorrow is filled too.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.store.customers import customers
from frontdesk.store.database import UtcDateTime, metadata
from frontdesk.store.packed import Packed
from frontdesk.store.people import people
from frontdesk.store.sealed import Sealed, SealedBytes, SealedColumn
from frontdesk.store.typed import Typed
from frontdesk.store.words import Marks

MOMENT = datetime(2026, 1, 5, 12, tzinfo=UTC)


def owned(root: sa.Table = people) -> list[sa.Table]:
    """The tables whose rows go with a person (or with a customer), parents first."""
    found: list[sa.Table] = []
    for table in metadata.sorted_tables:
        theirs = root is customers and "customer_id" in table.c  # decisions and outcomes refer to nobody
        if table is root or theirs or any(key.column.table in (*found, root) for key in table.foreign_keys):
            found.append(table)
    return found


async def fill(connection: AsyncConnection, name: str, **given: str) -> str:
    """Make a visitor called `name`, with `given` columns, and a row of theirs everywhere; their id."""
    return await _fill(connection, people, name, {"id": f"per_{name}", "role": "visitor", "state": "active", **given})


async def fill_customer(connection: AsyncConnection, name: str) -> str:
    """Make a customer called `name` and a row of theirs everywhere; their id."""
    return await _fill(connection, customers, name, {"id": f"cus_{name}"})


async def _fill(connection: AsyncConnection, root: sa.Table, name: str, given: Mapping[str, str]) -> str:
    made: dict[str, Mapping[str, Any]] = {}
    for table in owned(root):
        row = {column.name: _value(column, name, made) for column in table.columns}
        if table is root:
            row |= given
        elif root is customers and "customer_id" in row:
            row["customer_id"] = given["id"]
        await connection.execute(sa.insert(table).values(row))
        made[table.name] = row
    return given["id"]


def _value(column: sa.Column[Any], name: str, made: Mapping[str, Mapping[str, Any]]) -> Any:
    for key in column.foreign_keys:
        return made[key.column.table.name][key.column.name] if key.column.table.name in made else None
    text = f"{column.table.name}-{column.name}-of-{name}"
    match column.type:
        case SealedBytes():
            return text.encode()
        case Typed():
            return None if column.nullable else sa.literal("[]" if "tuple" in str(column.type.kind) else "{}", sa.Text)
        case Sealed() if "dict" in str(column.type.kind):
            return {"word": text}
        case SealedColumn():
            return sa.literal(text, sa.Text)  # as it stood before its column was sealed, so that it can be found
        case UtcDateTime():
            return MOMENT
        case Marks():
            return frozenset({1})
        case sa.Boolean():
            return False
        case sa.Integer() | sa.BigInteger():
            return 1
        case sa.LargeBinary():
            return text.encode()
        case sa.Float():
            return 1.0
        case _:
            return text


async def holding(connection: AsyncConnection, marks: Iterable[str]) -> list[str]:
    """The columns, of all tables there are, in which one of the marks stands."""
    found: list[str] = []
    for table in metadata.sorted_tables:
        for column in table.columns:
            is_bytes = isinstance(column.type, SealedBytes | Packed | sa.LargeBinary | Marks)
            raw = sa.LargeBinary() if is_bytes else sa.Text()
            values = await connection.execute(sa.select(sa.type_coerce(column, raw) if _is_words(column) else column))
            texts = [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in values.scalars()]
            found += [str(column) for text in texts if any(mark in text for mark in marks)]
    return found


def _is_words(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, SealedColumn | Packed | Typed | sa.Text)
