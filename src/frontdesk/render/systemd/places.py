"""Which service runs on which bare host, and under which address the others find it there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from frontdesk.system.layout.plan import MONITORING, Plan, Running
from frontdesk.system.layout.stores import Postgres

HERE = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 — of a host whose neighbours must reach the service


@dataclass(frozen=True, slots=True)
class Machine:
    """A bare host: its name (empty for the only one), its services, and the stores on it."""

    name: str
    services: tuple[Running, ...]
    stores: tuple[str, ...]
    addresses: Mapping[str, str]  # `name:port` as the plan says → as it is from this host


def machines(plan: Plan) -> tuple[Machine, ...]:
    """The hosts with addresses of their own, or the one that holds everything."""
    bare = [name for name, host in plan.hosts.items() if host.address]
    if len(bare) < 2:
        return (_machine(plan, ""),)
    return tuple(_machine(plan, name) for name in bare)


def place_of(plan: Plan, key: str) -> str:
    """The host of a service or store; empty when there is only one."""
    bare = [name for name, host in plan.hosts.items() if host.address]
    if len(bare) < 2:
        return ""
    wanted = plan.stores[key].host if key in plan.stores else plan.service(key).service.host
    return next((name for name in wanted if name in bare), bare[0])


def listening(plan: Plan, machine: Machine, running: Running) -> str:
    """The address that it listens on: this host alone, unless somebody beyond it calls."""
    if not machine.name:
        return HERE
    callers = {edge.source for edge in plan.edges if edge.target == running.key}
    own = {each.key for each in machine.services}
    return HERE if callers - {MONITORING} <= own and not running.service.metrics_port else EVERYWHERE


def from_here(machine: Machine, value: str) -> str:
    """A variable's value with the addresses that hold on this host."""
    for said, real in machine.addresses.items():
        value = re.sub(rf"(?<![\w.-]){re.escape(said)}(?![\w.-])", real, value)
    return value


def _machine(plan: Plan, name: str) -> Machine:
    own = tuple(running for running in plan.services if not name or place_of(plan, running.key) == name)
    stores = tuple(key for key, store in plan.stores.items() if not store.managed and place_of(plan, key) == name)
    return Machine(name, own, stores, _addresses(plan, name))


def _addresses(plan: Plan, name: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for running in plan.services:
        if running.service.port:
            real = f"{_address(plan, running.key, name)}:{running.service.port}"
            found[f"{running.host_name}:{running.service_port}"] = real
    for key, store in plan.stores.items():
        if not store.managed:
            address = _address(plan, key, name)
            pooler = store.pooler if isinstance(store, Postgres) else None
            found |= {f"{store.name}:{store.port}": f"{address}:{store.port}", store.name: address}
            found |= {pooler.name: address} if pooler else {}
    return found


def _address(plan: Plan, key: str, seen_from: str) -> str:
    place = place_of(plan, key)
    return HERE if place == seen_from else plan.hosts[place].address
