"""Statements of the hot path: built and compiled once, and on PostgreSQL handed to the driver as they are.

Executing a statement through SQLAlchemy takes about four times the processor time of the driver's own call, and a
message is some thirty statements. A `Prepared` is an ordinary SQLAlchemy statement all the same: on SQLite, and in a
transaction that SQLAlchemy has begun, it runs through it. Column types act in both ways, sealing included.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import ReturnsRows

Row = Mapping[str, Any]  # a row of mixed columns, by their names
Values = Mapping[str, object]
Processor = Callable[[Any], Any]

MOST_TOGETHER = 10  # changes in one statement: more are rare, and each number of them is a statement to keep
LEAST_POURED = 8  # rows from which on a stream is worth its own round trip
_PLACE = re.compile(r"\$(\d+)")


class _Names(sa.types.TypeDecorator[Collection[str]]):
    """Many texts as one value: an array on PostgreSQL, JSON on SQLite."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        kind: sa.types.TypeEngine[Any] = sa.Text()
        return dialect.type_descriptor(postgresql.ARRAY(sa.Text) if dialect.name == "postgresql" else kind)

    def process_bind_param(self, value: Collection[str] | None, dialect: Dialect) -> list[str] | str:
        names = list(value or ())
        return names if dialect.name == "postgresql" else msgspec.json.encode(names).decode()


class _Among(FunctionElement[bool]):
    type = sa.Boolean()
    inherit_cache = True


@compiles(_Among, "postgresql")
def _among_on_postgresql(element: _Among, compiler: Any, **options: Any) -> str:
    column, names = (compiler.process(part, **options) for part in element.clauses)
    return f"{column} = ANY ({names})"


@compiles(_Among, "sqlite")
def _among_on_sqlite(element: _Among, compiler: Any, **options: Any) -> str:
    column, names = (compiler.process(part, **options) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({names}))"  # noqa: S608 parts that are compiled, no values


def among(column: sa.ColumnElement[str], name: str) -> sa.ColumnElement[bool]:
    """Whether the column is one of the texts that are given as the value `name`. (`IN` is compiled anew each time.)"""
    return _Among(column, sa.bindparam(name, type_=_Names))


class _Bind(NamedTuple):
    name: str
    required: bool
    fixed: object
    write: Processor | None


class _Compiled(NamedTuple):
    sql: str
    binds: tuple[_Bind, ...]
    readers: tuple[Processor | None, ...]

    def arguments(self, values: Values) -> list[object]:
        found = [values[bind.name] if bind.required else bind.fixed for bind in self.binds]
        return [
            value if bind.write is None else bind.write(value) for value, bind in zip(found, self.binds, strict=True)
        ]

    def row(self, record: Any) -> Row:
        pairs = zip(record.items(), self.readers, strict=True)
        return {name: value if read is None else read(value) for (name, value), read in pairs}


class Words(NamedTuple):
    """Statements in the words of a database: each alone, and those that are sent together."""

    alone: "dict[Prepared, _Compiled]"
    together: "dict[tuple[Prepared, ...], str]"


class Direct:
    """A connection of PostgreSQL's driver (asyncpg), beside SQLAlchemy.

    `dialect` writes and reads the values; `words` is kept by the database for all its connections.
    """

    def __init__(self, driver: Any, dialect: Dialect, words: "Words") -> None:
        self.driver = driver  # asyncpg has no types
        self.dialect = dialect
        self._words = words

    def ready(self, prepared: "Prepared") -> _Compiled:
        """The statement in this database's words."""
        ready = self._words.alone.get(prepared)
        if ready is None:
            ready = self._words.alone[prepared] = prepared.compiled(self.dialect)
        return ready

    async def together(self, changes: "Sequence[Change]") -> None:
        """Make all of these changes by one statement."""
        parts = tuple(prepared for prepared, _ in changes)
        sql = self._words.together.get(parts)
        if sql is None:
            sql = self._words.together[parts] = _joined([self.ready(part) for part in parts])
        values = [value for prepared, row in changes for value in self.ready(prepared).arguments(row)]
        await self.driver.fetch(sql, *values)


Connection = AsyncConnection | Direct | sa.Connection


class Prepared:
    """A statement whose values have names: `await statement(connection, {"turn": …})` gives its rows.

    An insert names its `columns`. Where the databases' words differ, give one statement for each dialect's name.
    """

    def __init__(self, statement: sa.Executable | Mapping[str, sa.Executable], columns: Sequence[str] = ()) -> None:
        self._statement = statement
        self._columns = list(columns) or None

    async def __call__(self, connection: Connection, values: Values) -> Sequence[Row]:
        if isinstance(connection, Direct):
            ready = connection.ready(self)
            return [ready.row(each) for each in await connection.driver.fetch(ready.sql, *ready.arguments(values))]
        result = await self._executed(connection, dict(values))
        return cast(Sequence[Row], result.mappings().all()) if result.returns_rows else ()

    async def one(self, connection: Connection, values: Values) -> Row | None:
        """Its only row, or None."""
        rows = await self(connection, values)
        return rows[0] if rows else None

    async def many(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Run it for each of these values, in few round trips and without results."""
        if not rows:
            return
        if isinstance(connection, Direct):
            ready = connection.ready(self)
            await connection.driver.executemany(ready.sql, [ready.arguments(row) for row in rows])
        else:
            await self._executed(connection, [dict(row) for row in rows])

    async def pour(self, connection: Connection, rows: Sequence[Values]) -> None:
        """`many` for a plain insert: PostgreSQL takes the rows as one stream (COPY), at a third of its own time."""
        if not isinstance(connection, Direct) or len(rows) < LEAST_POURED:
            await self.many(connection, rows)
            return
        ready, statement = connection.ready(self), self.of(connection.dialect)
        assert isinstance(statement, sa.Insert)
        await connection.driver.copy_records_to_table(
            statement.table.name,
            records=[ready.arguments(row) for row in rows],
            columns=[bind.name for bind in ready.binds],
        )

    async def _executed(
        self, connection: AsyncConnection | sa.Connection, values: dict[str, object] | list[dict[str, object]]
    ) -> sa.CursorResult[Any]:
        statement = self.of(connection.dialect)
        if isinstance(connection, sa.Connection):
            return connection.execute(statement, values)
        return await connection.execute(statement, values)

    def of(self, dialect: Dialect) -> sa.Executable:
        """The statement as SQLAlchemy's."""
        return self._statement[dialect.name] if isinstance(self._statement, Mapping) else self._statement

    def changes(self, dialect: Dialect) -> bool:
        """Whether it writes."""
        return bool(getattr(self.of(dialect), "is_dml", False))

    def compiled(self, dialect: Dialect) -> _Compiled:
        """For `Direct`."""
        statement: Any = self.of(dialect)
        made = statement.compile(dialect=dialect, column_keys=self._columns)
        binds = (made.binds[name] for name in made.positiontup)
        columns = statement.exported_columns if isinstance(statement, ReturnsRows) else ()
        return _Compiled(
            made.string,
            tuple(_Bind(each.key, each.required, each.effective_value, _writer(each.type, dialect)) for each in binds),
            tuple(_reader(column.type, dialect) for column in columns),
        )


Change = tuple[Prepared, Values]  # a statement that gives no rows, and its values


async def together(connection: Connection, changes: Sequence[Change]) -> None:
    """Make changes in one round trip where the database can (PostgreSQL), otherwise one after another.

    They must bear any order: none reads what another writes, and no two write the same row. References between them
    are checked when all are made.
    """
    for begin in range(0, len(changes), MOST_TOGETHER):
        some = changes[begin : begin + MOST_TOGETHER]
        if isinstance(connection, Direct) and len(some) > 1:
            await connection.together(some)
        else:
            for prepared, values in some:
                await prepared(connection, values)


def _joined(parts: Sequence[_Compiled]) -> str:
    """One statement of many: the last one, with those before it as its `WITH` (PostgreSQL runs each of them once)."""
    texts: list[str] = []
    before = 0
    for part in parts:
        texts.append(_PLACE.sub(lambda place, more=before: f"${int(place[1]) + more}", part.sql))
        before += len(part.binds)
    *first, last = texts
    return f"WITH {', '.join(f'part{number} AS ({text})' for number, text in enumerate(first))} {last}"


def _writer(kind: Any, dialect: Dialect) -> Processor | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _reader(kind: Any, dialect: Dialect) -> Processor | None:
    if isinstance(kind, sa.Float):
        return None  # a float is one already, and SQLAlchemy's processor asks for a code that the driver has no need of
    return kind.dialect_impl(dialect).result_processor(dialect, None)
