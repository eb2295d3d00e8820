"""The section `stores` of the system file: the databases that the services rest on, where they run with the desk."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from frontdesk.system.layout.names import HostName, ObjectName
from frontdesk.system.layout.quantities import Bytes
from frontdesk.system.layout.services import Placement, Resources, amounts
from frontdesk.system.options import Port
from frontdesk.system.section import Section

Setting = str | int | float | bool


class Storage(Section):
    """A volume of a store."""

    size: Bytes = Field(default=10 * 2**30, description="Like `10Gi`.")
    storage_class: ObjectName = Field(default="", description="Empty: the cluster's own choice.")
    snapshot_class: ObjectName = Field(default="", description="With it the volume is snapshotted every week.")
    snapshots: PositiveInt = Field(default=4, description="How many snapshots are kept.")


class Server(Section):
    """What every store has."""

    managed: bool = Field(
        default=False, description="True: somebody else runs it, and nothing is rendered but its address."
    )
    image: str = Field(description="With its version; never `latest`.")
    name: HostName = Field(description="Its service's name.")
    names: tuple[HostName, ...] = Field(default=(), description="Other names that it is reached by.")
    port: Port = Field(description="Where it answers.")
    resources: Resources = Resources(requests=amounts("500m", "1Gi"), limits=amounts("2", "2Gi"))
    storage: Storage = Storage()
    placement: Placement = Placement()
    settings: dict[str, Setting] = Field(default={}, description="The server's own settings, by their names.")
    host: tuple[str, ...] = Field(default=(), description="Hosts or kinds of nodes that it runs on; empty: any.")


class Pooler(Section):
    """A pooler between the services and the database, where their connections would be too many."""

    image: str = Field(default="edoburu/pgbouncer:v1.24.1-p1", description="With its version.")
    name: HostName = Field(default="pgbouncer", description="Its service's name.")
    port: Port = Field(default=6432, description="Where it answers.")
    server_connections: PositiveInt = Field(default=100, description="That it holds to the database.")
    client_connections: PositiveInt = Field(default=2000, description="That it takes.")
    replicas: PositiveInt = Field(default=2, description="How many.")
    resources: Resources = Resources(requests=amounts("100m", "64Mi"), limits=amounts("500m", "256Mi"))


class Postgres(Server):
    """PostgreSQL: one primary, and replicas that stream from it."""

    image: str = Field(default="pgvector/pgvector:0.8.1-pg18-trixie", description="With its version; never `latest`.")
    name: HostName = Field(default="postgres-service", description="Its service's name.")
    port: Port = Field(default=5432, description="Where it answers.")
    replicas: NonNegativeInt = Field(default=0, description="Copies that stream from the primary.")
    replica_name: HostName = Field(default="postgres-replica-service", description="The copies' service.")
    database: str = Field(default="frontdesk", description="The desk's database.")
    user: str = Field(default="frontdesk", description="Who the desk is there.")
    replication_user: str = Field(default="replicator", description="Who copies are there.")
    connections: PositiveInt = Field(default=100, description="max_connections.")
    reserved: NonNegativeInt = Field(default=3, description="superuser_reserved_connections.")
    pooler: Pooler | None = Field(
        default=None, description="Between services and database; none: they connect themselves."
    )


class Redis(Server):
    """Redis or Valkey: one primary, and replicas. Queues and locks must never be evicted; a cache may be."""

    image: str = Field(default="valkey/valkey:9.0.1-alpine", description="With its version; never `latest`.")
    name: HostName = Field(default="redis-service", description="Its service's name.")
    port: Port = Field(default=6379, description="Where it answers.")
    replicas: NonNegativeInt = Field(default=0, description="Copies that follow the primary.")
    replica_name: HostName = Field(default="redis-replica-service", description="The copies' service.")
    keeps: Literal["everything", "cache"] = Field(
        default="everything", description="`cache`: what is least used may vanish when memory is short."
    )


class StoresOptions(Section):
    """The servers that hold data. What is left out is not needed, or is somebody else's and told by a variable."""

    postgres: Postgres | None = Field(default=None, description="The database.")
    redis: Redis | None = Field(default=None, description="Queues, limits, locks.")
    cache: Redis | None = Field(
        default=None,
        description="A second one, for what may vanish, of services of yours: the desk keeps nothing there.",
    )

    def by_name(self) -> dict[str, Postgres | Redis]:
        """Those that are there, by the names that `needs` and `calls` of services know."""
        found = {"postgres": self.postgres, "redis": self.redis, "cache": self.cache}
        return {name: store for name, store in found.items() if store is not None}
