"""Snapshots of volumes in a cluster, as the rendered job takes them: one of each claim, and the oldest go.

    python -m frontdesk.operate.snapshots CLAIM=CLASS:KEEP …

It speaks to the API server as its pod: with the token and the certificate that Kubernetes mounts
(kubernetes.io/docs/tasks/run-application/access-api-from-pod). What it removes, it made: snapshots of others stay.
"""

import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from urllib.parse import quote

from frontdesk.operate.errors import SnapshotFailed

API = "snapshot.storage.k8s.io/v1"
IDENTITY = Path("/var/run/secrets/kubernetes.io/serviceaccount")
OURS = "frontdesk"
MANAGED = "app.kubernetes.io/managed-by"
SECONDS = 30.0  # for each request
THERE_ALREADY = 409

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A claim, the class of its snapshots, and how many of them stay."""

    claim: str
    snapshot_class: str
    keep: int

    @classmethod
    def of(cls, word: str) -> "Wanted":
        """From `CLAIM=CLASS:KEEP`. Raises `SnapshotFailed`."""
        claim, _, rest = word.partition("=")
        snapshot_class, _, keep = rest.rpartition(":")
        if not (claim and snapshot_class and keep.isdigit() and int(keep)):
            raise SnapshotFailed(f"`{word}` is not CLAIM=CLASS:KEEP", where="arguments")
        return cls(claim, snapshot_class, int(keep))


@dataclass(frozen=True, slots=True)
class Cluster:
    """The API server, as a pod of `namespace` sees it."""

    address: str
    namespace: str
    token: str
    context: ssl.SSLContext | None = None

    @classmethod
    def around(cls, variables: Mapping[str, str] = os.environ, identity: Path = IDENTITY) -> "Cluster":
        """The cluster that this pod runs in. Raises `SnapshotFailed` outside of one."""
        host, port = variables.get("KUBERNETES_SERVICE_HOST"), variables.get("KUBERNETES_SERVICE_PORT", "443")
        if not host or not (identity / "token").is_file():
            raise SnapshotFailed("This is no pod of a cluster, or it has no token", where=str(identity))
        return cls(
            address=f"https://{f'[{host}]' if ':' in host else host}:{port}",
            namespace=(identity / "namespace").read_text().strip(),
            token=(identity / "token").read_text().strip(),
            context=ssl.create_default_context(cafile=str(identity / "ca.crt")),
        )

    def make(self, name: str, wanted: Wanted) -> bool:
        """Make a snapshot; False where one of this name is there. Raises `SnapshotFailed`."""
        said = {
            "apiVersion": API,
            "kind": "VolumeSnapshot",
            "metadata": {"name": name, "labels": {MANAGED: OURS}},
            "spec": {
                "volumeSnapshotClassName": wanted.snapshot_class,
                "source": {"persistentVolumeClaimName": wanted.claim},
            },
        }
        return self._ask("POST", "", said, fine=THERE_ALREADY) is not None

    def ours(self, claim: str) -> list[Json]:
        """The snapshots of a claim that this job made, the newest first. Raises `SnapshotFailed`."""
        found = self._ask("GET", f"?labelSelector={quote(f'{MANAGED}={OURS}')}") or {}
        items = [each for each in cast("list[Json]", found.get("items", [])) if _claim_of(each) == claim]
        return sorted(items, key=lambda each: str(_at(each, "metadata", "creationTimestamp")), reverse=True)

    def remove(self, name: str) -> None:
        """Remove a snapshot. Raises `SnapshotFailed`."""
        self._ask("DELETE", f"/{quote(name)}")

    def _ask(self, method: str, path: str, said: object = None, *, fine: int = 0) -> Json | None:
        """The answer; None for the status `fine`."""
        url = f"{self.address}/apis/{API}/namespaces/{self.namespace}/volumesnapshots{path}"
        body = json.dumps(said).encode() if said is not None else None
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, data=body, method=method, headers=headers)  # noqa: S310 — the API server
        try:
            with urllib.request.urlopen(request, timeout=SECONDS, context=self.context) as answer:  # noqa: S310
                return cast("Json", json.load(answer))
        except urllib.error.HTTPError as error:
            if error.code == fine:
                return None
            raise SnapshotFailed(f"The API server says {error.code} {error.reason}", where=f"{method} {url}") from error
        except (OSError, ValueError) as error:
            raise SnapshotFailed(f"The API server does not answer: {error}", where=url) from error


def take(cluster: Cluster, wanted: Wanted, now: datetime) -> list[str]:
    """Make today's snapshot of a claim and remove what is beyond `keep`; what was done, a line each.

    Only snapshots that are ready count as kept: while new ones fail, the old ones stay. Raises `SnapshotFailed`.
    """
    name = f"{wanted.claim}-{now:%Y%m%d}"
    made = cluster.make(name, wanted)
    lines = [f"{name} {'was made' if made else 'is there already'}"]
    ready = 0
    for each in cluster.ours(wanted.claim):
        if ready >= wanted.keep:
            old = str(_at(each, "metadata", "name"))
            cluster.remove(old)
            lines.append(f"{old} was removed")
        ready += _at(each, "status", "readyToUse") is True
    return lines


def main(words: Sequence[str]) -> int:
    """Snapshots of every claim; 1 when one of them failed, the others being taken all the same."""
    failed = False
    try:
        cluster = Cluster.around()
        everything = [Wanted.of(word) for word in words]
    except SnapshotFailed as error:
        print(f"{error}. {error.hint}", file=sys.stderr)
        return 1
    for wanted in everything:
        try:
            print("\n".join(take(cluster, wanted, datetime.now(UTC))), flush=True)
        except SnapshotFailed as error:
            failed = True
            print(f"{wanted.claim}: {error}. {error.hint}", file=sys.stderr)
    return 1 if failed else 0


def _claim_of(snapshot: Json) -> object:
    return _at(snapshot, "spec", "source", "persistentVolumeClaimName")


def _at(found: object, *steps: str) -> object:
    for step in steps:
        found = cast("Json", found).get(step) if isinstance(found, Mapping) else None
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
