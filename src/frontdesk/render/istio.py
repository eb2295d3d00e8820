"""Istio: encryption and identity between all services, a way in with time-outs and careful repeats, circuits that open.

Only where the system file says `edge.mesh`. Everything here follows from the same edges as the network policies.
"""

from collections.abc import Iterable
from itertools import groupby

from frontdesk.render.kubernetes import backup, postgres
from frontdesk.render.kubernetes.naming import head, selector
from frontdesk.render.kubernetes.network import HBONE, cluster_namespace
from frontdesk.render.kubernetes.stateful import running_stores, set_name
from frontdesk.render.kubernetes.traffic import certificate, edge_name, public
from frontdesk.render.kubernetes.values import Object, plain
from frontdesk.render.kubernetes.workloads import WAYPOINT
from frontdesk.render.target import Target, yaml_text
from frontdesk.system.layout.edge import Mesh, Outside
from frontdesk.system.layout.names import address_in
from frontdesk.system.layout.plan import EDGE, MONITORING, Edge, Plan, Running
from frontdesk.system.layout.stores import Postgres

NETWORKING, SECURITY = "networking.istio.io/v1", "security.istio.io/v1"
IDEMPOTENT = (
    "GET|HEAD|OPTIONS"  # may be repeated: RFC 9110, 9.2.2; PUT and DELETE are left out, their bodies are not kept
)
REPEAT_ON = "connect-failure,refused-stream,unavailable,retriable-status-codes,503"
TRACES = "opentelemetry"  # the extension provider of the mesh's configuration


def files(plan: Plan) -> dict[str, str]:
    """A file for each subject; nothing where the system has no mesh."""
    mesh = plan.edge.mesh
    if mesh is None:
        return {}
    made: dict[str, tuple[str, list[Object]]] = {
        "10-gateway.yaml": ("The way in, with the certificate where its pods run.", _gateway(plan, mesh)),
        "20-routes.yaml": ("Which path goes where; what may be repeated is, other things never.", _routes(plan, mesh)),
        "30-destinations.yaml": ("Bounds of each service, and when a failing replica is left out.", _rules(plan, mesh)),
        "40-outside.yaml": ("Whom services may reach beyond the system, by name.", _entries(plan)),
        "50-security.yaml": (
            "Nothing in the clear, nobody allowed but the edges of the system file.",
            _security(plan, mesh),
        ),
        "60-telemetry.yaml": ("How many requests are traced.", [_telemetry(plan, mesh)]),
    }
    made = {file: each for file, each in made.items() if each[1]}
    found = {
        file: f"# {about}\n" + yaml_text(*(plain(each) for each in objects)) for file, (about, objects) in made.items()
    }
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "sortOptions": {"order": "fifo"},
        "resources": list(found),
    }
    about = f"# The mesh of {plan.name} for {plan.environment}, after its objects: kubectl apply -k .\n"
    return {"kustomization.yaml": about + yaml_text(kustomization), **found}


def _gateway(plan: Plan, mesh: Mesh) -> list[Object]:
    """Istio's own gateway reads its certificate from the namespace of its pods."""
    found = [_waypoint(plan)] if mesh.injection == "ambient" else []
    if not plan.edge.hosts:
        return found
    hosts = list(dict.fromkeys(said.host for said in plan.edge.hosts))
    servers: list[Object] = [
        {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": hosts, "tls": {"httpsRedirect": True}},
        {
            "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
            "hosts": hosts,
            "tls": {"mode": "SIMPLE", "credentialName": plan.tls_secret, "minProtocolVersion": "TLSV1_2"},
        },
    ]
    gateway = head(plan, NETWORKING, "Gateway", edge_name(plan), plan.name)
    return [
        *certificate(plan, namespace=mesh.gateway_namespace),
        gateway | {"spec": {"selector": {"istio": mesh.gateway}, "servers": servers}},
        *found,
    ]


def _waypoint(plan: Plan) -> Object:
    """Where requests between services are looked at in ambient mode."""
    listener = {"name": "mesh", "port": HBONE, "protocol": "HBONE", "allowedRoutes": {"namespaces": {"from": "Same"}}}
    found = head(
        plan, "gateway.networking.k8s.io/v1", "Gateway", WAYPOINT, plan.name, more={"istio.io/waypoint-for": "service"}
    )
    return found | {"spec": {"gatewayClassName": "istio-waypoint", "listeners": [listener]}}


def _routes(plan: Plan, mesh: Mesh) -> list[Object]:
    """One for each public host, the longest path first; and one for each service that others call."""
    found: list[Object] = []
    by_host = sorted(
        ((host, said, running) for running, said, hosts in public(plan) for host in hosts), key=lambda each: each[0]
    )
    for host, group in groupby(by_host, key=lambda each: each[0]):
        http: list[Object] = [_hidden(path) for path in plan.edge.hidden]
        for _, said, running in sorted(group, key=lambda each: -len(each[1].path)):
            http += _http(plan, mesh, running, said.path, websocket=said.websocket)
        spec: Object = {"hosts": [host], "gateways": [edge_name(plan)], "http": http}
        name = host.replace(".", "-").replace("*", "any")[:253]
        found.append(head(plan, NETWORKING, "VirtualService", name, plan.name) | {"spec": spec})
    sockets = {said.service for said in plan.edge.hosts if said.websocket}
    for running in _called(plan):
        http = _http(plan, mesh, running, "/", websocket=running.key in sockets)
        spec = {"hosts": [_address(plan, running)], "gateways": ["mesh"], "http": http}
        found.append(head(plan, NETWORKING, "VirtualService", running.name, running.name) | {"spec": spec})
    return found


def _called(plan: Plan) -> list[Running]:
    """Services that other services talk to by HTTP."""
    keys = {running.key for running in plan.services}
    called = {edge.target for edge in plan.edges if edge.source in keys}
    return [running for running in plan.services if running.key in called and running.service_port]


def _http(plan: Plan, mesh: Mesh, running: Running, path: str, *, websocket: bool) -> list[Object]:
    """Routes of one path. What changes nothing may be tried again; a connection that stays open never is."""
    route = [{"destination": {"host": _address(plan, running), "port": {"number": running.service_port}}}]
    prefix = {"uri": {"prefix": path}}
    once: Object = {"route": route, "retries": {"attempts": 0}}
    if websocket:
        return [{"name": f"{running.name}-socket", "match": [prefix], **once, "timeout": "0s"}]
    time_out = f"{plan.edge.timeout}s"
    again = {"attempts": mesh.tries, "retryOn": REPEAT_ON}
    reading = {
        "name": f"{running.name}-reading",
        "match": [{**prefix, "method": {"regex": IDEMPOTENT}}],
        "route": route,
    }
    return [
        {**reading, "retries": again, "timeout": time_out},
        {"name": running.name, "match": [prefix], **once, "timeout": time_out},
    ]


def _hidden(path: str) -> Object:
    return {"name": "hidden", "match": [{"uri": {"prefix": path}}], "directResponse": {"status": 404}}


def _rules(plan: Plan, mesh: Mesh) -> list[Object]:
    sockets = {said.service for said in plan.edge.hosts if said.websocket}
    return [
        _rule(plan, mesh, running, stays=running.key in sockets)
        for running in plan.services
        if running.service_port is not None
    ]


def _rule(plan: Plan, mesh: Mesh, running: Running, *, stays: bool) -> Object:
    """In ambient mode the tunnels encrypt, and TLS is no matter of a rule; with side-cars it is said."""
    policy: Object = {
        "loadBalancer": {"simple": "LEAST_REQUEST", "warmup": {"duration": "30s"}},
        "connectionPool": {
            "tcp": {
                "maxConnections": mesh.connections,
                "connectTimeout": "5s",
                "tcpKeepalive": {"time": "300s", "interval": "75s"},
            },
            "http": {
                "http1MaxPendingRequests": mesh.pending,
                "http2MaxRequests": mesh.connections,
                "maxRetries": mesh.tries,
                "idleTimeout": "3600s" if stays else f"{plan.edge.timeout}s",
            },
        },
        "outlierDetection": {
            "consecutive5xxErrors": mesh.failures,
            "consecutiveGatewayErrors": mesh.failures,
            "interval": f"{mesh.interval}s",
            "baseEjectionTime": f"{mesh.ejection}s",
            "maxEjectionPercent": mesh.ejected_percent,
        },
    }
    if mesh.injection == "sidecar":
        policy["tls"] = {"mode": "ISTIO_MUTUAL"}
    found = head(plan, NETWORKING, "DestinationRule", running.name, running.name)
    return found | {"spec": {"host": _address(plan, running), "trafficPolicy": policy}}


def _entries(plan: Plan) -> list[Object]:
    """What is within the cluster is known to the mesh already."""
    found: list[Object] = []
    for key, outside in plan.outside.items():
        name, addresses = key.replace("_", "-"), [host for host in outside.hosts if address_in(host)]
        hosts = [host for host in outside.hosts if host not in addresses and not cluster_namespace(plan, host)]
        if hosts:
            found.append(_entry(plan, name, hosts, outside))
        if addresses:
            found.append(_at_addresses(plan, name, addresses, outside))
    return found


def _at_addresses(plan: Plan, name: str, addresses: list[str], outside: Outside) -> Object:
    """A host of the mesh is always a name; of an address it stands for nothing that anybody asks for."""
    spec: Object = {
        "hosts": [f"{name}.outside.internal"],
        "addresses": [str(address_in(each)) for each in addresses],
        "exportTo": ["."],
        "location": "MESH_EXTERNAL",
        "ports": [{"number": outside.port, "name": f"tcp-{outside.port}", "protocol": "TCP"}],
        "resolution": "NONE",
    }
    return head(plan, NETWORKING, "ServiceEntry", f"{name}-addresses", plan.name) | {"spec": spec}


def _entry(plan: Plan, name: str, hosts: list[str], outside: Outside) -> Object:
    protocol = "TLS" if outside.port == 443 else "TCP"
    spec: Object = {
        "hosts": hosts,
        "exportTo": ["."],
        "location": "MESH_EXTERNAL",
        "ports": [{"number": outside.port, "name": f"{protocol.lower()}-{outside.port}", "protocol": protocol}],
        "resolution": "NONE" if any(host.startswith("*") for host in hosts) else "DNS",
    }
    return head(plan, NETWORKING, "ServiceEntry", name, plan.name) | {"spec": spec}


def _security(plan: Plan, mesh: Mesh) -> list[Object]:
    """Strict encryption, nobody allowed, and a policy for each group of pods that somebody may reach."""
    strict: Object = head(plan, SECURITY, "PeerAuthentication", "default", plan.name) | {
        "spec": {"mtls": {"mode": "STRICT"}}
    }
    nobody: Object = {}
    deny = head(plan, SECURITY, "AuthorizationPolicy", "default-deny", plan.name) | {"spec": nobody}
    found: list[Object] = [strict, deny]
    for name, callers in _callers(plan, mesh).items():
        running = next((each for each in plan.services if each.name == name), None)
        passes = mesh.injection == "ambient" and running is not None and running.service_port is not None
        if passes and running is not None:
            found.append(_at_waypoint(plan, running, callers))
            callers = [*callers, (_principal(plan, WAYPOINT), running.service.port or 0)]
        spec: Object = {
            "selector": {"matchLabels": selector(plan, name)},
            "action": "ALLOW",
            "rules": [_allowed(source, port) for source, port in dict.fromkeys(callers)],
        }
        found.append(head(plan, SECURITY, "AuthorizationPolicy", name, name) | {"spec": spec})
    return found


Source = tuple[str, str]  # `principals` or `namespaces`, and which


def _callers(plan: Plan, mesh: Mesh) -> dict[str, list[tuple[Source, int]]]:
    """Who may reach each group of pods, and on which port of theirs."""
    found: dict[str, list[tuple[Source, int]]] = {}
    for edge in plan.edges:
        target = _pods_behind(plan, edge.target)
        if target:
            found.setdefault(target, []).extend((source, edge.port) for source in _sources(plan, mesh, edge))
    for store in running_stores(plan).values():
        within = [set_name(store.replica_name)] if store.replicas else []
        within += [store.pooler.name] if isinstance(store, Postgres) and store.pooler else []
        for name in within:
            found.setdefault(set_name(store.name), []).append((_principal(plan, name), store.port))
    if backup.wanted(plan):
        for job, places in ((backup.name(plan), backup.reached(plan)), (backup.verifier(plan), backup.told(plan))):
            for name, port in places.values():
                found.setdefault(name, []).append((_principal(plan, job), port))
    return found


def _pods_behind(plan: Plan, key: str) -> str:
    """The name of the pods that an edge ends at; empty when they are somebody else's."""
    store = running_stores(plan).get(key)
    if isinstance(store, Postgres):
        return store.pooler.name if store.pooler else postgres.primary(store)
    if store is not None:
        return set_name(store.name)
    return next((running.name for running in plan.services if running.key == key), "")


def _sources(plan: Plan, mesh: Mesh, edge: Edge) -> list[Source]:
    running = next((each for each in plan.services if each.key == edge.source), None)
    reaches = running is not None and edge.target in (*running.service.needs, *running.service.calls)
    if running is not None and (reaches or edge.source not in (EDGE, MONITORING)):
        return [_principal(plan, running.name)]
    if edge.source == EDGE:
        return [("namespaces", each) for each in dict.fromkeys((plan.edge.namespace, mesh.gateway_namespace))]
    if edge.source == MONITORING:
        return [("namespaces", plan.deployment.monitoring_namespace)]
    return [("namespaces", plan.deployment.namespace)]  # a label is no identity; the network policy knows it


def _principal(plan: Plan, account: str) -> Source:
    return "principals", f"cluster.local/ns/{plan.deployment.namespace}/sa/{account}"


def _allowed(source: Source, port: int) -> Object:
    kind, which = source
    return {"from": [{"source": {kind: [which]}}], "to": [{"operation": {"ports": [str(port)]}}]}


def _at_waypoint(plan: Plan, running: Running, callers: Iterable[tuple[Source, int]]) -> Object:
    """Who may pass on to a service: the waypoint knows the caller, the service then only the waypoint."""
    sources = dict.fromkeys(source for source, port in callers if port == running.service.port)
    spec: Object = {
        "targetRefs": [{"group": "", "kind": "Service", "name": running.host_name}],
        "action": "ALLOW",
        "rules": [{"from": [{"source": {kind: [which]}}]} for kind, which in sources],
    }
    return head(plan, SECURITY, "AuthorizationPolicy", f"{running.name}-waypoint", running.name) | {"spec": spec}


def _telemetry(plan: Plan, mesh: Mesh) -> Object:
    tracing = [{"providers": [{"name": TRACES}], "randomSamplingPercentage": mesh.trace_percent}]
    return head(plan, "telemetry.istio.io/v1", "Telemetry", plan.name) | {"spec": {"tracing": tracing}}


def _address(plan: Plan, running: Running) -> str:
    return f"{running.host_name}.{plan.deployment.namespace}.svc.cluster.local"


target = Target(
    summary="gateway, routes, circuit breaking, identities of a mesh",
    files=files,
    next_step="kubectl apply -k {out}",
)
