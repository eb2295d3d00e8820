"""From a desk to a backup and back, on both databases."""

import asyncio
import contextlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from frontdesk.errors import NotFound, WrongKey
from frontdesk.operate.backup import folder, manifest, postgres
from frontdesk.operate.backup.checking import check
from frontdesk.operate.backup.creating import create
from frontdesk.operate.backup.databases import store_of
from frontdesk.operate.backup.manifest import Manifest
from frontdesk.operate.backup.restoring import Keys, restore
from frontdesk.operate.backup.shelves import Folder
from frontdesk.operate.errors import (
    BackupDamaged,
    BackupFailed,
    BackupForeign,
    BackupTooNew,
    NoRoom,
    StoreInUse,
    StoreNotEmpty,
)
from frontdesk.store.database import Database
from frontdesk.store.people import people
from frontdesk.testing.keys import key_ring
from tests.operate.backup.conftest import (
    AUDIT_KEY,
    KEY,
    MOMENT,
    NAME,
    SECRET,
    backed_up,
    fill_desk,
    subject,
    target,
)


async def names_in(url: str) -> list[str]:
    """The people of a database."""
    database = await Database.open(url, ring=key_ring())
    try:
        async with database.read() as connection:
            return list((await connection.execute(sa.select(people.c.name).order_by(people.c.id))).scalars())
    finally:
        await database.close()


def tree(place: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(file.relative_to(place)): file.read_bytes() for file in place.rglob("*") if file.is_file()}


@pytest.mark.proves("agents-16")
async def test_a_desk_comes_back_with_rows_files_settings_and_keys(
    home: Path, shelf: Folder, empty_database_url: str, empty_url: str, tmp_path: Path
) -> None:
    await fill_desk(empty_database_url)
    made = await backed_up(subject(home, empty_database_url), shelf)
    assert made.database.counts["people"] == 3
    assert made.database.audit.count == 3
    restored = await restore(shelf, NAME, KEY, target(tmp_path / "new", empty_url))
    assert await names_in(empty_url) == await names_in(empty_database_url)
    async with store_of(empty_url).snapshot() as snapshot:
        assert snapshot.facts == made.database
    there = tree(tmp_path / "new")
    for file in ("system.yaml", "secret.key", "secrets/SMTP_PASSWORD", "pictures/desk bell.svg"):
        assert there[file] == (home / file).read_bytes()
    assert stat.S_IMODE((tmp_path / "new" / "secret.key").stat().st_mode) == 0o600
    assert b"# OPENAI_API_KEY=\n" in there[".env"]
    assert not {"backup.key", "secrets/BACKUP_KEY", "variables.env"} & there.keys()
    assert restored.recovery_point > 0
    assert restored.recovery_time > 0
    assert restored.rows == sum(made.database.counts.values())


async def test_nothing_that_people_wrote_and_no_secret_can_be_read_in_a_backup(
    home: Path, shelf: Folder, empty_database_url: str
) -> None:
    await fill_desk(empty_database_url)
    await backed_up(subject(home, empty_database_url), shelf)
    for file, content in tree(shelf.path).items():
        for word in (SECRET, "person 1", "test.act", "desk bell", KEY.hex()):
            assert word.encode() not in content, file


@pytest.mark.parametrize("only", ["config", "data"])
async def test_a_part_of_a_backup_brings_back_just_that(
    home: Path, shelf: Folder, empty_database_url: str, empty_url: str, tmp_path: Path, only: str
) -> None:
    await fill_desk(empty_database_url)
    await backed_up(subject(home, empty_database_url), shelf)
    await restore(shelf, NAME, KEY, target(tmp_path / "new", empty_url), only=only)  # type: ignore[arg-type]
    there = tree(tmp_path / "new")
    if only == "config":
        assert set(there) == {"system.yaml", ".env"}
        assert await store_of(empty_url).rows() == 0
    else:
        assert set(there) == {"secret.key", "secrets/SMTP_PASSWORD", "pictures/desk bell.svg"}
        assert len(await names_in(empty_url)) == 3


async def test_a_backup_is_of_one_moment_while_the_desk_goes_on(
    home: Path, shelf: Folder, empty_database_url: str, empty_url: str, tmp_path: Path
) -> None:
    await fill_desk(empty_database_url)
    done = asyncio.Event()

    async def go_on() -> None:
        database = await Database.open(empty_database_url, ring=key_ring())
        try:
            number = 0
            while not done.is_set():
                number += 1
                values = {
                    "id": f"per_{number}",
                    "role": "visitor",
                    "state": "active",
                    "name": "x",
                    "created_at": MOMENT,
                }
                await database.commit(lambda connection, values=values: connection.execute(sa.insert(people), values))
        finally:
            await database.close()

    async with asyncio.TaskGroup() as group:
        group.create_task(go_on())
        for number in range(3):
            await backed_up(subject(home, empty_database_url), shelf, f"backup_{number}")
        done.set()
    for number in range(3):
        elsewhere = target(tmp_path / f"new{number}", empty_url)
        await restore(shelf, f"backup_{number}", KEY, elsewhere, replace=True)  # counts and the audit log are proved


# --- refusals: nothing is touched -------------------------------------------


def spoil(file: Path) -> None:
    """Lose the beginning of many pages of a database."""
    spoiled = bytearray(file.read_bytes())
    for page in range(4096 * 20, len(spoiled), 4096):
        spoiled[page : page + 512] = bytes(512)
    file.write_bytes(spoiled)


async def test_a_store_that_holds_something_is_replaced_only_when_told(
    home: Path, shelf: Folder, empty_database_url: str, empty_url: str, tmp_path: Path
) -> None:
    await fill_desk(empty_database_url)
    await fill_desk(empty_url, people=1)
    new = tmp_path / "new"
    new.mkdir()
    (new / "secret.key").write_text("another")
    await backed_up(subject(home, empty_database_url), shelf)
    with pytest.raises(StoreNotEmpty, match=r"secret\.key, \d+ rows in the database"):
        await restore(shelf, NAME, KEY, target(new, empty_url))
    assert tree(new) == {"secret.key": b"another"}
    assert len(await names_in(empty_url)) == 1
    await restore(shelf, NAME, KEY, target(new, empty_url), replace=True)
    assert len(await names_in(empty_url)) == 3
    assert (new / "secret.key").read_text() == SECRET


async def test_a_database_that_a_desk_works_on_is_not_replaced(
    home: Path, shelf: Folder, empty_database_url: str, empty_url: str, tmp_path: Path
) -> None:
    await fill_desk(empty_database_url)
    await fill_desk(empty_url)
    await backed_up(subject(home, empty_database_url), shelf)
    working = await Database.open(empty_url, ring=key_ring())
    try:
        await working.ping()
        with pytest.raises(StoreInUse):
            await restore(shelf, NAME, KEY, target(tmp_path / "new", empty_url), replace=True)
    finally:
        await working.close()


async def test_a_foreign_backup_is_refused(
    home: Path, shelf: Folder, empty_database_url: str, empty_url: str, tmp_path: Path
) -> None:
    await fill_desk(empty_database_url)
    await backed_up(subject(home, empty_database_url), shelf)
    here = target(tmp_path / "new", empty_url)
    other = "sqlite:////nowhere/desk.db" if empty_url.startswith("postgres") else "postgresql://nowhere/desk"
    strangers = {
        "made from assistant": replace(here, blueprint="engagement"),
        "the database here is": replace(here, store=store_of(other)),
        "words in it are sealed": replace(here, keys=lambda _: Keys(key_ring("x" * 32), AUDIT_KEY, "whoever")),
        "signed with another secret": replace(here, keys=lambda _: Keys(key_ring(), b"other", "other")),
    }
    for reason, stranger in strangers.items():
        with pytest.raises(BackupForeign, match=reason):
            await restore(shelf, NAME, KEY, stranger)
    assert not (tmp_path / "new").exists()
    assert await store_of(empty_url).rows() == 0
    settings = await restore(shelf, NAME, KEY, strangers["the database here is"], only="config")
    assert settings.rows == 0


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_newer_backup_is_refused(home: Path, shelf: Folder, empty_database_url: str, tmp_path: Path) -> None:
    await fill_desk(empty_database_url)
    made = await backed_up(subject(home, empty_database_url), shelf)
    newer: list[Manifest] = [
        msgspec.structs.replace(made, format=manifest.FORMAT + 1),
        msgspec.structs.replace(made, database=msgspec.structs.replace(made.database, revision="9999")),
    ]
    for each in newer:
        for file, content in manifest.written(each, KEY).items():
            (shelf.path / NAME / file).write_bytes(content)
        with pytest.raises(BackupTooNew):
            await restore(shelf, NAME, KEY, target(tmp_path / "new", f"sqlite:///{tmp_path}/new/desk.db"))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_another_key_opens_nothing(home: Path, shelf: Folder, empty_database_url: str) -> None:
    await fill_desk(empty_database_url)
    await backed_up(subject(home, empty_database_url), shelf)
    with pytest.raises(WrongKey, match="sealed with the key"):
        await check(shelf, NAME, bytes(32))


# --- a failed backup is none -------------------------------------------------

FAILING = {
    "fails at once": "exit 3",
    "says nothing": "exit 0",
    "writes rubbish": "head -c 100000 /dev/zero; exit 0",
    "fails at its end": '"{real}" "$@"; exit 1',
    "is cut off": '"{real}" "$@" | head -c 20000; exit 0',
    "leaves a table out": '"{real}" "$@" --exclude-table-data=people; exit 0',
}


@pytest.mark.parametrize("how", FAILING.values(), ids=FAILING)
@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_a_failed_dump_never_looks_like_a_good_one(
    home: Path, shelf: Folder, empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    await fill_desk(empty_database_url)
    real = postgres._found()[-1][1]
    for program in ("pg_restore", "psql"):
        (tmp_path / program).symlink_to(real / program)
    stand_in = tmp_path / "pg_dump"
    dump = how.replace("{real}", str(real / "pg_dump"))
    stand_in.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo "pg_dump 18"; exit; fi\n{dump}\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises((BackupFailed, BackupDamaged)):
        await backed_up(subject(home, empty_database_url), shelf)
    assert tree(shelf.path) == {}
    assert shelf.names() == []


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_damaged_database_is_not_backed_up_as_if_it_were_whole(
    home: Path, shelf: Folder, empty_database_url: str
) -> None:
    await fill_desk(empty_database_url)
    file = Path(empty_database_url.removeprefix("sqlite:///"))
    spoil(file)
    with pytest.raises((BackupFailed, BackupDamaged)):
        await backed_up(subject(home, empty_database_url), shelf)
    assert tree(shelf.path) == {}


async def test_a_desk_that_never_ran_has_nothing_to_back_up(home: Path, shelf: Folder, empty_database_url: str) -> None:
    with pytest.raises(NotFound, match="There "):
        await backed_up(subject(home, empty_database_url), shelf)
    assert tree(shelf.path) == {}


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_name_is_used_once(home: Path, shelf: Folder, empty_database_url: str) -> None:
    await fill_desk(empty_database_url)
    await backed_up(subject(home, empty_database_url), shelf)
    before = tree(shelf.path)
    with pytest.raises(BackupFailed, match="There is a backup of this name"):
        await backed_up(subject(home, empty_database_url), shelf)
    assert tree(shelf.path) == before


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_full_disk_leaves_nothing_behind(
    home: Path, shelf: Folder, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill_desk(empty_database_url)

    def full(*_: object) -> Iterator[bytes]:
        yield b"FDB1"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("frontdesk.operate.backup.creating.seal", full)
    with pytest.raises(BackupFailed, match="No space left"):
        await create(subject(home, empty_database_url), NAME, KEY, shelf, MOMENT, lambda: MOMENT)
    assert tree(shelf.path) == {}


# --- a disk that is full, an archive that is not ours ------------------------


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("step", ["folder.unarchive", "to_disk"])
async def test_a_disk_that_fills_up_during_a_restore_is_told_plainly_and_it_can_be_done_again(
    home: Path,
    shelf: Folder,
    empty_database_url: str,
    empty_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    await fill_desk(empty_database_url)
    await backed_up(subject(home, empty_database_url), shelf)
    new = target(tmp_path / "new", empty_url)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(f"frontdesk.operate.backup.restoring.{step}", full)
        with pytest.raises(NoRoom, match="No space left"):
            await restore(shelf, NAME, KEY, new)
    await restore(shelf, NAME, KEY, new, replace=True)
    assert len(await names_in(empty_url)) == 3


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_full_disk_is_not_taken_for_a_damaged_backup(
    home: Path, shelf: Folder, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill_desk(empty_database_url)
    await backed_up(subject(home, empty_database_url), shelf)

    def full(*_: object) -> Iterator[bytes]:
        yield b"SQLite format 3"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("frontdesk.operate.backup.sqlite.unpack", full)
    with pytest.raises(NoRoom, match="No space left"):
        await check(shelf, NAME, KEY)


def archive_of(member: tarfile.TarInfo, content: bytes = b"") -> Iterator[bytes]:
    member.size = len(content)
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as opened:
        opened.addfile(member, io.BytesIO(content))
    yield whole.getvalue()


@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/outside"])
def test_nothing_of_an_archive_is_put_outside(tmp_path: Path, name: str) -> None:
    (tmp_path / "into").mkdir()
    with contextlib.suppress(BackupDamaged):
        folder.unarchive(archive_of(tarfile.TarInfo(name), b"canary"), tmp_path / "into")
    inside = {"outside": b"canary"} if name.startswith("/") else {}
    assert tree(tmp_path / "into") == inside
    assert list(tmp_path.iterdir()) == [tmp_path / "into"]
    assert not Path("/outside").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_only_plain_files_come_out_of_an_archive(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("link")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(BackupDamaged, match="no file"):
        folder.unarchive(archive_of(member), tmp_path)
    assert list(tmp_path.iterdir()) == []
