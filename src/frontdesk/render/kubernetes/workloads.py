"""Each service as a Deployment, and the names that others reach it by."""

import json
from collections.abc import Iterable, Mapping, Sequence

from frontdesk.render.kubernetes import config, secrets
from frontdesk.render.kubernetes.cards import Cards, cards_of
from frontdesk.render.kubernetes.namespace import amount
from frontdesk.render.kubernetes.naming import config_name, head, secret_name, selector
from frontdesk.render.kubernetes.pods import Identity, container_security, full_name, image, places, pod, scratch
from frontdesk.render.kubernetes.priorities import class_of
from frontdesk.render.kubernetes.values import Object, Value, reference, value
from frontdesk.system.home import CONTAINER_HOME
from frontdesk.system.layout.plan import USER, Plan, Running
from frontdesk.system.layout.services import Probe, Resources, Service, amounts
from frontdesk.system.layout.stores import Postgres

DESK = Identity(user=USER, group=USER)
HTTP, METRICS = "http", "metrics"  # names of ports
WAYPOINT = "waypoint"
TEMPORARY, HOME = 256 * 2**20, 2**30  # bytes of scratch at most, where the file says nothing of it
WAITING = Resources(requests=amounts("20m", "64Mi"), limits=amounts("250m", "128Mi"))
PATIENCE = 300  # seconds that a pod waits for what it needs; then it is started anew, and its log names what is missing

WAIT = """\
import json, os, socket, sys, time

def try_it(host, port):
    with socket.create_connection((host, port), timeout=2) as line:
        line.settimeout(0.5)  # a mesh takes every connection, and ends one that leads nowhere
        try:
            if not line.recv(1):
                raise ConnectionResetError("the connection was ended at once")
        except TimeoutError:
            pass  # it waits for a question

missing = [tuple(each) for each in json.loads(os.environ["NEEDED"])]
end = time.monotonic() + float(os.environ["PATIENCE"])
while missing and time.monotonic() < end:
    still = []
    for host, port in missing:
        try:
            try_it(host, port)
        except OSError as error:
            still.append((host, port))
            print(f"waiting for {host}:{port}: {error}", flush=True)
    missing = still
    if missing:
        time.sleep(2)
for host, port in missing:
    print(f"{host}:{port} does not answer", file=sys.stderr)
sys.exit(bool(missing))
"""


def objects(plan: Plan, running: Running) -> list[Object]:
    """The Deployment and the Services of one service."""
    return [_deployment(plan, running), *_services(plan, running)]


def environment(plan: Plan, running: Running) -> Value:
    """Its own variables, and those that come from the secret."""
    variables = {**running.variables, **cards_of(plan, running).variables}
    return environment_of(plan, variables, running.secrets, "services", running.name)


def environment_of(plan: Plan, variables: dict[str, str], wanted: Sequence[str], *path: str) -> Value:
    """A container's `env`; `path` is where values have the variables and the names of the secrets."""
    said: dict[tuple[str, ...], object] = {(*path, "variables"): variables, (*path, "secrets"): list(wanted)}
    content = [{"name": name, "value": variables[name]} for name in sorted(variables)]
    content += [secrets.reference(plan, name) for name in wanted]
    parts = " ".join(reference(*path, part) for part in ("variables", "secrets"))
    template = f'include "frontdesk.env" (list {parts} {secret_name(plan).template})'
    return Value(content=content, said=said, template=template)


def resources(found: Resources, *path: str, cards: Cards | None = None) -> Value:
    """Requests and limits; a card is asked for in both, as Kubernetes demands."""
    card = {cards.resource: str(cards.count)} if cards and cards.count else {}
    return value({"requests": amount(found.requests) | card, "limits": amount(found.limits) | card}, *path, "resources")


def needed(plan: Plan, running: Running) -> list[tuple[str, int]]:
    """Host and port of whatever must answer before it starts; what others run is not waited for.

    A Service leads to no pod before one is ready, so a worker's port for metrics tells that it works.
    """
    found: list[tuple[str, int]] = []
    by_key = {each.key: each for each in plan.services}
    for need in running.service.needs:
        if store := plan.stores.get(need):
            server = store.pooler if isinstance(store, Postgres) and store.pooler else store
            if not store.managed:
                found.append((server.name, server.port))
        elif (other := by_key.get(need)) and (port := other.service_port or other.service.metrics_port):
            found.append((other.host_name, port))
    return found


def _deployment(plan: Plan, running: Running) -> Object:
    service = running.service
    spec: Object = {} if service.scaling else {"replicas": value(service.least, "services", running.name, "replicas")}
    spec |= {
        "revisionHistoryLimit": 10,
        "selector": {"matchLabels": selector(plan, running.name)},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": _rollout(service),
        },
        "template": pod(
            plan,
            running.name,
            identity=DESK,
            before=_waiting(plan, running),
            containers=[_container(plan, running)],
            volumes=volumes(plan, service),
            annotations={"checksum/config": config.checksum(plan), **_scraped(service)},
            more_labels=service.labels,
            placed=places(plan, running.name, service.host, service.placement, gpu=bool(cards_of(plan, running).count)),
            priority=class_of(plan, running),
            grace=service.stopping.grace,
        ),
    }
    found = head(plan, "apps/v1", "Deployment", running.name, more=service.labels)
    return found | {"spec": spec}


def _rollout(service: Service) -> Object:
    """A share of a card is free only once the former replica has given it back. Kubernetes refuses both at nought: then
    one replica may be missing."""
    surge = 0 if service.gpu else service.rollout.surge
    return {"maxSurge": surge, "maxUnavailable": service.rollout.unavailable or int(surge == 0)}


def _container(plan: Plan, running: Running) -> Object:
    service = running.service
    found: Object = {
        "name": running.name,
        "image": _image(plan, running),
        "imagePullPolicy": "IfNotPresent",
        "command": list(running.command),
    }
    ports = {HTTP: service.port, METRICS: service.metrics_port}
    if any(ports.values()):
        found["ports"] = [
            {"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items() if port
        ]
    found |= {
        "envFrom": [{"configMapRef": {"name": config_name(plan)}}],
        "env": environment(plan, running),
        "resources": resources(service.resources, "services", running.name, cards=cards_of(plan, running)),
        **_probes(service),
    }
    if service.stopping.pause:
        found["lifecycle"] = {"preStop": {"sleep": {"seconds": service.stopping.pause}}}
    return found | {
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
        "volumeMounts": mounts(),
    }


def _image(plan: Plan, running: Running) -> Value:
    return image(plan, running.service.image or running.name, gpu=bool(cards_of(plan, running).count))


def image_of(plan: Plan, running: Running) -> str:
    """The full name of a service's image: the one with CUDA's libraries where it has a card."""
    return full_name(plan, running.service.image or running.name, gpu=bool(cards_of(plan, running).count))


def mounts() -> list[Object]:
    """Where a container of ours may write, and where it reads the system file."""
    return [
        config.mount(),
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 — of the container
        {"name": "home", "mountPath": CONTAINER_HOME},
    ]


def volumes(plan: Plan, service: Service) -> list[Object]:
    """The volumes of those mounts."""
    return [
        config.volume(plan),
        scratch("tmp", TEMPORARY),
        scratch("home", service.resources.limits.scratch or HOME),
    ]


def _scraped(service: Service) -> dict[str, object]:
    port = service.metrics_port or service.port
    if not port:
        return {}
    return {"prometheus.io/scrape": "true", "prometheus.io/port": str(port), "prometheus.io/path": "/metrics"}


def _probes(service: Service) -> Object:
    """Where it has no port of its own, the one for metrics tells whether it lives, and nobody sends it requests."""
    port = HTTP if service.port else METRICS if service.metrics_port else ""
    if not port:
        return {}
    said: dict[str, Probe | None] = {
        "startupProbe": service.probes.startup,
        "livenessProbe": service.probes.liveness,
        "readinessProbe": service.probes.readiness,
    }
    lives = service.probes.liveness.path
    return {name: _probe(probe, port, probe.path if service.port else lives) for name, probe in said.items() if probe}


def _probe(probe: Probe, port: str, path: str) -> Object:
    return {
        "httpGet": {"path": path, "port": port},
        "initialDelaySeconds": probe.after,
        "periodSeconds": probe.every,
        "timeoutSeconds": probe.timeout,
        "failureThreshold": probe.failures,
    }


def _waiting(plan: Plan, running: Running) -> list[Object]:
    wanted = needed(plan, running)
    if not wanted:
        return []
    return [
        {
            "name": "wait-for-dependencies",
            "image": _image(plan, running),
            "imagePullPolicy": "IfNotPresent",
            "command": ["python", "-c", WAIT],
            "env": [
                {"name": "NEEDED", "value": json.dumps(wanted)},
                {"name": "PATIENCE", "value": str(PATIENCE)},
            ],
            "resources": {"requests": amount(WAITING.requests), "limits": amount(WAITING.limits)},
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": container_security(),
        }
    ]


def _services(plan: Plan, running: Running) -> list[Object]:
    """One for each name, with the port for requests and the one for metrics, as far as it has them."""
    offered = {HTTP: running.service_port, METRICS: running.service.metrics_port}
    ports: list[Object] = [
        {"name": name, "port": port, "targetPort": name, "protocol": "TCP", "appProtocol": "http"}
        for name, port in offered.items()
        if port
    ]
    if not ports:
        return []
    more = {**running.service.labels, **(waypoint_label(plan) if running.service.port else {})}
    return [
        service(plan, name, running.name, ports, more)
        for name in dict.fromkeys((running.host_name, *running.service.names))
    ]


def waypoint_label(plan: Plan) -> dict[str, str]:
    """In ambient mode: that requests to a service pass the waypoint, where Istio sees more than connections."""
    ambient = plan.edge.mesh is not None and plan.edge.mesh.injection == "ambient"
    return {"istio.io/use-waypoint": WAYPOINT} if ambient else {}


def service(
    plan: Plan, name: str, of: str, ports: Iterable[Object], more: Mapping[str, str] | None = None, **spec: object
) -> Object:
    """A Service called `name` for the pods of `of`."""
    found = head(plan, "v1", "Service", name, of, more=more)
    return found | {"spec": {"type": "ClusterIP", "selector": selector(plan, of), **spec, "ports": list(ports)}}
