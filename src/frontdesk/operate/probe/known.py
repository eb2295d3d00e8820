"""What a system file names that can be probed: the desk itself, its stores, and those whom it asks."""

from collections.abc import Iterator
from pathlib import Path

from frontdesk.errors import NotFound, Usage
from frontdesk.models.options import ANTHROPIC_URL, OPENAI_URL, ModelsOptions
from frontdesk.operate.ports import address_at
from frontdesk.operate.probe.target import Target, target
from frontdesk.operate.running.layout import DESK_ROLES
from frontdesk.operate.running.single import singles
from frontdesk.operate.running.state import instances
from frontdesk.system.layout.plan import Plan
from frontdesk.system.options import HttpOptions, RedisOptions, TelemetryOptions
from frontdesk.system.system import System
from frontdesk.tools.options import ToolsOptions
from frontdesk.work.options import WorkOptions

VENDORS = (OPENAI_URL, ANTHROPIC_URL)  # whom a probe every few seconds would only annoy


def targets(system: System) -> list[Target]:
    """Everything that the system file names. Tool servers and the models' own servers may be away."""
    return [*own(system), *_processes(system), *stores(system), *_others(system)]


def own(system: System) -> Iterator[Target]:
    """The desk's addresses on this machine; what runs as processes of its own has one that counts."""
    yield target(f"{address_of_desk(system)}/ready", name="desk")
    if any(instance.address for instance in instances(system.home)):
        return
    http, telemetry = system.section(HttpOptions), system.section(TelemetryOptions)
    if http.frontend_port:
        yield target(f"{address_at(http.host, http.frontend_port)}/health", name="pages")
    if telemetry.metrics and telemetry.metrics_port:
        yield target(f"{address_at(http.host, telemetry.metrics_port)}/health", name="metrics")


def address_of_desk(system: System) -> str:
    """Where the desk answers on this machine: as whatever runs here tells, or else by the system file."""
    told = [instance.address for instance in instances(system.home) if instance.address]
    told += [single.addresses[0] for single in singles(system.home) if single.role in DESK_ROLES]
    http = system.section(HttpOptions)
    return told[0] if told else address_at(http.host, http.port)


def _processes(system: System) -> Iterator[Target]:
    for instance in instances(system.home):
        for process in instance.processes:
            if process.own_port is not None:
                yield target(f"http://127.0.0.1:{process.own_port}/ready", name=process.name)


def stores(system: System) -> Iterator[Target]:
    """The database, Redis and the broker."""
    database = target(system.database_url, name="database")
    if database.kind != "sqlite" or Path(database.path).exists() or not list(instances(system.home)):
        yield database  # else those that run brought one along, and say themselves whether it answers
    cache = system.section(RedisOptions).address
    if cache.startswith(("redis:", "rediss:")):
        yield target(cache, name="redis")
    broker = system.section(WorkOptions).broker_url
    if broker and broker != cache:
        yield _broker(broker)


def _broker(url: str) -> Target:
    if url.startswith(("redis:", "rediss:")):
        return target(url, name="broker")
    place = url.rpartition("@")[2].partition("://")[2] or url.rpartition("@")[2]
    host, _, port = place.partition("/")[0].partition(":")
    return target(f"tcp://{host}:{port or 5672}", name="broker")  # AMQP: that it listens says enough


def neighbours(system: System, service: str) -> list[Target]:
    """Whom a service of the description needs and calls, by the names that it knows them by. Raises `NotFound`.

    Addresses beyond the system may be away; of a whole domain (`*.example.com`) none is known.
    """
    plan = Plan(system)
    keys = {each.key: each for each in plan.services}
    if service not in keys:
        hint = f"There are: {', '.join(keys) or 'none'}."
        raise NotFound(f"The system file describes no service {service!r}", where="services", hint=hint)
    found: list[Target] = []
    for edge in plan.edges:
        if edge.source != service:
            continue
        if edge.target in keys:
            found.append(target(f"http://{keys[edge.target].host_name}:{edge.port}/health", name=edge.target))
        elif edge.target in plan.stores:
            store = plan.stores[edge.target]
            pooler = getattr(store, "pooler", None)
            if not store.managed:
                found.append(target(f"tcp://{pooler.name if pooler else store.name}:{edge.port}", name=edge.target))
        elif edge.target in plan.outside:
            hosts = [host for host in plan.outside[edge.target].hosts if "*" not in host]
            found += [target(f"tcp://{host}:{edge.port}", name=edge.target, needed=False) for host in hosts]
    return found


def _others(system: System) -> Iterator[Target]:
    for number, address in enumerate(system.section(ToolsOptions).discovery_urls, start=1):
        yield from _listening(address, f"tools {number}")
    for model in system.section(ModelsOptions).every():
        if model.base_url and model.base_url not in VENDORS:
            yield from _listening(model.base_url, f"model {model.name}")


def _listening(address: str, name: str) -> Iterator[Target]:
    """Whether somebody listens there: what they answer to a bare GET says nothing about them."""
    try:
        place = target(address).place
    except Usage:  # `frontdesk check` says what is wrong with it
        return
    yield target(f"tcp://{place}", name=name, needed=False)
