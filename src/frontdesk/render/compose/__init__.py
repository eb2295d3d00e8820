"""Target `compose`: the whole system on one machine, by Docker Compose.

`compose.yaml` holds no secret and refuses to run without them; the other files are laid over it. `.env` names those
that `docker compose up` takes, the secrets among them from the first moment.
"""

from frontdesk.render import docker, nginx
from frontdesk.render.compose import observing
from frontdesk.render.compose.core import core
from frontdesk.render.compose.naming import EDGE_CONFIGURATION, IMAGE_CONTEXT, SYSTEM_FILE, builds, layers
from frontdesk.render.compose.overlays import development, gpu, production, secrets, tests
from frontdesk.render.compose.secrets import script
from frontdesk.render.compose.stores import configurations
from frontdesk.render.target import Files, Target, yaml_text
from frontdesk.system.layout.plan import Plan

SAID = {
    "compose.yaml": "The system: services and stores. Secrets come with compose.secrets.yaml.",
    "compose.secrets.yaml": "The secrets, each from a file of its own. ./secrets.sh makes those that are missing.",
    "compose.production.yaml": "For a server: restarts, replicas, bounded logs, the way in from the world.",
    "compose.development.yaml": "For work on plug-ins: tests and tools within, restarted when something changes.",
    "compose.observability.yaml": "What watches the system: metrics, logs, traces, dashboards, alerts.",
    "compose.gpu.yaml": "For a machine with cards: NVIDIA's container toolkit must be there.",
    "compose.test.yaml": "Tests of the running system, with this file in COMPOSE_FILE: docker compose run --rm tests.",
}


def files(plan: Plan) -> Files:
    """Compose files, and everything that they mount or build from."""
    overlays = {
        "compose.yaml": core(plan),
        "compose.secrets.yaml": secrets(plan),
        "compose.production.yaml": production(plan),
        "compose.development.yaml": development(plan),
        "compose.observability.yaml": observing.overlay(plan),
        "compose.gpu.yaml": gpu(plan),
        "compose.test.yaml": tests(plan),
    }
    found = {name: f"# {SAID[name]}\n{yaml_text(overlay)}" for name, overlay in overlays.items() if overlay}
    found[".env"] = layers(plan)
    found["secrets.sh"] = script(plan)
    found[SYSTEM_FILE] = plan.system_file
    found |= {**configurations(plan), **observing.configurations(plan)}
    if nginx.public_services(plan):
        found[EDGE_CONFIGURATION] = nginx.configuration(plan, names=nginx.DOCKER_NAMES)
    if builds(plan) or "compose.test.yaml" in found:
        found |= {f"{IMAGE_CONTEXT}/{name}": text for name, text in docker.files(plan).items()}
    return found


target = Target(
    summary="Docker Compose: core, secrets, production, development, observability, GPU, tests",
    files=files,
    next_step="cd {out} && sh ./secrets.sh && docker compose up --detach --wait",
)
