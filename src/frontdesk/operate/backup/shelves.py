"""Where backups lie: a folder of this machine (its disk, a mounted share), or a bucket (`s3`)."""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from frontdesk.errors import NotFound
from frontdesk.operate.backup.manifest import MANIFEST, SEAL
from frontdesk.operate.errors import BackupDamaged, BackupFailed

PART = 1 << 20  # bytes that are read at once
ABANDONED = 24 * 3600.0  # seconds
ENDINGS = (".sealed", ".json", ".seal")
SHARED = "Give each desk a place of its own: s3://bucket/desk, /mnt/backups/desk."


class Readable(Protocol):
    """Where files of backups can be read."""

    @property
    def where(self) -> str:
        """The place, for people."""
        ...

    def read(self, name: str, file: str) -> Iterator[bytes]:
        """A file of a backup in parts. Raises `NotFound`, `BackupDamaged` or `BackupFailed`."""
        ...


class Shelf(Readable, Protocol):
    """Backups by name. A backup that is being put there is no backup yet: it has no manifest."""

    def names(self) -> list[str]:
        """Everything there that is a backup, or what is left of one; oldest name first."""
        ...

    def put(self, name: str, folder: Path) -> None:
        """Bring a whole backup there from a folder. Raises `BackupFailed`; then it does not count as one there, and
        one that had its name is untouched."""
        ...

    def remove(self, name: str) -> None:
        """Take a backup away, its manifest first. Raises `BackupFailed`."""
        ...


class Folder:
    """A folder of this machine with a folder for each backup."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def where(self) -> str:
        """The folder."""
        return str(self.path)

    def names(self) -> list[str]:
        """Its folders that hold files of a backup. Hidden ones are being written."""
        if not self.path.is_dir():
            return []
        try:
            return sorted(entry.name for entry in self.path.iterdir() if _is_backup(entry))
        except OSError as error:
            raise BackupFailed(f"The folder cannot be read: {error.strerror}", where=str(self.path)) from error

    def read(self, name: str, file: str) -> Iterator[bytes]:
        """A file of a backup in parts. Raises `NotFound`, or `BackupDamaged` where the disk does not give it."""
        path = self.path / name / file
        try:
            with path.open("rb") as opened:
                while part := opened.read(PART):
                    yield part
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound("There is no such file", where=str(path)) from error
        except OSError as error:
            raise BackupDamaged(f"It cannot be read: {error.strerror}", where=str(path)) from error

    def put(self, name: str, folder: Path) -> None:
        """Copy it under a hidden name, then give it its name."""
        if (self.path / name).exists():
            raise BackupFailed("There is a backup of this name", where=str(self.path / name), hint=SHARED)
        draft = self.draft(name)
        try:
            for file in folder.iterdir():
                shutil.copyfile(file, draft / file.name)
            self.settle(draft, name)
        except OSError as error:
            raise BackupFailed(f"It could not be copied: {error.strerror}", where=str(self.path)) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def draft(self, name: str) -> Path:
        """A hidden folder in which a backup can be written. Raises `BackupFailed`."""
        forget_abandoned(self.path, f".*.{'?' * 12}")
        draft = self.path / f".{name}.{secrets.token_hex(6)}"
        try:
            draft.mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise BackupFailed(f"The folder cannot be written: {error.strerror}", where=str(self.path)) from error
        return draft

    def settle(self, draft: Path, name: str) -> None:
        """Give what was written in `draft` its name, when all of it is on the disk. Raises `OSError`."""
        for file in (*draft.iterdir(), draft):
            to_disk(file)
        draft.rename(self.path / name)
        to_disk(self.path)

    def remove(self, name: str) -> None:
        """Take a backup away, its manifest first. Raises `BackupFailed`."""
        try:
            for file in (MANIFEST, SEAL):
                (self.path / name / file).unlink(missing_ok=True)
            shutil.rmtree(self.path / name)
        except OSError as error:
            place = str(self.path / name)
            hint = "Let the desk's user own it, then: frontdesk backup prune"
            raise BackupFailed(f"It could not be removed: {error.strerror or error}", where=place, hint=hint) from error


def whole(shelf: Readable, name: str, file: str) -> bytes:
    """A small file of a backup. Raises `NotFound`."""
    return b"".join(shelf.read(name, file))


def forget_abandoned(folder: Path, pattern: str) -> None:
    """Remove folders of that pattern that whoever made them was killed over: they are older than a day."""
    for left in folder.glob(pattern):
        with suppress(FileNotFoundError):  # another process does the same
            if left.is_dir() and time.time() - left.stat().st_mtime > ABANDONED:
                shutil.rmtree(left, ignore_errors=True)


def _is_backup(entry: Path) -> bool:
    if entry.name.startswith(".") or entry.is_symlink() or not entry.is_dir():
        return False
    try:
        return any(file.name.endswith(ENDINGS) for file in entry.iterdir())
    except PermissionError:  # somebody else's, like a disk's lost+found
        return False


def to_disk(path: Path) -> None:
    """Have a file, or the names in a folder, written to the disk itself."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
