"""What was seen, and what is found in it: shared by the tests of diagnosis."""

from typing import Any

import msgspec

from frontdesk.operate.diagnosis.diagnose import diagnose
from frontdesk.operate.diagnosis.kubernetes import Event, Pod
from frontdesk.operate.diagnosis.seen import ClusterSeen, Seen
from frontdesk.operate.doctor import Finding


def found(seen: Seen, case: str) -> list[Finding]:
    """Of one case."""
    return [finding for finding in diagnose(seen) if finding.check == case]


def one(seen: Seen, case: str) -> Finding:
    """The only one of a case; it has a remedy."""
    [finding] = found(seen, case)
    assert finding.remedy
    return finding


def pod(name: str = "orchestrator-1", **status: Any) -> Pod:
    """A pod of that status."""
    return msgspec.convert({"metadata": {"name": name}, "status": status}, Pod)


def waiting(reason: str, message: str = "") -> Pod:
    """A pod whose container waits for that reason."""
    return pod(containerStatuses=[{"state": {"waiting": {"reason": reason, "message": message}}}])


def event(reason: str, message: str) -> Event:
    """What has happened to `web-7`."""
    return msgspec.convert({"involvedObject": {"name": "web-7"}, "reason": reason, "message": message}, Event)


def cluster(*pods: Pod, events: list[Event] | None = None, **more: Any) -> Seen:
    """A cluster, and nothing else."""
    return Seen(cluster=ClusterSeen(namespace="desk", pods=pods, events=events or [], **more))
