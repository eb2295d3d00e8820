"""Which services of a system run on this machine, in which order, on which ports, and with which words.

A system file that describes no services gets those of a desk in several processes: web and workers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from frontdesk.errors import BadSetting, BadSystemFile, FrontdeskError
from frontdesk.operate.errors import RoleNotBuilt, UnknownService
from frontdesk.system.layout.plan import Plan, Running
from frontdesk.system.layout.proofs.references import unknown
from frontdesk.system.layout.services import ROLES, Service, ServicesOptions
from frontdesk.system.layout.stores import StoresOptions
from frontdesk.system.load import near, together
from frontdesk.system.options import HttpOptions, TelemetryOptions
from frontdesk.system.system import System

DeskRole = Literal["all", "web", "worker"]
DESK_ROLES = ("all", "web", "worker")  # those that use the database
WITHOUT_SECRETS = ("frontend", "tools")
HIGHEST = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """A service as it runs here. `words` follow `frontdesk up`; `grace` is in seconds.

    `ports` are shared by all its processes; the first is where people and other services reach it. Of `metrics_port`
    each process has its own: the next ones take the ports after it.
    """

    key: str
    role: str
    stage: int
    words: tuple[str, ...]
    replicas: int = 1
    ports: tuple[int, ...] = ()
    example_port: int | None = None
    metrics_port: int | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    grace: float = 75.0

    def metrics_port_of(self, number: int) -> int | None:
        """Of the process with this number, from 0; port 0 takes any."""
        return None if self.metrics_port is None else self.metrics_port and self.metrics_port + number


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What is to run. `missing` says of each service that is not, why."""

    services: tuple[Local, ...]
    wants_postgres: bool
    wants_broker: bool
    missing: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def desk_processes(self) -> int:
        """How many processes use the database."""
        return sum(service.replicas for service in self.services if service.role in DESK_ROLES)

    @property
    def entry(self) -> Local | None:
        """Where people come in: the pages if they are a service of their own, else the desk."""
        for roles in (("frontend",), ("all", "web")):
            for service in self.services:
                if service.role in roles and service.ports:
                    return service
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a person wants the described services to run here.

    `replicas` is how many processes of each service, by its name or `*`; `host` the one whose services run.
    """

    offset: int = 0
    replicas: Mapping[str, int] = field(default_factory=dict[str, int])
    host: str | None = None
    skip_unbuilt: bool = False


def service_of(system: System, key: str) -> Service:
    """The described service. Raises `UnknownService`, `RoleNotBuilt` for one that cannot run yet, and `BadSetting` for
    one of production whose database is somebody else's and is told by no variable: it would begin an empty one."""
    services = system.section(ServicesOptions).by_name
    if key not in services:
        known = f"There are: {', '.join(services)}." if services else "It describes none."
        raise UnknownService(
            f"The system file describes no service `{key}`",
            where=str(system.file or "services"),
            hint=near(key, services) or known,
        )
    if not services[key].built:
        raise _not_built(key, services[key])
    if system.environment == "production" and _lacks_database(system, services[key]):
        hint = "Set DATABASE_URL, or DATABASE_URL_FILE to a file that holds it."
        raise BadSetting(f"`{key}` needs the database, and nothing tells where it is", where="DATABASE_URL", hint=hint)
    return services[key]


def _lacks_database(system: System, service: Service) -> bool:
    """Whether it needs one that is somebody else's and that no variable tells."""
    postgres = system.section(StoresOptions).postgres
    if postgres is None or not postgres.managed or "postgres" not in (*service.needs, *service.calls):
        return False
    return not (system.variable("DATABASE_URL") or system.variable("DB_HOST"))


def described(system: System, wish: Wish) -> Layout:
    """The services of the system file. Raises `BadSystemFile`, `UnknownService`, `RoleNotBuilt` (of all together)."""
    plan = Plan(system)
    if plan.circle:
        raise BadSystemFile(f"Services need each other in a circle: {' → '.join(plan.circle)}", where="services")
    given = tuple(StoresOptions.model_fields)  # one that is not described is told by a variable, or begun here
    wrong = tuple(found.problem for running in plan.services for found in unknown(plan, running, given))
    if wrong:
        raise together(wrong)
    _check_names(plan, wish)
    offsets = {running.key: wish.offset + _offset_of(plan, running, wish.host) for running in plan.services}
    plan = Plan(
        system,
        {
            running.key: f"http://127.0.0.1:{running.service.port + offsets[running.key]}"
            for running in plan.services
            if running.service.port
        },
    )
    chosen, missing = _chosen(plan, wish)
    services = _apart([_local(running, offsets[running.key], wish) for running in chosen])
    roles = {service.role for service in services}
    wanted = {need for running in chosen for need in (*running.service.needs, *running.service.calls)}
    return Layout(
        services=services,
        wants_postgres="postgres" in wanted,
        wants_broker="redis" in wanted or bool(roles & {"web", "worker"}),
        missing=missing,
    )


def plain(
    system: System,
    counts: Mapping[DeskRole, int],
    queues: Sequence[str],
    *,
    offset: int = 0,
    wants_servers: bool = True,
) -> Layout:
    """So many processes of each role, without any description: those of one role share the desk's port."""
    http, telemetry = system.section(HttpOptions), system.section(TelemetryOptions)
    face = [http.port] if http.frontend_port is None else [http.port, http.frontend_port]
    order: tuple[DeskRole, ...] = ("worker", "web", "all")  # workers begin before those that hand work to them
    services: list[Local] = []
    before = 0
    for role in order:
        if role not in counts:
            continue
        words = ("--role", role, "--queues", ",".join(queues)) if role == "worker" else ("--role", role)
        first = telemetry.metrics_port if telemetry.metrics else None
        services.append(
            Local(
                key="desk" if role == "all" else role,
                role=role,
                stage=1 if role == "worker" or "worker" not in counts else 2,
                words=words,
                replicas=counts[role],
                ports=() if role == "worker" else tuple(port and port + offset for port in face),
                example_port=None
                if role == "worker" or http.example_tools_port is None
                else http.example_tools_port + offset,
                metrics_port=None if first is None else first and first + offset + before,
                grace=http.drain_seconds + 15.0,
            )
        )
        before += counts[role]
    mixed = wants_servers
    return Layout(services=tuple(services), wants_postgres=mixed, wants_broker=mixed)


def clashes(layout: Layout) -> dict[int, str]:
    """Ports that two services would take, or that do not exist, in words."""
    owners: dict[int, list[str]] = {}
    for service in layout.services:
        own = [*service.ports, *([service.example_port] if service.example_port is not None else [])]
        own += [port for number in range(service.replicas) if (port := service.metrics_port_of(number)) is not None]
        for port in own:
            if port:
                owners.setdefault(port, []).append(service.key)
    told = {port: f"Port {port} is wanted by {' and '.join(names)}" for port, names in owners.items() if len(names) > 1}
    return told | {port: f"There is no port {port}: {names[0]}" for port, names in owners.items() if port > HIGHEST}


def _check_names(plan: Plan, wish: Wish) -> None:
    known = [running.key for running in plan.services]
    for name in wish.replicas:
        if name != "*" and name not in known:
            raise UnknownService(
                f"The system file describes no service `{name}`", where="--replicas", hint=near(name, known)
            )
    if wish.host is not None and wish.host not in plan.hosts:
        hint = near(wish.host, plan.hosts) or f"There are: {', '.join(plan.hosts) or 'none'}."
        raise UnknownService(f"The system file describes no host `{wish.host}`", where="--on", hint=hint)


def _offset_of(plan: Plan, running: Running, host: str | None) -> int:
    """What its host adds to its ports, where one machine plays several."""
    on = host if host in running.service.host else next(iter(running.service.host), None)
    return plan.hosts[on].port_offset if on is not None and on in plan.hosts else 0


def _chosen(plan: Plan, wish: Wish) -> tuple[list[Running], dict[str, str]]:
    """The services of this host that can run, and why others do not."""
    first = next(iter(plan.hosts), None)
    here = [
        running for running in plan.services if wish.host is None or wish.host in (running.service.host or (first,))
    ]
    unbuilt = [running for running in here if not running.service.built]
    if unbuilt and not wish.skip_unbuilt:
        problems: tuple[FrontdeskError, ...] = tuple(_not_built(each.key, each.service) for each in unbuilt)
        raise _all_not_built(problems)
    missing = {each.key: f"the role {each.service.role} is not built yet" for each in unbuilt}
    elsewhere = {running.key for running in plan.services} - {running.key for running in here}
    chosen: list[Running] = []
    for running in sorted(here, key=lambda each: each.stage):
        lost = [need for need in running.service.needs if need in missing and need not in elsewhere]
        if running.key not in missing and lost:
            missing[running.key] = f"it needs {' and '.join(lost)}"
        elif running.key not in missing and running.service.least > 0:
            chosen.append(running)
    if not chosen:
        raise RoleNotBuilt("Nothing of this system can run yet", where=str(plan.system.file or "services"), hint="")
    return chosen, missing


def _local(running: Running, offset: int, wish: Wish) -> Local:
    service = running.service
    kept = {"MCP_DISCOVERY_URLS", "ORCHESTRATOR_URL", *service.variables}
    replicas = wish.replicas.get(running.key, wish.replicas.get("*", 1))
    return Local(
        key=running.key,
        role=service.role,
        stage=running.stage + 1,
        words=("--service", running.key),
        replicas=replicas,
        ports=(service.port + offset,) if service.port and service.role != "worker" else (),
        metrics_port=service.metrics_port + offset if service.metrics_port else None,
        variables={name: value for name, value in running.variables.items() if name in kept and value},
        secrets=running.secrets,
        needs=tuple(need for need in service.needs),
        grace=float(service.stopping.grace),
    )


def _apart(services: Sequence[Local]) -> tuple[Local, ...]:
    """Each process gets a metrics port of its own: containers may all have the same; here later ones take others."""
    taken = {port for service in services for port in service.ports}
    found: list[Local] = []
    for service in services:
        first = service.metrics_port
        if first is not None:
            while taken & set(range(first, first + service.replicas)):
                first += 1
            taken |= set(range(first, first + service.replicas))
        found.append(replace(service, metrics_port=first))
    return tuple(found)


def _not_built(key: str, service: Service) -> RoleNotBuilt:
    return RoleNotBuilt(
        f"The service `{key}` has the role {service.role} ({ROLES[service.role]}), which cannot be run yet",
        where=f"services.{key}",
    )


def _all_not_built(problems: tuple[FrontdeskError, ...]) -> FrontdeskError:
    if len(problems) == 1:
        return together(problems)
    error = RoleNotBuilt(f"{len(problems)} services have roles that cannot be run yet")
    error.problems = problems
    return error
