"""What an examination has seen, as plain values: a case can be judged without anything running."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from frontdesk.operate.diagnosis.figures import Figures
from frontdesk.operate.diagnosis.kubernetes import Autoscaler, Event, Node, NodeUse, Pod, PodUse, Quota
from frontdesk.operate.probe.run import Result

NOTHING = Figures({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSeen:
    """A process of the desk. `cpu` is a share of one core since it began or within the look, memory in bytes; `growth`
    what it took more within the look, in bytes a second, None without one."""

    name: str
    address: str = ""
    ready: bool | None = None
    away: Mapping[str, str] = field(default_factory=dict[str, str])
    figures: Figures = NOTHING
    cpu: float | None = None
    memory: float | None = None
    memory_limit: float | None = None
    growth: float | None = None
    restarts: int = 0
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement of the database without the values in it; `seconds` on average, or for how long it runs by now."""

    text: str
    seconds: float
    calls: int = 0
    waits_for: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSeen:
    """PostgreSQL from within: `None` where it could not be asked. `slowest` are of the statement statistics."""

    connections: int = 0
    most: int = 0
    waiting: Sequence[Statement] = ()
    running: Sequence[Statement] = ()
    idle_in_transaction: int = 0
    slowest: Sequence[Statement] = ()
    statistics: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSeen:
    """Redis from within, by the names of its own INFO and CLUSTER INFO; `nodes` are lines of CLUSTER NODES."""

    info: Mapping[str, str] = field(default_factory=dict[str, str])
    cluster: Mapping[str, str] = field(default_factory=dict[str, str])
    nodes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSeen:
    """A card: `used` is a share of its computing, memory in bytes."""

    name: str
    used: float
    memory: float
    memory_most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSeen:
    """This machine: `load` is the average of a minute, memory and disk in bytes; `killed` processes since its start."""

    cores: int = 1
    load: float = 0.0
    memory: float = 0.0
    memory_most: float = 0.0
    disk_free: float = 0.0
    disk_size: float = 0.0
    killed_for_memory: int = 0
    gpus: Sequence[GpuSeen] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSeen:
    """What Kubernetes says of the namespace, and when; `uses` and `nodes` are empty where no metrics are served or not
    to everybody. `proxies`: what `istioctl proxy-status` prints; `fault`: why it is mute."""

    namespace: str = ""
    at: datetime = field(default_factory=partial(datetime.now, UTC))
    pods: Sequence[Pod] = ()
    events: Sequence[Event] = ()
    quotas: Sequence[Quota] = ()
    autoscalers: Sequence[Autoscaler] = ()
    uses: Sequence[PodUse] = ()
    nodes: Sequence[tuple[Node, NodeUse]] = ()
    proxies: str = ""
    fault: str = ""

    @property
    def replicas(self) -> Sequence[Pod]:
        """Pods that are there to run on."""
        return [pod for pod in self.pods if pod.is_replica]


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What the desk is held to, in seconds and shares."""

    decision: float = 0.1
    confidence: float = 0.75
    response: float = 1.0
    reply: float = 5.0
    error_share: float = 0.01
    availability: float = 0.999


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything.

    `settings` are mistakes of the system file and the environment; `probes` ask what it names, `neighbours` whom one
    service talks to; `figures` are those of all processes together; `errors` the newest error lines of the last hour.
    """

    settings: Sequence[str] = ()
    answers: Result | None = None
    probes: Sequence[Result] = ()
    neighbours: Sequence[Result] = ()
    processes: Sequence[ProcessSeen] = ()
    figures: Figures = NOTHING
    database: DatabaseSeen | None = None
    redis: RedisSeen | None = None
    machine: MachineSeen = MachineSeen()
    cluster: ClusterSeen | None = None
    targets: Targets = Targets()
    errors: Sequence[str] = ()
    released_hours_ago: float | None = None
    learning: bool = True

    def probe(self, name: str) -> Result | None:
        """What was found of one target."""
        return next((each for each in self.probes if each.name == name), None)
