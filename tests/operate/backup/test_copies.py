"""A backup reads a copy of the database: only one that has everything, and else the database itself."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest
from structlog.testing import capture_logs

from frontdesk.operate.backup.copies import CopiedStore
from frontdesk.operate.backup.databases import Store, store_of
from frontdesk.operate.backup.postgres import PostgresStore
from tests.operate.backup.conftest import fill_desk
from tests.servers import PostgresServer

SESSIONS = """SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""


@pytest.fixture(scope="module")
def primary() -> Iterator[PostgresServer]:
    server = PostgresServer(connections=40)
    try:
        server.start()
        asyncio.run(fill_desk(server.url()))
        yield server
    finally:
        server.remove()


@pytest.fixture
def copy(primary: PostgresServer) -> Iterator[PostgresServer]:
    server = PostgresServer(connections=40, copy_of=primary)
    try:
        server.start()
        yield server
    finally:
        server.remove()


async def read_by(store: Store, *servers: PostgresServer) -> tuple[list[int], int, list[str]]:
    """While a snapshot is read: how many are connected to each server; the people in it; what was warned of."""
    with capture_logs() as said:
        async with store.snapshot() as snapshot:
            connected = [await asked(server, SESSIONS) for server in servers]
            dump = await asyncio.to_thread(lambda: b"".join(snapshot.stream()))
    assert dump.startswith(b"PGDMP")
    return connected, snapshot.facts.counts["people"], [str(each["event"]) for each in said]


async def asked(server: PostgresServer, question: str) -> int:
    connection = await asyncpg.connect(server.url())
    try:
        return int(await connection.fetchval(question) or 0)
    finally:
        await connection.close()


async def test_a_copy_is_read_once_it_has_what_was_just_written(primary: PostgresServer, copy: PostgresServer) -> None:
    await primary.run("CREATE TABLE IF NOT EXISTS later (number int)")
    await primary.run("INSERT INTO later SELECT generate_series(1, 10000)")
    store = store_of(primary.url(), f"127.0.0.1:{copy.port}")
    assert await read_by(store, primary, copy) == ([0, 1], 3, [])


async def test_while_the_copy_is_away_the_database_itself_is_read(
    primary: PostgresServer, copy: PostgresServer
) -> None:
    store = store_of(primary.url(), f"127.0.0.1:{copy.port}")
    copy.stop()
    assert await read_by(store, primary) == ([1], 3, ["backup_past_the_copy"])


async def test_a_copy_that_is_none_any_more_is_not_read(primary: PostgresServer, copy: PostgresServer) -> None:
    assert await asked(copy, "SELECT pg_promote()::int") == 1
    store = store_of(primary.url(), f"127.0.0.1:{copy.port}")
    assert await read_by(store, primary, copy) == ([1, 0], 3, ["backup_past_the_copy"])


async def test_a_copy_that_stays_behind_is_not_read(primary: PostgresServer, copy: PostgresServer) -> None:
    await copy.run("SELECT pg_wal_replay_pause()")
    await primary.run("CREATE TABLE IF NOT EXISTS never_there (number int)")
    server = PostgresStore(primary.url())
    store = CopiedStore(server, server.on(f"127.0.0.1:{copy.port}"), patience=0.3)
    assert await read_by(store, primary, copy) == ([1, 0], 3, ["backup_past_the_copy"])
