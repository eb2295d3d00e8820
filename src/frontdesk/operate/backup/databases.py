"""What a backup needs of a database, SQLite or PostgreSQL."""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import frontdesk.store
from frontdesk.operate.backup.manifest import Facts, Kind
from frontdesk.store.database import metadata

Stream = Iterator[bytes]
Proof = Callable[[str], Awaitable[None]]
REVISIONS = "alembic_version"  # the table with the revision: the one row of a database that has tables and nothing else


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A database at one moment. `stream` gives it in parts and raises `BackupFailed` unless it comes to its end;
    `size` is about how many bytes that are before they are packed."""

    facts: Facts
    size: int
    stream: Callable[[], Stream]


class Store(Protocol):
    """One database. The bytes of a stream are those of a snapshot's, unsealed; streams are read in threads."""

    @property
    def kind(self) -> Kind:
        """Which database it is."""
        ...

    @property
    def where(self) -> str:
        """Its place without its password."""
        ...

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        """Everything as it is now, while the desk goes on. Raises `NotFound` where there is nothing yet."""
        ...

    async def exists(self) -> bool:
        """Whether there are tables of a desk, or a file that may hold them."""
        ...

    async def rows(self) -> int:
        """How many rows it holds now; 0 too where it does not exist. Raises `StoreInUse` while a desk works on it."""
        ...

    async def restore(self, stream: Stream, facts: Facts, proof: Proof) -> None:
        """Put the stream's content in the place of what is there, all or nothing; `proof` looks at its address."""
        ...


def store_of(url: str, copy_host: str = "") -> Store:
    """The database at an address; of PostgreSQL, `copy_host` is where a copy is, from which snapshots are taken."""
    from frontdesk.operate.backup.copies import CopiedStore
    from frontdesk.operate.backup.postgres import PostgresStore
    from frontdesk.operate.backup.sqlite import SqliteStore

    if url.startswith("sqlite"):
        return SqliteStore(Path(url.removeprefix("sqlite:///")))
    server = PostgresStore(url)
    return CopiedStore(server, server.on(copy_host)) if copy_host else server


async def check_dump(stream: Stream, facts: Facts, scratch: Path | None) -> None:
    """Read a snapshot's stream to its end and raise `BackupDamaged` unless it holds what `facts` say.

    What must lie on the disk meanwhile lies in `scratch`, or where the machine keeps such things.
    """
    from frontdesk.operate.backup import postgres, sqlite

    if facts.kind == "sqlite":
        await sqlite.check(stream, facts, scratch)
    else:
        await postgres.check(stream, facts)


def own_tables() -> frozenset[str]:
    """The tables of this version of Frontdesk."""
    for module in pkgutil.iter_modules(frontdesk.store.__path__):
        if not module.ispkg:
            importlib.import_module(f"frontdesk.store.{module.name}")
    return frozenset({*metadata.tables, REVISIONS})
