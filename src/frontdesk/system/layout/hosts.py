"""The section `hosts` of the system file: machines, or kinds of nodes, and the cards in them."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from frontdesk.system.layout.named import Named
from frontdesk.system.layout.names import Labels, Taint
from frontdesk.system.layout.quantities import Bytes, Cores
from frontdesk.system.section import Section


class Gpu(Section):
    """The cards of one host; all alike."""

    model: str = Field(min_length=1, description="Like `RTX 4090`, `T4`, `A100`.")
    memory: Bytes = Field(description="Of one card, like `24Gi`.")
    count: PositiveInt = Field(default=1, description="Cards in one host.")
    sharing: Literal["auto", "mig", "mps", "time-slicing", "whole"] = Field(
        default="auto", description="How services share a card; `auto` takes the best that the card has."
    )
    spare: Bytes = Field(default=0, description="Memory of a card that is never planned.")


class Host(Section):
    """One machine, or several alike."""

    cpu: Cores = Field(description="Cores of one.")
    memory: Bytes = Field(description="Memory of one.")
    disk: Bytes = Field(default=0, description="Disk of one.")
    count: PositiveInt = Field(default=1, description="How many; `most` if the cluster may add some.")
    most: PositiveInt | None = Field(default=None, description="To how many the cluster may grow.")
    gpu: Gpu | None = Field(default=None, description="Its cards.")
    labels: Labels = Field(default={}, description="That such a node has.")
    taint: Taint = Field(default="", description="Only services that tolerate it run here.")
    address: str = Field(default="", description="Where others reach a bare host.")
    port_offset: NonNegativeInt = Field(
        default=0, description="Added to every port where several hosts are played by one machine."
    )
    description: str = Field(default="", description="What it is for.")

    @model_validator(mode="after")
    def _bounds(self) -> "Host":
        if self.most is not None and self.most < self.count:
            raise ValueError(f"`most` ({self.most}) is below `count` ({self.count})")
        return self


class HostsOptions(Named[Host]):
    """Machines or kinds of nodes, by name. Without any, nothing is said about where the system fits."""

    __pydantic_extra__: dict[str, Host] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]
