"""Bringing a backup back: everything is read and compared before anything is touched, and proved afterwards."""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from frontdesk.clock import SystemClock
from frontdesk.operate.backup import folder
from frontdesk.operate.backup.checking import Watch, check, manifest_of, opened, unwatched
from frontdesk.operate.backup.databases import Store
from frontdesk.operate.backup.manifest import Facts, Manifest, PieceName
from frontdesk.operate.backup.packing import unpack
from frontdesk.operate.backup.shelves import Shelf, forget_abandoned, to_disk
from frontdesk.operate.errors import BackupDamaged, BackupForeign, BackupTooNew, NoRoom, StoreNotEmpty
from frontdesk.store.audit import Audit
from frontdesk.store.database import Database
from frontdesk.store.keyring import KeyRing
from frontdesk.store.migrations import known
from frontdesk.store.words import word_key
from frontdesk.system.home import SYSTEM_FILE

Part = Literal["config", "data"]
SCRATCH = "frontdesk-restore-"  # begins the names of folders with files that are not sealed


@dataclass(frozen=True, slots=True)
class Keys:
    """What a desk reads its words with, and what signs its audit log; `signer` names the latter."""

    ring: KeyRing
    audit: bytes
    signer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a backup goes. `blueprint` is None where no system file says which it is.

    `keys` tells what the desk would have, were its home the folder that it is given: from the environment, else from
    that folder.
    """

    home: Path
    blueprint: str | None
    store: Store
    keys: Callable[[Path], Keys]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was brought back: how old it was (seconds: what is lost), and how long it took."""

    manifest: Manifest
    recovery_point: float
    recovery_time: float
    rows: int
    files: tuple[Path, ...]


async def restore(
    shelf: Shelf,
    name: str,
    key: bytes,
    target: Target,
    *,
    only: Part | None = None,
    replace: bool = False,
    watch: Watch = unwatched,
) -> Restored:
    """Bring a backup back, or its settings (`config`), or its database, files and keys (`data`).

    Before anything is touched this raises `NotFound`, `WrongKey`, `BackupDamaged`, `BackupTooNew`, `BackupForeign` for
    what is not this desk's, `StoreInUse` while a desk runs, and `StoreNotEmpty` for what is there, unless `replace`;
    and at any time `NoRoom`. One that was broken off is begun again, with `replace`.
    """
    try:
        return await _restore(shelf, name, key, target, only, replace=replace, watch=watch)
    except OSError as error:
        what = f"The backup could not be brought back: {error.strerror or type(error).__name__}"
        raise NoRoom(what, where=str(error.filename or target.home)) from error


async def _restore(
    shelf: Shelf, name: str, key: bytes, target: Target, only: Part | None, *, replace: bool, watch: Watch
) -> Restored:
    began = time.monotonic()
    made = await asyncio.to_thread(manifest_of, shelf, name, key)
    _refuse(made, target, only)
    await check(shelf, name, key, scratch=target.home if target.home.is_dir() else None, watch=watch)
    with _unpacked(shelf, made, key, _wanted(only)) as pieces:
        files = _files_in(pieces)
        found = _differing(files, pieces, target.home)
        keys = None if only == "config" else target.keys(pieces)
        if keys is not None:
            _compare(made, keys)
            if rows := await target.store.rows():
                found.append(f"{rows} rows in the database")
        if found and not replace:
            raise StoreNotEmpty(f"There is something already: {', '.join(found)}", where=str(target.home))
        if keys is not None:
            await _database(shelf, made, key, keys, target.store, watch)
        written = _placed(files, pieces, target.home)
    return Restored(
        manifest=made,
        recovery_point=made.age(SystemClock().now()),
        recovery_time=time.monotonic() - began,
        rows=0 if only == "config" else sum(made.database.counts.values()),
        files=tuple(written),
    )


def settings_of(shelf: Shelf, name: str, key: bytes) -> str | None:
    """The system file that a backup holds. Raises as `restore` does for a backup that is not whole."""
    made = manifest_of(shelf, name, key)
    with _unpacked(shelf, made, key, ["settings"]) as pieces:
        file = pieces / SYSTEM_FILE
        return file.read_text() if file.exists() else None


def _wanted(only: Part | None) -> list[PieceName]:
    """The pieces that are files, in the order in which they are put down."""
    pieces: dict[Part | None, list[PieceName]] = {"config": ["settings"], "data": ["keys", "files"]}
    return pieces.get(only, ["keys", "files", "settings"])


def _refuse(made: Manifest, target: Target, only: Part | None) -> None:
    if target.blueprint is not None and target.blueprint != made.blueprint:
        raise BackupForeign(
            f"The backup is of a desk made from {made.blueprint or 'no blueprint'}, and this one is of"
            f" {target.blueprint}",
            where=made.name,
        )
    if only != "config" and target.store.kind != made.database.kind:
        hint = "Let DATABASE_URL name a PostgreSQL database."
        if made.database.kind == "sqlite":
            hint = "Unset DATABASE_URL, or let it name a SQLite file."
        raise BackupForeign(
            f"The backup is of {made.database.kind}, and the database here is {target.store.kind}",
            where=target.store.where,
            hint=hint,
        )
    if made.database.revision not in known():
        raise BackupTooNew(f"Its tables have revision {made.database.revision!r}, which is not known", where=made.name)


def _compare(made: Manifest, keys: Keys) -> None:
    """Refuse where the words could not be read, or the audit log not be proved, afterwards."""
    if made.sealed_with not in keys.ring.names:
        raise BackupForeign(
            f"People's words in it are sealed with the key {made.sealed_with}, which is not here",
            where=made.name,
            hint="Set ENCRYPTION_KEY to the key that the desk had, or add it to ENCRYPTION_KEYS_OLD.",
        )
    if made.signed_with != keys.signer:
        raise BackupForeign(
            "Its audit log is signed with another secret than this desk's",
            where=made.name,
            hint="Set SECRET_KEY to what it was when the backup was made.",
        )


@contextmanager
def _unpacked(shelf: Shelf, made: Manifest, key: bytes, names: Iterable[PieceName]) -> Generator[Path]:
    """The files of these pieces in a folder that is gone afterwards; what a killed restore left goes, too."""
    forget_abandoned(Path(tempfile.gettempdir()), f"{SCRATCH}*")
    with tempfile.TemporaryDirectory(prefix=SCRATCH) as place:
        for name in names:
            if (piece := made.piece(name)) is not None:
                folder.unarchive(unpack(opened(shelf, made, piece, key), name), Path(place))
        yield Path(place)


def _differing(files: Iterable[Path], pieces: Path, home: Path) -> list[str]:
    """Files of the home that a restore would replace by others."""
    return [str(file) for file in files if (home / file).exists() and not _same(home / file, pieces / file)]


def _same(there: Path, here: Path) -> bool:
    return there.is_file() and there.read_bytes() == here.read_bytes()


async def _database(shelf: Shelf, made: Manifest, key: bytes, keys: Keys, store: Store, watch: Watch) -> None:
    piece = made.piece("database")
    if piece is None:
        raise BackupDamaged("It has no database", where=made.name)
    stream = opened(shelf, made, piece, key, lambda _, share: watch("restoring database", share))
    await store.restore(stream, made.database, partial(_prove, keys, made.database))


async def _prove(keys: Keys, facts: Facts, url: str) -> None:
    """The audit log leads to the head that the backup names, and sealed words open. Raises `BackupDamaged`."""
    database = await Database.open(url, pool_size=1, max_overflow=1, ring=keys.ring)
    try:
        audit = Audit(database, SystemClock(), keys.audit)
        verdict = await audit.verify(since=facts.audit)
        if not verdict.whole or await audit.head() != facts.audit:
            raise BackupDamaged(f"Its audit log does not hold: {verdict.reason}", where=f"row {verdict.at}")
        async with database.read() as connection:
            (await connection.execute(sa.select(word_key.c.key))).all()
    finally:
        await database.close()


def _placed(files: Iterable[Path], pieces: Path, home: Path) -> list[Path]:
    """Move each file to its place in the home. The names of variables become comments of a new `.env`."""
    written: list[Path] = []
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in files:
        if str(file) == folder.VARIABLES:
            written += _named(pieces / file, home / ".env")
            continue
        there = home / file
        there.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = there.with_name(f".{there.name}.restoring")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened_draft:
            opened_draft.write((pieces / file).read_bytes())
        to_disk(draft)
        draft.replace(there)
        written.append(there)
    return written


def _named(names: Path, environment_file: Path) -> list[Path]:
    text = names.read_text()
    if environment_file.exists() or not text:
        return []
    environment_file.write_text(f"# Set when the backup was made; their values are not in it.\n{text}")
    environment_file.chmod(0o600)
    return [environment_file]


def _files_in(pieces: Path) -> list[Path]:
    return sorted(path.relative_to(pieces) for path in pieces.rglob("*") if path.is_file())
