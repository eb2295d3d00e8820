"""What watches the system, beside it: `compose.observability.yaml` and the files that it mounts."""

from collections.abc import Mapping

from frontdesk.render import observability
from frontdesk.render.compose.core import PROCESSES, TELEMETRY
from frontdesk.render.compose.naming import LOGS, SECRETS_FOLDER, Value
from frontdesk.render.compose.naming import Part as Piece
from frontdesk.render.observability.parts import Part, parts
from frontdesk.system.layout.plan import Plan

FOLDER = "observability"
CARDS = "gpu"  # the profile of what reads cards


def configurations(plan: Plan) -> Mapping[str, str]:
    """The files of the target `observability`, in a folder of their own."""
    return {f"{FOLDER}/{name}": text for name, text in observability.files(plan).items()}


def secrets(plan: Plan) -> tuple[str, ...]:
    """The secrets that these containers read, in a steady order."""
    return tuple(dict.fromkeys(name for part in parts(plan) for name in part.secrets))


def overlay(plan: Plan) -> Piece:
    """The containers, and where the services send their traces."""
    found: Piece = {part.name: _container(plan, part) for part in parts(plan)}
    for running in plan.services:
        if endpoint := running.variables.get(TELEMETRY):
            found[running.name] = {"environment": {TELEMETRY: endpoint}}
    volumes: Piece = {_volume(part): {} for part in parts(plan) if part.data}
    files: Piece = {name: {"file": f"{SECRETS_FOLDER}/{name}"} for name in secrets(plan)}
    everything: Piece = {"services": found, "volumes": volumes}
    return {**everything, "secrets": files} if files else everything


def _container(plan: Plan, part: Part) -> Piece:
    found: Piece = {"image": part.image, "container_name": "${COMPOSE_PROJECT_NAME}_" + part.name.replace("-", "_")}
    if part.gpu:
        found["profiles"] = [CARDS]
    for key, value in (
        ("command", list(part.command)),
        ("user", part.user),
        ("environment", {**_told_of_memory(part), **part.variables}),
        ("secrets", list(part.secrets)),
        ("volumes", _mounts(part)),
        ("depends_on", list(part.needs)),
    ):
        if value:
            found[key] = value
    found["networks"] = {"default": _called(plan, part)}
    if part.shown:
        inner, outer = part.shown
        found["ports"] = [f"127.0.0.1:${{{part.name.upper().replace('-', '_')}_PORT:-{outer}}}:{inner}"]
    found |= {
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "restart": "unless-stopped",
        "logging": LOGS,
    }
    resources: Piece = {"limits": {"memory": f"{part.memory}m", "pids": PROCESSES}}
    if part.gpu:
        device: Piece = {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
        resources["reservations"] = {"devices": [device]}
    return found | {"deploy": {"resources": resources}}


def _told_of_memory(part: Part) -> dict[str, str]:
    """What Go's runtime keeps its heap below (pkg.go.dev/runtime): it does not look at the container's bound itself."""
    return {"GOMEMLIMIT": f"{part.memory * 9 // 10}MiB"} if part.go else {}


def _called(plan: Plan, part: Part) -> dict[str, Value]:
    """The other names of a container: that under which the system knows the collector."""
    telemetry = plan.outside.get("telemetry")
    known = [name for name in (telemetry.hosts if telemetry else ()) if name.partition(".")[0] == part.name]
    names = [name for name in known if name != part.name]
    return {"aliases": names} if names else {}


def _mounts(part: Part) -> list[str]:
    files = [f"./{FOLDER}/{path.rstrip('/')}:{place.rstrip('/')}:ro" for place, path in part.files.items()]
    data = [f"{_volume(part)}:{part.data}"] if part.data else []
    host = ["/:/host:ro,rslave" if place == "/" else f"{place}:{place}:ro" for place in part.reads]
    return [*files, *data, *host]


def _volume(part: Part) -> str:
    return f"{part.name.replace('-', '_')}_data"
