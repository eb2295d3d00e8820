"""The stores as Compose runs them."""

from collections.abc import Iterator, Mapping

from frontdesk.render import store_commands
from frontdesk.render.compose.naming import Part, bounds, machine, memory, published
from frontdesk.system.layout.plan import SECRETS, Plan
from frontdesk.system.layout.stores import Pooler, Postgres, Redis

CHECKED: Part = {"interval": "10s", "timeout": "5s", "retries": 5, "start_period": "30s"}
POOLER = "pooler"


def own(plan: Plan) -> Mapping[str, Postgres | Redis]:
    """The stores that run with the system; the others are somebody else's."""
    return {key: store for key, store in plan.stores.items() if not store.managed}


def pooler_of(plan: Plan) -> tuple[Pooler, Postgres] | None:
    """The pooler between services and database, where there is one."""
    store = own(plan).get("postgres")
    return (store.pooler, store) if isinstance(store, Postgres) and store.pooler else None


def services(plan: Plan) -> Iterator[tuple[str, Part]]:
    """Each store, and the pooler, as a service of Compose."""
    for key, store in own(plan).items():
        yield key, _postgres(plan, key, store) if isinstance(store, Postgres) else _redis(plan, key, store)
    if found := pooler_of(plan):
        yield POOLER, _pooler(*found)


def secrets(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    """The secrets that each of them reads."""
    found = {
        key: (store_commands.POSTGRES_SECRET if isinstance(store, Postgres) else store_commands.REDIS_SECRET,)
        for key, store in own(plan).items()
    }
    return found | ({POOLER: (store_commands.POSTGRES_SECRET,)} if pooler_of(plan) else {})


def volumes(plan: Plan) -> Part:
    """What outlives the containers."""
    return {f"{key}_data": {} for key in own(plan)}


def configurations(plan: Plan) -> Mapping[str, str]:
    """The files that they are mounted."""
    found = {
        f"{key}/{key}.conf": store_commands.redis_configuration(store)
        for key, store in own(plan).items()
        if isinstance(store, Redis)
    }
    if pooler := pooler_of(plan):
        found["pooler/pgbouncer.ini"] = store_commands.pooler_configuration(*pooler, host="postgres")
    return found


def _postgres(plan: Plan, key: str, store: Postgres) -> Part:
    return {
        "image": store.image,
        "container_name": "${COMPOSE_PROJECT_NAME}_" + key,
        **_confined(store_commands.postgres_user(store)),
        "tmpfs": ["/tmp:mode=1777", "/var/run/postgresql:mode=1777"],  # noqa: S108 — of the container alone
        "shm_size": memory(store_commands.shared_memory(store)),
        "command": list(store_commands.postgres_command(store)),
        "environment": {
            "POSTGRES_DB": store.database,
            "POSTGRES_USER": store.user,
            "POSTGRES_PASSWORD_FILE": f"{SECRETS}/{store_commands.POSTGRES_SECRET}",
        },
        "volumes": [f"{key}_data:{store_commands.POSTGRES_DATA}"],
        **_reached(plan, key, store),
        "healthcheck": {"test": ["CMD", *store_commands.postgres_question(store)], **CHECKED},
        "stop_signal": "SIGINT",  # ends sessions and writes everything down
        "stop_grace_period": "60s",
        "deploy": {"resources": {"limits": bounds(plan, store.resources)}},
    }


def _redis(plan: Plan, key: str, store: Redis) -> Part:
    mounted = f"/etc/{store_commands.redis_server(store)}.conf"
    return {
        "image": store.image,
        "container_name": "${COMPOSE_PROJECT_NAME}_" + key,
        **_confined(store_commands.REDIS_USER),
        "tmpfs": ["/tmp:mode=1777"],  # noqa: S108 — of the container alone
        "command": ["sh", "-c", _literal(store_commands.redis_script(store, mounted))],
        "volumes": [f"./{key}/{key}.conf:{mounted}:ro", f"{key}_data:{store_commands.REDIS_DATA}"],
        **_reached(plan, key, store),
        "healthcheck": {"test": ["CMD-SHELL", _literal(store_commands.redis_question(store))], **CHECKED},
        "stop_grace_period": "30s",
        "deploy": {"resources": {"limits": bounds(plan, store.resources)}},
    }


def _pooler(pooler: Pooler, store: Postgres) -> Part:
    mounted = "/etc/pgbouncer/pgbouncer.ini"
    return {
        "image": pooler.image,
        **_confined(store_commands.POOLER_USER),
        "tmpfs": ["/tmp:mode=1777"],  # noqa: S108 — of the container alone
        "entrypoint": ["sh", "-c", _literal(store_commands.OPEN_FILES + store_commands.pooler_script(store, mounted))],
        "volumes": [f"./pooler/pgbouncer.ini:{mounted}:ro"],
        "networks": {"default": {"aliases": [pooler.name]}},
        "depends_on": {"postgres": {"condition": "service_healthy"}},
        "healthcheck": {
            "test": ["CMD", "pg_isready", "--quiet", "-h", "127.0.0.1", "-p", str(pooler.port)],
            **CHECKED,
        },
        "deploy": {"resources": {"limits": {"memory": memory(pooler.resources.limits.memory)}}},
    }


def _confined(user: tuple[int, int]) -> Part:
    return {
        "user": f"{user[0]}:{user[1]}",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }


def _reached(plan: Plan, key: str, store: Postgres | Redis) -> Part:
    names = dict.fromkeys(name for name in (store.name, *store.names) if name != key)
    found: Part = {"networks": {"default": {"aliases": list(names)} if names else {}}}
    if plan.environment == "development":  # for the tools of whoever works on it
        found["ports"] = [published(plan, key, store.port, store.host, outer=_outer_port(plan, key))]
    chosen = machine(plan, store.host)
    return found | ({"profiles": chosen} if chosen else {})


def _outer_port(plan: Plan, key: str) -> int:
    """Its own port, or the next one that is free where an earlier store has that: within, each has its own address."""
    taken = {running.service.port for running in plan.services}
    port = 0
    for name in own(plan):
        port = own(plan)[name].port
        while port in taken:
            port += 1
        taken.add(port)
        if name == key:
            break
    return port


def _literal(script: str) -> str:
    """A script whose `$` are the shell's and not Compose's."""
    return script.replace("$", "$$")
