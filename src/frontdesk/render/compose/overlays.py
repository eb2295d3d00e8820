"""What is laid over `compose.yaml`."""

from frontdesk.render import backups, docker, nginx
from frontdesk.render.cards import mps_limits
from frontdesk.render.compose import stores
from frontdesk.render.compose.backups import VOLUME, kept
from frontdesk.render.compose.core import confined, environment, healthy
from frontdesk.render.compose.naming import (
    EDGE_CONFIGURATION,
    EDGE_UID,
    IMAGE_CONTEXT,
    LOGS,
    SECRETS_FOLDER,
    Part,
    build,
    builds,
    profiles,
)
from frontdesk.render.compose.secrets import mounted, readers
from frontdesk.system.layout.gpu import CardPlan, Slot, card_plans
from frontdesk.system.layout.plan import CONFIGURATION, Plan, Running

EDGE_IMAGE = "docker.io/library/nginx:1.31.3-alpine"
_TALK = (  # a key for a day, then the talk
    'FRONTDESK_KEY="$$(frontdesk keys create compose-tests --days 1 --scope chat --scope tools)" && '
    "export FRONTDESK_KEY && exec python -m frontdesk.testing.dialogue {address}"
)
PIPE = "/tmp/nvidia-mps"  # noqa: S108 — where CUDA's MPS daemon of the host listens


def secrets(plan: Plan) -> Part:
    """Each secret from a file, into those services alone that read it."""
    return {
        "services": {name: {"secrets": list(read)} for name, read in readers(plan).items()},
        "secrets": dict(mounted(plan)),
    }


def production(plan: Plan) -> Part:
    """A server that nobody watches all the time. Only the edge is open to the world."""
    found: Part = {}
    for name in dict(stores.services(plan)):
        found[name] = {"restart": "unless-stopped", "logging": LOGS}
    for running in plan.services:
        part: Part = {"restart": "unless-stopped", "logging": LOGS}
        if running.service.least > 1:
            part["deploy"] = {"replicas": running.service.least}
        if running.service.role in backups.ROLES:  # one of them makes it, whoever is first
            part |= kept(plan)
        found[running.name] = part
    if public := nginx.public_services(plan):
        found["edge"] = _edge(plan, public)
    files: Part = {name: {"file": f"{SECRETS_FOLDER}/{name}"} for name in backups.secrets(plan)}
    return {"services": found, "volumes": {VOLUME: {}}, "secrets": files}


def development(plan: Plan) -> Part:
    """Tools and tests in the images, plug-ins from a folder; `docker compose watch` starts anew what changes."""
    if plan.environment != "development" or not builds(plan):
        return {}
    watched = [
        {"action": "sync+restart", "path": "./plugins", "target": "/app/plugins"},
        {"action": "rebuild", "path": f"./{IMAGE_CONTEXT}/wheels"},
    ]
    return {
        "services": {
            running.name: {
                "image": f"{running.image}-development",
                "build": build(plan, running, "development"),
                "read_only": False,
                "environment": {"LOG_LEVEL": "DEBUG"},
                "develop": {"watch": watched},
            }
            for running in plan.services
        }
    }


def gpu(plan: Plan) -> Part:
    """Cards, or parts of cards, for the services that have them."""
    cards = [running for running in plan.services if docker.wants_gpu(running)]
    if not cards:
        return {}
    planned = {slot.service: (card, slot) for card in card_plans(plan) for slot in card.slots}
    return {"services": {running.name: _with_card(plan, running, planned.get(running.key)) for running in cards}}


def tests(plan: Plan) -> Part:
    """A container that talks with the system as people do, and whose end is the end of all."""
    desk = next((each for each in plan.services if each.service.role in ("all", "web") and each.service.port), None)
    if desk is None:
        return {}
    address = f"http://{desk.name}:{desk.service.port}"
    found: Part = {
        "image": f"{docker.image_of(plan, desk).reference}-testing",
        "build": build(plan, desk, "testing"),  # here, always: registries hold what runs, not what tests it
        "command": ["sh", "-c", _TALK.format(address=address)],
        **confined(),
        "environment": {
            **environment(plan, desk),
            "MODELS_ORDER": "scripted",
        },
        "secrets": list(desk.secrets),
        "volumes": [f"./config:{CONFIGURATION}:ro"],
        "networks": {"default": {}},
        "depends_on": {
            running.name: healthy(needed=set(profiles(plan, running)) <= set(profiles(plan, desk)))
            for running in plan.services
            if running.service.built
        },
    }
    if chosen := profiles(plan, desk):
        found["profiles"] = chosen
    stand_in: Part = {"environment": {"MODELS_ORDER": "scripted"}}  # no key, no network, and always the same
    talkers: Part = {
        running.name: stand_in for running in plan.services if running.service.role in ("all", "web", "worker")
    }
    return {"services": {**talkers, "tests": found}}


def _edge(plan: Plan, public: tuple[Running, ...]) -> Part:
    return {
        "image": EDGE_IMAGE,
        "user": f"{EDGE_UID}:{EDGE_UID}",
        "read_only": True,
        "tmpfs": [
            *(f"{place}:uid={EDGE_UID},gid={EDGE_UID}" for place in ("/run", "/var/cache/nginx")),
            "/tmp:mode=1777",  # noqa: S108
        ],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "sysctls": {"net.ipv4.ip_unprivileged_port_start": 0},
        "entrypoint": ["nginx", "-g", "daemon off;"],
        "ports": ["${HTTP_PORT:-80}:80", "${HTTPS_PORT:-443}:443"],
        "volumes": [
            f"./{EDGE_CONFIGURATION}:/etc/nginx/nginx.conf:ro",
            f"${{TLS_FOLDER:-./tls}}:{nginx.CERTIFICATE.rpartition('/')[0]}:ro",
            f"${{ACME_FOLDER:-./acme}}:{nginx.CHALLENGES}:ro",
        ],
        "networks": {"default": {}},
        "depends_on": {
            running.name: healthy(needed=not profiles(plan, running)) for running in public if running.service.built
        },
        "healthcheck": {
            "test": ["CMD", "nc", "-z", "127.0.0.1", "443"],
            "interval": "10s",
            "timeout": "5s",
            "retries": 5,
        },
        "stop_signal": "SIGQUIT",  # what is being answered is answered to its end
        "stop_grace_period": f"{plan.edge.timeout}s",
        "restart": "unless-stopped",
        "logging": LOGS,
        "deploy": {"resources": {"limits": {"cpus": "1", "memory": "256m", "pids": 64}}},
    }


def _with_card(plan: Plan, running: Running, share: tuple[CardPlan, Slot] | None) -> Part:
    found: Part = {"image": docker.image_of(plan, running, gpu=True).reference}
    if builds(plan):
        found["build"] = build(plan, running, gpu=True)
    method = share[0].method if share else "whole"
    if method == "cpu":
        return found
    device: Part = {"driver": "nvidia", "capabilities": ["gpu"]}
    if method == "mig":  # the card's own name of the part, which it has only once it is cut
        variable = f"{running.key.upper()}_DEVICE"
        device["device_ids"] = [f"${{{variable}:?the part of the card for {running.name}: nvidia-smi -L names it}}"]
    else:
        device["count"] = running.service.resources.gpu or 1
    if share and method == "mps":
        found |= {"environment": dict(mps_limits(share[1], PIPE)), "ipc": "host", "volumes": [f"{PIPE}:{PIPE}"]}
    return found | {"deploy": {"resources": {"reservations": {"devices": [device]}}}}
