"""Who may talk to whom: nobody, except along the plan's edges. Each group of pods has one policy."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from frontdesk.render.kubernetes import backup, postgres, snapshots
from frontdesk.render.kubernetes.naming import head, selector
from frontdesk.render.kubernetes.stateful import set_name
from frontdesk.render.kubernetes.traffic import signed_by_others
from frontdesk.render.kubernetes.values import Object
from frontdesk.render.kubernetes.workloads import WAYPOINT
from frontdesk.system.layout.names import address_in
from frontdesk.system.layout.plan import EDGE, MONITORING, Edge, Plan, Running
from frontdesk.system.layout.stores import Postgres, Redis

API = "networking.k8s.io/v1"
NAMESPACE = "kubernetes.io/metadata.name"  # a label that every namespace has by itself
HBONE = 15008  # the port of Istio's tunnels in ambient mode (istio.io/latest/docs/ambient/usage/networkpolicy)
PROBES = "169.254.7.127/32"  # where the node's probes come from in ambient mode, by the same page
GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"  # a label of the pods that a Gateway brings
SOLVER = {"acme.cert-manager.io/http01-solver": "true"}  # cert-manager's pods that prove that a name is ours …
SOLVER_PORT = 8089  # … to whoever signs certificates
CONTROL = (15010, 15012, 15014)  # Istio's control plane, for side-cars
NOT_PUBLIC = ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
NOT_PUBLIC_6 = ("fc00::/7", "fe80::/10")


@dataclass(frozen=True, slots=True)
class Way:
    """Peers on the other side, and the ports on which they are reached or come in. No peers: everywhere."""

    peers: Sequence[Object]
    ports: Sequence[int]


@dataclass(slots=True)
class Group:
    """The pods of one name, and their ways in and out."""

    into: list[Way] = field(default_factory=list[Way])
    out: list[Way] = field(default_factory=list[Way])


def objects(plan: Plan) -> list[Object]:
    """Default deny both ways, name resolution for all, and a policy for each group of pods."""
    groups = _groups(plan)
    return [
        _deny(plan),
        _names(plan),
        *_mesh(plan),
        *_proof(plan),
        *(_policy(plan, name, group) for name, group in groups.items()),
    ]


def _groups(plan: Plan) -> dict[str, Group]:
    groups = {running.name: Group() for running in plan.services}
    for edge in plan.edges:
        _add(plan, groups, edge)
    _stores(plan, groups)
    _jobs(plan, groups)
    return groups


def _add(plan: Plan, groups: dict[str, Group], edge: Edge) -> None:
    """One edge, on both of its sides."""
    source = _caller(plan, edge)
    target = next((running.name for running in plan.services if running.key == edge.target), None)
    if store := plan.stores.get(edge.target):
        target = None if store.managed else _behind(store)
    ports = [edge.port]
    if target is not None:
        peers = [_pods(plan, source.name)] if source else _elsewhere(plan, edge.source)
        groups.setdefault(target, Group()).into.append(Way(peers, ports))
        if source is None and "=" in edge.source:  # it lives in this namespace, where everything is denied
            groups.setdefault(edge.source, Group()).out.append(Way([_pods(plan, target)], ports))
    if source is not None:
        way = Way([_pods(plan, target)], ports) if target else _beyond(plan, edge)
        groups[source.name].out.append(way)


def _caller(plan: Plan, edge: Edge) -> Running | None:
    """The service that an edge starts from. A service may be called as the callers from elsewhere are, `monitoring`."""
    found = next((running for running in plan.services if running.key == edge.source), None)
    if found is None or edge.source not in (EDGE, MONITORING):
        return found
    return found if edge.target in (*found.service.needs, *found.service.calls) else None


def _behind(store: Postgres | Redis) -> str:
    """The pods that services reach when they call a store."""
    if isinstance(store, Postgres):
        return store.pooler.name if store.pooler else postgres.primary(store)
    return set_name(store.name)


def _stores(plan: Plan, groups: dict[str, Group]) -> None:
    """What stores need among themselves: pooler to server, copies to their primary."""
    for store in plan.stores.values():
        if store.managed:
            continue
        first = set_name(store.name)
        groups.setdefault(first, Group())
        copies = set_name(store.replica_name) if store.replicas else ""
        pooler = store.pooler.name if isinstance(store, Postgres) and store.pooler else ""
        for name in filter(None, (copies, pooler)):
            groups.setdefault(name, Group()).out.append(Way([_pods(plan, first)], [store.port]))
            groups[first].into.append(Way([_pods(plan, name)], [store.port]))


def _jobs(plan: Plan, groups: dict[str, Group]) -> None:
    """The backup reads the stores as the services do; what verifies it tells the database what it found; snapshots ask
    the API server."""
    if backup.wanted(plan):
        managed = {key for key, store in plan.stores.items() if store.managed}
        reached, told = backup.reached(plan), backup.told(plan)
        for job, places, others in (
            (backup.name(plan), reached, managed),
            (backup.verifier(plan), told, managed & {"postgres"}),
        ):
            group = groups.setdefault(job, Group())
            for name, port in places.values():
                group.out.append(Way([_pods(plan, name)], [port]))
                groups[name].into.append(Way([_pods(plan, job)], [port]))
            for edge in plan.edges:
                if edge.target in others and edge.source == backup.model(plan).key:
                    group.out.append(Way([], [edge.port]))
            if backup.to_bucket(plan):
                group.out.append(Way(_public(), [443]))
    if snapshots.claims(plan):
        groups.setdefault(snapshots.name(plan), Group()).out.append(Way([], list(snapshots.API_PORTS)))


def _beyond(plan: Plan, edge: Edge) -> Way:
    """Out of the system: a store that others run may be on any network; an outside name is on the internet, unless it
    is the cluster's own; an address is itself, on whichever network."""
    outside = plan.outside.get(edge.target)
    if outside is None:
        return Way([], [edge.port])
    addresses = [address for host in outside.hosts if (address := address_in(host))]
    own = [namespace for host in outside.hosts if (namespace := cluster_namespace(plan, host))]
    peers = [_namespace(namespace) for namespace in dict.fromkeys(own)]
    blocks: list[Object] = [{"ipBlock": {"cidr": f"{each}/{each.max_prefixlen}"}} for each in addresses]
    anywhere = _public() if len(own) + len(addresses) < len(outside.hosts) else []
    return Way([*peers, *blocks, *anywhere], [edge.port])


def cluster_namespace(plan: Plan, host: str) -> str:
    """The namespace of a name within the cluster, like `otel-collector.monitoring`; empty for one of the internet, and
    for an address."""
    if address_in(host):
        return ""
    _, _, rest = host.partition(".")
    space, _, more = rest.partition(".")
    if not rest:
        return plan.deployment.namespace
    known = (plan.deployment.monitoring_namespace, plan.deployment.namespace, plan.edge.namespace)
    return space if more.startswith("svc") or (not more and space in known) else ""


def _elsewhere(plan: Plan, caller: str) -> list[Object]:
    """Who a caller from elsewhere is."""
    if caller == EDGE:
        gateway = [plan.edge.mesh.gateway_namespace] if plan.edge.mesh else []
        return [_namespace(each) for each in dict.fromkeys([plan.edge.namespace, *gateway])]
    if caller == MONITORING:
        return [_namespace(plan.deployment.monitoring_namespace)]
    label, _, said = caller.partition("=")
    return [{"podSelector": {"matchLabels": {label: said}}}]


def _namespace(name: str) -> Object:
    return {"namespaceSelector": {"matchLabels": {NAMESPACE: name}}}


def _pods(plan: Plan, name: str) -> Object:
    return {"podSelector": {"matchLabels": selector(plan, name)}}


def _public() -> list[Object]:
    """The internet. Addresses of names change, and a policy knows no names: which hosts, only a mesh can say."""
    return [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(NOT_PUBLIC)}},
        {"ipBlock": {"cidr": "::/0", "except": list(NOT_PUBLIC_6)}},
    ]


def _deny(plan: Plan) -> Object:
    spec: Object = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return head(plan, API, "NetworkPolicy", "default-deny", plan.name) | {"spec": spec}


def _names(plan: Plan) -> Object:
    resolver = _namespace("kube-system") | {"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    spec: Object = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [resolver], "ports": ports}]}
    return head(plan, API, "NetworkPolicy", "allow-dns", plan.name) | {"spec": spec}


def _proof(plan: Plan) -> list[Object]:
    """Who signs certificates may ask, through the edge, whether the names are ours (cert-manager.io: HTTP01)."""
    if not signed_by_others(plan):
        return []
    asks: Object = {"from": _elsewhere(plan, EDGE), "ports": _tcp([SOLVER_PORT])}
    return [_allow(plan, "allow-certificate-proof", {"matchLabels": SOLVER}, into=[asks])]


def _mesh(plan: Plan) -> list[Object]:
    """What Istio itself needs; who may really talk to whom, its own policies say besides."""
    if plan.edge.mesh is None:
        return []
    to_control: Object = {"to": [_namespace("istio-system")], "ports": _tcp(CONTROL)}
    everybody: Object = {"podSelector": {}}
    if plan.edge.mesh.injection == "sidecar":
        return [_allow(plan, "allow-mesh", {}, out=[to_control])]
    tunnel = _tcp([HBONE])
    waypoint: Object = {"matchLabels": {GATEWAY_NAME: WAYPOINT}}
    passes: Object = {"podSelector": waypoint}
    probes: Object = {"from": [{"ipBlock": {"cidr": PROBES}}]}
    return [
        _allow(
            plan,
            "allow-mesh",
            {},
            into=[probes, {"from": [passes], "ports": tunnel}],
            out=[{"to": [passes], "ports": tunnel}],
        ),
        _allow(
            plan,
            "allow-waypoint",
            waypoint,
            into=[{"from": [everybody], "ports": tunnel}],
            out=[{"to": [everybody], "ports": tunnel}, to_control],
        ),
    ]


def _allow(
    plan: Plan,
    name: str,
    pods: Object,
    *,
    into: Sequence[Object] = (),
    out: Sequence[Object] = (),
    of: str = "",
    whole: bool = False,
) -> Object:
    """What some pods may. With `whole` it is all that they may, in both directions."""
    rules = {"Ingress": list(into), "Egress": list(out)}
    spec: Object = {"podSelector": pods, "policyTypes": [kind for kind, said in rules.items() if said or whole]}
    spec |= {kind.lower(): said for kind, said in rules.items() if said}
    return head(plan, API, "NetworkPolicy", name, of or plan.name) | {"spec": spec}


def _tcp(ports: Iterable[int]) -> list[Object]:
    return [{"protocol": "TCP", "port": port} for port in ports]


def _policy(plan: Plan, name: str, group: Group) -> Object:
    into = [_rule(plan, "from", way) for way in _joined(group.into)]
    out = [_rule(plan, "to", way) for way in _joined(group.out)]
    label, _, said = name.partition("=")
    if said:  # pods of somebody else, told by a label
        return _allow(plan, f"{label}-{said}".replace("/", "-"), {"matchLabels": {label: said}}, out=out)
    return _allow(plan, name, {"matchLabels": selector(plan, name)}, into=into, out=out, of=name, whole=True)


def _joined(ways: Iterable[Way]) -> list[Way]:
    """Ways on the same ports as one, each peer once."""
    found: dict[tuple[tuple[int, ...], bool], dict[str, Object]] = {}
    for way in ways:
        peers = found.setdefault((tuple(way.ports), not way.peers), {})
        peers |= {repr(peer): peer for peer in way.peers}
    return [Way(list(peers.values()), ports) for (ports, _), peers in found.items()]


def _rule(plan: Plan, side: str, way: Way) -> Object:
    ambient = plan.edge.mesh is not None and plan.edge.mesh.injection == "ambient"
    tunnel = [HBONE] if ambient and any("ipBlock" not in peer for peer in way.peers) else []
    return {**({side: list(way.peers)} if way.peers else {}), "ports": _tcp((*way.ports, *tunnel))}
