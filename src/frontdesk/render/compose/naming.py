"""Names, places and amounts that the Compose files share."""

from collections.abc import Iterable

from frontdesk.render import docker
from frontdesk.system.layout.hosts import Host
from frontdesk.system.layout.plan import Plan, Running
from frontdesk.system.layout.services import Resources

Part = dict[str, object]
Value = str | list[str]
LOGS: Part = {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}}
SECRETS_FOLDER = "${SECRETS_FOLDER:-./secrets}"

IMAGE_CONTEXT = "image"  # the folder with the Dockerfiles
SYSTEM_FILE = "config/system.yaml"
EDGE_UID = 101  # of nginx in its image
EDGE_CONFIGURATION = "nginx/nginx.conf"
PLANNED = "planned"  # the profile of services that are described and not built yet


def builds(plan: Plan) -> bool:
    """Whether images are made on this machine, because there is no registry to take them from."""
    return not plan.deployment.images.registry


def build(plan: Plan, running: Running, stage: str = "production", *, gpu: bool = False) -> Part:
    """How the image of a service is made: for all that share it alike."""
    image = docker.image_of(plan, running, gpu=gpu)
    arguments = dict(image.arguments)
    return {"context": f"./{IMAGE_CONTEXT}", "dockerfile": image.dockerfile, "target": stage, "args": arguments}


def bare_host(plan: Plan, names: Iterable[str]) -> tuple[str, Host] | None:
    """The one machine with an address of its own on which something runs; kinds of nodes have none."""
    found = [(name, plan.hosts[name]) for name in names if name in plan.hosts and plan.hosts[name].address]
    return found[0] if len(found) == 1 else None


def machine(plan: Plan, hosts: Iterable[str]) -> list[str]:
    """The profile of what runs on one machine of several; none: it always runs."""
    host = bare_host(plan, hosts)
    return [host[0]] if host else []


def profiles(plan: Plan, running: Running) -> list[str]:
    """Under which profiles a service runs; none: always."""
    return machine(plan, running.service.host) if running.service.built else [PLANNED]


def published(plan: Plan, key: str, port: int, hosts: Iterable[str], replicas: int = 1, outer: int = 0) -> str:
    """A port of this machine's loopback, or one for each replica; a variable moves it, for a second instance beside the
    first. `outer` is the port there if it is another one than within."""
    host = bare_host(plan, hosts)
    first = (outer or port) + (host[1].port_offset if host else 0)
    said = str(first) if replicas < 2 else f"{first}-{first + replicas - 1}"
    return f"127.0.0.1:${{{key.upper()}_PORT:-{said}}}:{port}"


def bounds(plan: Plan, resources: Resources) -> Part:
    """The limits of a container. A laptop may have fewer cores than a server's limit, and Docker refuses that."""
    limits = resources.limits
    found: Part = {"cpus": cores(limits.cpu)} if limits.cpu and plan.environment != "development" else {}
    return found | ({"memory": memory(limits.memory)} if limits.memory else {})


def memory(count: int) -> str:
    """As Compose writes it: whole mebibytes."""
    return f"{-(-count // 2**20)}m"


def cores(thousandths: int) -> str:
    """As Compose writes it: `0.5`."""
    return f"{thousandths / 1000:g}"


def layers(plan: Plan) -> str:
    """The file `.env` beside the Compose files: which of them `docker compose` takes without being told."""
    taken = ["compose.yaml", "compose.secrets.yaml"]
    if plan.environment != "development":
        taken.append("compose.production.yaml")
    machines = dict.fromkeys(name for running in plan.services for name in profiles(plan, running) if name != PLANNED)
    lines = [
        "# Which files `docker compose` lays over each other here, and which machines it plays.",
        "# Ports are moved by variables as ORCHESTRATOR_PORT=8100; secrets never stand here.",
        "COMPOSE_PATH_SEPARATOR=:",
        f"COMPOSE_FILE={':'.join(taken)}",
        *([f"COMPOSE_PROFILES={','.join(machines)}"] if machines else []),
    ]
    return "\n".join(lines) + "\n"
