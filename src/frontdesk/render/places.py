"""Which service runs on which bare host, and under which address the others find it there."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from frontdesk.system.layout.plan import Plan, Running
from frontdesk.system.layout.stores import Postgres

HERE = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 — of a host whose neighbours must reach the service


@dataclass(frozen=True, slots=True)
class Machine:
    """A bare host: its name (empty for the only one), its services as they run there, and the stores on it."""

    name: str
    services: tuple[Running, ...]
    stores: tuple[str, ...]
    addresses: Mapping[str, str]  # `name:port`, and names of stores, as the plan says → as it is from this host


def machines(plan: Plan) -> tuple[Machine, ...]:
    """The hosts with addresses of their own, or the one that holds everything."""
    bare = [name for name, host in plan.hosts.items() if host.address]
    if len(bare) < 2:
        return (_machine(plan, ""),)
    return tuple(_machine(plan, name) for name in bare)


def machine_names(plan: Plan) -> tuple[str, ...]:
    """What the machines are called that are watched: hosts with addresses of their own, else the only one."""
    bare = tuple(name for name, host in plan.hosts.items() if host.address)
    return bare or (tuple(plan.hosts) if len(plan.hosts) == 1 else ())


def place_of(plan: Plan, key: str) -> str:
    """The host of a service or store; empty when there is only one."""
    bare = [name for name, host in plan.hosts.items() if host.address]
    if len(bare) < 2:
        return ""
    wanted = plan.stores[key].host if key in plan.stores else plan.service(key).service.host
    return next((name for name in wanted if name in bare), bare[0])


def listening(plan: Plan, machine: Machine, running: Running) -> str:
    """The address that it listens on: this host alone, unless somebody beyond it calls. Prometheus stands on one host
    and asks all of them."""
    if not machine.name:
        return HERE
    callers = {edge.source for edge in plan.edges if edge.target == running.key}
    return HERE if callers <= {each.key for each in machine.services} else EVERYWHERE


def address_of(plan: Plan, key: str, seen_from: str) -> str:
    """Where a service or store is reached from a host."""
    place = place_of(plan, key)
    return HERE if place == seen_from else plan.hosts[place].address


def from_here(machine: Machine, variable: str, value: str) -> str:
    """A variable's value with the addresses that hold on this host. A bare name is an address in `…_HOST` alone:
    elsewhere it may be a user's, or a scheme."""
    if variable.endswith("_HOST"):
        return machine.addresses.get(value, value)
    for said, real in machine.addresses.items():
        if ":" in said:
            value = re.sub(rf"(?<![\w.-]){re.escape(said)}(?![\w.-])", real, value)
    return value


def _machine(plan: Plan, name: str) -> Machine:
    own = tuple(_side_by_side(each for each in plan.services if not name or place_of(plan, each.key) == name))
    stores = tuple(key for key, store in plan.stores.items() if not store.managed and place_of(plan, key) == name)
    return Machine(name, own, stores, _addresses(plan, name))


def _side_by_side(services: Iterable[Running]) -> Iterator[Running]:
    """The same services, each with a port for metrics of its own on one host: where it is taken, the next free one."""
    found = tuple(services)
    taken = {running.service.port for running in found}
    for running in found:
        port = running.service.metrics_port
        while port and port in taken:
            port += 1
        taken.add(port)
        yield replace(running, service=running.service.model_copy(update={"metrics_port": port}))


def _addresses(plan: Plan, name: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for running in plan.services:
        if running.service.port:
            real = f"{address_of(plan, running.key, name)}:{running.service.port}"
            found[f"{running.host_name}:{running.service_port}"] = real
    for key, store in plan.stores.items():
        if not store.managed:
            address = address_of(plan, key, name)
            pooler = store.pooler if isinstance(store, Postgres) else None
            found |= {f"{store.name}:{store.port}": f"{address}:{store.port}", store.name: address}
            found |= {pooler.name: address} if pooler else {}
    return found
