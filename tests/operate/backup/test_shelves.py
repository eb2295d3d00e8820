"""Where backups lie: a folder, and a real bucket. Both keep the same promises."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from frontdesk.errors import BadSetting, NotFound
from frontdesk.operate.backup.manifest import MANIFEST, SEAL
from frontdesk.operate.backup.s3 import Bucket
from frontdesk.operate.backup.shelves import Folder, Shelf, whole
from frontdesk.operate.errors import BackupFailed
from frontdesk.operate.ports import free_port
from frontdesk.system.backup import BackupOptions
from tests.buckets import SECRET, USER, BucketServer


@pytest.fixture(scope="module")
def bucket_server() -> Iterator[BucketServer]:
    server = BucketServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


def options_for(endpoint: str, secret: str = SECRET) -> BackupOptions:
    return BackupOptions(endpoint=endpoint, access_key_id=SecretStr(USER), secret_access_key=SecretStr(secret))


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    if request.param == "folder":
        return Folder(tmp_path / "shelf")
    server: BucketServer = request.getfixturevalue("bucket_server")
    options = options_for(server.endpoint)
    Bucket("s3://backups", options).put("made", backup_in(tmp_path / "made"))  # so that there is a bucket
    return Bucket(f"s3://backups/{tmp_path.name}/", options)


def backup_in(folder: Path, size: int = 1000) -> Path:
    folder.mkdir()
    for file in ("database.sealed", MANIFEST, SEAL):
        (folder / file).write_bytes(file.encode() * (size // len(file)))
    return folder


def test_what_is_put_there_can_be_listed_read_and_removed(place: Shelf, tmp_path: Path) -> None:
    assert place.names() == []
    first, second = backup_in(tmp_path / "first"), backup_in(tmp_path / "second", size=7_000_000)
    place.put("desk_1", first)
    place.put("desk_2", second)
    assert place.names() == ["desk_1", "desk_2"]
    for file in second.iterdir():
        assert whole(place, "desk_2", file.name) == file.read_bytes()
    with pytest.raises(NotFound):
        whole(place, "desk_2", "keys.sealed")
    place.remove("desk_1")
    assert place.names() == ["desk_2"]
    with pytest.raises(NotFound):
        whole(place, "desk_1", MANIFEST)


def test_a_bucket_that_refuses_or_is_away_is_told_plainly(
    bucket_server: BucketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = Bucket("s3://backups/x", options_for(bucket_server.endpoint, secret="not the secret"))
    with pytest.raises(BackupFailed, match="SignatureDoesNotMatch") as refused:
        stranger.put("desk_1", backup_in(tmp_path / "one"))
    assert "not the secret" not in str(refused.value)
    monkeypatch.setattr("frontdesk.operate.backup.s3.TRIES", 0)
    nobody = Bucket("s3://backups/x", options_for(f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(BackupFailed, match="does not answer"):
        nobody.names()
    with pytest.raises(BackupFailed, match="NoSuchBucket"):
        Bucket("s3://no-such-bucket", options_for(bucket_server.endpoint)).names()
    with pytest.raises(BadSetting, match="s3://bucket"):
        Bucket("s3:///x", BackupOptions())


def test_a_backup_that_is_half_there_is_listed_as_what_is_left_of_it(place: Shelf, tmp_path: Path) -> None:
    half = tmp_path / "half"
    half.mkdir()
    (half / "database.sealed").write_bytes(b"x")
    place.put("desk_3", half)
    assert place.names() == ["desk_3"]


def test_a_copy_that_fails_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(BackupFailed, match="cannot be written"):
        Folder(tmp_path / "file").put("desk_1", backup_in(tmp_path / "one"))
    backups = Folder(tmp_path / "shelf")
    with pytest.raises(BackupFailed, match="could not be copied"):
        backups.put("desk_1", tmp_path / "missing")
    assert backups.names() == []
    assert list((tmp_path / "shelf").iterdir()) == []


def test_what_a_killed_backup_left_is_forgotten_after_a_day(tmp_path: Path) -> None:
    backups = Folder(tmp_path)
    left, recent, foreign = backups.draft("desk_1"), backups.draft("desk_2"), tmp_path / ".something_else"
    foreign.mkdir()
    for folder in (left, foreign):
        os.utime(folder, (0, 0))
    backups.draft("desk_3")
    assert not left.exists()
    assert recent.exists()
    assert foreign.exists()
