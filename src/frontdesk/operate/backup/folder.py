"""What the desk's home holds beside its database: its system file, its keys, and whatever else was put there.

A piece is a tar archive (POSIX.1-2001, "pax"), made and read as a stream.
"""

import io
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from frontdesk.operate.backup.databases import Stream
from frontdesk.operate.backup.shelves import PART
from frontdesk.operate.errors import BackupDamaged, BackupFailed
from frontdesk.system.home import SYSTEM_FILE

BACKUP_KEY = "backup.key"
VARIABLES = "variables.env"  # in the piece `settings`: the names that were set, without values
SECRETS = "secrets"  # a folder of secrets in the home
NOT_KEPT = (BACKUP_KEY, "servers.key", "servers", "backups", ".env", "run", "logs")
JOURNALS = ("", "-wal", "-shm", "-journal")
PADDED = 512  # tar's blocks
END = bytes(2 * PADDED)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a piece: its name there, and the file, or its content."""

    name: str
    content: Path | bytes


def settings(file: Path | None, variables: Iterable[str]) -> list[Entry]:
    """The system file, and the names of the variables that were set."""
    names = "".join(f"# {name}=\n" for name in sorted(variables))
    return [*([Entry(SYSTEM_FILE, file)] if file else []), Entry(VARIABLES, names.encode())]


def keys(home: Path) -> list[Entry]:
    """The keys that the desk made for itself, and its folder of secrets. Never the key of the backups."""
    kept = [path for path in home.glob("*.key") if path.name not in NOT_KEPT]
    kept += (path for path in (home / SECRETS).rglob("*") if path.name != "BACKUP_KEY")
    return _entries(home, kept)


def files(home: Path, but: Sequence[Path]) -> list[Entry]:
    """Everything else in the home, without `but`, what SQLite keeps beside a database, and what is hidden."""
    apart = {path.with_name(f"{path.name}{ending}") for path in but for ending in JOURNALS}
    kept = [
        path
        for path in home.rglob("*")
        if path.name != SYSTEM_FILE
        and not path.name.endswith((".key", ".log"))
        and not apart.intersection((path, *path.parents))
        and not any(part.startswith(".") for part in path.relative_to(home).parts)
        and path.relative_to(home).parts[0] not in (*NOT_KEPT, SECRETS)
    ]
    return _entries(home, kept)


def archive(entries: Iterable[Entry]) -> Stream:
    """The archive in parts. Raises `BackupFailed` for a file that cannot be read whole."""
    for entry in entries:
        if isinstance(entry.content, bytes):
            yield from _member(entry.name, len(entry.content), io.BytesIO(entry.content))
            continue
        try:
            with entry.content.open("rb") as opened:
                yield from _member(entry.name, entry.content.stat().st_size, opened)
        except OSError as error:
            raise BackupFailed(f"It cannot be read: {error.strerror}", where=str(entry.content)) from error
    yield END


def unarchive(stream: Stream, into: Path) -> None:
    """Put every file of an archive into a folder, for its owner's eyes alone.

    Raises `BackupDamaged`, also for what `archive` never writes: links, devices, names that lead elsewhere.
    """
    try:
        with tarfile.open(fileobj=_Reader(stream), mode="r|") as opened:
            for member in opened:
                if not member.isreg():
                    raise BackupDamaged("Its archive holds something that is no file", where=member.name)
                member.mode = 0o600
                opened.extract(member, into, filter="data")
    except tarfile.TarError as error:
        raise BackupDamaged(f"Its archive cannot be read: {error}") from error


def drain(stream: Stream) -> int:
    """Read an archive to its end: how many files it holds. Raises `BackupDamaged`."""
    try:
        with tarfile.open(fileobj=_Reader(stream), mode="r|") as opened:
            return sum(1 for _ in opened)
    except tarfile.TarError as error:
        raise BackupDamaged(f"Its archive cannot be read: {error}") from error


def _entries(home: Path, paths: Iterable[Path]) -> list[Entry]:
    """Plain files; what a link leads to lies elsewhere and is not the desk's."""
    found = (path for path in paths if path.is_file() and not path.is_symlink())
    return [Entry(str(path.relative_to(home)), path) for path in sorted(found)]


def _member(name: str, size: int, content: io.BufferedIOBase) -> Iterator[bytes]:
    """Exactly `size` bytes of it: a file that grows meanwhile is as long as it was."""
    head = tarfile.TarInfo(name)
    head.size, head.mode = size, 0o600
    yield head.tobuf(tarfile.PAX_FORMAT)
    left = size
    while left and (part := content.read(min(PART, left))):
        left -= len(part)
        yield part
    if left:
        raise BackupFailed("It became shorter while it was read", where=name)
    yield bytes(-size % PADDED)


class _Reader(io.RawIOBase):
    """A stream as a file that can only be read on."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._held = bytearray()

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, or all that is left."""
        while (size < 0 or len(self._held) < size) and (part := next(self._stream, None)) is not None:
            self._held += part
        taken = bytes(self._held[:size] if size >= 0 else self._held)
        del self._held[: len(taken)]
        return taken
