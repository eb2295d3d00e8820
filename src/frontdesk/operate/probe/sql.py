"""Probes of databases: a trivial query as the very user that the desk is."""

import asyncio
import importlib
import sqlite3
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from frontdesk.operate.probe.fault import Fault, Faulty
from frontdesk.operate.probe.target import Target

HINT = "Correct DATABASE_URL."

# SQLSTATE → what it means here (postgresql.org/docs/current/errcodes-appendix.html).
_STATES = {
    "28P01": Fault("password", "The database refuses the password", "Correct DATABASE_URL or DB_PASSWORD."),
    "28000": Fault("forbidden", "The database does not let this user in", "Allow user and address in pg_hba.conf."),
    "3D000": Fault("no database", "The server has no database of that name", "Create it, or correct its name."),
    "42501": Fault("forbidden", "The user may not connect to this database", "GRANT CONNECT to the user."),
    "53300": Fault(
        "exhausted",
        "Every connection of the database is taken",
        "Lower DB_POOL_SIZE and DB_MAX_OVERFLOW, run fewer processes, raise max_connections, or use a pooler.",
    ),
    "57P01": Fault("starting", "The database is shutting down", "Start it again."),
    "57P02": Fault("starting", "The database has crashed and restarts", "Wait; its own log says why."),
    "57P03": Fault("starting", "The database starts up, or shuts down", "Wait until it takes connections."),
}
READ_ONLY = "Point the desk at the primary: DATABASE_URL or DB_HOST; or end default_transaction_read_only there."


def postgresql(target: Target, seconds: float) -> str:
    """SELECT 1, and whether it takes writes. Raises `Faulty`, or what sockets do."""
    if find_spec("asyncpg") is None:
        raise Faulty(Fault("package", "PostgreSQL's client is not installed", "pip install 'frontdesk[postgres]'"))
    writes, version = asyncio.run(_ask_postgresql(target, seconds))
    if not writes and not target.replica:
        raise Faulty(Fault("read-only", "The database takes no writes: it is a replica, or set read-only", READ_ONLY))
    return f"PostgreSQL {version} answers{'' if writes else ', read-only'}"


async def _ask_postgresql(target: Target, seconds: float) -> tuple[bool, str]:
    asyncpg: Any = importlib.import_module("asyncpg")  # an extra, and without types
    url = "postgresql" + target.url[target.url.index(":") :]
    try:
        connection = await asyncpg.connect(url, timeout=seconds, command_timeout=seconds)
        try:
            row = await connection.fetchrow("SELECT 1, current_setting('transaction_read_only'), version()")
        finally:
            connection.terminate()
    except asyncpg.PostgresError as error:
        raise Faulty(of_state(error.sqlstate, type(error).__name__)) from None
    except (asyncpg.InterfaceError, ValueError) as error:
        cause = f"{target.place} cannot be asked like this: {type(error).__name__}"
        raise Faulty(Fault("unknown", cause, HINT)) from None
    return row[1] == "off", str(row[2]).split()[1]


def of_state(state: str | None, name: str = "") -> Fault:
    """The fault that PostgreSQL means by this SQLSTATE."""
    return _STATES.get(state or "", Fault("unknown", f"The database answers with the error {name or state}", HINT))


def sqlite(target: Target, seconds: float) -> str:
    """SELECT of the file's tables, which reads its head. Raises `Faulty`."""
    if not Path(target.path).is_file():
        raise Faulty(Fault("missing", f"There is no file {target.path}", "`frontdesk up` makes it."))
    try:
        connection = sqlite3.connect(f"file:{target.path}?mode=ro", uri=True, timeout=seconds)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise TimeoutError from error
        raise Faulty(Fault("unknown", f"{target.path} cannot be read", "Look at its owner and mode.")) from error
    except sqlite3.DatabaseError as error:
        raise Faulty(Fault("broken", f"{target.path} is damaged, or no database", "Restore a backup.")) from error
    return "SQLite answers"
