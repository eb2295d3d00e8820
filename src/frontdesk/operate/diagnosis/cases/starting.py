"""What does not start: a wrong setting, a taken port, a missing secret, an image, a probe, a quota, a crash."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from frontdesk.operate.diagnosis.case import fail, warn
from frontdesk.operate.diagnosis.kubernetes import Container, Event, Pod
from frontdesk.operate.diagnosis.seen import ClusterSeen, Seen
from frontdesk.operate.doctor import Finding

OFTEN = 3  # restarts
RECENT = timedelta(minutes=20)  # controllers try again at least this often: what is older has been mended

Reason = tuple[str, str]  # cause, remedy
SECRET: Reason = (
    "a secret or config map that it names is not there",
    "Create it: `frontdesk secrets list` names what is missing; render again, and apply.",
)
ROOT: Reason = (
    "its image would run as root, which its security context forbids",
    "Let the image name a user by number (USER 1000); `frontdesk build` makes such images.",
)
CONFIGURATION: Reason = ("its container's configuration is wrong", "Correct it in the system file, and render again.")
IMAGE: Reason = ("its image cannot be fetched", "Correct name, tag or digest, or give the registry's login.")
PROBE: Reason = (
    "it fails its probe",
    "Liveness asks /health, readiness /ready: see what /ready names, or give it more time to start.",
)
VOLUME: Reason = ("it waits for a volume", "See its claim and its storage class.")

# Reasons of a waiting container (kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle).
_WAITING: dict[str, Reason] = {
    "ImagePullBackOff": IMAGE,
    "ErrImagePull": IMAGE,
    "ErrImageNeverPull": IMAGE,
    "InvalidImageName": ("its image's name is wrong", "Correct it: registry/name:tag, or @sha256:…"),
    "CreateContainerConfigError": CONFIGURATION,
    "CreateContainerError": (
        "its container cannot be made",
        "See its description; volumes and commands are named.",
    ),
    "RunContainerError": ("its command cannot be run", "Correct the command; `frontdesk render` writes the right one."),
    "CrashLoopBackOff": ("it ends by itself again and again", "Its own log says why: kubectl logs --previous"),
}
# What the API server says when it makes no pod.
_REFUSED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile("exceeded quota"), "Raise the quota, or ask for less: `frontdesk check` adds the requests up."),
    (
        re.compile(r"must specify|LimitRange|(minimum|maximum) \S+ usage per|limit to request ratio"),
        "The limit range forbids it: correct `resources` of the service, or the range in `deployment`.",
    ),
    (re.compile("PodSecurity"), "Pod Security forbids it: `frontdesk render kubernetes` writes pods that comply."),
    (re.compile("serviceaccount", re.IGNORECASE), "Apply the rendered service accounts first."),
)
_MISSING = re.compile(
    r"(secret|configmap)\b.*not found|couldn't find key|non-existent (secret|config) key", re.IGNORECASE
)


def starting(seen: Seen) -> Iterator[Finding]:
    """Conversation, section 11, and answering, section 12: name the cause."""
    for problem in seen.settings:
        yield fail("start", f"The desk would refuse to start: {problem}", "frontdesk check")
    for process in seen.processes:
        if process.state == "waiting" or process.restarts >= OFTEN:
            cause = f"{process.name} has ended by itself {process.restarts} times"
            yield fail("start", cause, f"Its log says why: frontdesk logs {process.name}")
    if seen.cluster is not None:
        if seen.cluster.fault:
            yield warn(
                "start", f"Kubernetes could not be asked: {seen.cluster.fault}", "Name a context: --context NAME"
            )
        yield from _of_cluster(seen.cluster)


def _of_cluster(cluster: ClusterSeen) -> Iterator[Finding]:
    """Each pod that is not ready, once; then what keeps pods from being made at all.

    Events outlive what they tell: those of pods that are ready by now, or gone, say nothing any more.
    """
    events = [each for each in cluster.events if _is_recent(each.at, cluster.at)]
    for pod in cluster.pods:
        if not pod.ready and pod.metadata.deletion_timestamp is None:
            yield from _of_pod(pod, [each for each in events if each.involved_object.name == pod.name])
    known, told = {pod.name for pod in cluster.pods}, set[str]()
    for event in events:
        name = event.involved_object.name
        if name in known | told or event.involved_object.kind == "Pod":
            continue
        if (finding := _refused(event)) is not None:
            told.add(name)
            yield finding


def _of_pod(pod: Pod, events: Sequence[Event]) -> Iterator[Finding]:
    """The one cause that the others follow from: no node, then its containers, then what has happened to it."""
    for condition in pod.status.conditions:
        if condition.type == "PodScheduled" and condition.status == "False":
            remedy = "Add a node, ask for less, or bear the node's taint."
            yield fail("start", f"{pod.name} finds no node: {_short(condition.message)}", remedy)
            return
    for container in pod.containers:
        waiting = container.state.waiting
        if waiting is not None and waiting.reason in _WAITING and not container.killed_for_memory:
            (cause, remedy), message = _why(container, waiting.reason, waiting.message, events)
            yield _failed(pod.name, cause, message, remedy)
            return
    for event in events:
        if (reason := _happened(event)) is not None:
            yield _failed(pod.name, reason[0], event.message, reason[1])
            return
    for container in pod.containers if pod.status.phase == "Failed" and not pod.status.reason else ():
        if (ended := container.state.terminated) is not None and ended.exit_code:
            cause = f"{pod.name} has ended with exit code {ended.exit_code}, and is not started again"
            yield warn("start", cause, f"Its log says why: kubectl logs {pod.name}")
            return


def _why(container: Container, reason: str, message: str, events: Sequence[Event]) -> tuple[Reason, str]:
    """The reason of a waiting container, told apart from others that wait under the same word."""
    if reason == "CreateContainerConfigError":
        if _MISSING.search(message):
            return SECRET, message
        return (ROOT if "runAsNonRoot" in message else CONFIGURATION), message
    if reason == "CrashLoopBackOff":
        probes = [each for each in events if each.reason == "Unhealthy" and not each.message.startswith("Readiness")]
        if probes:
            return PROBE, probes[-1].message
        ended = container.last_state.terminated
        return _WAITING[reason], f"exit code {ended.exit_code}" if ended else ""
    return _WAITING[reason], message


def _happened(event: Event) -> Reason | None:
    if event.reason == "Unhealthy":
        return PROBE
    if event.reason in ("FailedMount", "FailedAttachVolume"):
        return SECRET if _MISSING.search(event.message) else VOLUME
    return None


def _refused(event: Event) -> Finding | None:
    """Of what makes pods: that it may not. And of a pod that nobody has listed, what `_happened` tells."""
    name, message = event.involved_object.name, _short(event.message)
    if event.reason == "FailedCreate":
        remedies = (remedy for pattern, remedy in _REFUSED if pattern.search(event.message))
        return fail("start", f"A pod of {name} may not be made: {message}", next(remedies, "Mend what it names."))
    reason = _happened(event)
    return None if reason is None else _failed(name, reason[0], event.message, reason[1])


def _failed(name: str, cause: str, message: str, remedy: str) -> Finding:
    return fail("start", f"{name} does not start: {cause}{f' ({_short(message)})' if message else ''}", remedy)


def _is_recent(at: datetime | None, now: datetime) -> bool:
    return at is None or now - at <= RECENT


def _short(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= 160 else f"{line[:159]}…"
