"""Rendered objects as a cluster reads them: what they refer to, who reaches whom, what Pod Security allows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

from frontdesk.render import kubernetes
from frontdesk.system.home import blueprint_file, blueprints
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.stores import Postgres
from frontdesk.system.load import described

ENVIRONMENTS = ("development", "staging", "production")
EVERY = [(blueprint, environment) for blueprint in blueprints() for environment in ENVIRONMENTS]

Object = Mapping[str, Any]


@cache
def plan_of(blueprint: str, environment: str) -> Plan:
    system, problems = described(blueprint_file(blueprint), environment)
    assert system is not None, problems
    return Plan(system)


def changed(blueprint: str, environment: str, changes: dict[str, dict[str, Any]]) -> Plan:
    """The plan of a blueprint in which some fields of sections are otherwise."""
    system = plan_of(blueprint, environment).system
    sections = dict(system.sections)
    for name, fields in changes.items():
        kind = type(sections[name])
        sections[name] = kind.model_validate(sections[name].model_dump(mode="json", by_alias=True) | fields)
    return Plan(replace(system, sections=sections))


@cache
def objects_of(blueprint: str, environment: str) -> tuple[Object, ...]:
    return tuple(kubernetes.objects(plan_of(blueprint, environment)))


def of_kind(objects: tuple[Object, ...], *kinds: str) -> list[Object]:
    return [each for each in objects if each["kind"] in kinds]


def name_of(each: Object) -> str:
    return str(each["metadata"]["name"])


def named(objects: tuple[Object, ...], kind: str, name: str) -> Object:
    (found,) = (each for each in of_kind(objects, kind) if name_of(each) == name)
    return found


def templates(objects: tuple[Object, ...]) -> Iterator[tuple[str, Object]]:
    """Every pod's template, by the name of what makes the pods."""
    for each in of_kind(objects, "Deployment", "StatefulSet"):
        yield name_of(each), each["spec"]["template"]
    for each in of_kind(objects, "CronJob"):
        yield name_of(each), each["spec"]["jobTemplate"]["spec"]["template"]


def containers(template: Object) -> list[Object]:
    spec = template["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]


def selects(labels: Mapping[str, str] | None, pod: Mapping[str, str]) -> bool:
    return all(pod.get(key) == value for key, value in (labels or {}).items())


# --- the level "restricted": kubernetes.io/docs/concepts/security/pod-security-standards ---

VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image"),
    *("persistentVolumeClaim", "projected", "secret"),
}
SYSCTLS = {
    *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start"),
    *("net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports"),
    *("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl"),
    *("net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"),
}


def violations(spec: Object) -> list[str]:
    """What keeps a pod out of a namespace that enforces `restricted`."""
    pod = spec.get("securityContext", {})
    found = [key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    found += [f"volume {each['name']}" for each in spec.get("volumes", ()) if not (set(each) - {"name"}) <= VOLUMES]
    found += [f"sysctl {each['name']}" for each in pod.get("sysctls", ()) if each["name"] not in SYSCTLS]
    for each in [*spec.get("initContainers", ()), *spec["containers"], *spec.get("ephemeralContainers", ())]:
        found += [f"{each['name']}: {what}" for what in _of_container(each, pod)]
    return found


def _of_container(each: Object, pod: Object) -> Iterator[str]:
    own = each.get("securityContext", {})
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", ()):
        yield "capabilities.drop"
    if set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
        yield "capabilities.add"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot"
    if own.get("runAsUser", pod.get("runAsUser")) == 0:
        yield "runAsUser"
    profile = own.get("seccompProfile", pod.get("seccompProfile", {})).get("type")
    if profile not in ("RuntimeDefault", "Localhost"):
        yield "seccompProfile"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    if any(port.get("hostPort") for port in each.get("ports", ())):
        yield "hostPort"


# --- who reaches whom ---


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod, somewhere; outside of the cluster it has only an address."""

    namespace: str
    labels: tuple[tuple[str, str], ...] = ()
    address: str = ""

    @property
    def by_label(self) -> dict[str, str]:
        return dict(self.labels)


@dataclass(frozen=True, slots=True)
class Network:
    """The network policies of one namespace, as a cluster's network plug-in holds pods to them."""

    namespace: str
    policies: tuple[Object, ...]

    @classmethod
    def of(cls, objects: tuple[Object, ...]) -> "Network":
        policies = tuple(of_kind(objects, "NetworkPolicy"))
        return cls(policies[0]["metadata"]["namespace"], policies)

    def allows(self, source: Pod, target: Pod, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection comes about: out of the one, and into the other."""
        return self._passes(source, target, port, protocol, "Egress") and self._passes(
            target, source, port, protocol, "Ingress"
        )

    def _passes(self, held: Pod, other: Pod, port: int, protocol: str, kind: str) -> bool:
        if held.namespace != self.namespace:
            return True
        mine = [
            policy["spec"]
            for policy in self.policies
            if kind in policy["spec"]["policyTypes"]
            and selects(policy["spec"]["podSelector"].get("matchLabels"), held.by_label)
        ]
        side, peers = ("egress", "to") if kind == "Egress" else ("ingress", "from")
        rules = [rule for spec in mine for rule in spec.get(side, ())]
        return not mine or any(
            self._port(rule, port, protocol)
            and (peers not in rule or any(self._peer(each, other) for each in rule[peers]))
            for rule in rules
        )

    @staticmethod
    def _port(rule: Object, port: int, protocol: str) -> bool:
        return "ports" not in rule or any(
            each["port"] == port and each.get("protocol", "TCP") == protocol for each in rule["ports"]
        )

    def _peer(self, peer: Object, other: Pod) -> bool:
        if "ipBlock" in peer:
            return bool(other.address) and _within(peer["ipBlock"], other.address)
        if other.address:
            return False
        if "namespaceSelector" in peer:
            spaces = peer["namespaceSelector"].get("matchLabels")
            if not selects(spaces, {"kubernetes.io/metadata.name": other.namespace}):
                return False
        elif other.namespace != self.namespace:
            return False
        return selects(peer.get("podSelector", {}).get("matchLabels"), other.by_label)


def _within(block: Object, address: str) -> bool:
    there = ip_address(address)

    def holds(cidr: str) -> bool:
        network = ip_network(cidr)
        return network.version == there.version and there in network

    return holds(block["cidr"]) and not any(holds(cidr) for cidr in block.get("except", ()))


def pods_of(objects: tuple[Object, ...]) -> dict[str, Pod]:
    """A pod of every workload, by its name."""
    found: dict[str, Pod] = {}
    for name, template in templates(objects):
        labels = tuple(template["metadata"]["labels"].items())
        found[name] = Pod(objects[0]["metadata"]["name"], labels)
    return found


def expected_edges(plan: Plan) -> set[tuple[str, str, int]]:
    """Who may reach whom within the system, as the plan and the stores say it, by the names of the pods."""
    services = {running.key: running.name for running in plan.services}
    found: set[tuple[str, str, int]] = set()
    behind: dict[str, tuple[str, int]] = {}
    for key, store in plan.stores.items():
        if store.managed:
            continue
        first = store.name.removesuffix("-service")
        behind[key] = (first, store.port)
        if store.replicas:
            found.add((store.replica_name.removesuffix("-service"), first, store.port))
        if isinstance(store, Postgres) and store.pooler:
            behind[key] = (store.pooler.name, store.pooler.port)
            found.add((store.pooler.name, first, store.port))
    for running in plan.services:
        for target in (*running.service.needs, *running.service.calls):
            if target in behind:
                found.add((running.name, *behind[target]))
            elif target in services:
                called = next(each.service for each in plan.services if each.key == target)
                port = called.port or called.metrics_port
                if port:
                    found.add((running.name, services[target], port))
    found |= {
        (
            f"{plan.name}-backup",
            name.removesuffix("-service"),
            store.port,
        )  # past any pooler, and of a database the copy
        for key, store in plan.stores.items()
        if key in ("postgres", "redis") and not store.managed
        for name in (store.name, *([store.replica_name] if key == "postgres" and store.replicas else []))
    }
    found |= {  # where it tells what it found
        (f"{plan.name}-verify", store.name.removesuffix("-service"), store.port)
        for key, store in plan.stores.items()
        if key == "postgres" and not store.managed
    }
    return found
