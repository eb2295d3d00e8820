"""Where backups lie: a folder, and a real bucket. Both keep the same promises."""

import http.client
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from math import inf
from pathlib import Path

import pytest
from pydantic import SecretStr

from frontdesk.errors import BadSetting, NotFound
from frontdesk.operate.backup.manifest import MANIFEST, SEAL
from frontdesk.operate.backup.s3 import Bucket
from frontdesk.operate.backup.shelves import Folder, Shelf, whole
from frontdesk.operate.errors import BackupDamaged, BackupFailed
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
    Bucket("s3://backups", options).put(f"made-{tmp_path.name}", backup_in(tmp_path / "made"))  # so there is a bucket
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
    monkeypatch.setattr("frontdesk.operate.backup.s3.RETRIES", 0)
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


def test_a_name_that_is_taken_is_not_written_over(place: Shelf, tmp_path: Path) -> None:
    first, second = backup_in(tmp_path / "first"), backup_in(tmp_path / "second", size=2000)
    place.put("desk_1", first)
    with pytest.raises(BackupFailed, match="There is a backup of this name") as refused:
        place.put("desk_1", second)
    assert "a place of its own" in refused.value.hint
    for file in first.iterdir():
        assert whole(place, "desk_1", file.name) == file.read_bytes()


@contextmanager
def failing_at(server: BucketServer, word: str, times: float = inf) -> Iterator[str]:
    """The address of a way to the bucket on which what is put under a name with this word meets a 500 so often."""
    failures = count(1)

    class Way(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.command == "PUT" and word in self.path and next(failures) <= times:
                self.send_response(500)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            there = http.client.HTTPConnection(server.endpoint.removeprefix("http://"), timeout=30)
            there.request(self.command, self.path, body, dict(self.headers))
            answer = there.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            there.close()

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _pass_on

        def log_message(self, format: str, *args: object) -> None:
            pass

    way = ThreadingHTTPServer(("127.0.0.1", 0), Way)
    threading.Thread(target=way.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{way.server_port}"
    finally:
        way.shutdown()
        way.server_close()


def test_a_bucket_that_fails_midway_keeps_nothing_of_the_backup(
    bucket_server: BucketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontdesk.operate.backup.s3.RETRIES", 0)
    made = backup_in(tmp_path / "made")
    direct = Bucket("s3://backups/midway", options_for(bucket_server.endpoint))
    direct.put("desk_0", made)
    with failing_at(bucket_server, MANIFEST) as address:
        bucket = Bucket("s3://backups/midway", options_for(address))
        with pytest.raises(BackupFailed, match="does not answer"):
            bucket.put("desk_1", made)
    assert direct.names() == ["desk_0"]
    direct.put("desk_1", made)
    assert direct.names() == ["desk_0", "desk_1"]


def test_a_bucket_that_fails_for_a_moment_does_not_cost_the_backup(bucket_server: BucketServer, tmp_path: Path) -> None:
    with failing_at(bucket_server, MANIFEST, times=4) as address:
        Bucket("s3://backups/moment", options_for(address)).put("desk_1", backup_in(tmp_path / "made"))
    assert Bucket("s3://backups/moment", options_for(bucket_server.endpoint)).names() == ["desk_1"]


def test_folders_of_others_on_the_same_disk_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backups = Folder(tmp_path / "disk")
    backups.put("desk_1", backup_in(tmp_path / "made"))
    lost, linked = backups.path / "lost+found", backups.path / "linked"
    lost.mkdir()
    linked.symlink_to(backups.path / "desk_1")
    listing = Path.iterdir

    def guarded(path: Path) -> Iterator[Path]:
        if path == lost:
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(Path, "iterdir", guarded)
    assert backups.names() == ["desk_1"]


def test_a_disk_that_does_not_give_or_take_is_told_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backups = Folder(tmp_path / "disk")
    backups.put("desk_1", backup_in(tmp_path / "made"))

    def broken(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("shutil.rmtree", broken)
    with pytest.raises(BackupFailed, match="could not be removed: Input/output error"):
        backups.remove("desk_1")
    monkeypatch.setattr(Path, "open", broken)
    with pytest.raises(BackupDamaged, match="Input/output error"):
        whole(backups, "desk_1", "database.sealed")
    monkeypatch.setattr(Path, "iterdir", broken)
    with pytest.raises(BackupFailed, match="cannot be read: Input/output error"):
        backups.names()
