"""What an API server refuses of a pod's template beyond its schema (kubernetes, pkg/apis/core/validation)."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

Object = Mapping[str, Any]

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
PORT_NAME = re.compile(r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
ENVIRONMENT = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")
IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})")
QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
FACTORS = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
FACTORS |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
NATIVE = {"cpu", "memory", "ephemeral-storage"}
EFFECTS = {"NoSchedule", "PreferNoSchedule", "NoExecute"}
HANDLERS = {"exec", "httpGet", "tcpSocket", "grpc"}
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def quantity(said: object) -> float:
    """A number as Kubernetes writes it; below 0 where it is none."""
    found = QUANTITY.fullmatch(str(said))
    return float(found[1]) * FACTORS[found[2] or ""] if found else -1


def pod_faults(template: Object, *, restarts: Sequence[str], claims: Collection[str] = ()) -> Iterator[str]:
    """The faults of a template. `restarts` is what its owner lets it say, the first when it says nothing; `claims` are
    the volumes that its owner adds."""
    spec = template["spec"]
    if spec.get("restartPolicy", restarts[0] if "Always" in restarts else "Always") not in restarts:
        yield f"restartPolicy is not one of {restarts}"
    volumes = [volume["name"] for volume in spec["volumes"]]
    everything = [*spec.get("initContainers", ()), *spec["containers"]]
    for what, names in (("volumes", volumes), ("containers", [each["name"] for each in everything])):
        if len(set(names)) < len(names) or not all(NAME.fullmatch(name) for name in names):
            yield f"names of {what}: {names}"
    for volume in spec["volumes"]:
        yield from _volume(volume)
    for number, each in enumerate(everything):
        first = number < len(spec.get("initContainers", ()))
        yield from (f"{each['name']}: {fault}" for fault in _container(each, {*volumes, *claims}, spec, first=first))
    yield from _placed(spec)


def _volume(volume: Object) -> Iterator[str]:
    if len(volume) != 2:
        yield f"volume {volume['name']} has not one source"
    for source in (volume.get("configMap", {}), volume.get("secret", {})):
        if not 0 <= source.get("defaultMode", 0) <= 0o777:
            yield f"volume {volume['name']}: defaultMode"
        if any(item["path"].startswith("/") or ".." in item["path"] for item in source.get("items", ())):
            yield f"volume {volume['name']}: items"
    if "emptyDir" in volume and quantity(volume["emptyDir"].get("sizeLimit", "1")) <= 0:
        yield f"volume {volume['name']}: sizeLimit"


def _container(each: Object, volumes: set[str], spec: Object, *, first: bool) -> Iterator[str]:
    if not IMAGE.fullmatch(each["image"]):
        yield f"image {each['image']}"
    ports = each.get("ports", ())
    names = [port["name"] for port in ports]
    numbers = [(port["containerPort"], port["protocol"]) for port in ports]
    if len(set(names)) < len(names) or not all(PORT_NAME.fullmatch(name) for name in names):
        yield f"names of ports: {names}"
    if len(set(numbers)) < len(numbers) or not all(0 < number < 65536 for number, _ in numbers):
        yield f"ports: {numbers}"
    variables = [variable["name"] for variable in each.get("env", ())]
    if len(set(variables)) < len(variables) or not all(ENVIRONMENT.fullmatch(name) for name in variables):
        yield f"env: {variables}"
    if any(("value" in variable) == ("valueFrom" in variable) for variable in each.get("env", ())):
        yield "env: one of value and valueFrom"
    if any(not isinstance(variable.get("value", ""), str) for variable in each.get("env", ())):
        yield "env: a value is no text"
    yield from _mounts(each.get("volumeMounts", ()), volumes)
    yield from _resources(each["resources"])
    yield from _probes(each, names, first=first)
    pause = each.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 1)
    if not 0 < pause <= spec["terminationGracePeriodSeconds"]:
        yield "preStop sleeps longer than the pod may take to end"


def _mounts(mounts: Sequence[Object], volumes: set[str]) -> Iterator[str]:
    paths = [mount["mountPath"] for mount in mounts]
    if len(set(paths)) < len(paths):
        yield f"mountPath stands twice: {paths}"
    for mount in mounts:
        if mount["name"] not in volumes or ":" in mount["mountPath"] or not mount["mountPath"].startswith("/"):
            yield f"mount {mount}"
        if mount.get("subPath", "").startswith("/") or ".." in mount.get("subPath", "").split("/"):
            yield f"subPath {mount['subPath']}"


def _resources(said: Object) -> Iterator[str]:
    requests, limits = said["requests"], said["limits"]
    for name, amount in (*requests.items(), *limits.items()):
        if quantity(amount) < 0:
            yield f"{name}: {amount} is no quantity"
    for name, amount in requests.items():
        if name in limits and quantity(amount) > quantity(limits[name]):
            yield f"more {name} is asked for than allowed"
    for name in {*requests, *limits} - NATIVE:
        if requests.get(name, limits.get(name)) != limits.get(name) or not str(limits.get(name)).isdigit():
            yield f"{name}: asked for and allowed must be the same whole number"


def _probes(each: Object, ports: Collection[str], *, first: bool) -> Iterator[str]:
    for name in PROBES:
        probe = each.get(name)
        if probe is None:
            continue
        if first:
            yield f"{name}: what runs before the others has none"
        handlers = HANDLERS & probe.keys()
        if len(handlers) != 1:
            yield f"{name} has not one way of asking"
        if probe.get("initialDelaySeconds", 0) < 0 or probe.get("successThreshold", 1) != 1:
            yield f"{name}: initialDelaySeconds, successThreshold"
        if any(probe.get(number, 1) < 1 for number in ("periodSeconds", "timeoutSeconds", "failureThreshold")):
            yield f"{name}: a number below 1"
        for handler in handlers - {"exec"}:
            if probe[handler]["port"] not in ports:
                yield f"{name}: there is no port {probe[handler]['port']}"
            if handler == "httpGet" and not probe[handler]["path"].startswith("/"):
                yield f"{name}: path"


def _placed(spec: Object) -> Iterator[str]:
    for each in spec.get("tolerations", ()):
        if each["effect"] not in EFFECTS or (each["operator"] == "Exists") == ("value" in each):
            yield f"toleration {each}"
    constraints = spec.get("topologySpreadConstraints", ())
    spreads = [(each["topologyKey"], each["whenUnsatisfiable"]) for each in constraints]
    if len(set(spreads)) < len(spreads) or any(each["maxSkew"] < 1 for each in constraints):
        yield f"topologySpreadConstraints: {spreads}"
    affinity = spec.get("affinity", {})
    apart = affinity.get("podAntiAffinity", {}).get("preferredDuringSchedulingIgnoredDuringExecution", ())
    if any(not 1 <= each["weight"] <= 100 or not each["podAffinityTerm"]["topologyKey"] for each in apart):
        yield "podAntiAffinity"
    chosen = affinity.get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    for term in chosen["nodeSelectorTerms"] if chosen else ():
        if not term["matchExpressions"] or any(not each["values"] for each in term["matchExpressions"]):
            yield "nodeAffinity"
