"""The embedded database in backups: copied by SQLite's own backup, which sees one moment while others write."""

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path

from frontdesk.errors import NotFound
from frontdesk.operate.backup.databases import REVISIONS, Proof, Snapshot, Stream
from frontdesk.operate.backup.manifest import Facts, Kind
from frontdesk.operate.backup.packing import pack, unpack
from frontdesk.operate.backup.shelves import PART, forget_abandoned, to_disk
from frontdesk.operate.errors import BackupDamaged, BackupFailed, NoRoom, StoreInUse
from frontdesk.store.audit import START, Head

SCRATCH = ".backup-"  # begins the names of folders with copies that are not sealed
PATIENCE = 2.0  # seconds for others to leave the database
HEAD = "SELECT count, hash FROM audit_head WHERE id = 1"


class SqliteStore:
    """A SQLite file. Copies that are not sealed lie beside it for a while, for the same eyes."""

    kind: Kind = "sqlite"

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def where(self) -> str:
        """Its file."""
        return str(self._file)

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[Snapshot]:
        """A copy of it. Raises `NotFound` where there is nothing yet, `BackupFailed` when it cannot be read."""
        if not self._file.is_file():
            raise NotFound("There is no database to back up", where=self.where, hint="`frontdesk up` makes it.")
        with _scratch(self._file.parent) as folder:
            copy = folder / "copy.db"
            try:
                facts = await asyncio.to_thread(_copied, self._file, copy)
            except sqlite3.Error as error:
                raise BackupFailed(f"The database cannot be read: {error}", where=self.where) from error
            yield Snapshot(facts=facts, size=copy.stat().st_size, stream=lambda: pack(_parts(copy)))

    async def exists(self) -> bool:
        """Whether its file exists."""
        return self._file.is_file()

    async def rows(self) -> int:
        """How many rows it holds. Raises `StoreInUse` while another process has it open."""
        if not self._file.is_file():
            return 0
        return await asyncio.to_thread(_rows_alone, self._file)

    async def restore(self, stream: Stream, facts: Facts, proof: Proof) -> None:
        """Write it beside the present one, prove it there, then give it its name."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _scratch(self._file.parent) as folder:
            draft = folder / "draft.db"
            await asyncio.to_thread(_unpacked, stream, draft, facts)
            await proof(f"sqlite:///{draft}")
            await asyncio.to_thread(_in_one_file, draft)
            if self._file.exists():
                await asyncio.to_thread(_rows_alone, self._file)
            draft.chmod(0o600)
            to_disk(draft)
            for beside in ("-wal", "-shm"):  # a journal of another database must not lie beside this one for a moment
                self._file.with_name(f"{self._file.name}{beside}").unlink(missing_ok=True)
            draft.replace(self._file)
            to_disk(self._file.parent)


async def check(stream: Stream, facts: Facts, scratch: Path | None) -> None:
    """Unpack it, have SQLite check it, count its rows. Raises `BackupDamaged`, or `NoRoom` for such a copy."""
    with _scratch(scratch or Path(tempfile.gettempdir())) as folder:
        await asyncio.to_thread(_unpacked, stream, folder / "copy.db", facts)


@contextmanager
def _scratch(parent: Path) -> Generator[Path]:
    forget_abandoned(parent, f"{SCRATCH}*")
    folder = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copied(file: Path, copy: Path) -> Facts:
    """Copy it in one step, which holds nobody up, and tell what the copy holds."""
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        target.execute("PRAGMA synchronous=OFF")
        source.backup(target)
    _in_one_file(copy)
    return _facts(copy)


def _in_one_file(file: Path) -> None:
    """Without a journal beside it; the desk begins one when it opens it."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def _facts(file: Path) -> Facts:
    with closing(sqlite3.connect(file)) as connection:
        counts = _counts(connection)
        if REVISIONS not in counts:
            raise BackupFailed("The database has no tables of a desk", where=str(file))
        [revision] = connection.execute(f"SELECT version_num FROM {REVISIONS}").fetchone()  # noqa: S608 — our own name
        head = connection.execute(HEAD).fetchone() or (0, START)
        return Facts(kind="sqlite", revision=revision, counts=counts, audit=Head(count=head[0], hash=head[1]))


def _counts(connection: sqlite3.Connection) -> dict[str, int]:
    """The rows of each table, without those that SQLite keeps for itself or for an index of words."""
    listed = connection.execute("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
    names = sorted(name for (name,) in listed if not name.startswith("sqlite_"))
    return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}  # noqa: S608


def _parts(file: Path) -> Stream:
    with file.open("rb") as opened:
        yield from iter(partial(opened.read, PART), b"")


def _unpacked(stream: Stream, file: Path, facts: Facts) -> None:
    """Write it to `file` and raise `BackupDamaged` unless it is a whole database that holds what `facts` say."""
    with file.open("xb") as opened:
        for part in unpack(stream, "database"):
            opened.write(part)
    try:
        with closing(sqlite3.connect(file)) as connection:
            [found] = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise BackupDamaged(f"SQLite finds a fault in it: {found}", where="database")
        if _facts(file) != facts:
            raise BackupDamaged("It does not hold the rows that its manifest counts", where="database")
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise NoRoom(f"It could not be opened: {error}", where=str(file.parent)) from error
        raise BackupDamaged(f"SQLite cannot read it: {error}", where="database") from error


def _rows_alone(file: Path) -> int:
    """How many rows there are; only who is alone may leave SQLite's shared journal."""
    try:
        with closing(sqlite3.connect(file, timeout=PATIENCE)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
            return sum(count for name, count in _counts(connection).items() if name != REVISIONS)
    except sqlite3.OperationalError as error:
        raise StoreInUse("Another process has the database open", where=str(file)) from error
    except sqlite3.DatabaseError:
        return 1  # something is there, and it is no database
