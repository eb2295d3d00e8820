"""What does not start: a wrong setting, a taken port, a missing secret, an image, a probe, a quota, a crash."""

from collections.abc import Iterator

from frontdesk.operate.diagnosis.case import fail, warn
from frontdesk.operate.diagnosis.kubernetes import Event, Pod
from frontdesk.operate.diagnosis.seen import ClusterSeen, Seen
from frontdesk.operate.doctor import Finding

OFTEN = 3  # restarts

# Reasons of a waiting container (kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle) → cause, remedy.
_WAITING = {
    "ImagePullBackOff": ("its image cannot be fetched", "Correct name, tag or digest, or give the registry's login."),
    "ErrImagePull": ("its image cannot be fetched", "Correct name, tag or digest, or give the registry's login."),
    "InvalidImageName": ("its image's name is wrong", "Correct it: registry/name:tag, or @sha256:…"),
    "CreateContainerConfigError": (
        "a secret or config map that it names is not there",
        "Create it: `frontdesk secrets list` names what is missing.",
    ),
    "CreateContainerError": ("its container cannot be made", "See its description; volumes and commands are named."),
    "RunContainerError": ("its command cannot be run", "Correct the command; `frontdesk render` writes the right one."),
    "CrashLoopBackOff": ("it ends by itself again and again", "Its own log says why: kubectl logs --previous"),
}
_QUOTA = ("exceeded quota", "LimitRange", "maximum memory usage", "must specify")


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
    told: set[str] = set()
    for pod in cluster.pods:
        for finding in (*_containers(pod), *_unplaced(pod)):
            told.add(pod.name)
            yield finding
    for event in cluster.events:
        finding = _of_event(event)
        if finding is not None and event.involved_object.name not in told:
            told.add(event.involved_object.name)
            yield finding


def _containers(pod: Pod) -> Iterator[Finding]:
    for container in pod.containers:
        waiting = container.state.waiting
        if waiting is not None and waiting.reason in _WAITING and not container.killed_for_memory:
            cause, remedy = _WAITING[waiting.reason]
            message = f" ({_short(waiting.message)})" if waiting.message else ""
            yield fail("start", f"{pod.name} does not start: {cause}{message}", remedy)


def _unplaced(pod: Pod) -> Iterator[Finding]:
    for condition in pod.status.conditions:
        if condition.type == "PodScheduled" and condition.status == "False":
            remedy = "Add a node, ask for less, or bear the node's taint."
            yield fail("start", f"{pod.name} finds no node: {_short(condition.message)}", remedy)


def _of_event(event: Event) -> Finding | None:
    name, message = event.involved_object.name, _short(event.message)
    if event.reason in ("FailedCreate", "Failed") and any(word in event.message for word in _QUOTA):
        remedy = "Raise the quota, or ask for less: `frontdesk check` adds the requests up."
        return fail("start", f"{name} may not be made: {message}", remedy)
    if event.reason == "Unhealthy":
        remedy = "Liveness asks /health, readiness /ready: see what /ready names, or give it more time to start."
        return fail("start", f"{name} fails its probe: {message}", remedy)
    if event.reason in ("FailedMount", "FailedAttachVolume"):
        return fail("start", f"{name} waits for a volume: {message}", "See its claim and its storage class.")
    return None


def _short(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= 160 else f"{line[:159]}…"
