"""What Kubernetes' API says of pods, events and quotas, as far as cases look at it (kubernetes.io/docs/reference)."""

import msgspec


class _Object(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class Metadata(_Object, frozen=True):
    """Of any object."""

    name: str = ""


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
    """What is true of a pod."""

    type: str = ""
    status: str = ""
    message: str = ""


class PodStatus(_Object, frozen=True):
    """Of a pod."""

    phase: str = ""
    conditions: list[Condition] = []
    container_statuses: list[Container] = []
    init_container_statuses: list[Container] = []


class Pod(_Object, frozen=True):
    """A pod."""

    metadata: Metadata = Metadata()
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
    def ready(self) -> bool:
        """Whether it is to be sent anything; a job that is done counts too."""
        said = any(each.type == "Ready" and each.status == "True" for each in self.status.conditions)
        return said or self.status.phase == "Succeeded"


class Event(_Object, frozen=True):
    """Something that happened to an object."""

    involved_object: Metadata = Metadata()
    reason: str = ""
    message: str = ""


class QuotaStatus(_Object, frozen=True):
    """Bounds and what is taken of them, by resource."""

    hard: dict[str, str] = {}
    used: dict[str, str] = {}


class Quota(_Object, frozen=True):
    """A ResourceQuota."""

    metadata: Metadata = Metadata()
    status: QuotaStatus = QuotaStatus()
