"""What Kubernetes' API says of pods, events, quotas and use, as far as cases look at it.

kubernetes.io/docs/reference tells the meaning of each field.
"""

from datetime import datetime

import msgspec


class _Object(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class Metadata(_Object, frozen=True):
    """Of any object. `deletion_timestamp`: it is being removed since then."""

    name: str = ""
    deletion_timestamp: datetime | None = None


class Waiting(_Object, frozen=True):
    """Why a container does not run yet."""

    reason: str = ""
    message: str = ""


class Terminated(_Object, frozen=True):
    """How a container ended."""

    reason: str = ""
    exit_code: int = 0


class State(_Object, frozen=True):
    """One of the two, or neither while it runs."""

    waiting: Waiting | None = None
    terminated: Terminated | None = None


class Container(_Object, frozen=True):
    """A container's status."""

    name: str = ""
    ready: bool = False
    restart_count: int = 0
    state: State = State()
    last_state: State = State()

    @property
    def killed_for_memory(self) -> bool:
        """Whether its present or its last end was for memory."""
        ends = (self.state.terminated, self.last_state.terminated)
        return any(end is not None and end.reason == "OOMKilled" for end in ends)


class Condition(_Object, frozen=True):
    """What is true of an object."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class PodStatus(_Object, frozen=True):
    """Of a pod. `reason` and `message` are set where the node has ended it."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: list[Condition] = []
    container_statuses: list[Container] = []
    init_container_statuses: list[Container] = []


class Resources(_Object, frozen=True):
    """What a container asks for, and what it gets at most."""

    requests: dict[str, str] = {}
    limits: dict[str, str] = {}


class Described(_Object, frozen=True):
    """A container as it is described."""

    name: str = ""
    resources: Resources = Resources()


class PodSpec(_Object, frozen=True):
    """How a pod is described."""

    containers: list[Described] = []


class Pod(_Object, frozen=True):
    """A pod."""

    metadata: Metadata = Metadata()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def name(self) -> str:
        """Its name."""
        return self.metadata.name

    @property
    def containers(self) -> list[Container]:
        """Its containers, the first ones too."""
        return [*self.status.init_container_statuses, *self.status.container_statuses]

    @property
    def is_replica(self) -> bool:
        """Whether it is there to run on: not a job that is done or failed, not one that is removed or was evicted."""
        return self.status.phase not in ("Succeeded", "Failed") and self.metadata.deletion_timestamp is None

    @property
    def ready(self) -> bool:
        """Whether it is to be sent anything; a job that is done counts too."""
        said = any(each.type == "Ready" and each.status == "True" for each in self.status.conditions)
        return said or self.status.phase == "Succeeded"


class Involved(_Object, frozen=True):
    """What an event is about."""

    name: str = ""
    kind: str = ""


class Event(_Object, frozen=True):
    """Something that happened to an object, and when it did so last."""

    involved_object: Involved = Involved()
    reason: str = ""
    message: str = ""
    last_timestamp: datetime | None = None
    event_time: datetime | None = None

    @property
    def at(self) -> datetime | None:
        """When; None where it does not tell."""
        return self.last_timestamp or self.event_time


class QuotaStatus(_Object, frozen=True):
    """Bounds and what is taken of them, by resource."""

    hard: dict[str, str] = {}
    used: dict[str, str] = {}


class Quota(_Object, frozen=True):
    """A ResourceQuota."""

    metadata: Metadata = Metadata()
    status: QuotaStatus = QuotaStatus()


class Used(_Object, frozen=True):
    """What a container uses now, as the metrics API tells (`metrics.k8s.io`)."""

    name: str = ""
    usage: dict[str, str] = {}


class PodUse(_Object, frozen=True):
    """What a pod's containers use now."""

    metadata: Metadata = Metadata()
    containers: list[Used] = []


class NodeUse(_Object, frozen=True):
    """What is used of a node now."""

    metadata: Metadata = Metadata()
    usage: dict[str, str] = {}


class NodeStatus(_Object, frozen=True):
    """What a node has for pods."""

    allocatable: dict[str, str] = {}


class Node(_Object, frozen=True):
    """A machine of the cluster."""

    metadata: Metadata = Metadata()
    status: NodeStatus = NodeStatus()


class AutoscalerSpec(_Object, frozen=True):
    """The most replicas that an autoscaler may start."""

    max_replicas: int = 0


class AutoscalerStatus(_Object, frozen=True):
    """How many it has started, and what keeps it from more."""

    current_replicas: int = 0
    conditions: list[Condition] = []


class Autoscaler(_Object, frozen=True):
    """A HorizontalPodAutoscaler."""

    metadata: Metadata = Metadata()
    spec: AutoscalerSpec = AutoscalerSpec()
    status: AutoscalerStatus = AutoscalerStatus()

    def condition(self, type_: str, status: str) -> Condition | None:
        """The condition of that type, if it has that status."""
        return next((each for each in self.status.conditions if (each.type, each.status) == (type_, status)), None)
