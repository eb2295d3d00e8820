"""What all pods have in common: the identity that the "restricted" Pod Security Standard asks for, places, scratch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from frontdesk.render.kubernetes.naming import labels, selector
from frontdesk.render.kubernetes.values import Object, Value
from frontdesk.system.layout.hosts import Host
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.quantities import bytes_text
from frontdesk.system.layout.services import Placement

GPU = "nvidia.com/gpu"
HOST_LABEL = "frontdesk/host"  # of nodes whose host says no labels
HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the processes of a pod are; the group owns its volumes."""

    user: int
    group: int


def container_security(*, read_only: bool = True) -> Object:
    """Of every container."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": read_only,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def pod(
    plan: Plan,
    name: str,
    *,
    identity: Identity,
    containers: Sequence[Object],
    volumes: Sequence[Object],
    before: Sequence[Object] = (),
    annotations: Mapping[str, object] | None = None,
    more_labels: Mapping[str, str] | None = None,
    placed: Object | None = None,
    priority: Value | None = None,
    account: str = "",
    grace: int = 30,
    restart: str = "",
    token: bool = False,
) -> Object:
    """A pod's template: head and specification. `token` lets it ask the API server."""
    metadata: Object = {"labels": labels(plan, name, more_labels)}
    if annotations:
        metadata["annotations"] = dict(annotations)
    spec: Object = {
        "serviceAccountName": account or name,
        "automountServiceAccountToken": token,
        "enableServiceLinks": False,  # else a Service called redis would set REDIS_PORT
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": identity.user,
            "runAsGroup": identity.group,
            "fsGroup": identity.group,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": grace,
        **({"priorityClassName": priority} if priority else {}),
        **(placed or {}),
    }
    if restart:
        spec["restartPolicy"] = restart
    if before:
        spec["initContainers"] = list(before)
    return {"metadata": metadata, "spec": spec | {"containers": list(containers), "volumes": list(volumes)}}


def scratch(name: str, size: int, *, in_memory: bool = False) -> Object:
    """A volume for what may be lost, with a bound."""
    return {"name": name, "emptyDir": {**({"medium": "Memory"} if in_memory else {}), "sizeLimit": bytes_text(size)}}


def places(
    plan: Plan, name: str, hosts: Sequence[str], placement: Placement, *, gpu: bool = False, spread: bool = True
) -> Object:
    """Which nodes take the pods, and that replicas prefer nodes and zones of their own."""
    chosen = {key: plan.hosts[key] for key in hosts if key in plan.hosts}
    found: Object = {}
    affinity: Object = {}
    if len(chosen) == 1:
        found["nodeSelector"] = {**_labels_of(*next(iter(chosen.items()))), **placement.labels}
    elif placement.labels:
        found["nodeSelector"] = dict(placement.labels)
    if len(chosen) > 1:
        affinity["nodeAffinity"] = _any_of(chosen)
    if spread and placement.spread:
        affinity["podAntiAffinity"] = _apart(plan, name)
        found["topologySpreadConstraints"] = [_zones(plan, name)]
    if affinity:
        found["affinity"] = affinity
    taints = dict.fromkeys((*placement.tolerations, *(host.taint for host in chosen.values() if host.taint)))
    if gpu:
        taints[GPU] = None
    if taints:
        found["tolerations"] = [_toleration(taint) for taint in taints]
    return found


def _labels_of(key: str, host: Host) -> Mapping[str, str]:
    return host.labels or {HOST_LABEL: key}


def _any_of(hosts: Mapping[str, Host]) -> Object:
    terms = [
        {"matchExpressions": [{"key": label, "operator": "In", "values": [said]} for label, said in found.items()]}
        for found in (_labels_of(key, host) for key, host in hosts.items())
    ]
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}


def _apart(plan: Plan, name: str) -> Object:
    term = {"topologyKey": HOSTNAME, "labelSelector": {"matchLabels": selector(plan, name)}}
    return {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}


def _zones(plan: Plan, name: str) -> Object:
    return {
        "maxSkew": 1,
        "topologyKey": ZONE,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(plan, name)},
    }


def _toleration(taint: str) -> Object:
    """Of `key`, `key=value` or `key=value:effect`; without an effect it is `NoSchedule`, as nodes of a kind have."""
    rest, _, effect = taint.partition(":")
    key, _, said = rest.partition("=")
    bears: Object = {"operator": "Equal", "value": said} if said else {"operator": "Exists"}
    return {"key": key, **bears, "effect": effect or "NoSchedule"}


def image(plan: Plan, name: str, *, gpu: bool = False) -> Value:
    """One of our images, as `full_name` names it; of a chart, as its values do."""
    variant = "-gpu" if gpu else ""
    return Value(
        content=full_name(plan, name, gpu=gpu),
        said={},
        template=f'include "frontdesk.image" (list $ "{name}" "{variant}")',
    )


def full_name(plan: Plan, name: str, *, gpu: bool = False) -> str:
    """An image's full name: by digest where one is known, else by tag; with a GPU the tag ends in `-gpu`."""
    images, variant = plan.deployment.images, "-gpu" if gpu else ""
    where, digest = f"{images.registry or plan.name}/{name}", images.digests.get(f"{name}{variant}")
    return f"{where}@{digest}" if digest else f"{where}:{plan.release}{variant}"
