"""Making a backup: written under a hidden name, read again, then named; then the second place, then what is outdated.

The database comes first and the files after it, so what a row speaks of is there.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import frontdesk
from frontdesk.operate.backup import folder, manifest
from frontdesk.operate.backup.checking import Watch, check, unwatched
from frontdesk.operate.backup.databases import Store, Stream
from frontdesk.operate.backup.manifest import FORMAT, Facts, Manifest, Piece, PieceName
from frontdesk.operate.backup.packing import pack
from frontdesk.operate.backup.sealing import seal
from frontdesk.operate.backup.shelves import Folder, Shelf
from frontdesk.operate.errors import BackupFailed
from frontdesk.store.keyring import key_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A desk that is backed up. `variables` are the names of those that are set; for the last two see `Manifest`."""

    desk: str
    blueprint: str | None
    home: Path
    file: Path | None
    variables: tuple[str, ...]
    store: Store
    database_file: Path | None
    sealed_with: str
    signed_with: str


async def create(
    subject: Subject,
    name: str,
    key: bytes,
    shelf: Folder,
    made_at: datetime,
    now: Callable[[], datetime],
    *,
    verify: bool = True,
    watch: Watch = unwatched,
) -> Manifest:
    """Make a backup called `name` on the shelf. Raises `BackupFailed`, or what the check of it raises.

    Whatever goes wrong, nothing of that name is there afterwards.
    """
    if name in await asyncio.to_thread(shelf.names):
        raise BackupFailed("There is a backup of this name", where=name, hint="Take another one.")
    draft = await asyncio.to_thread(shelf.draft, name)
    try:
        facts, pieces = await _pieces(subject, name, key, draft, shelf.path, watch)
        made = Manifest(
            format=FORMAT,
            name=name,
            frontdesk=frontdesk.__version__,
            desk=subject.desk,
            blueprint=subject.blueprint,
            made_at=made_at,
            finished_at=now(),
            key=key_id(key).decode(),
            sealed_with=subject.sealed_with,
            signed_with=subject.signed_with,
            database=facts,
            pieces=tuple(pieces),
        )
        for file, content in manifest.written(made, key).items():
            (draft / file).write_bytes(content)
        if verify:
            await check(_Draft(draft), name, key, scratch=subject.home, watch=watch)
        await asyncio.to_thread(shelf.settle, draft, name)
    except OSError as error:
        what = f"It could not be made: {error.strerror or type(error).__name__}"
        raise BackupFailed(what, where=str(error.filename or shelf.path)) from error
    finally:
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
    return made


async def send(
    made: Manifest, shelf: Folder, remote: Shelf, key: bytes, *, verify: bool, watch: Watch = unwatched
) -> None:
    """Bring a backup to its second place; with `verify` it is read there. Raises `BackupFailed`, `BackupDamaged`."""
    watch("sending", 0)
    await asyncio.to_thread(remote.put, made.name, shelf.path / made.name)
    watch("sending", 1)
    if verify:
        await check(remote, made.name, key, deep=False, watch=watch)


async def _pieces(
    subject: Subject, name: str, key: bytes, draft: Path, backups: Path, watch: Watch
) -> tuple[Facts, list[Piece]]:
    def write(piece: PieceName, plain: Stream, entries: int = 0) -> Piece:
        return _write(draft, piece, seal(plain, key, name, piece), entries)

    async with subject.store.snapshot() as snapshot:
        stream = _watched(snapshot.stream(), snapshot.size, watch)
        pieces = [await asyncio.to_thread(write, "database", stream)]
    apart = [backups, *([subject.database_file] if subject.database_file else [])]
    contents: dict[PieceName, list[folder.Entry]] = {
        "files": await asyncio.to_thread(folder.files, subject.home, apart),
        "settings": folder.settings(subject.file, subject.variables),
        "keys": folder.keys(subject.home),
    }
    for piece, entries in contents.items():
        watch(piece, 0)
        pieces.append(await asyncio.to_thread(write, piece, pack(folder.archive(entries)), len(entries)))
        watch(piece, 1)
    return snapshot.facts, pieces


def _write(draft: Path, piece: PieceName, sealed: Iterable[bytes], entries: int) -> Piece:
    digest, size = hashlib.sha256(), 0
    with (draft / manifest.file_of(piece)).open("xb") as opened:
        for part in sealed:
            opened.write(part)
            digest.update(part)
            size += len(part)
    return Piece(name=piece, bytes=size, sha256=digest.hexdigest(), entries=entries)


def _watched(stream: Stream, size: int, watch: Watch) -> Iterator[bytes]:
    done = 0
    for part in stream:
        done += len(part)
        watch("database", min(0.99, done / max(1, size)))
        yield part
    watch("database", 1)


class _Draft:
    """The backup that is being written, as a shelf from which only it is read."""

    def __init__(self, draft: Path) -> None:
        self._draft = draft
        self.where = str(draft.parent)

    def read(self, name: str, file: str) -> Stream:
        """A file of it; it does not have its name yet."""
        return Folder(self._draft.parent).read(self._draft.name, file)
