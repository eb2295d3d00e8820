"""The section `services` of the system file: what runs, how often, with what, and whom it talks to."""

from typing import Literal, get_args

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from frontdesk.system.layout.named import Named
from frontdesk.system.layout.names import HostName, Labels, ObjectName, OwnLabels, Taint, VariableName
from frontdesk.system.layout.quantities import Bytes, Cores
from frontdesk.system.options import Port
from frontdesk.system.section import Section

Built = Literal["all", "web", "worker", "frontend", "tools"]
Unbuilt = Literal[
    "telephony", "audio", "screening", "speech", "vision", "images", "reasoning", "training", "emotion", "tutoring"
]
Role = Literal[Built, Unbuilt]
Queue = Literal["general", "ml"]  # general: what must be quick; ml: what waits for models

ROLES: dict[Role, str] = {
    "all": "API, pages and all work, in one process",
    "web": "API and pages; hands work to workers",
    "worker": "works on rows of its queues",
    "frontend": "pages alone; asks the service that it calls for everything else",
    "tools": "the example MCP server",
    "telephony": "takes phone calls and owns their state",
    "audio": "hears and speaks in live calls",
    "screening": "decides which callers go straight through",
    "speech": "speech to text and text to speech",
    "vision": "describes images and reads what stands on them",
    "images": "makes images while nothing else needs the card",
    "reasoning": "language models on the machine's own card",
    "training": "adapts models to feedback",
    "emotion": "estimates moods and adjusts the tone",
    "tutoring": "lessons, exercises, grading, progress",
}
UNBUILT: frozenset[str] = frozenset(get_args(Unbuilt))


class Amounts(Section):
    """CPU, memory, scratch disk and GPUs."""

    cpu: Cores = Field(default=0, description="Cores, like `250m`; 0: nothing said.")
    memory: Bytes = Field(default=0, description="Like `256Mi`; 0: nothing said.")
    scratch: Bytes = Field(default=0, description="Disk for what may be lost, like `10Gi`; 0: nothing said.")


def amounts(cpu: str, memory: str) -> Amounts:
    """Amounts as they are written in the file."""
    return Amounts.model_validate({"cpu": cpu, "memory": memory})


class Resources(Section):
    """What one replica asks for, and what it may never exceed."""

    requests: Amounts = amounts("250m", "256Mi")
    limits: Amounts = amounts("1", "512Mi")
    gpu: NonNegativeInt = Field(default=0, description="Whole GPUs of its own.")


class Probe(Section):
    """How often it is asked whether it lives or is ready, in seconds."""

    path: str = Field(default="/health", pattern="^/", description="What is asked, by GET.")
    after: NonNegativeInt = Field(default=0, description="Seconds before the first time.")
    every: PositiveInt = Field(default=10, description="Seconds between two times.")
    timeout: PositiveInt = Field(default=5, description="Seconds until no answer is a failure.")
    failures: PositiveInt = Field(default=3, description="Failures in a row until it counts.")


class Probes(Section):
    """Liveness restarts, readiness takes out of service, startup gives time before both."""

    liveness: Probe = Probe(path="/health", after=30, every=10, timeout=5, failures=3)
    readiness: Probe = Probe(path="/ready", after=10, every=5, timeout=3, failures=3)
    startup: Probe | None = Field(default=None, description="Leave it out where `after` is enough.")


class Steps(Section):
    """How fast replicas are added or removed: by the larger of a share and a number, in each period."""

    window: NonNegativeInt = Field(default=0, le=3600, description="Seconds over which the steadiest wish counts.")
    percent: NonNegativeInt = Field(default=0, description="At most so many percent …")
    replicas: NonNegativeInt = Field(default=0, description="… or so many replicas, the larger …")
    period: PositiveInt = Field(default=60, le=1800, description="… in so many seconds.")


class OwnTarget(Section):
    """A metric of the desk itself that replicas are added by."""

    metric: str = Field(min_length=1, description="Its name.")
    average: float = Field(gt=0, description="What one replica should bear on average.")
    expression: str = Field(
        default="", description="How to get it from Prometheus, where it is no metric of the desk by itself."
    )
    per: Literal["replica", "service"] = Field(
        default="replica", description="Whether each replica shows its own, or the service has one figure to share out."
    )
    up: Steps | None = Field(
        default=None,
        description="How fast it adds replicas, if not as the service's other rules do. An autoscaler of Kubernetes has"
        " one way for all of them: there the fastest counts.",
    )


class Vertical(Section):
    """Between which bounds better requests are recommended (they are never changed by themselves)."""

    least: Amounts
    most: Amounts


class Scaling(Section):
    """How many replicas, by need. A service with it says no `replicas`."""

    least: PositiveInt = Field(description="The fewest replicas.")
    most: PositiveInt = Field(description="The most.")
    cpu: int | None = Field(default=70, gt=0, le=100, description="Percent of the requested CPU, on average.")
    memory: int | None = Field(default=None, gt=0, le=100, description="Percent of the requested memory, on average.")
    own: tuple[OwnTarget, ...] = Field(default=(), description="The desk's own metrics to scale by.")
    up: Steps = Steps(window=0, percent=100, replicas=4, period=15)
    down: Steps = Steps(window=300, percent=100, period=15)

    @property
    def ways_up(self) -> tuple[Steps, ...]:
        """The different ways in which its rules add replicas, the common one first."""
        return tuple(dict.fromkeys((self.up, *(target.up for target in self.own if target.up))))

    @model_validator(mode="after")
    def _bounds(self) -> "Scaling":
        if self.least > self.most:
            raise ValueError(f"`least` ({self.least}) is above `most` ({self.most})")
        return self


class Stopping(Section):
    """How it ends: first it is taken out of service, then it drains, and only then it is killed. In seconds."""

    pause: NonNegativeInt = Field(default=5, description="Between being taken out of service and the stop signal.")
    drain: PositiveInt = Field(default=60, description="What runs may take so long to end.")
    grace: PositiveInt = Field(default=75, description="Until it is killed; longer than pause and drain together.")


class Rollout(Section):
    """How replicas are replaced by a new release."""

    surge: NonNegativeInt = Field(default=1, description="So many may be there on top.")
    unavailable: NonNegativeInt = Field(default=0, description="So many may be missing.")


class GpuShare(Section):
    """Part of a card that is shared: which slot, how much of it, and who goes first."""

    slot: PositiveInt | None = Field(default=None, description="Its number on the card; none: what is left over.")
    compute: int = Field(default=100, gt=0, le=100, description="Percent of the card's computing.")
    memory: Bytes = Field(description="Memory of the card that it may take, like `5Gi`.")
    priority: Literal["high", "normal", "low"] = Field(default="normal", description="Who goes first.")


class Placement(Section):
    """Which nodes of a cluster take it."""

    labels: Labels = Field(default={}, description="That a node must have.")
    tolerations: tuple[Taint, ...] = Field(default=(), description="Taints that it bears, like `nvidia.com/gpu`.")
    spread: bool = Field(default=True, description="Prefer a host of its own for each replica.")


class Agent(Section):
    """One agent of a group."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", description="Unique among all agents.")
    port: Port = Field(description="Where it answers.")
    critical: bool = Field(default=False, description="Whether its group is down without it.")
    needs: tuple[str, ...] = Field(default=(), description="Other agents.")
    description: str = Field(default="", description="What it does.")


class Service(Section):
    """One service: a program that runs in one or more replicas."""

    role: Role = Field(description="What its processes do.")
    description: str = Field(default="", description="What it does.")
    image: ObjectName = Field(default="", description="The image's name within the registry; empty: the service's own.")
    replicas: int | None = Field(default=None, ge=0, description="How many; 1 when neither this nor `scaling` is said.")
    scaling: Scaling | None = Field(default=None, description="An autoscaler, in place of `replicas`.")
    vertical: Vertical | None = Field(default=None, description="Recommend requests within these bounds.")
    port: Port | None = Field(default=None, description="Where it answers HTTP.")
    metrics_port: Port | None = Field(default=None, description="A port for metrics alone.")
    service_port: Port | None = Field(default=None, description="Under which others reach `port`; none: the same.")
    names: tuple[HostName, ...] = Field(default=(), description="Other names that it is reached by.")
    queues: tuple[Queue, ...] = Field(default=(), description="Of a worker: what it takes.")
    resources: Resources = Resources()
    probes: Probes = Probes()
    stopping: Stopping = Stopping()
    rollout: Rollout = Rollout()
    disruption: int | None = Field(default=None, ge=1, description="So many replicas stay up during upkeep of nodes.")
    needs: tuple[str, ...] = Field(default=(), description="Services and stores that must be ready first.")
    after: tuple[str, ...] = Field(
        default=(), description="Services that begin before it where both are started here; it runs without them too."
    )
    calls: tuple[str, ...] = Field(default=(), description="Further services and outside addresses that it talks to.")
    called_by: tuple[str, ...] = Field(
        default=(), description="Callers from elsewhere: `edge`, `monitoring`, or a label such as `role=api-gateway`."
    )
    secrets: tuple[VariableName, ...] = Field(
        default=(), description="Variables of secrets that it gets beyond those without which it does not start."
    )
    variables: dict[VariableName, str] = Field(default={}, description="Further variables.")
    labels: OwnLabels = Field(default={}, description="Further labels of its replicas.")
    host: tuple[str, ...] = Field(default=(), description="Hosts or kinds of nodes that it runs on; empty: any.")
    gpu: GpuShare | None = Field(default=None, description="A share of a card.")
    placement: Placement = Placement()
    category: str = Field(default="", description="Which objectives it is held to; see `objectives`.")
    agents: tuple[Agent, ...] = Field(default=(), description="What works within it.")

    @property
    def least(self) -> int:
        """The fewest replicas."""
        return self.scaling.least if self.scaling else (1 if self.replicas is None else self.replicas)

    @property
    def most(self) -> int:
        """The most replicas."""
        return self.scaling.most if self.scaling else self.least

    @property
    def built(self) -> bool:
        """Whether the product can run it; otherwise it is only described."""
        return self.role not in UNBUILT


class ServicesOptions(Named[Service]):
    """What runs, by name. A role that is described but not built yet is rendered; `up` refuses it."""

    __pydantic_extra__: dict[str, Service] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]
