"""How the stores are started: commands and configuration files, the same in containers of every kind.

Passwords come from files, never from a command line. Nothing here needs root: the images' own users run the servers.
"""

from collections.abc import Mapping

from frontdesk.system.layout.plan import SECRETS, Plan
from frontdesk.system.layout.stores import Pooler, Postgres, Redis, Setting

REDIS_USER = (999, 1000)  # uid and gid in the image of its maker
POOLER_USER = (70, 70)
POSTGRES_SECRET, REDIS_SECRET = "POSTGRES_PASSWORD", "REDIS_PASSWORD"
POSTGRES_DATA = "/var/lib/postgresql"  # from 18 on the data of each version lie in a folder of their own within
REDIS_DATA = "/data"
OPEN_FILES = 'ulimit -n "$(ulimit -Hn)"; '  # for the pooler in a container: a file for each connection, not 1024
SCRATCH = "/tmp"  # noqa: S108 — of the container alone, in memory

MEGABYTE = 2**20


def addresses(plan: Plan) -> frozenset[str]:
    """The secrets that hold the addresses of stores which are somebody else's: without them nothing starts."""
    variables = {"postgres": "DATABASE_URL", "redis": "REDIS_URL"}
    return frozenset(name for key, name in variables.items() if key in plan.stores and plan.stores[key].managed)


def postgres_user(store: Postgres) -> tuple[int, int]:
    """Uid and gid of the server in its image: Alpine numbers its users in its own way."""
    return (70, 70) if "alpine" in store.image else (999, 999)


def shared_memory(store: Postgres) -> int:
    """Bytes of /dev/shm: in it the processes of one query exchange rows, and each query that finds no room fails."""
    return max(256 * MEGABYTE, store.resources.limits.memory // 4)


def postgres_settings(store: Postgres) -> Mapping[str, Setting]:
    """The server's settings; what the system file says of one is stronger than what follows."""
    follows: dict[str, Setting] = {
        "max_connections": store.connections,
        "superuser_reserved_connections": store.reserved,
        "password_encryption": "scram-sha-256",
    }
    if memory := store.resources.limits.memory:
        follows["shared_buffers"] = f"{max(128, memory // 4 // MEGABYTE)}MB"
    return follows | store.settings


def postgres_command(store: Postgres) -> tuple[str, ...]:
    """The primary's command."""
    settings = (f"{name}={word(value)}" for name, value in postgres_settings(store).items())
    return ("postgres", *(part for setting in settings for part in ("-c", setting)))


def redis_server(store: Redis) -> str:
    """`valkey` or `redis`: how the programs of its image are called."""
    return "valkey" if "valkey" in store.image.rpartition("/")[2] else "redis"


def redis_settings(store: Redis) -> Mapping[str, Setting]:
    """The server's settings without its password; what the system file says of one is stronger than what follows."""
    follows: dict[str, Setting] = {
        "port": store.port,
        "dir": REDIS_DATA,
        "appendonly": "no" if store.keeps == "cache" else "yes",
        "maxmemory-policy": "allkeys-lru" if store.keeps == "cache" else "noeviction",  # a queue loses nothing
        "protected-mode": "yes",
    }
    if memory := store.resources.limits.memory:
        follows["maxmemory"] = f"{memory * 3 // 4 // MEGABYTE}mb"  # the rest is for copies while it writes
    return follows | store.settings


def redis_configuration(store: Redis) -> str:
    """The server's configuration file, without its password."""
    lines = [f"{name} {redis_word(value)}" for name, value in redis_settings(store).items()]
    return "\n".join([f"# {store.name}: the password is added at the start", *lines]) + "\n"


def redis_script(store: Redis, configuration: str) -> str:
    """A shell script that becomes the server: `configuration` names its file, the password is in the secret's file."""
    complete, secret = f"{SCRATCH}/{redis_server(store)}.conf", f"{SECRETS}/{REDIS_SECRET}"
    return (
        f"{_there(secret)}umask 077; cp {configuration} {complete}; chmod u+w {complete}; "
        f"""printf 'requirepass "%s"\\nmasterauth "%s"\\n' "$(cat {secret})" "$(cat {secret})" >> {complete}; """
        f"exec {redis_server(store)}-server {complete}"
    )


def redis_question(store: Redis) -> str:
    """A shell script that succeeds if the server answers PING."""
    asked = f"{redis_server(store)}-cli -p {store.port} ping"
    return f'REDISCLI_AUTH="$(cat {SECRETS}/{REDIS_SECRET})" {asked} | grep -q PONG'


def postgres_question(store: Postgres) -> tuple[str, ...]:
    """A command that succeeds if the server takes connections."""
    return ("pg_isready", "--quiet", "-h", "127.0.0.1", "-p", str(store.port), "-U", store.user, "-d", store.database)


def pooler_configuration(pooler: Pooler, store: Postgres, host: str, listens: str = "*") -> str:
    """PgBouncer's configuration. Prepared statements live in the pooler, so that transactions can share connections."""
    return "\n".join(
        (
            "[databases]",
            f"{store.database} = host={host} port={store.port} dbname={store.database}",
            "",
            "[pgbouncer]",
            f"listen_addr = {listens}",
            f"listen_port = {pooler.port}",
            "auth_type = scram-sha-256",
            f"auth_file = {SCRATCH}/userlist.txt",
            "pool_mode = transaction",
            f"max_client_conn = {pooler.client_connections}",
            f"default_pool_size = {pooler.server_connections}",
            f"max_db_connections = {pooler.server_connections}",
            "max_prepared_statements = 200",
            "ignore_startup_parameters = extra_float_digits,jit",
            "server_idle_timeout = 600",
            "log_connections = 0",
            "log_disconnections = 0",
            "",
        )
    )


def pooler_script(store: Postgres, configuration: str, secrets: str = SECRETS) -> str:
    """A shell script that becomes PgBouncer; users and passwords stand in a file of its own memory."""
    secret = f"{secrets}/{POSTGRES_SECRET}"
    return (
        f"{_there(secret)}umask 077; "
        f"""printf '"%s" "%s"\\n' {store.user} "$(cat {secret})" > {SCRATCH}/userlist.txt; """
        f"exec pgbouncer {configuration}"
    )


def _there(file: str) -> str:
    """Before a server that would start with an empty password, and so without one."""
    return f'[ -s "{file}" ] || {{ echo "{file} is empty or missing" >&2; exit 1; }}; '


def word(value: Setting) -> str:
    """A setting as PostgreSQL writes it."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def redis_word(value: Setting) -> str:
    """A setting as Redis writes it."""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value) or '""'
