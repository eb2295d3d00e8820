"""The stores of an instance: those that the settings name, else PostgreSQL and Valkey of this machine's own."""

import pwd
import secrets
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from frontdesk.errors import BadSetting
from frontdesk.operate.ports import free_port, is_free
from frontdesk.operate.running.layout import HIGHEST
from frontdesk.operate.running.state import Instance
from frontdesk.operate.running.unit import Unit
from frontdesk.operate.scaled import CONNECTIONS, Postgres, Valkey, folder_of
from frontdesk.system.layout.stores import StoresOptions
from frontdesk.system.options import RedisOptions, StoreOptions
from frontdesk.system.system import System
from frontdesk.work.options import WorkOptions

POSTGRES, VALKEY = "postgres", "valkey"
SPARE = 15  # connections of the embedded PostgreSQL for itself and for commands
LEAST_POOL = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The servers to start, the variables that lead to all stores, and what each is, in words without passwords."""

    units: tuple[Unit, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    told: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked of the stores: by so many processes that use the database, and whether they need these at all."""

    postgres: bool
    broker: bool
    processes: int


def stores(system: System, wanted: Wanted, offset: int, logs: Path, others: Sequence[Instance] = ()) -> Stores:
    """The stores of a system, on the ports that it describes where these are free.

    Servers that another instance of this home (`others`) runs are shared. Raises `MissingExtra`, `BadSetting`.
    """
    system.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = [_database(system, wanted, offset, logs, others), _broker(system, wanted, offset, logs, others)]
    return Stores(
        units=tuple(unit for each in found for unit in each.units),
        variables={name: value for each in found for name, value in each.variables.items()},
        told={name: words for each in found for name, words in each.told.items()},
    )


def _database(system: System, wanted: Wanted, offset: int, logs: Path, others: Sequence[Instance]) -> Stores:
    options, described = system.section(StoreOptions), system.section(StoresOptions).postgres
    if options.address:
        kind = "SQLite, as set" if options.address.startswith("sqlite") else "PostgreSQL, as set"
        return Stores(told={"database": kind})
    if not wanted.postgres:
        return Stores(told={"database": f"SQLite in {system.home}"})
    if described is not None and described.managed:
        raise BadSetting(
            "The database of this environment is somebody else's, and its address is not set",
            where="DATABASE_URL",
            hint="Set DATABASE_URL, or run the system as it is in development: ENVIRONMENT=development.",
        )
    connections = max(CONNECTIONS, LEAST_POOL * wanted.processes + SPARE)
    running = _running(others, POSTGRES)
    server = Postgres(
        folder=folder_of(system.home) / POSTGRES,
        port=running or _port(described.port if described else 5432, offset),
        password=_password(system),
        connections=connections,
    )
    variables = {"DATABASE_URL": server.url, **_pools(options, connections, wanted.processes)}
    told = {"database": f"PostgreSQL on port {server.port}, data in {server.folder}"}
    if running:
        return Stores(variables=variables, told=told)
    server.prepare()
    user = server.user
    unit = Unit(
        name=POSTGRES,
        service=POSTGRES,
        role="store",
        stage=0,
        command=server.command,
        variables={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        log=logs / f"{POSTGRES}.log",
        addresses=(f"127.0.0.1:{server.port}",),
        answers=server.answers,
        end=signal.SIGINT,
        user=user,
        group=None if user is None else pwd.getpwuid(user).pw_gid,
        folder=server.folder,
    )
    return Stores(units=(unit,), variables=variables, told=told)


def _broker(system: System, wanted: Wanted, offset: int, logs: Path, others: Sequence[Instance]) -> Stores:
    described = system.section(StoresOptions).redis
    if system.section(RedisOptions).address:
        return Stores(told={"redis": "Redis, as set"})
    if system.section(WorkOptions).broker_url and not wanted.broker:
        return Stores(told={"redis": "none; the broker is as set"})
    if not wanted.broker:
        return Stores(told={"redis": "none: each process counts for itself"})
    if described is not None and described.managed:
        raise BadSetting(
            "The Redis of this environment is somebody else's, and its address is not set",
            where="REDIS_URL",
            hint="Set REDIS_URL, or run the system as it is in development: ENVIRONMENT=development.",
        )
    running = _running(others, VALKEY)
    server = Valkey(
        folder=folder_of(system.home) / VALKEY,
        port=running or _port(described.port if described else 6379, offset),
        password=_password(system),
    )
    variables, told = {"REDIS_URL": server.url}, {"redis": f"Valkey on port {server.port}, data in {server.folder}"}
    if running:
        return Stores(variables=variables, told=told)
    server.prepare()
    unit = Unit(
        name=VALKEY,
        service=VALKEY,
        role="store",
        stage=0,
        command=server.command,
        variables={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        log=logs / f"{VALKEY}.log",
        addresses=(f"127.0.0.1:{server.port}",),
        answers=server.answers,
    )
    return Stores(units=(unit,), variables=variables, told=told)


def _password(system: System) -> str:
    from frontdesk.gate.signing import kept_secret  # its imports take a while, and most instances need none of it

    return kept_secret("", system.home / "servers.key", make=partial(secrets.token_hex, 24)).decode()


def _port(described: int, offset: int) -> int:
    """The described port, or a free one where a program of somebody else's has it: nobody reaches a store by habit."""
    wanted = described + offset
    return wanted if wanted <= HIGHEST and is_free(wanted) else free_port()


def _running(others: Sequence[Instance], store: str) -> int | None:
    for other in others:
        for process in other.alive():
            if process.role == "store" and process.service == store:
                return int(process.addresses[0].rpartition(":")[2])
    return None


def _pools(options: StoreOptions, connections: int, processes: int) -> dict[str, str]:
    """Pool sizes with which all processes, and one that replaces another, fit the server."""
    each = max(LEAST_POOL, (connections - SPARE) // (processes + 1))
    pool = min(options.pool_size, max(2, each * 4 // 5))
    return {"DB_POOL_SIZE": str(pool), "DB_MAX_OVERFLOW": str(min(options.max_overflow, each - pool))}
