"""What follows from a description: for each service its image, command, variables, secrets, neighbours and place in the
order of starting. Everything that renders or runs a system reads this, so that all of them agree.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from pydantic import SecretStr

from frontdesk import __version__
from frontdesk.system.home import CONTAINER_HOME
from frontdesk.system.layout.dashboards import DashboardsOptions
from frontdesk.system.layout.deployment import DeploymentOptions
from frontdesk.system.layout.edge import EdgeOptions, Outside, OutsideOptions
from frontdesk.system.layout.hosts import Host, HostsOptions
from frontdesk.system.layout.objectives import ObjectivesOptions
from frontdesk.system.layout.services import Service, ServicesOptions
from frontdesk.system.layout.stores import Postgres, Redis, StoresOptions
from frontdesk.system.section import Binding, bindings
from frontdesk.system.system import System

CONFIGURATION = "/app/config"  # where the system file is mounted
SECRETS = "/run/secrets"  # where a secret's file is mounted, by its variable's name
USER = 1000
EDGE, MONITORING = "edge", "monitoring"  # callers from elsewhere
OF_ONE_SERVICE = ("desk.environment", "telemetry.metrics_port", "gate.public_url")  # differ from service to service


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A service, and what follows for it. `host_name` is how others reach it within the system."""

    key: str
    service: Service
    name: str
    host_name: str
    image: str
    command: tuple[str, ...]
    variables: Mapping[str, str]
    secrets: tuple[str, ...]
    stage: int

    @property
    def service_port(self) -> int | None:
        """The port under which others reach it."""
        return self.service.service_port or self.service.port


@dataclass(frozen=True, slots=True)
class Edge:
    """One allowed way through the network: who may reach whom on which port.

    `source` and `target` are keys of services, stores, outside addresses, or `edge`, `monitoring`, `role=api-gateway`.
    """

    source: str
    target: str
    port: int


@dataclass(frozen=True)
class Plan:
    """A system ready to be rendered or run. `addresses` says where services are that are not reached by their names."""

    system: System
    addresses: Mapping[str, str] = field(default_factory=dict[str, str])

    @cached_property
    def deployment(self) -> DeploymentOptions:
        """Names, images and bounds."""
        return self.system.section(DeploymentOptions)

    @cached_property
    def edge(self) -> EdgeOptions:
        """The way in."""
        return self.system.section(EdgeOptions)

    @cached_property
    def stores(self) -> Mapping[str, Postgres | Redis]:
        """The stores by the names that services know."""
        return self.system.section(StoresOptions).by_name()

    @cached_property
    def outside(self) -> Mapping[str, Outside]:
        """Addresses beyond the system."""
        return self.system.section(OutsideOptions).by_name

    @cached_property
    def hosts(self) -> Mapping[str, Host]:
        """Machines or kinds of nodes."""
        return self.system.section(HostsOptions).by_name

    @cached_property
    def objectives(self) -> ObjectivesOptions:
        """What is promised month by month."""
        return self.system.section(ObjectivesOptions)

    @cached_property
    def dashboards(self) -> DashboardsOptions:
        """What operators look at."""
        return self.system.section(DashboardsOptions)

    @property
    def name(self) -> str:
        """Of the whole: chart, labels, project."""
        return self.deployment.name

    @property
    def project(self) -> str:
        """Its name where `-` is no letter: of Compose's containers, network and volumes."""
        return self.name.replace("-", "_")

    @property
    def environment(self) -> str:
        """`development`, `staging` or `production`."""
        return self.system.environment

    @cached_property
    def release(self) -> str:
        """The tag of the images."""
        return self.deployment.images.tag or __version__

    @cached_property
    def config_name(self) -> str:
        """The config map of variables."""
        return self.deployment.config_name or f"{self.name}-config"

    @cached_property
    def settings_name(self) -> str:
        """The config map of the system file."""
        return self.deployment.settings_name or f"{self.config_name}-system"

    @cached_property
    def secret_name(self) -> str:
        """The secret."""
        return self.deployment.secret_name or f"{self.name}-secrets"

    @cached_property
    def tls_secret(self) -> str:
        """Where the edge's certificate is kept."""
        return self.edge.tls_secret or f"{self.name}-tls"

    @cached_property
    def system_file(self) -> str:
        """The text of the system file, as each service reads it; empty without one."""
        return self.system.file.read_text(encoding="utf-8") if self.system.file else ""

    @cached_property
    def services(self) -> tuple[Running, ...]:
        """Every service, in the order of the file."""
        declared = self.system.section(ServicesOptions).by_name
        stage_of = {key: number for number, keys in enumerate(self.stages) for key in keys}
        return tuple(self._running(key, service, stage_of.get(key, 0)) for key, service in declared.items())

    def service(self, key: str) -> Running:
        """The service called `key` in the file. Raises `KeyError`."""
        return next(running for running in self.services if running.key == key)

    @cached_property
    def stages(self) -> tuple[tuple[str, ...], ...]:
        """Keys of services in the order of starting: each stage begins when the one before is ready.

        A circle is left out of it (`check` names it); stores come before all of them.
        """
        declared = self.system.section(ServicesOptions).by_name
        sorter = TopologicalSorter(
            {key: [each for each in _before(service) if each in declared] for key, service in declared.items()}
        )
        try:
            sorter.prepare()
        except CycleError:
            return (tuple(declared),)
        stages: list[tuple[str, ...]] = []
        while sorter.is_active():
            ready = set(sorter.get_ready())
            stages.append(tuple(key for key in declared if key in ready))
            sorter.done(*ready)
        return tuple(stages)

    @cached_property
    def circle(self) -> tuple[str, ...]:
        """Services that need each other in a circle; empty when there is none."""
        declared = self.system.section(ServicesOptions).by_name
        return circle_of({key: _before(service) for key, service in declared.items()})

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """Every allowed way through the network, once."""
        found: dict[Edge, None] = {}
        for running in self.services:
            for target in (*running.service.needs, *running.service.calls):
                for port in self._ports(target):
                    found[Edge(running.key, target, port)] = None
            for caller in running.service.called_by:
                for port in self._offered(running.service, caller):
                    found[Edge(caller, running.key, port)] = None
        for public in self.edge.hosts:
            target = next((each for each in self.services if each.key == public.service), None)
            if target is not None and target.service.port:
                found[Edge(EDGE, target.key, target.service.port)] = None
        return tuple(found)

    @cached_property
    def secrets(self) -> Mapping[str, Binding | None]:
        """Every secret's variable that some service gets, with the setting that it fills (None: named by the file)."""
        known = _secret_bindings(self.system)
        wanted = dict.fromkeys(name for running in self.services for name in running.secrets)
        return {name: known.get(name) for name in wanted}

    def image_of(self, name: str) -> str:
        """The full name of an image of ours, by digest where one is known."""
        images = self.deployment.images
        where = f"{images.registry}/{name}" if images.registry else f"{self.name}/{name}"
        return f"{where}@{images.digests[name]}" if name in images.digests else f"{where}:{self.release}"

    def _running(self, key: str, service: Service, stage: int) -> Running:
        name = key.replace("_", "-")
        return Running(
            key=key,
            service=service,
            name=name,
            host_name=service.names[0] if service.names else name,
            image=self.image_of(service.image or name),
            command=("frontdesk", "up", "--service", key),
            variables={**self._variables_of(service), **service.variables},
            secrets=self._secrets_of(service),
            stage=stage,
        )

    def _variables_of(self, service: Service) -> dict[str, str]:
        """Where it finds its neighbours and itself; what the file says of the desk stands in the config map."""
        found = {
            "ENVIRONMENT": self.environment,
            "FRONTDESK_SYSTEM": f"{CONFIGURATION}/system.yaml",
            "FRONTDESK_HOME": CONTAINER_HOME,
            "HOST": "0.0.0.0",  # noqa: S104 — within its container
        }
        reached = {*service.needs, *service.calls}
        tools = [self._address(key) for key in reached if self._role(key) == "tools"]
        if tools:
            found["MCP_DISCOVERY_URLS"] = ",".join(sorted(tools))
        if service.role == "frontend":
            behind = [self._address(key) for key in service.calls if self._role(key) in ("all", "web")]
            found["ORCHESTRATOR_URL"] = behind[0] if behind else ""
        if (telemetry := self.outside.get("telemetry")) and "telemetry" in reached:
            found["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://{telemetry.hosts[0]}:{telemetry.port}"
        return found | self._addresses_of_stores(reached)

    def _addresses_of_stores(self, reached: Iterable[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        postgres, redis = self.stores.get("postgres"), self.stores.get("redis")
        if isinstance(postgres, Postgres) and not postgres.managed and "postgres" in reached:
            server = postgres.pooler or postgres
            found |= {
                "DB_HOST": server.name,
                "DB_PORT": str(server.port),
                "DB_NAME": postgres.database,
                "DB_USER": postgres.user,
            }
        if isinstance(redis, Redis) and not redis.managed and "redis" in reached:
            found["REDIS_URL"] = f"redis://{redis.name}:{redis.port}/0"
        return found

    def _secrets_of(self, service: Service) -> tuple[str, ...]:
        needed = () if service.role in ("frontend", "tools") else required_secrets(self.system, self.stores)
        return tuple(dict.fromkeys((*(name for name in needed if self._wanted(name, service)), *service.secrets)))

    def _wanted(self, name: str, service: Service) -> bool:
        reached = {*service.needs, *service.calls}
        store = {"DATABASE_URL": "postgres", "POSTGRES_PASSWORD": "postgres", "REDIS_URL": "redis"}.get(name)
        store = "redis" if name == "REDIS_PASSWORD" else store
        return store is None or store in reached

    def _role(self, key: str) -> str:
        declared = self.system.section(ServicesOptions).by_name
        return declared[key].role if key in declared else ""

    def _address(self, key: str) -> str:
        if key in self.addresses:
            return self.addresses[key]
        service = self.system.section(ServicesOptions).by_name[key]
        name = service.names[0] if service.names else key.replace("_", "-")
        return f"http://{name}:{service.service_port or service.port}"

    def _ports(self, target: str) -> tuple[int, ...]:
        if target in self.stores:
            store = self.stores[target]
            pooler = store.pooler if isinstance(store, Postgres) else None
            return (pooler.port,) if pooler else (store.port,)
        if target in self.outside:
            return (self.outside[target].port,)
        declared = self.system.section(ServicesOptions).by_name
        port = (declared[target].port or declared[target].metrics_port) if target in declared else None
        return (port,) if port else ()

    @staticmethod
    def _offered(service: Service, caller: str) -> tuple[int, ...]:
        if caller == MONITORING:
            port = service.metrics_port or service.port
            return (port,) if port else ()
        return (service.port,) if service.port else ()


def _before(service: Service) -> tuple[str, ...]:
    return (*service.needs, *service.after)


def circle_of(needs: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Names that wait for each other in a circle, the first one again at its end; empty when there is none."""
    graph = {name: [need for need in needed if need in needs] for name, needed in needs.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return tuple(error.args[1])
    return ()


def variables_said(system: System) -> dict[str, str]:
    """The variables that hold what the system file says: of each setting that has one, and is no secret."""
    found: dict[str, str] = {}
    for name, section in system.sections.items():
        for binding in bindings((name,), type(section)):
            path = ".".join(map(str, binding.path))
            if binding.env.secret or name == "http" or path in OF_ONE_SERVICE:
                continue
            if system.source_of(path).kind == "system file":
                value: object = section
                for key in binding.path[1:]:
                    value = getattr(value, str(key), None)
                found[binding.env.name] = _text(value)
    return found


def required_secrets(system: System, stores: Mapping[str, Postgres | Redis]) -> tuple[str, ...]:
    """The variables without which production does not start, or which the system file names, in a steady order."""
    known = _secret_bindings(system)
    found = [name for name, binding in known.items() if binding.env.required_in_production]
    found += [secret.variable for section in system.sections.values() for secret in section.named_secrets()]
    for key, url, password in (
        ("postgres", "DATABASE_URL", "POSTGRES_PASSWORD"),
        ("redis", "REDIS_URL", "REDIS_PASSWORD"),
    ):
        if key in stores:
            found.append(url if stores[key].managed else password)
    return tuple(dict.fromkeys(found))


def _secret_bindings(system: System) -> dict[str, Binding]:
    return {
        binding.env.name: binding
        for name, section in system.sections.items()
        for binding in bindings((name,), type(section))
        if binding.env.secret
    }


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, SecretStr) or value is None:
        return ""
    if isinstance(value, (tuple, list, frozenset, set)):
        return ",".join(_text(each) for each in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] — of text or numbers
    return str(value)
