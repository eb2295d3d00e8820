"""One database, SQLite or PostgreSQL, behind `read` and `commit`.

SQLite has one writer: the works that wait together share one transaction and so one fsync (group commit). On PostgreSQL
each work has its own transaction; the server groups the commits. Either way `commit` returns when the work is durable.
"""

import asyncio
import contextlib
import importlib
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
import sqlalchemy.event as sa_event
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from frontdesk.store.faults import may_run_again, of_the_driver, translated
from frontdesk.store.gathered import Gathered
from frontdesk.store.keyring import KeyRing
from frontdesk.store.prepared import Connection, Direct, Prepared, Row, Values, Words
from frontdesk.store.sealed import hang, ring_of

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]
Act = Callable[[Connection], Coroutine[Any, Any, T]]

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A moment in UTC, with its time zone on every database. A naive value is refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("A moment needs its time zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


RESTING = 8  # of SQLAlchemy's connections to PostgreSQL are kept; the others close when they have done their work
RESTED = 5.0  # seconds after which a connection is looked at before it is used again
ATTEMPTS = 3  # of a work that lost a deadlock on PostgreSQL
CONNECT_SECONDS = 10.0
STATEMENT_SECONDS = 60.0  # after which a prepared statement is given up: nobody waits for ever for a lock or a server
POLL = 0.0003  # seconds between two tries to become the one writer of SQLite
BATCH = 256  # works in one SQLite transaction: bounds how long a reader of the result waits


@dataclass(slots=True)
class _Waiting(Generic[T]):
    work: Work[T]
    done: asyncio.Future[T]


class Database:
    """Open with `await Database.open(url)`, end with `close`.

    `url` is `sqlite:///path/to/file.db` or `postgresql://…` (the driver is added). Works handed to `commit` must be
    short, touch only the connection that they are given, and bear being run again: after a failed batch each of its
    works runs once more, alone, and on PostgreSQL the loser of a deadlock runs again.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._queue: asyncio.Queue[_Waiting[Any]] = asyncio.Queue()  # works of many result types share the queue
        self._writer: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()  # of this process's two writers on SQLite: neither then waits by polling
        self._own_thread: ThreadPoolExecutor | None = None
        self._own_engine: sa.Engine | None = None
        self._acting: Gathered[Act[Any], Any] = Gathered(self._act_together)
        self._lines: Any = None  # asyncpg's pool of connections beside SQLAlchemy's, on PostgreSQL
        self._words = Words({}, {})

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        pool_size: int = 20,
        max_overflow: int = 40,
        lock_wait: float = 10,
        ring: KeyRing | None = None,
    ) -> "Database":
        """Connect. Raises `StoreUnavailable` when the database does not answer.

        `pool_size` bounds PostgreSQL's connections for prepared statements, `max_overflow` those for all others (one at
        least). `lock_wait` is how many seconds a write waits for another process's write on SQLite, and a statement
        that is not prepared for a free connection on PostgreSQL. Without a `ring` the sealed columns can be neither
        read nor written.
        """
        database = cls(_engine(url, max_overflow, lock_wait))
        if ring is not None:
            hang(ring, database.engine.dialect)
        try:
            await database.ping()
        except BaseException:
            await database.close()
            raise
        if database.is_sqlite:
            database._writer = asyncio.create_task(database._write_batches(), name="store-writer")
            database._own_thread = ThreadPoolExecutor(1, thread_name_prefix="store-rows")
            database._own_engine = _sqlite_in_one_thread(url, lock_wait)
            if ring is not None:
                hang(ring, database._own_engine.dialect)
        else:
            database._lines = await _direct_lines(database.engine.dialect, url, pool_size)
        return database

    @asynccontextmanager
    async def _checked_out(self) -> AsyncGenerator[AsyncConnection]:
        """A connection of the pool. Opening one of SQLite's goes on in a thread, so it is not broken off: whoever was
        cancelled meanwhile would leave it open for ever."""
        if not self.is_sqlite:
            async with self._engine.connect() as connection:
                yield connection
            return
        opening = asyncio.ensure_future(_opened(self._engine))
        try:
            connection = await asyncio.shield(opening)
        except asyncio.CancelledError:
            self._giving_back(_close_opened(opening))
            raise
        try:
            yield connection
        finally:
            await asyncio.shield(self._giving_back(connection.close()))

    def _giving_back(self, ending: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Goes on when whoever had the connection is cancelled; `close` waits for it."""
        task = asyncio.create_task(ending, name="store-giving-back")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    @property
    def _reading(self) -> dict[str, Any]:
        return {"reading": True} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}

    @property
    def is_sqlite(self) -> bool:
        """Whether the embedded database stands behind this."""
        return self._engine.dialect.name == "sqlite"

    @property
    def engine(self) -> AsyncEngine:
        """The engine, for migrations and backups."""
        return self._engine

    @property
    def ring(self) -> KeyRing:
        """The keys that seal people's words. Raises `WrongKey` when it was opened without any."""
        return ring_of(self._engine.dialect)

    async def ping(self) -> None:
        """Raise `StoreUnavailable` unless a trivial query answers."""
        async with self.read() as connection:
            await connection.execute(sa.text("SELECT 1"))

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """A connection for queries alone. On PostgreSQL each is its own transaction, which saves two round trips."""
        try:
            async with self._checked_out() as connection:
                yield await connection.execution_options(**self._reading)
        except (DBAPIError, PoolExhausted, OSError) as error:
            raise translated(error) from error

    async def commit(self, work: Work[T]) -> T:
        """Run `work` in a transaction and return its result once that is durable.

        Raises what `work` raises, rolled back; `StoreUnavailable` when the database is away, locked or full.
        """
        if self._writer is None:
            return await self._alone(work)
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_Waiting(work, done))
        return await done

    async def run(self, prepared: Prepared, values: Values) -> Sequence[Row]:
        """The rows of one statement, which is a transaction of its own: a question, or a change. Raises as `commit`."""
        if self._lines is not None:
            return await self._directly(lambda connection: prepared(connection, values))
        if prepared.changes(self._engine.dialect):
            return await self.act(lambda connection: prepared(connection, values))
        async with self.read() as connection:
            return await prepared(connection, values)

    async def act(self, work: Act[T]) -> T:
        """`commit` for work that awaits nothing but prepared statements.

        On SQLite it runs in a thread of its own, which is entered once and not for each statement; works that wait
        together share a transaction there as well.
        """
        if self._lines is None:
            return await self._acting.put(work)

        async def transact(connection: Direct) -> T:
            async with connection.driver.transaction():
                return await work(connection)

        return await self._directly(transact)

    async def _act_together(self, works: list[Act[Any]]) -> list[Any]:
        assert self._own_engine is not None
        async with self._turn:
            run = partial(_run_in_this_thread, self._own_engine, works)
            return await asyncio.get_running_loop().run_in_executor(self._own_thread, run)

    async def _directly(self, work: Callable[[Direct], Awaitable[T]]) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._lines.acquire() as driver:
                    return await work(Direct(driver, self._engine.dialect, self._words))
            except Exception as error:
                if attempt == ATTEMPTS or not may_run_again(error):
                    raise of_the_driver(error) from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    @asynccontextmanager
    async def unbound(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction of the embedded database in which tables may be made anew without their references acting.

        SQLite changes a table by copying it, and would take its disappearance for a deletion of all that refers to it.
        """
        try:
            async with self._checked_out() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection  # aiosqlite's, outside a begin
                await driver.execute_fetchall("PRAGMA foreign_keys=OFF")
                try:
                    async with connection.begin():
                        yield connection
                finally:
                    await driver.execute_fetchall("PRAGMA foreign_keys=ON")
        except (DBAPIError, sqlite3.Error, OSError) as error:
            raise translated(error) from error

    async def wipe(self) -> None:
        """After deletions that must leave no byte: have the embedded database overwrite its journal as well.

        Its deleted rows are overwritten at once, but the journal keeps their former pages until it is emptied.
        PostgreSQL overwrites in its own time (autovacuum), and its journal ends with its retention.
        """
        if self.is_sqlite:
            async with self._checked_out() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection  # aiosqlite's, outside a begin
                await driver.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")

    async def close(self) -> None:
        """Finish the waiting works and disconnect."""
        if self._writer is not None:
            await self._queue.join()
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        if self._own_thread is not None and self._own_engine is not None:
            await asyncio.get_running_loop().run_in_executor(self._own_thread, self._own_engine.dispose)
            self._own_thread.shutdown()
        await asyncio.gather(*self._ending, return_exceptions=True)
        if self._lines is not None:
            await self._lines.close()
        sa_event.listen(self._engine.sync_engine, "checkin", _end)  # of what is still out, which `dispose` leaves alone
        await self._engine.dispose()

    async def _alone(self, work: Work[T]) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._engine.begin() as connection:
                    return await work(connection)
            except (DBAPIError, PoolExhausted, OSError) as error:
                if attempt == ATTEMPTS or not may_run_again(error):
                    raise translated(error) from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _write_batches(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            async with self._turn:
                await self._write(batch)
            for _ in batch:
                self._queue.task_done()

    async def _write(self, batch: list[_Waiting[Any]]) -> None:
        wanted = [waiting for waiting in batch if not waiting.done.done()]
        if len(wanted) > 1:
            with contextlib.suppress(Exception):  # one work spoiled the batch: each runs alone and meets its own error
                async with self._engine.begin() as connection:
                    results = [await waiting.work(connection) for waiting in wanted]
                for waiting, result in zip(wanted, results, strict=True):
                    _settle(waiting, result)
                return
        for waiting in wanted:
            try:
                result = await self._alone(waiting.work)
            except Exception as error:
                if not waiting.done.done():
                    waiting.done.set_exception(error)
            else:
                _settle(waiting, result)


async def _opened(engine: AsyncEngine) -> AsyncConnection:
    return await engine.connect()


async def _close_opened(opening: asyncio.Future[AsyncConnection]) -> None:
    with contextlib.suppress(Exception):
        await (await opening).close()


def _settle(waiting: _Waiting[Any], result: object) -> None:
    if not waiting.done.done():
        waiting.done.set_result(result)


def _engine(url: str, max_overflow: int, lock_wait: float) -> AsyncEngine:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(
            parsed.set(drivername="sqlite+aiosqlite"),
            pool_size=8,
            max_overflow=8,
            connect_args={"timeout": lock_wait},  # the busy timeout: also held while WAL mode is being set
            hide_parameters=True,
        )
        sa_event.listen(engine.sync_engine, "connect", _sqlite_settings)
        sa_event.listen(engine.sync_engine, "begin", _sqlite_begin)
        return engine
    engine = create_async_engine(
        parsed.set(drivername="postgresql+asyncpg"),
        pool_size=max(1, min(RESTING, max_overflow)),
        max_overflow=max(0, max_overflow - RESTING),
        pool_timeout=lock_wait,
        pool_use_lifo=True,  # a connection that was just used knows its statements
        hide_parameters=True,  # people's words stand in no error, and so in no log
    )
    sa_event.listen(engine.sync_engine, "checkin", _note_rest)
    sa_event.listen(engine.sync_engine, "checkout", partial(_ping_after_rest, engine.dialect))
    return engine


async def _direct_lines(dialect: Dialect, url: str, most: int) -> Any:
    """Connections of PostgreSQL's driver for prepared statements. None is opened before it is needed."""
    asyncpg: Any = importlib.import_module("asyncpg")  # an extra, and without types
    _, where = dialect.create_connect_args(sa.make_url(url))
    return await asyncpg.create_pool(
        **where,
        min_size=0,
        max_size=most,
        timeout=CONNECT_SECONDS,
        command_timeout=STATEMENT_SECONDS,
        reset=_nothing_to_reset,
    )


async def _nothing_to_reset(_connection: object) -> None:
    """Prepared statements leave nothing behind in a connection, and to ask for a reset costs a round trip."""


def _end(_connection: object, record: Any) -> None:
    record.invalidate()


def _note_rest(_connection: object, record: Any) -> None:
    record.info["resting_since"] = time.monotonic()


def _ping_after_rest(dialect: Dialect, connection: Any, record: Any, _proxy: object) -> None:
    """A connection that rested may have died meanwhile. One that was just used is taken at its word: a ping takes as
    many round trips as the work, and the first error of a server that went away renews the whole pool."""
    if time.monotonic() - record.info.get("resting_since", time.monotonic()) > RESTED and not dialect.do_ping(
        connection
    ):
        raise DisconnectionError


def _sqlite_in_one_thread(url: str, lock_wait: float) -> sa.Engine:
    """One connection without a pool's care, for the thread that writes rows."""
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="sqlite"),
        poolclass=sa.StaticPool,
        connect_args={"timeout": lock_wait},
        hide_parameters=True,
    )
    sa_event.listen(engine, "connect", _sqlite_settings)
    sa_event.listen(engine, "begin", partial(_sqlite_begin_soon, lock_wait))
    return engine


def _run_in_this_thread(engine: sa.Engine, works: Sequence[Act[Any]]) -> list[Any]:
    """The result of each, or what it met: all in one transaction, and where that fails each in its own."""
    if len(works) > 1:
        with contextlib.suppress(Exception), engine.begin() as connection:
            return [_finished(work(connection)) for work in works]
    results: list[Any] = []
    for work in works:
        try:
            with engine.begin() as connection:
                result = _finished(work(connection))
        except Exception as error:
            result = translated(error) if isinstance(error, DBAPIError | sqlite3.Error | OSError) else error
        results.append(result)
    return results


def _finished(work: Coroutine[Any, Any, T]) -> T:
    """What the work returns: in this thread nothing makes it wait."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    work.close()
    raise RuntimeError("Such work may await nothing but prepared statements")


def _sqlite_settings(connection: Any, _record: object) -> None:  # the driver's own connection, which has no types
    connection.isolation_level = None  # transactions are begun below, not by the driver
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "secure_delete=ON",
        "foreign_keys=ON",
        "cache_size=-32000",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: sa.Connection) -> None:
    mode = "DEFERRED" if connection.get_execution_options().get("reading") else "IMMEDIATE"
    connection.exec_driver_sql(f"BEGIN {mode}")


def _sqlite_begin_soon(lock_wait: float, connection: sa.Connection) -> None:
    """Begin to write as soon as another process has ended. SQLite's own waiting sleeps up to 100 ms at a time."""
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA busy_timeout=0")
    patience = time.monotonic() + lock_wait
    while True:
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > patience:
                raise
            time.sleep(POLL)
        else:
            return
