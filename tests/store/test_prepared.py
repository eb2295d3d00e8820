"""Prepared statements mean the same on SQLite and PostgreSQL, by the driver and through SQLAlchemy."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from frontdesk.store.database import Database, UtcDateTime
from frontdesk.store.prepared import MOST_TOGETHER, Change, Connection, Prepared, among, together

only_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)

tables = sa.MetaData()
pages = sa.Table(
    "pages",
    tables,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("read", sa.Integer, nullable=False, server_default="0"),
    sa.Column("at", UtcDateTime),
)
notes = sa.Table(
    "notes",
    tables,
    sa.Column("text", sa.Text, primary_key=True),
    sa.Column("page", sa.Text, sa.ForeignKey("pages.name"), nullable=False),
)

ADD = Prepared(pages.insert(), ("name", "at"))
NOTE = Prepared(notes.insert(), ("text", "page"))
LEAF = Prepared(pages.update().where(pages.c.name == sa.bindparam("page")).values(read=pages.c.read + 1))
READ = Prepared(
    pages.update()
    .where(pages.c.name == sa.bindparam("page"))
    .values(read=pages.c.read + sa.bindparam("times"))
    .returning(pages.c.name, pages.c.read.label("now"))
)
ALL = Prepared(sa.select(pages).order_by(pages.c.name))
THESE = Prepared(sa.select(pages.c.name).where(among(pages.c.name, "names")).order_by(pages.c.name))


@pytest.fixture
async def book(empty_database_url: str) -> AsyncGenerator[Database]:
    database = await Database.open(empty_database_url, lock_wait=5)
    async with database.engine.begin() as connection:
        await connection.run_sync(tables.create_all)
    yield database
    await database.close()


async def names(book: Database) -> list[str]:
    return [row["name"] for row in await book.run(ALL, {})]


async def test_a_statement_of_its_own_gives_its_rows_with_their_types(book: Database) -> None:
    await book.run(ADD, {"name": "a", "at": NOON})
    assert [dict(row) for row in await book.run(READ, {"page": "a", "times": 2})] == [{"name": "a", "now": 2}]
    assert [dict(row) for row in await book.run(ALL, {})] == [{"name": "a", "read": 2, "at": NOON}]
    assert await book.run(READ, {"page": "b", "times": 1}) == []


async def test_the_same_statement_runs_in_a_transaction_of_sqlalchemys(book: Database) -> None:
    async def work(connection: Connection) -> int:
        await ADD.many(connection, [{"name": "b", "at": None}, {"name": "a", "at": NOON}])
        row = await READ.one(connection, {"page": "a", "times": 3})
        return 0 if row is None else row["now"]

    assert await book.commit(work) == 3
    assert await names(book) == ["a", "b"]


async def test_names_are_looked_for_as_one_value(book: Database) -> None:
    await book.act(lambda connection: ADD.many(connection, [{"name": name, "at": None} for name in "abc"]))
    assert [row["name"] for row in await book.run(THESE, {"names": ["c", "x", "a"]})] == ["a", "c"]
    assert await book.run(THESE, {"names": []}) == []


async def test_changes_are_made_together_with_those_that_they_refer_to(book: Database) -> None:
    await book.run(ADD, {"name": "a", "at": None})

    async def work(connection: Connection) -> None:
        notes: list[Change] = [(NOTE, {"text": f"on b {number}", "page": "b"}) for number in range(MOST_TOGETHER)]
        await together(connection, [(ADD, {"name": "b", "at": NOON}), (LEAF, {"page": "a"}), *notes])
        await together(connection, [(LEAF, {"page": "b"})])
        await together(connection, [])

    await book.act(work)
    assert [dict(row) for row in await book.run(ALL, {})] == [
        {"name": "a", "read": 1, "at": None},
        {"name": "b", "read": 1, "at": NOON},
    ]


async def test_of_changes_that_fail_together_none_is_made(book: Database) -> None:
    async def work(connection: Connection) -> None:
        await together(connection, [(ADD, {"name": "a", "at": None}), (NOTE, {"text": "lost", "page": "nowhere"})])

    with pytest.raises(IntegrityError):
        await book.act(work)
    assert await names(book) == []


async def test_a_work_that_fails_leaves_nothing_and_spoils_no_other(book: Database) -> None:
    await book.run(ADD, {"name": "taken", "at": None})

    async def both(connection: Connection, second: str) -> None:
        await ADD(connection, {"name": f"before {second}", "at": None})
        await ADD(connection, {"name": second, "at": None})

    works = (book.act(lambda connection, name=name: both(connection, name)) for name in ("x", "taken", "y"))
    results = await asyncio.gather(*works, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), IntegrityError, type(None)]
    assert await names(book) == ["before x", "before y", "taken", "x", "y"]


async def test_a_value_that_is_missing_is_an_error_and_no_null(book: Database) -> None:
    with pytest.raises(Exception, match="name"):
        await book.run(ADD, {"at": NOON})
    assert await names(book) == []


@only_sqlite
async def test_work_in_the_databases_thread_may_wait_for_nothing_else(book: Database) -> None:
    async def waits(connection: Connection) -> None:
        await ADD(connection, {"name": "a", "at": None})
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="nothing but prepared statements"):
        await book.act(waits)
    assert await names(book) == []


@pytest.mark.parametrize("count", [0, 3, 40])
async def test_rows_that_are_poured_in_are_as_those_that_are_added(book: Database, count: int) -> None:
    rows = [{"name": f"{number:02}", "at": NOON if number % 2 else None} for number in range(count)]
    await book.act(lambda connection: ADD.pour(connection, rows))
    assert [dict(row) for row in await book.run(ALL, {})] == [row | {"read": 0} for row in rows]


async def test_of_rows_that_are_poured_in_none_stays_where_one_is_there_already(book: Database) -> None:
    await book.run(ADD, {"name": "07", "at": None})
    rows = [{"name": f"{number:02}", "at": NOON} for number in range(20)]
    with pytest.raises(IntegrityError):
        await book.act(lambda connection: ADD.pour(connection, rows))
    assert await names(book) == ["07"]
