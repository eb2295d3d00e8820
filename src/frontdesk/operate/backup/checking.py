"""Reading a backup to its last byte: sizes, digests, seals, and whether each piece opens and holds what it should."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from frontdesk.errors import NotFound
from frontdesk.operate.backup import folder, manifest
from frontdesk.operate.backup.databases import Stream, check_dump
from frontdesk.operate.backup.manifest import Manifest, Piece
from frontdesk.operate.backup.packing import unpack
from frontdesk.operate.backup.sealing import unseal
from frontdesk.operate.backup.shelves import Readable, Shelf, whole
from frontdesk.operate.errors import BackupDamaged, NoRoom

Watch = Callable[[str, float], None]  # told what is being done, and the share of it that is done


def unwatched(_doing: str, _share: float) -> None:
    """For those who do not watch."""


def manifest_of(shelf: Shelf, name: str, key: bytes) -> Manifest:
    """The manifest of a backup, known to be genuine.

    Raises `NotFound` for no such backup, `BackupDamaged`, `BackupTooNew`, or `WrongKey`.
    """
    if name not in shelf.names():
        raise NotFound("There is no such backup", where=f"{shelf.where}/{name}", hint="frontdesk backup list")
    return _manifest(shelf, name, key)


async def check(
    shelf: Readable,
    name: str,
    key: bytes,
    *,
    deep: bool = True,
    scratch: Path | None = None,
    watch: Watch = unwatched,
) -> Manifest:
    """Read every piece. `deep` has the database opened too, in `scratch`, and its rows counted.

    Raises `BackupDamaged` naming the piece, `BackupTooNew`, `WrongKey`, or `NoRoom` where it cannot be opened.
    """
    made = await asyncio.to_thread(_manifest, shelf, name, key)
    for piece in made.pieces:
        stream = opened(shelf, made, piece, key, watch)
        if piece.name == "database" and deep:
            await _opened(stream, made, scratch)
        elif piece.name == "database":
            await asyncio.to_thread(_exhaust, stream)
        elif await asyncio.to_thread(folder.drain, unpack(stream, piece.name)) != piece.entries:
            raise BackupDamaged("It does not hold the files that its manifest counts", where=f"{name}/{piece.name}")
        await asyncio.to_thread(_exhaust, stream)  # whoever read it may have stopped at the end that the content names
    return made


async def _opened(stream: Stream, made: Manifest, scratch: Path | None) -> None:
    try:
        await check_dump(stream, made.database, scratch)
    except OSError as error:
        what = f"The database could not be opened: {error.strerror or type(error).__name__}"
        raise NoRoom(what, where=str(error.filename or scratch or made.name)) from error


def opened(
    shelf: Readable,
    made: Manifest,
    piece: Piece,
    key: bytes,
    watch: Watch = unwatched,
) -> Stream:
    """What a piece held before it was sealed. Raises `BackupDamaged`, when it ends at the latest."""
    return unseal(_measured(shelf, made, piece, watch), key, made.name, piece.name)


def _manifest(shelf: Readable, name: str, key: bytes) -> Manifest:
    try:
        text, seal = whole(shelf, name, manifest.MANIFEST), whole(shelf, name, manifest.SEAL)
    except NotFound as error:
        raise BackupDamaged("Its manifest or the manifest's seal is missing", where=f"{shelf.where}/{name}") from error
    return manifest.checked(text, seal, key, name)


def _measured(shelf: Readable, made: Manifest, piece: Piece, watch: Watch) -> Iterator[bytes]:
    where, digest, size = f"{shelf.where}/{made.name}/{piece.file}", hashlib.sha256(), 0
    try:
        for part in shelf.read(made.name, piece.file):
            digest.update(part)
            size += len(part)
            watch(f"reading {piece.name}", min(0.99, size / max(1, piece.bytes)))
            yield part
    except NotFound as error:
        raise BackupDamaged("A piece is missing", where=where) from error
    if size != piece.bytes or digest.hexdigest() != piece.sha256:
        raise BackupDamaged("Its SHA-256 is not the one that its manifest names", where=where)
    watch(f"reading {piece.name}", 1)


def _exhaust(stream: Stream) -> None:
    for _ in stream:
        pass
