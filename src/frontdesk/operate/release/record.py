"""The releases of a home: what each is, and a journal of which took over when, by whom and why.

A release is the text of a system file, the version and program that run it (or images by digest), and variables that
hold no secret. It never changes: `releases/0003/`. The journal only grows: `releases/journal.jsonl`.
"""

import contextlib
import getpass
import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from frontdesk.errors import NotFound

FOLDER, JOURNAL = "releases", "journal.jsonl"  # in the home
RELEASE, SYSTEM = "release.json", "system.yaml"  # in a release's own folder

Act = Literal["up", "roll", "undo"]
Where = Literal["here", "kubernetes"]


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a release is made of. `program` begins the commands of its processes; `file` is where its text stood."""

    text: str
    file: str | None
    version: str
    program: tuple[str, ...] = ()
    images: dict[str, str] = {}
    variables: dict[str, str] = {}

    @property
    def digest(self) -> str:
        """The same for two releases that would run the same."""
        said = msgspec.json.encode((self.text, self.version, self.program, self.images, self.variables), order="sorted")
        return f"sha256:{hashlib.sha256(said).hexdigest()}"


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A kept release."""

    number: int
    at: str
    digest: str
    content: Content


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the journal. `former` is what ran before; `failed` says why the release did not stay."""

    at: str
    act: Act
    release: int
    former: int | None
    version: str
    who: str
    why: str = ""
    where: Where = "here"
    environment: str = ""
    failed: str = ""


class Releases:
    """The releases of one home."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    def keep(self, content: Content) -> Release:
        """The release with this content: as it is kept already, or under the next number."""
        known = list(self.all())
        same = next((each for each in known if each.digest == content.digest), None)
        if same is not None:
            return same
        number = max((each.number for each in known), default=0) + 1
        release = Release(number=number, at=_now(), digest=content.digest, content=content)
        folder = self.folder_of(number)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # it is there where a former try broke off
        (folder / SYSTEM).write_text(content.text, encoding="utf-8")
        partial = folder / f"{RELEASE}.{os.getpid()}"
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(release)))
        partial.replace(folder / RELEASE)  # from here on it counts
        return release

    def all(self) -> Iterator[Release]:
        """Every release, the first one first."""
        for file in sorted(self.folder.glob(f"*/{RELEASE}")):
            yield msgspec.json.decode(file.read_bytes(), type=Release)

    def get(self, number: int) -> Release:
        """One release. Raises `NotFound`."""
        file = self.folder_of(number) / RELEASE
        if not file.is_file():
            raise NotFound(f"There is no release {number}", where=str(self.folder), hint="`frontdesk release list`")
        return msgspec.json.decode(file.read_bytes(), type=Release)

    def folder_of(self, number: int) -> Path:
        """Where a release is kept."""
        return self.folder / f"{number:04}"

    def file_of(self, release: Release) -> Path | None:
        """The system file to run it by: its own while that says the same, else the release's copy of it."""
        content = release.content
        if content.file is None:
            return None
        own = Path(content.file)
        same = own.is_file() and own.read_text(encoding="utf-8") == content.text
        return own if same else self.folder_of(release.number) / SYSTEM

    def journal(self) -> list[Entry]:
        """What happened, the oldest first. A line that broke off, as on a full disk, tells nothing."""
        file = self.folder / JOURNAL
        found: list[Entry] = []
        for line in file.read_bytes().splitlines() if file.is_file() else []:
            with contextlib.suppress(msgspec.DecodeError):
                found.append(msgspec.json.decode(line, type=Entry))
        return found

    def current(self, where: Where = "here", environment: str = "") -> Entry | None:
        """The last entry after which a release stayed."""
        fitting = [
            entry
            for entry in self.journal()
            if entry.where == where and entry.environment == environment and not entry.failed
        ]
        return fitting[-1] if fitting else None

    def note(
        self,
        act: Act,
        release: Release,
        former: int | None,
        *,
        why: str = "",
        where: Where = "here",
        environment: str = "",
        failed: str = "",
    ) -> None:
        """Add a line to the journal, with this user's name and the time."""
        entry = Entry(
            at=_now(),
            act=act,
            release=release.number,
            former=former,
            version=release.content.version,
            who=_who(),
            why=why,
            where=where,
            environment=environment,
            failed=failed,
        )
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.folder / JOURNAL, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "ab+") as file:
            file.seek(0)
            broken = file.read()[-1:] not in (b"", b"\n")  # the line before broke off: this one begins anew
            file.write(b"\n" * broken + msgspec.json.encode(entry) + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _who() -> str:
    """This user's name; in containers the number may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # until 3.12; from 3.13 on
        return str(os.getuid())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
