"""What runs short in a cluster: a container of its limits, a node, a quota, an autoscaler at its end."""

import re
from collections.abc import Iterator

from frontdesk.operate.diagnosis.case import fail, share, size, warn
from frontdesk.operate.diagnosis.kubernetes import Autoscaler, Node, NodeUse, Pod, PodUse, Quota
from frontdesk.operate.diagnosis.seen import ClusterSeen
from frontdesk.operate.doctor import Finding
from frontdesk.system.layout.quantities import amount_of_bytes, bytes_text

HIGH, FULL = 0.8, 0.95
MIB = 2**20
_CORES = re.compile(r"([0-9.]+)([num]?)")
_PARTS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}


def of_cluster(cluster: ClusterSeen) -> Iterator[Finding]:
    """Answering, section 12: pods and nodes by their use, quotas; who exceeds what, and a size to take."""
    pods = {pod.name: pod for pod in cluster.pods}
    for use in cluster.uses:
        if use.metadata.name in pods:
            yield from _pod(pods[use.metadata.name], use)
    for pod in cluster.pods:
        if pod.status.reason == "Evicted":
            remedy = "Let it ask for what it needs (`resources.requests`), or add a node."
            yield fail("shortage", f"{pod.name} was put off its node: {pod.status.message}", remedy)
    for node, used in cluster.nodes:
        yield from _node(node, used)
    for quota in cluster.quotas:
        yield from _quota(quota)
    for autoscaler in cluster.autoscalers:
        yield from _blind(autoscaler)


def at_its_most(cluster: ClusterSeen | None) -> Iterator[Finding]:
    """Conversation, section 11: autoscalers that would start more replicas than they may."""
    for each in cluster.autoscalers if cluster else ():
        limited = each.condition("ScalingLimited", "True")
        if limited is not None and limited.reason == "TooManyReplicas":
            cause = (
                f"The app is the bottleneck: {each.metadata.name} has started all of {each.spec.max_replicas} replicas"
            )
            yield fail("slow", cause, "Raise services.NAME.scaling.most, and see that nodes are there: frontdesk check")


def _blind(autoscaler: Autoscaler) -> Iterator[Finding]:
    off = autoscaler.condition("ScalingActive", "False")
    if off is not None and off.reason != "ScalingDisabled":
        remedy = "Does a metrics server run, and for its own metrics an adapter? kubectl describe hpa"
        yield fail("shortage", f"{autoscaler.metadata.name} does not scale: {off.message}", remedy)


def _pod(pod: Pod, use: PodUse) -> Iterator[Finding]:
    limits = {each.name: each.resources.limits for each in pod.spec.containers}
    for container in use.containers:
        limit = limits.get(container.name, {})
        memory, most = _bytes(container.usage.get("memory")), _bytes(limit.get("memory"))
        if most and memory >= HIGH * most:
            found = fail if memory >= FULL * most else warn
            cause = f"{pod.name} has used {size(memory)} of {size(most)} ({share(memory / most)}) of its memory"
            wanted = bytes_text(int(-(-1.5 * memory // MIB)) * MIB)
            yield found("shortage", cause, f"Take {wanted}: services.NAME.resources.limits.memory.")
        cores, bound = _cores(container.usage.get("cpu")), _cores(limit.get("cpu"))
        if bound and cores >= HIGH * bound:
            cause = f"{pod.name} uses {cores:.3g} of {bound:.3g} cores, and is held back beyond them"
            yield warn("shortage", cause, f"Take {1.5 * cores:.2g} cores, or another replica.")


def _node(node: Node, use: NodeUse) -> Iterator[Finding]:
    there, used = node.status.allocatable, use.usage
    for what, taken, most in (
        ("memory", _bytes(used.get("memory")), _bytes(there.get("memory"))),
        ("CPU", _cores(used.get("cpu")), _cores(there.get("cpu"))),
    ):
        if most and taken >= HIGH * most:
            cause = f"{share(taken / most)} of the {what} of node {node.metadata.name} is used"
            yield warn("shortage", cause, "Add a node, or move something away: kubectl top pods --sort-by=cpu")


def _quota(quota: Quota) -> Iterator[Finding]:
    """Each resource of it that is nearly used up (kubernetes.io/docs/concepts/policy/resource-quotas)."""
    for name, bound in quota.status.hard.items():
        used = quota.status.used.get(name, "0")
        amount = _bytes if "memory" in name or "storage" in name else _cores  # counts are whole numbers, like cores
        most, taken = amount(bound), amount(used)
        if most and taken >= HIGH * most:
            found = fail if taken >= most else warn
            remedy = "Raise it in `deployment`, or ask for less: the next replica may not fit."
            yield found("shortage", f"{used} of {bound} of the quota {name} is taken", remedy)


def _bytes(said: str | None) -> float:
    """Bytes; 0 for what is not said, or not understood."""
    try:
        return amount_of_bytes(said) if said else 0.0
    except ValueError:
        return 0.0


def _cores(said: str | None) -> float:
    """Cores; use is told in billionths (`250000000n`)."""
    found = _CORES.fullmatch(said or "")
    return float(found[1]) * _PARTS[found[2]] if found else 0.0
