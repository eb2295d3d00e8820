"""Revisions lead to the tables that the code describes, whoever runs them and however many at once."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection

from frontdesk.errors import StoreTooNew, StoreUnavailable
from frontdesk.store.database import Database
from frontdesk.store.migrations import known, migrate, revision
from tests.servers import PostgresServer


def schema(url: str, server: PostgresServer) -> str:
    """All that the database says of its tables, indexes and triggers, in an order that is always the same: a table
    that was changed has its columns in another order, and its name in quotes, from one that was made so.
    """
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        statements = [row[0].replace('"', "").rstrip(")") for row in rows]
        connection.close()
    else:
        command = [server.binaries / "pg_dump", "--schema-only", "--no-owner", "--restrict-key=none", url]
        dump = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        statements = [part.split("\n\n\n")[0] for part in dump.split("\n--\n")]
    plain = (
        " ".join(part.split()).replace("( ", "(, ", 1).replace("('')", "''").replace(" );", "")
        for part in statements
        if "alembic_version" not in part
    )
    return "\n".join(sorted(", ".join(sorted(part.split(", "))) for part in plain))


async def test_the_revisions_make_exactly_the_tables_of_the_code(
    empty_database_url: str, database_url: str, postgres: PostgresServer
) -> None:
    database = await Database.open(empty_database_url)
    await migrate(database)
    await database.close()
    assert schema(empty_database_url, postgres).splitlines() == schema(database_url, postgres).splitlines()


async def test_migrating_again_changes_nothing(empty_database_url: str) -> None:
    database = await Database.open(empty_database_url)
    assert await revision(database) is None
    newest = await migrate(database)
    assert await revision(database) == newest
    assert await migrate(database) == newest
    await database.close()


async def test_a_full_disk_is_told_as_such_and_the_tables_come_once_there_is_room(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path / 'desk.db'}")
    pages = 20

    def bound(connection: DBAPIConnection, _record: object) -> None:
        connection.cursor().execute(f"PRAGMA max_page_count={pages}")

    sa.event.listen(database.engine.sync_engine, "connect", bound)
    await database.engine.dispose()  # connections from before know no bound
    with pytest.raises(StoreUnavailable, match="full"):
        await migrate(database)
    assert await revision(database) is None
    pages = 1_000_000
    await database.engine.dispose()
    assert await migrate(database) in known()
    await database.close()


async def test_a_database_of_a_newer_version_is_left_alone(empty_database_url: str) -> None:
    database = await Database.open(empty_database_url)
    await migrate(database)
    await database.commit(
        lambda connection: connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    )
    with pytest.raises(StoreTooNew, match="9999"):
        await migrate(database)
    assert await revision(database) == "9999"
    await database.close()


MIGRATE = """
import asyncio, sys
from frontdesk.store.database import Database
from frontdesk.store.migrations import migrate

async def main():
    database = await Database.open(sys.argv[1])
    sys.stdin.read()  # all start together
    print(await migrate(database))
    await database.close()

asyncio.run(main())
"""


async def test_processes_that_migrate_at_once_all_succeed(empty_database_url: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", MIGRATE, empty_database_url),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(3)
    ]
    outputs = await asyncio.wait_for(asyncio.gather(*(process.communicate(b"") for process in processes)), 60)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len({output for output, _ in outputs}) == 1
