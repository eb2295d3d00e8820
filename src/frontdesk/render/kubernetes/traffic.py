"""The way in: the Gateway API, or an Ingress where the cluster has only that; and the certificate for both.

How large a body may be is no part of the Gateway API; the desk itself refuses larger ones (`http.max_body_bytes`).
"""

from collections import Counter

from frontdesk.render.kubernetes.naming import head, tls_secret
from frontdesk.render.kubernetes.values import Object, value
from frontdesk.render.kubernetes.workloads import HTTP
from frontdesk.system.layout.edge import PublicHost
from frontdesk.system.layout.plan import Plan, Running
from frontdesk.system.layout.quantities import bytes_text

GATEWAY = "gateway.networking.k8s.io/v1"
CERTIFICATES = "cert-manager.io/v1"
SELF_SIGNED, LOCAL = "self-signed", ".localhost"
WHOLE = "/"  # the path of a host that is served as a whole


def objects(plan: Plan) -> list[Object]:
    """Nothing where nobody comes in from outside."""
    if not plan.edge.hosts:
        return []
    return [*certificate(plan), *(_gateway(plan) if plan.edge.kind == "gateway" else _ingress(plan))]


def edge_name(plan: Plan) -> str:
    """What the Gateway or Ingress is called."""
    return plan.edge.name or f"{plan.name}-{plan.edge.kind}"


def public(plan: Plan) -> list[tuple[Running, PublicHost, list[str]]]:
    """Each service with a public path, and the hosts under which it has it."""
    by_key = {running.key: running for running in plan.services}
    found: dict[tuple[str, str, bool], tuple[Running, PublicHost, list[str]]] = {}
    for said in plan.edge.hosts:
        running = by_key.get(said.service)
        if running is not None and running.service_port:
            _, _, hosts = found.setdefault((said.service, said.path, said.websocket), (running, said, []))
            hosts.append(said.host)
    return list(found.values())


def signed_by_others(plan: Plan) -> bool:
    """Whether `edge.issuer` is asked for the certificate: for names that are not this machine's own."""
    return bool(plan.edge.issuer) and not all(each.host.endswith(LOCAL) for each in plan.edge.hosts)


def certificate(plan: Plan, *, namespace: str = "") -> list[Object]:
    """One for all hosts, kept fresh by cert-manager; none where somebody else puts the secret there.

    Nobody signs names of one's own machine, so those are signed by themselves.
    """
    if not plan.edge.issuer:
        return []
    hosts = list(dict.fromkeys(each.host for each in plan.edge.hosts))
    alone = not signed_by_others(plan)
    kind, issuer = ("Issuer", SELF_SIGNED) if alone else ("ClusterIssuer", plan.edge.issuer)
    spec: Object = {
        "secretName": tls_secret(plan),
        "dnsNames": value(hosts, "edge", "hosts"),
        "issuerRef": {
            "group": "cert-manager.io",
            "kind": value(kind, "edge", "issuerKind"),
            "name": value(issuer, "edge", "issuer"),
        },
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "usages": ["digital signature", "key encipherment", "server auth"],
    }
    found = head(plan, CERTIFICATES, "Certificate", tls_secret(plan), plan.name, where=namespace) | {"spec": spec}
    own: Object = {"spec": {"selfSigned": {}}}
    signs = head(plan, CERTIFICATES, "Issuer", SELF_SIGNED, plan.name, where=namespace) | own
    return [signs, found] if alone else [found]


def _gateway(plan: Plan) -> list[Object]:
    spec: Object = {
        "gatewayClassName": value(plan.edge.class_name, "edge", "className"),
        "listeners": [
            {"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "Same"}}},
            {
                "name": "https",
                "protocol": "HTTPS",
                "port": 443,
                "tls": {
                    "mode": "Terminate",
                    "certificateRefs": [{"group": "", "kind": "Secret", "name": tls_secret(plan)}],
                },
                "allowedRoutes": {"namespaces": {"from": "Same"}},
            },
        ],
    }
    gateway = head(plan, GATEWAY, "Gateway", edge_name(plan), plan.name) | {"spec": spec}
    return [gateway, _to_https(plan), *_routes(plan)]


def _to_https(plan: Plan) -> Object:
    redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    spec: Object = {"parentRefs": [_parent(plan, "http")], "rules": [{"filters": [redirect]}]}
    return head(plan, GATEWAY, "HTTPRoute", f"{edge_name(plan)}-to-https", plan.name) | {"spec": spec}


def _routes(plan: Plan) -> list[Object]:
    found: list[Object] = []
    routes: Counter[str] = Counter()
    for running, said, hosts in public(plan):
        routes[running.name] += 1
        number = routes[running.name]
        name = running.name if number == 1 else f"{running.name}-route-{number}"
        time_out = "0s" if said.websocket else f"{plan.edge.timeout}s"  # 0s: a connection may stay as long as it likes
        hidden = [_hidden(path) for path in plan.edge.hidden] if said.path == WHOLE else []
        backend = {"name": running.host_name, "port": running.service_port}
        rule: Object = {
            "matches": [{"path": {"type": "PathPrefix", "value": said.path}}],
            "timeouts": {"request": time_out, "backendRequest": time_out},
            "backendRefs": [backend],
        }
        spec: Object = {
            "parentRefs": [_parent(plan, "https")],
            "hostnames": value(hosts, "services", running.name, "hosts" if number == 1 else f"hosts{number}"),
            "rules": [*hidden, rule],
        }
        found.append(head(plan, GATEWAY, "HTTPRoute", name, running.name) | {"spec": spec})
    return found


def _parent(plan: Plan, listener: str) -> Object:
    return {"name": edge_name(plan), "sectionName": listener}


def _hidden(path: str) -> Object:
    """The world is sent to the first page instead: the Gateway API knows no plain refusal."""
    elsewhere = {"type": "ReplaceFullPath", "replaceFullPath": "/"}
    redirect = {"type": "RequestRedirect", "requestRedirect": {"path": elsewhere, "statusCode": 302}}
    return {"matches": [{"path": {"type": "PathPrefix", "value": path}}], "filters": [redirect]}


def _ingress(plan: Plan) -> list[Object]:
    """An Ingress knows no refusal either: what is hidden leads to a Service without pods, and so to an error 503."""
    rules: dict[str, list[Object]] = {}
    for running, said, hosts in public(plan):
        to = {said.path: running.host_name}
        if said.path == WHOLE:
            to |= dict.fromkeys(plan.edge.hidden, _nowhere(plan))
        for host in hosts:
            rules.setdefault(host, []).extend(_path(path, service) for path, service in to.items())
    spec: Object = {
        "ingressClassName": value(plan.edge.class_name, "edge", "className"),
        "tls": [{"hosts": value(list(rules), "edge", "hosts"), "secretName": tls_secret(plan)}],
        "rules": [{"host": host, "http": {"paths": paths}} for host, paths in rules.items()],
    }
    annotations = _nginx(plan) if plan.edge.class_name == "nginx" else None
    found = head(plan, "networking.k8s.io/v1", "Ingress", edge_name(plan), plan.name, annotations=annotations)
    port: Object = {"name": HTTP, "port": 80, "protocol": "TCP"}
    nowhere = head(plan, "v1", "Service", _nowhere(plan), plan.name) | {"spec": {"type": "ClusterIP", "ports": [port]}}
    return [nowhere, found | {"spec": spec}]


def _path(path: str, service: str) -> Object:
    return {
        "path": path,
        "pathType": "Prefix",
        "backend": {"service": {"name": service, "port": {"name": HTTP}}},
    }


def _nowhere(plan: Plan) -> str:
    return f"{plan.name}-nowhere"


def _nginx(plan: Plan) -> dict[str, str]:
    """What only this class of ingress understands."""
    own = "nginx.ingress.kubernetes.io"
    return {
        f"{own}/force-ssl-redirect": "true",
        f"{own}/proxy-body-size": bytes_text(plan.edge.max_body).removesuffix("i").lower(),
        f"{own}/proxy-read-timeout": str(plan.edge.timeout),
        f"{own}/proxy-send-timeout": str(plan.edge.timeout),
    }
