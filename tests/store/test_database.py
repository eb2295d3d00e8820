"""The database's promises, on SQLite and PostgreSQL alike."""

import asyncio
import os
import random
import sqlite3
import sys
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
import sqlalchemy.event as sa_event
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import StoreUnavailable
from frontdesk.operate.ports import free_port
from frontdesk.store.database import Database, UtcDateTime
from tests.servers import PostgresServer

only_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
only_postgres = pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)

tables = sa.MetaData()
notes = sa.Table(
    "notes", tables, sa.Column("number", sa.Integer, primary_key=True), sa.Column("at", UtcDateTime, nullable=True)
)


@pytest.fixture
async def notebook(empty_database_url: str) -> AsyncGenerator[Database]:
    """A database with the one table of these tests."""
    database = await Database.open(empty_database_url, lock_wait=5)
    async with database.engine.begin() as connection:
        await connection.run_sync(tables.create_all)
    yield database
    await database.close()


async def add(database: Database, number: int) -> int:
    async def work(connection: AsyncConnection) -> int:
        await connection.execute(sa.insert(notes).values(number=number))
        return number

    return await database.commit(work)


async def numbers(database: Database) -> list[int]:
    async with database.read() as connection:
        return list(await connection.scalars(sa.select(notes.c.number).order_by(notes.c.number)))


async def setting(database: Database, name: str) -> object:
    async with database.read() as connection:
        return await connection.scalar(sa.text(f"PRAGMA {name}"))


# --- commit -----------------------------------------------------------------


async def test_a_commit_returns_what_its_work_returned_and_keeps_what_it_wrote(notebook: Database) -> None:
    assert await add(notebook, 7) == 7
    assert await numbers(notebook) == [7]


async def test_a_work_that_raises_leaves_nothing_behind(notebook: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(sa.insert(notes).values(number=1))
        raise KeyError("changed my mind")

    with pytest.raises(KeyError, match="changed my mind"):
        await notebook.commit(work)
    assert await numbers(notebook) == []


async def test_a_spoiled_work_does_not_spoil_the_works_that_wait_with_it(notebook: Database) -> None:
    results = await asyncio.gather(*(add(notebook, number) for number in (1, 2, 2, 3, 4)), return_exceptions=True)
    assert [result for result in results if isinstance(result, int)] == [1, 2, 3, 4]
    assert [type(result) for result in results if not isinstance(result, int)] == [IntegrityError]
    assert await numbers(notebook) == [1, 2, 3, 4]


@only_sqlite
async def test_works_that_wait_together_share_one_transaction(notebook: Database) -> None:
    begun: list[object] = []
    sa.event.listen(notebook.engine.sync_engine, "commit", begun.append)
    await asyncio.gather(*(add(notebook, number) for number in range(100)))
    assert len(begun) <= 2  # the first may go alone
    assert len(await numbers(notebook)) == 100


async def test_a_work_whose_caller_has_gone_holds_up_nobody(notebook: Database) -> None:
    tasks = [asyncio.create_task(add(notebook, number)) for number in range(10)]
    tasks[5].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [result for result in results if isinstance(result, int)] == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert set(await numbers(notebook)) >= {0, 1, 2, 3, 4, 6, 7, 8, 9}


async def test_closing_finishes_the_works_that_wait(empty_database_url: str) -> None:
    database = await Database.open(empty_database_url)
    async with database.engine.begin() as connection:
        await connection.run_sync(tables.create_all)
    waiting = asyncio.gather(*(add(database, number) for number in range(20)))
    await asyncio.sleep(0)
    if not database.is_sqlite:
        await waiting
    await database.close()
    assert len(await waiting) == 20


async def test_a_connection_that_is_out_while_the_database_closes_is_closed_when_it_comes_back(
    empty_database_url: str,
) -> None:
    database = await Database.open(empty_database_url)
    closed: list[object] = []
    sa_event.listen(database.engine.sync_engine, "close", lambda connection, _record: closed.append(connection))
    async with database.read() as connection:
        lent = (await connection.get_raw_connection()).dbapi_connection
        await database.close()
        assert lent not in closed
    assert lent in closed


@only_postgres
async def test_the_loser_of_a_deadlock_runs_again(notebook: Database) -> None:
    await add(notebook, 1)
    await add(notebook, 2)
    both_hold_one = asyncio.Barrier(2)
    runs: list[int] = []

    async def touch(first: int, second: int, connection: AsyncConnection) -> None:
        runs.append(first)
        await connection.execute(sa.update(notes).where(notes.c.number == first).values(number=first))
        if runs.count(first) == 1:
            await both_hold_one.wait()
        await connection.execute(sa.update(notes).where(notes.c.number == second).values(number=second))

    await asyncio.gather(
        notebook.commit(lambda connection: touch(1, 2, connection)),
        notebook.commit(lambda connection: touch(2, 1, connection)),
    )
    assert len(runs) > 2  # a quick loser may take its first row again before the other wakes up: then one more loses
    assert sorted(await numbers(notebook)) == [1, 2]


# --- reading ----------------------------------------------------------------


@only_sqlite
async def test_what_is_written_on_a_reading_connection_is_rolled_back(notebook: Database) -> None:
    async with notebook.read() as connection:
        await connection.execute(sa.insert(notes).values(number=1))
    assert await numbers(notebook) == []


@only_sqlite
async def test_readers_go_on_while_a_work_writes(notebook: Database) -> None:
    writing, finish = asyncio.Event(), asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(sa.insert(notes).values(number=1))
        writing.set()
        await finish.wait()

    commit = asyncio.create_task(notebook.commit(work))
    await asyncio.wait_for(writing.wait(), 30)
    assert await numbers(notebook) == []
    finish.set()
    await commit
    assert await numbers(notebook) == [1]


async def test_a_moment_comes_back_aware_and_in_utc(notebook: Database) -> None:
    moment = datetime(2026, 3, 29, 3, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(sa.insert(notes).values(number=1, at=moment))
        await connection.execute(sa.insert(notes).values(number=2, at=None))

    await notebook.commit(work)
    async with notebook.read() as connection:
        found = list(await connection.scalars(sa.select(notes.c.at).order_by(notes.c.number)))
        later = await connection.scalar(
            sa.select(notes.c.number).where(notes.c.at < moment + timedelta(microseconds=1))
        )
    assert found == [moment, None]
    assert found[0] is not None
    assert found[0].tzinfo is UTC
    assert later == 1


async def test_a_moment_without_its_time_zone_is_refused(notebook: Database) -> None:
    async with notebook.read() as connection:
        with pytest.raises(sa.exc.StatementError, match="time zone"):
            await connection.execute(sa.insert(notes).values(number=1, at=datetime(2026, 1, 1)))  # noqa: DTZ001


# --- when the database cannot -----------------------------------------------


async def test_a_wrong_statement_is_not_taken_for_a_database_that_is_away(notebook: Database) -> None:
    with pytest.raises(DBAPIError):
        await notebook.commit(lambda connection: connection.execute(sa.text("SELECT * FROM nowhere")))


@only_sqlite
async def test_a_locked_database_is_reported_and_works_again_once_it_is_free(
    notebook: Database, empty_database_url: str
) -> None:
    impatient = await Database.open(empty_database_url, lock_wait=0.05)
    try:
        with sqlite3.connect(empty_database_url.removeprefix("sqlite:///"), isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked") as raised:
                await add(impatient, 1)
            other.execute("ROLLBACK")
        other.close()
        assert raised.value.retry_after is not None
        await add(impatient, 1)
    finally:
        await impatient.close()
    assert await numbers(notebook) == [1]


@only_sqlite
async def test_a_full_disk_is_reported_and_what_was_accepted_stays(notebook: Database) -> None:
    await add(notebook, 1)

    async def work(connection: AsyncConnection) -> None:
        await connection.exec_driver_sql("PRAGMA max_page_count = 3")  # no page more than it has
        await connection.exec_driver_sql("CREATE TABLE big (text)")
        await connection.exec_driver_sql("INSERT INTO big VALUES (zeroblob(1000000))")

    with pytest.raises(StoreUnavailable, match="full"):
        await notebook.commit(work)
    assert await numbers(notebook) == [1]


@only_postgres
async def test_a_server_out_of_disk_space_is_reported(notebook: Database) -> None:
    full = sa.text("DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$")
    with pytest.raises(StoreUnavailable, match="extend"):
        await notebook.commit(lambda connection: connection.execute(full))


async def test_a_server_that_is_not_there_is_reported() -> None:
    with pytest.raises(StoreUnavailable):
        await Database.open(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")


async def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "desk.db").write_text("These are the minutes of the last meeting. " * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        await Database.open(f"sqlite:///{tmp_path / 'desk.db'}")


@pytest.mark.proves("promise-7")
async def test_a_database_outage_is_survived_without_a_restart() -> None:
    server = PostgresServer()
    try:
        server.start()
        database = await Database.open(server.url(), pool_size=3, max_overflow=0)
        async with database.engine.begin() as connection:
            await connection.run_sync(tables.create_all)
        acknowledged: list[int] = []
        for outage in range(3):
            for number in range(outage * 10, outage * 10 + 10):
                acknowledged.append(await add(database, number))
            server.stop()
            with pytest.raises(StoreUnavailable):
                await add(database, 1000 + outage)
            with pytest.raises(StoreUnavailable):
                await numbers(database)
            server.start()
            await _until_up(database)
        assert await numbers(database) == acknowledged
        await database.close()
    finally:
        server.remove()


async def _until_up(database: Database) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                return await database.ping()
            except StoreUnavailable:
                await asyncio.sleep(0.05)


# --- durability -------------------------------------------------------------


@only_sqlite
async def test_sqlite_is_set_to_lose_nothing(notebook: Database) -> None:
    assert await setting(notebook, "journal_mode") == "wal"
    assert await setting(notebook, "synchronous") == 2  # FULL: an fsync of the log with each commit
    assert await setting(notebook, "foreign_keys") == 1
    assert await setting(notebook, "busy_timeout") == 5000


WRITER = """
import asyncio, sys
import sqlalchemy as sa
from frontdesk.store.database import Database

async def main():
    database = await Database.open(sys.argv[1], lock_wait=60)
    first, count = int(sys.argv[2]), int(sys.argv[3])

    async def add(number):
        insert = sa.text(f"INSERT INTO notes (number) VALUES ({number})")
        await database.commit(lambda connection: connection.execute(insert))
        print(number, flush=True)

    for start in range(first, first + count, 5):
        await asyncio.gather(*(add(number) for number in range(start, start + 5)))
    await database.close()

asyncio.run(main())
"""


async def start_writer(url: str, first: int, count: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, url, str(first), str(count), stdout=asyncio.subprocess.PIPE, env={**os.environ}
    )


@only_sqlite
@pytest.mark.proves("promise-20")
async def test_what_was_committed_outlives_kill_9(
    notebook: Database, empty_database_url: str, size: Callable[[int, int], int], chance: random.Random
) -> None:
    acknowledged: set[int] = set()
    for kill in range(size(5, 500)):
        writer = await start_writer(empty_database_url, kill * 1_000_000, 1_000_000)
        assert writer.stdout is not None
        for _ in range(chance.randint(1, 60)):
            acknowledged.add(int(await asyncio.wait_for(writer.stdout.readline(), 30)))
        writer.kill()
        rest = await writer.stdout.read()
        acknowledged.update(int(line) for line in rest.decode().splitlines(keepends=True) if line.endswith("\n"))
        await writer.wait()
        assert acknowledged <= set(await numbers(notebook))
        assert await setting(notebook, "integrity_check") == "ok"


async def test_two_processes_write_at_once(notebook: Database, empty_database_url: str) -> None:
    writers = [await start_writer(empty_database_url, first, 100) for first in (0, 1000)]
    for writer in writers:
        await asyncio.wait_for(writer.communicate(), 60)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert await numbers(notebook) == [*range(100), *range(1000, 1100)]
