"""What an API server refuses beyond its schemas: validation of each kind, and what admission asks of objects together.

Source: kubernetes/kubernetes, pkg/apis/*/validation and plugin/pkg/admission/resourcequota.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_network
from typing import Any
from zoneinfo import available_timezones

from frontdesk.system.layout.quantities import amount_of_bytes, millicores
from tests.render.reading.pods import Object, pod_faults, quantity

LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
SERVICE = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
NAMES = {"Namespace": LABEL, "Service": SERVICE, "StatefulSet": r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?"}
NAMES["CronJob"] = NAMES["StatefulSet"]  # the names of what they make are longer
KEY = re.compile(rf"({SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?")
VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
PORT_NAME = re.compile(r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
OF_THE_CLUSTER = {"Namespace", "PriorityClass"}
CRON = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
QUOTA = {
    *("requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "requests.nvidia.com/gpu"),
    *("persistentvolumeclaims", "services.loadbalancers", "secrets", "configmaps"),
}
LONGEST_WINDOW, LONGEST_PERIOD = 3600, 1800  # seconds, of an autoscaler


def refused(objects: Iterable[Object]) -> list[str]:
    """The faults of these objects, each by itself and then together."""
    given = list(objects)
    found = [
        f"{each['kind']}/{each['metadata']['name']}: {fault}"
        for each in given
        for fault in (*_metadata(each), *KINDS.get(each["kind"], _nothing)(each))
    ]
    return found + list(_together(given))


def _nothing(_: Object) -> Iterator[str]:
    yield from ()


def _metadata(each: Object) -> Iterator[str]:
    head = each["metadata"]
    if not re.fullmatch(NAMES.get(each["kind"], SUBDOMAIN), head["name"]) or len(head["name"]) > 253:
        yield "metadata.name"
    if ("namespace" in head) == (each["kind"] in OF_THE_CLUSTER):
        yield "metadata.namespace"
    yield from labels(head.get("labels", {}), "metadata.labels")
    annotations = head.get("annotations", {})
    yield from (f"annotation {key}" for key in annotations if not KEY.fullmatch(key.lower()))
    if sum(len(key) + len(str(said)) for key, said in annotations.items()) > 2**18:
        yield "annotations are too long"


def labels(said: Mapping[str, str], where: str) -> Iterator[str]:
    for key, value in said.items():
        if not KEY.fullmatch(key) or not isinstance(value, str) or not VALUE.fullmatch(value):
            yield f"{where}: {key}={value}"


# --- each kind ---


def _deployment(each: Object) -> Iterator[str]:
    spec = each["spec"]
    rolling = spec.get("strategy", {}).get("rollingUpdate", {})
    if rolling and not (rolling["maxSurge"] or rolling["maxUnavailable"]):
        yield "maxSurge and maxUnavailable are both 0"
    yield from _selected(spec)
    yield from pod_faults(spec["template"], restarts=("Always",))


def _stateful(each: Object) -> Iterator[str]:
    spec = each["spec"]
    claims = {claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]}
    for claim in spec["volumeClaimTemplates"]:
        yield from _claim(claim)
    yield from _selected(spec)
    yield from pod_faults(spec["template"], restarts=("Always",), claims=claims)


def _selected(spec: Object) -> Iterator[str]:
    wanted, has = spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"]
    if not wanted or not wanted.items() <= has.items():
        yield "spec.selector does not match the template's labels"
    if spec.get("replicas", 1) < 0:
        yield "replicas"


def _cron(each: Object) -> Iterator[str]:
    spec = each["spec"]
    fields = spec["schedule"].split()
    if len(fields) != len(CRON) or not all(
        field == "*" or (field.isdigit() and low <= int(field) <= high)
        for field, (low, high) in zip(fields, CRON, strict=True)
    ):
        yield f"schedule {spec['schedule']}"
    if spec["timeZone"] not in available_timezones():
        yield "timeZone"
    job = spec["jobTemplate"]["spec"]
    if min(spec["startingDeadlineSeconds"], job["activeDeadlineSeconds"], job["backoffLimit"]) < 0:
        yield "a number is negative"
    yield from pod_faults(job["template"], restarts=("OnFailure", "Never"))


def _service(each: Object) -> Iterator[str]:
    ports = each["spec"]["ports"]
    names = [port.get("name", "") for port in ports]
    if not ports or len(set(names)) < len(names) or (len(names) > 1 and not all(names)):
        yield "names of ports"
    if len({(port["port"], port["protocol"]) for port in ports}) < len(ports):
        yield "a port stands twice"
    for port in ports:
        to = port.get("targetPort", port["port"])
        if not _port(port["port"]) or not (_port(to) or PORT_NAME.fullmatch(str(to))):
            yield f"port {port}"
    yield from labels(each["spec"].get("selector", {}), "selector")


def _port(number: object) -> bool:
    return isinstance(number, int) and 0 < number < 65536


def _autoscaler(each: Object) -> Iterator[str]:
    spec = each["spec"]
    if not 1 <= spec["minReplicas"] <= spec["maxReplicas"]:
        yield "minReplicas, maxReplicas"
    for metric in spec["metrics"]:
        kind = metric["type"].lower()
        target = metric[kind]["target"]
        said = target.get("averageUtilization") if kind == "resource" else quantity(target["averageValue"])
        if metric.keys() != {"type", kind} or not said or said <= 0:
            yield f"metric {metric}"
        if kind != "resource" and not re.fullmatch(r"[^/%]+", metric[kind]["metric"]["name"]):
            yield "the name of a metric"
    for rules in spec["behavior"].values():
        if not 0 <= rules["stabilizationWindowSeconds"] <= LONGEST_WINDOW:
            yield "stabilizationWindowSeconds"
        for policy in rules.get("policies", ()):
            if policy["value"] <= 0 or not 0 < policy["periodSeconds"] <= LONGEST_PERIOD:
                yield f"policy {policy}"


def _budget(each: Object) -> Iterator[str]:
    spec = each["spec"]
    if ("minAvailable" in spec) == ("maxUnavailable" in spec):
        yield "exactly one of minAvailable and maxUnavailable"
    yield from labels(spec["selector"]["matchLabels"], "selector")


def _policy(each: Object) -> Iterator[str]:
    spec = each["spec"]
    yield from labels(spec["podSelector"].get("matchLabels", {}), "podSelector")
    for kind, side, peers in (("Ingress", "ingress", "from"), ("Egress", "egress", "to")):
        if spec.get(side) and kind not in spec["policyTypes"]:
            yield f"{side} without its type"
        for rule in spec.get(side, ()):
            if any(not _port(port["port"]) or port["protocol"] not in ("TCP", "UDP") for port in rule.get("ports", ())):
                yield f"ports {rule['ports']}"
            for peer in rule.get(peers, ()):
                yield from _peer(peer)


def _peer(peer: Object) -> Iterator[str]:
    if not peer or ("ipBlock" in peer and len(peer) > 1):
        yield f"peer {peer}"
    if block := peer.get("ipBlock"):
        whole = ip_network(block["cidr"])
        for part in map(ip_network, block.get("except", ())):
            if part.version != whole.version or not part.subnet_of(whole) or part == whole:  # pyright: ignore[reportArgumentType]
                yield f"{part} is not within {whole}"
    for selector in ("podSelector", "namespaceSelector"):
        yield from labels(peer.get(selector, {}).get("matchLabels", {}), selector)


def _claim(each: Object) -> Iterator[str]:
    spec = each["spec"]
    if not spec["accessModes"] or quantity(spec["resources"]["requests"]["storage"]) <= 0:
        yield "accessModes, storage"


def _config(each: Object) -> Iterator[str]:
    if any(not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key) for key in each["data"]):
        yield "a key"
    if sum(len(said.encode()) for said in each["data"].values()) > 2**20:
        yield "more than 1 MiB"


def _limits(each: Object) -> Iterator[str]:
    for bound in each["spec"]["limits"]:
        for name, said in bound["defaultRequest"].items():
            if quantity(said) > quantity(bound["default"][name]):
                yield f"defaultRequest of {name} is above default"


def _quota(each: Object) -> Iterator[str]:
    for name, said in each["spec"]["hard"].items():
        if name not in QUOTA or quantity(said) < 0:
            yield f"{name}: {said}"


def _ingress(each: Object) -> Iterator[str]:
    for rule in each["spec"]["rules"]:
        paths = [(path["path"], path["pathType"]) for path in rule["http"]["paths"]]
        if not re.fullmatch(SUBDOMAIN, rule["host"]) or len(set(paths)) < len(paths):
            yield f"rule of {rule['host']}"
        if any(not path.startswith("/") or "//" in path for path, _ in paths):
            yield f"paths of {rule['host']}"


def _priority(each: Object) -> Iterator[str]:
    """Above a milliard, and by names that begin so, classes are the cluster's own."""
    if each["metadata"]["name"].startswith("system-") or not -(2**31) <= each["value"] <= 10**9:
        yield f"value {each['value']}"
    if each.get("preemptionPolicy", "Never") not in ("Never", "PreemptLowerPriority") or each.get("globalDefault"):
        yield "it is not ours to say for others"


def _binding(each: Object) -> Iterator[str]:
    if not each["subjects"] or any(not subject.get("namespace") for subject in each["subjects"]):
        yield "subjects"


KINDS: dict[str, Callable[[Object], Iterator[str]]] = {
    "ConfigMap": _config,
    "CronJob": _cron,
    "Deployment": _deployment,
    "HorizontalPodAutoscaler": _autoscaler,
    "Ingress": _ingress,
    "LimitRange": _limits,
    "NetworkPolicy": _policy,
    "PersistentVolumeClaim": _claim,
    "PodDisruptionBudget": _budget,
    "PriorityClass": _priority,
    "ResourceQuota": _quota,
    "RoleBinding": _binding,
    "Service": _service,
    "StatefulSet": _stateful,
}


# --- together ---


def _together(objects: list[Object]) -> Iterator[str]:
    yield from _order(objects)
    scaled = Counter(each["spec"]["scaleTargetRef"]["name"] for each in _of(objects, "HorizontalPodAutoscaler"))
    yield from (f"{name} has {count} autoscalers" for name, count in scaled.items() if count > 1)
    services = {each["metadata"]["name"]: each["spec"] for each in _of(objects, "Service")}
    for each in _of(objects, "StatefulSet"):
        leads = services.get(each["spec"]["serviceName"], {})
        labels_of_pods = each["spec"]["template"]["metadata"]["labels"]
        if leads.get("clusterIP") != "None" or not leads["selector"].items() <= labels_of_pods.items():
            yield f"{each['metadata']['name']} has no headless service"
    yield from _within_quota(objects)


def _order(objects: list[Object]) -> Iterator[str]:
    """What pods name is there before them; the namespace is there before everything."""
    if objects[0]["kind"] != "Namespace":
        yield "the namespace does not come first"
    here, there = objects[0]["metadata"]["name"], set[tuple[str, str]]()
    for each in objects:
        name = each["metadata"]["name"]
        there.add((each["kind"], name))
        if each["metadata"].get("namespace", here) != here:
            yield f"{name} is elsewhere"
        for needed in _needed(each):
            if needed not in there:
                yield f"{name} comes before {needed}"


def _needed(each: Object) -> Iterator[tuple[str, str]]:
    spec = template_of(each)
    if spec is None:
        return
    yield "ServiceAccount", spec["serviceAccountName"]
    if "priorityClassName" in spec:
        yield "PriorityClass", spec["priorityClassName"]
    for volume in spec["volumes"]:
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]
    for container in spec["containers"]:
        yield from (("ConfigMap", source["configMapRef"]["name"]) for source in container.get("envFrom", ()))


def template_of(each: Object) -> dict[str, Any] | None:
    """The specification of the pods that it makes."""
    if each["kind"] == "CronJob":
        return each["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return each["spec"]["template"]["spec"] if each["kind"] in ("Deployment", "StatefulSet") else None


def _within_quota(objects: list[Object]) -> Iterator[str]:
    """Everything at its most, every rollout under way and every job at work: no pod is refused."""
    quotas = _of(objects, "ResourceQuota")
    if not quotas:
        return
    hard = quotas[0]["spec"]["hard"]
    most = {
        each["spec"]["scaleTargetRef"]["name"]: each["spec"]["maxReplicas"]
        for each in _of(objects, "HorizontalPodAutoscaler")
    }
    used: Counter[str] = Counter()
    for each in objects:
        if (spec := template_of(each)) is None:
            continue
        surge = each["spec"].get("strategy", {}).get("rollingUpdate", {}).get("maxSurge", 0)
        count = most.get(each["metadata"]["name"], each["spec"].get("replicas", 1)) + surge
        for bound in hard:
            side, _, name = bound.partition(".")
            if side in ("requests", "limits"):
                used[bound] += count * _effective(spec, side, name)
    for bound, amount in used.items():
        if amount > _read(bound, hard[bound]):
            yield f"quota: {bound} needs {amount} of {hard[bound]}"


def _effective(spec: Object, side: str, name: str) -> int:
    """Of a pod: the sum of its containers, or the largest of those that run before them."""

    def of(container: Object) -> int:
        said = container["resources"][side]
        return _read(name, said[name]) if name in said else 0

    return max([sum(map(of, spec["containers"])), *map(of, spec.get("initContainers", ()))])


def _read(name: str, said: str) -> int:
    return millicores(said) if name.endswith("cpu") else amount_of_bytes(said)


def _of(objects: list[Object], kind: str) -> list[Object]:
    return [each for each in objects if each["kind"] == kind]
