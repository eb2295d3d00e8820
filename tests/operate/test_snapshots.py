"""The weekly job that takes snapshots in a cluster, against a server that speaks as much of Kubernetes as it uses."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from frontdesk.operate.errors import SnapshotFailed
from frontdesk.operate.snapshots import MANAGED, OURS, Cluster, Wanted, main, take

CLAIM = "postgres-storage-postgres-0"
NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
PATH = "/apis/snapshot.storage.k8s.io/v1/namespaces/desk/volumesnapshots"


class ApiServer(ThreadingHTTPServer):
    """Snapshots by name; asks for the token of a pod that may."""

    def __init__(self) -> None:
        self.snapshots: dict[str, dict[str, Any]] = {}
        self.refuses: int = 0
        super().__init__(("127.0.0.1", 0), Handler)

    def hold(self, name: str, made: str, *, claim: str = CLAIM, ready: bool = True, ours: bool = True) -> None:
        """A snapshot that is there already."""
        self.snapshots[name] = {
            "metadata": {"name": name, "creationTimestamp": made, "labels": {MANAGED: OURS} if ours else {}},
            "spec": {"source": {"persistentVolumeClaimName": claim}},
            "status": {"readyToUse": ready},
        }


class Handler(BaseHTTPRequestHandler):
    server: ApiServer

    def do_GET(self) -> None:
        wanted = "labelSelector" in self.path
        found = [each for each in self.server.snapshots.values() if not wanted or each["metadata"]["labels"]]
        self._answer(200, {"items": found})

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = said["metadata"]["name"]
        if name in self.server.snapshots:
            self._answer(409, {})
            return
        said["metadata"]["creationTimestamp"] = "2026-11-22T03:00:00Z"
        self.server.snapshots[name] = said
        self._answer(201, said)

    def do_DELETE(self) -> None:
        self.server.snapshots.pop(self.path.rpartition("/")[2])
        self._answer(200, {})

    def _answer(self, status: int, said: object) -> None:
        if not self.path.startswith(PATH):
            status = 404
        if self.headers["Authorization"] != "Bearer token-of-the-pod":
            status = 401
        body = json.dumps(said).encode()
        self.send_response(self.server.refuses or status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test tells what went wrong."""


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def cluster(server: ApiServer, token: str = "token-of-the-pod") -> Cluster:
    return Cluster(f"http://127.0.0.1:{server.server_port}", "desk", token)


def test_a_snapshot_of_the_claim_is_made_with_its_class(server: ApiServer) -> None:
    lines = take(cluster(server), Wanted.of(f"{CLAIM}=csi-snapclass:4"), NOW)
    assert lines == [f"{CLAIM}-20261122 was made"]
    made = server.snapshots[f"{CLAIM}-20261122"]
    assert made["spec"] == {
        "volumeSnapshotClassName": "csi-snapclass",
        "source": {"persistentVolumeClaimName": CLAIM},
    }


def test_a_second_try_on_the_same_day_makes_none_again(server: ApiServer) -> None:
    for _ in range(2):
        lines = take(cluster(server), Wanted(CLAIM, "csi-snapclass", 4), NOW)
    assert lines == [f"{CLAIM}-20261122 is there already"]
    assert len(server.snapshots) == 1


def test_the_oldest_go_and_those_of_others_stay(server: ApiServer) -> None:
    for week in range(1, 6):
        server.hold(f"{CLAIM}-2026100{week}", f"2026-10-0{week}T03:00:00Z")
    server.hold("by-hand", "2026-01-01T00:00:00Z", ours=False)
    server.hold("of-another", "2026-01-01T00:00:00Z", claim="redis-storage-redis-0")
    take(cluster(server), Wanted(CLAIM, "csi-snapclass", 4), NOW)
    kept = {f"{CLAIM}-2026100{week}" for week in (2, 3, 4, 5)}
    assert set(server.snapshots) == {f"{CLAIM}-20261122", *kept, "by-hand", "of-another"}


def test_while_new_ones_do_not_become_ready_the_last_good_ones_stay(server: ApiServer) -> None:
    server.hold("good", "2026-10-01T03:00:00Z")
    for week in range(2, 6):
        server.hold(f"bad-{week}", f"2026-10-0{week}T03:00:00Z", ready=False)
    take(cluster(server), Wanted(CLAIM, "csi-snapclass", 1), NOW)
    assert "good" in server.snapshots


def test_a_refusal_is_told_with_its_status(server: ApiServer) -> None:
    with pytest.raises(SnapshotFailed, match="401"):
        take(cluster(server, token="of-somebody-else"), Wanted(CLAIM, "csi-snapclass", 4), NOW)
    server.refuses = 403
    with pytest.raises(SnapshotFailed, match="403"):
        take(cluster(server), Wanted(CLAIM, "csi-snapclass", 4), NOW)


@pytest.mark.parametrize("word", ["", "claim", "claim=class", "claim=:4", "=class:4", "claim=class:0", "claim=class:x"])
def test_words_that_say_too_little_are_refused(word: str) -> None:
    with pytest.raises(SnapshotFailed, match="CLAIM=CLASS:KEEP"):
        Wanted.of(word)


def test_outside_of_a_cluster_it_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert main([f"{CLAIM}=csi-snapclass:4"]) == 1
    assert "no pod of a cluster" in capsys.readouterr().err
