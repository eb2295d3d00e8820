"""`compose.yaml`: the services in the order of starting, and the stores before them."""

from frontdesk.render import docker, nginx
from frontdesk.render.compose import stores
from frontdesk.render.compose.naming import (
    Part,
    bounds,
    build,
    builds,
    machine,
    memory,
    profiles,
    published,
)
from frontdesk.system.home import CONTAINER_HOME
from frontdesk.system.layout.plan import CONFIGURATION, EDGE, SECRETS, USER, Plan, Running

TELEMETRY = "OTEL_EXPORTER_OTLP_ENDPOINT"  # set where the collector runs too
# From which Docker takes the networks of its projects. Nobody else reaches services by those, and other machines don't.
DOCKER_NETWORKS = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
PROCESSES = 512  # and threads, that a service may have
SLOW_START = 90  # seconds in which a service need not be ready, at least


def core(plan: Plan) -> Part:
    """The whole file."""
    ordered = sorted(plan.services, key=lambda running: running.stage)
    found: Part = {
        "name": plan.project,
        "services": dict(stores.services(plan)) | {running.name: service(plan, running) for running in ordered},
        "networks": {"default": {"name": _network(plan)}},
    }
    volumes = stores.volumes(plan)
    return found | ({"volumes": volumes} if volumes else {})


def _network(plan: Plan) -> str:
    """Its name; where it begins with the project's, it follows that, so that a second instance has its own."""
    said = plan.deployment.network_name or f"{plan.project}_network"
    return said.replace(plan.project, "${COMPOSE_PROJECT_NAME}", 1) if said.startswith(plan.project) else said


def service(plan: Plan, running: Running) -> Part:
    """One service of the system."""
    found: Part = {"image": running.image}
    if builds(plan):
        found["build"] = build(plan, running)
    if running.service.most == 1:  # several containers cannot have one name
        found["container_name"] = "${COMPOSE_PROJECT_NAME}_" + running.key
    if chosen := profiles(plan, running):
        found["profiles"] = chosen
    found |= {
        "command": list(running.command),
        **confined(),
        "init": True,
        "environment": environment(plan, running),
        "volumes": [f"./config:{CONFIGURATION}:ro"],
        **_reached(plan, running),
        **depends_on(plan, running),
        "healthcheck": _healthcheck(running),
        "stop_grace_period": f"{running.service.stopping.grace}s",
        "deploy": {"resources": _resources(plan, running)},
    }
    return found


def confined() -> Part:
    """What keeps a container of ours within its bounds: nothing to write to but memory, and no rights."""
    own = f"uid={USER},gid={USER}"
    return {
        "user": f"{USER}:{USER}",
        "read_only": True,
        "tmpfs": [f"/tmp:{own},mode=1777,size=256m", f"{CONTAINER_HOME}:{own},mode=0700,size=512m"],  # noqa: S108
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }


def environment(plan: Plan, running: Running) -> dict[str, str]:
    """Its variables; of a secret only where its file is."""
    said = {name: value for name, value in running.variables.items() if name != TELEMETRY}
    if running.key in nginx.behind_proxies(plan):
        said["TRUSTED_PROXIES"] = DOCKER_NETWORKS
    return said | {f"{name}_FILE": f"{SECRETS}/{name}" for name in running.secrets}


def depends_on(plan: Plan, running: Running) -> Part:
    """Whom it waits for: what it needs must be healthy. What runs on another machine is waited for if it is here."""
    own = {each.key: each for each in plan.services}
    there = stores.own(plan)
    found: Part = {}
    for need in running.service.needs:
        if need in own:
            name, beside = own[need].name, profiles(plan, own[need])
        elif need in there:
            name = stores.POOLER if need == "postgres" and stores.pooler_of(plan) else need
            beside = machine(plan, there[need].host)
        else:
            continue
        here = set(beside) <= set(profiles(plan, running))
        found[name] = healthy(needed=here)
    return {"depends_on": found} if found else {}


def healthy(*, needed: bool = True) -> Part:
    """What is waited for; what is not needed may be left out by its profile."""
    return {"condition": "service_healthy", **({} if needed else {"required": False})}


def _reached(plan: Plan, running: Running) -> Part:
    service = running.service
    names = dict.fromkeys(name for name in (running.host_name, *service.names) if name != running.name)
    found: Part = {"networks": {"default": {"aliases": list(names)} if names else {}}}
    if service.port and (plan.environment == "development" or _called_from_beyond(plan, running)):
        found["ports"] = [published(plan, running.key, service.port, service.host, service.least)]
    return found


def _called_from_beyond(plan: Plan, running: Running) -> bool:
    """Whether something on this machine that is no part of the system calls it, a gateway for one."""
    return any("=" in caller for caller in running.service.called_by) or (
        EDGE in running.service.called_by and not plan.edge.hosts
    )


def _healthcheck(running: Running) -> Part:
    probes = running.service.probes
    patience = probes.startup.every * probes.startup.failures if probes.startup else probes.liveness.after
    return {
        "test": ["CMD", *docker.question(docker.ready_url(running), probes.readiness.timeout)],
        "interval": f"{probes.readiness.every}s",
        "timeout": f"{probes.readiness.timeout + 5}s",  # the question's own start counts too
        "retries": probes.readiness.failures,
        "start_period": f"{max(patience, SLOW_START)}s",
    }


def _resources(plan: Plan, running: Running) -> Part:
    requests = running.service.resources.requests
    found: Part = {"limits": {**bounds(plan, running.service.resources), "pids": PROCESSES}}
    if requests.memory:
        found["reservations"] = {"memory": memory(requests.memory)}
    return found
