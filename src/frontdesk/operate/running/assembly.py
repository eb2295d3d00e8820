"""From a layout to the processes that are to run: their words, their variables, the sockets that they share."""

import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from frontdesk.errors import FrontdeskError, PortInUse
from frontdesk.gate.options import GateOptions
from frontdesk.operate.errors import PortMoved
from frontdesk.operate.ports import address_of, listen
from frontdesk.operate.running.layout import DESK_ROLES, WITHOUT_SECRETS, Layout, Local, clashes
from frontdesk.operate.running.unit import LISTENERS, PANEL, Unit
from frontdesk.system.load import together
from frontdesk.system.options import HttpOptions
from frontdesk.system.section import bindings
from frontdesk.system.system import System

OURS = (LISTENERS, PANEL, "FRONTDESK_SYSTEM", "FRONTDESK_HOME", "FRONTDESK_PORT_OFFSET")
METRICS = "metrics"
Key = tuple[str, str, int]  # a service, what it does at a port, and the port
LOOPBACK = "127.0.0.1/32,::1/128"


@dataclass(slots=True)
class Sockets:
    """Listening sockets by service and use. One that is held already is not taken anew, so that no call is lost."""

    host: str
    stack: ExitStack
    held: dict[Key, socket.socket] = field(default_factory=dict[Key, socket.socket])

    def take(self, layout: Layout) -> None:
        """Listen on every port of the layout. Raises all clashes together, and then holds none of the new ones.

        What another service still listens on is refused: both would take what arrives while one replaces the other. Of
        metrics a moment of that harms nobody, and their ports move by themselves when a service joins.
        """
        clashing = clashes(layout)
        hint = "Let each have a port of its own, below 65536."
        problems: list[FrontdeskError] = [PortInUse(words, where="services", hint=hint) for words in clashing.values()]
        before, taken = dict(self.held), list[Key]()
        for key in (key for service in layout.services for key in _wanted(service)):
            if key in self.held or key[2] in clashing:
                continue
            try:
                self.held[key] = _handed_on(key, before) or self.stack.enter_context(listen(self.host, key[2]))
                taken.append(key)
            except PortMoved as error:
                problems.append(error)
            except PortInUse as error:
                hint = "`--offset 100` adds 100 to every port; or stop the other program."
                problems.append(PortInUse(error.what, where=f"{key[0]}, {error.where}", hint=hint))
        if problems:
            self._drop(taken)
            raise together_of_ports(problems)

    def let_go(self, layout: Layout) -> None:
        """Listen no more on ports that the layout does not have: nobody would answer there."""
        wanted = {key for service in layout.services for key in _wanted(service)}
        self._drop([key for key in self.held if key not in wanted])

    def _drop(self, keys: Iterable[Key]) -> None:
        for listener in {self.held.pop(key) for key in keys} - set(self.held.values()):
            listener.close()

    def of(self, service: Local, number: int) -> dict[str, Sequence[socket.socket]]:
        """Those that a service's process with this number is handed."""
        found: dict[str, Sequence[socket.socket]] = {
            "desk": [self.held[service.key, f"desk {place}", port] for place, port in enumerate(service.ports)]
        }
        metrics = service.metrics_port_of(number)
        if metrics is not None:
            found["metrics"] = [self.held[service.key, f"{METRICS} {number}", metrics]]
        if service.example_port is not None and number == 0:
            found["example"] = [self.held[service.key, "example", service.example_port]]
        return found


def together_of_ports(problems: list[FrontdeskError]) -> FrontdeskError:
    """One error for several ports that are taken."""
    if len(problems) == 1:
        return together(tuple(problems))
    error = PortInUse(f"{len(problems)} ports are not free")
    error.problems = tuple(problems)
    return error


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What all processes of an instance share. `words` begin their commands, `settings` are the release's variables.

    `stores` are variables that lead to the stores, with passwords: only for the desk's own processes.
    """

    system: System
    words: tuple[str, ...]
    settings: Mapping[str, str]
    stores: Mapping[str, str]
    logs: Path
    release: int | None = None


def units(layout: Layout, circumstances: Circumstances, sockets: Sockets) -> tuple[Unit, ...]:
    """A unit for each process, in the order of starting. The first of the desk's own processes greets."""
    greeter = next((service.key for service in layout.services if service.role in ("all", "web")), None)
    believes_pages = any(service.role == "frontend" for service in layout.services)
    made: list[Unit] = []
    for service in layout.services:
        variables = _variables(service, circumstances, believes_pages=believes_pages)
        for number in range(service.replicas):
            listeners = sockets.of(service, number)
            made.append(
                Unit(
                    name=service.key if number == 0 else f"{service.key}-{number + 1}",
                    service=service.key,
                    role=service.role,
                    stage=service.stage,
                    command=(*circumstances.words, *service.words),
                    variables=variables,
                    log=circumstances.logs / f"{service.key}.log",
                    listeners=listeners,
                    addresses=tuple(address_of(each) for each in listeners["desk"]),
                    grace=service.grace,
                    greets=service.key == greeter and number == 0,
                    release=circumstances.release,
                )
            )
    return tuple(made)


def secret_variables(system: System) -> frozenset[str]:
    """The variables that hold secrets, or name files that do."""
    names = {
        binding.env.name
        for name, section in system.sections.items()
        for binding in bindings((name,), type(section))
        if binding.env.secret
    }
    names |= {secret.variable for section in system.sections.values() for secret in section.named_secrets()}
    return frozenset(names | {f"{name}_FILE" for name in names})


def _handed_on(key: Key, held: Mapping[Key, socket.socket]) -> socket.socket | None:
    """The socket of the service that has the port until now. Raises `PortMoved` unless both tell metrics there."""
    service, use, port = key
    for (holder, former, other), listener in held.items():
        if other == port != 0:
            if use.startswith(METRICS) and former.startswith(METRICS):
                return listener
            raise PortMoved(f"Port {port} would go from {holder} to {service}", where=f"services.{service}")
    return None


def _wanted(service: Local) -> list[Key]:
    found = [(service.key, f"desk {place}", port) for place, port in enumerate(service.ports)]
    for number in range(service.replicas):
        port = service.metrics_port_of(number)
        if port is not None:
            found.append((service.key, f"{METRICS} {number}", port))
    if service.example_port is not None:
        found.append((service.key, "example", service.example_port))
    return found


def _variables(service: Local, circumstances: Circumstances, *, believes_pages: bool) -> dict[str, str]:
    """What a process finds in its environment. Pages and tools get no secret but those that are described as theirs."""
    own = {name: value for name, value in os.environ.items() if name not in OURS}
    found = {**service.variables, **own, **circumstances.settings}
    if service.role in DESK_ROLES:
        if believes_pages and not circumstances.system.section(GateOptions).trusted_proxies:
            found["TRUSTED_PROXIES"] = LOOPBACK  # the service of the pages hands calls on from here
        return {**found, **circumstances.stores}
    if service.role in WITHOUT_SECRETS:
        hidden = secret_variables(circumstances.system) - set(service.secrets)
        found = {name: value for name, value in found.items() if name not in hidden}
    return found


def host_of(system: System) -> str:
    """Where the instance listens."""
    return system.section(HttpOptions).host
