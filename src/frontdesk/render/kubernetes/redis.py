"""Redis or Valkey: one server that keeps what it is told, and copies of it; a second one where a cache is said."""

from frontdesk.render.kubernetes import secrets
from frontdesk.render.kubernetes.accounts import account
from frontdesk.render.kubernetes.pods import Identity, container_security, places, pod, scratch
from frontdesk.render.kubernetes.stateful import config_map, config_sum, names_of, probes, set_name, stateful_set
from frontdesk.render.kubernetes.values import Object, value
from frontdesk.render.kubernetes.workloads import resources
from frontdesk.render.store_commands import (
    REDIS_DATA,
    REDIS_SECRET,
    REDIS_USER,
    redis_configuration,
    redis_question,
    redis_script,
    redis_server,
)
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.stores import Redis

PORT = "redis"
FILES = "/etc/redis"
GRACE = 60  # seconds to write what is in memory
MEGABYTE = 2**20


def objects(plan: Plan, key: str, store: Redis) -> list[Object]:
    """Everything of the server and its copies."""
    found = _server(plan, key, store, set_name(store.name), (store.name, *store.names), replicas=1)
    if store.replicas:
        copies = set_name(store.replica_name)
        found += _server(plan, key, store, copies, (store.replica_name,), replicas=store.replicas, copying=True)
    return found


def _server(
    plan: Plan, key: str, store: Redis, name: str, names: tuple[str, ...], *, replicas: int, copying: bool = False
) -> list[Object]:
    file = f"{redis_server(store)}.conf"
    text = redis_configuration(store) + (f"replicaof {store.name} {store.port}\n" if copying else "")
    container: Object = {
        "name": redis_server(store),
        "image": value(store.image, "stores", key, "image"),
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", redis_script(store, f"{FILES}/{file}")],
        "ports": [{"name": PORT, "containerPort": store.port, "protocol": "TCP"}],
        "resources": resources(store.resources, "stores", key),
        **probes(("sh", "-c", redis_question(store)), first=300),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": f"{name}-storage", "mountPath": REDIS_DATA},
            {"name": "files", "mountPath": FILES, "readOnly": True},
            secrets.mount(),
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 — of the container
        ],
    }
    template = pod(
        plan,
        name,
        identity=Identity(user=REDIS_USER[0], group=REDIS_USER[1]),
        containers=[container],
        volumes=[
            {"name": "files", "configMap": {"name": f"{name}-config"}},
            secrets.volume(plan, REDIS_SECRET),
            scratch("tmp", 16 * MEGABYTE, in_memory=True),  # the file with the password
        ],
        annotations=config_sum({file: text}),
        placed=places(plan, name, store.host, store.placement),
        grace=GRACE,
    )
    return [
        account(plan, name),
        config_map(plan, name, {file: text}),
        stateful_set(plan, name, replicas=replicas, storage=store.storage, template=template, key=key),
        *names_of(plan, name, names, PORT, store.port),
    ]
