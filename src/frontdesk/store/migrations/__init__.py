"""Bringing a database's tables to the newest revision. The revisions are the files in `versions`, in order.

A revision never imports tables of the product: it says what was true when it was written. `make migration NAME="…"`
drafts the next one from the difference between the tables in `store` and the revisions so far. The way back is a
backup: a downgrade would have to throw away what people wrote.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import StoreTooNew
from frontdesk.store.database import Database

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

ADVISORY_LOCK = 0x66726F6E746465  # "frontde" in ASCII: two desks on one PostgreSQL server wait for each other, no more


async def migrate(database: Database) -> str:
    """Bring the tables to the newest revision and return its name. Any number of processes may call this at once.

    All steps are one transaction under a lock (an advisory lock on PostgreSQL; SQLite has one writer), so the database
    has either its old tables or the new ones. Raises `StoreTooNew` when a newer Frontdesk has been here, and
    `StoreUnavailable` when the lock cannot be had in time.
    """
    if not database.is_sqlite:
        return await database.commit(_upgrade)
    async with database.unbound() as connection:
        return await _upgrade(connection)


async def revision(database: Database) -> str | None:
    """The revision that the tables have now; None of an empty database."""

    def read(connection: sa.Connection) -> str | None:
        from alembic.migration import MigrationContext  # alembic takes 80 ms to import: only who needs it pays

        return MigrationContext.configure(connection).get_current_revision()

    async with database.read() as connection:
        return await connection.run_sync(read)


def known() -> frozenset[str]:
    """The revisions that this version knows."""
    return frozenset(script.revision for script in _script(_config()).walk_revisions())


async def _upgrade(connection: AsyncConnection) -> str:
    if connection.dialect.name == "postgresql":
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    return await connection.run_sync(_run)


def _config(**attributes: object) -> "Config":
    from alembic.config import Config

    config = Config(attributes=attributes)
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def _script(config: "Config") -> "ScriptDirectory":
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(config)


def _run(connection: sa.Connection) -> str:
    from alembic import command
    from alembic.migration import MigrationContext

    config = _config(connection=connection)
    script = _script(config)
    newest = script.as_revision_number("head")
    if not isinstance(newest, str):
        raise AssertionError("the revisions in versions/ must form one line")
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in {each.revision for each in script.walk_revisions()}:
        raise StoreTooNew(f"The database has revision {found!r}, and this version knows revisions up to {newest!r}")
    if found != newest:
        command.upgrade(config, "head")
    return newest
