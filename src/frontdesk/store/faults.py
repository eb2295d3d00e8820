"""Whose fault an error of the database is: its own, or the statement's."""

import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError

from frontdesk.errors import StoreUnavailable

# SQLite result codes (sqlite.org/rescode.html) and PostgreSQL SQLSTATE classes (appendix A of its manual) that speak
# of the database and not of the statement.
SQLITE_AWAY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}
POSTGRES_AWAY = ("08", "3D", "28", "53", "55P03", "57P", "58", "XX")
RUN_AGAIN = {"40001", "40P01"}  # serialisation failure, deadlock: the transaction was rolled back and may be repeated


def translated(error: Exception) -> Exception:
    """`StoreUnavailable` when the database is at fault; the error itself when the statement is."""
    if not isinstance(error, DBAPIError):
        return StoreUnavailable(f"The database did not answer: {error}", retry_after=2)
    away = error.connection_invalidated or _state(error).startswith((*POSTGRES_AWAY, *RUN_AGAIN))
    if isinstance(error.orig, sqlite3.Error):
        away = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF in SQLITE_AWAY
    return StoreUnavailable(f"The database did not do its work: {error.orig}", retry_after=2) if away else error


def of_the_driver(error: Exception) -> Exception:
    """The same of asyncpg's own errors; a broken constraint comes as SQLAlchemy's."""
    state = _state(error)
    if state:
        if state.startswith((*POSTGRES_AWAY, *RUN_AGAIN)):
            return StoreUnavailable(f"The database did not do its work: {error}", retry_after=2)
        return IntegrityError(None, None, error) if state.startswith("23") else error
    if isinstance(error, OSError) or type(error).__name__ in ("InterfaceError", "ConnectionDoesNotExistError"):
        return StoreUnavailable(f"The database did not answer: {error}", retry_after=2)
    return error


def may_run_again(error: Exception) -> bool:
    """Whether the transaction lost to another one, and may be tried once more."""
    return _state(error) in RUN_AGAIN


def _state(error: Exception) -> str:
    """PostgreSQL's five-letter SQLSTATE of an error of SQLAlchemy's or of the driver's, or nothing."""
    return str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")
