"""Customers as the owner describes them."""

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, FiniteFloat

from frontdesk.api.fields import Body, Id, Text
from frontdesk.decision.options import EngagementOptions
from frontdesk.engagement import CHANNELS, Channel, Customer
from frontdesk.errors import UnknownSegment

Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]  # what JSON's readers agree on
Value = Annotated[Text, Field(max_length=500)] | bool | Whole | FiniteFloat | None
Address = Annotated[Text, Field(min_length=1, max_length=320, pattern=r"^[^\s\x00-\x1f\x7f]+( [^\s\x00-\x1f\x7f]+)*$")]


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError("There is no such time zone; name one like Europe/Berlin") from None
    return name


class CustomerBody(Body):
    """What the owner says of a customer."""

    segment: str | None = Field(default=None, max_length=100, description="Left out: the default segment.")
    name: Annotated[Text, Field(max_length=200)] = ""
    time_zone: Annotated[str, AfterValidator(_zone), Field(max_length=64)] = "UTC"
    consents: list[Channel] | None = Field(
        default=None, description="By which channels they agreed to be written to. Left out: as it was, at first none."
    )
    addresses: dict[Channel, Address] = Field(
        default={}, description="By channel. In the owner's app and service (in_app, webhook) the id is one."
    )
    traits: dict[Annotated[Text, Field(min_length=1, max_length=60)], Value] = Field(
        default={}, max_length=50, description="Facts for texts (like `plan`) and for the look at groups."
    )

    def customer(self, customer_id: str, options: EngagementOptions) -> Customer:
        """The same as the house's own value. Raises `UnknownSegment`."""
        segment = self.segment or options.default_segment
        if segment not in options.segments:
            hint = f"There are: {', '.join(options.segments)}."
            raise UnknownSegment(f"There is no segment `{segment}`", where="segment", hint=hint)
        return Customer(
            id=customer_id,
            segment=segment,
            name=self.name,
            time_zone=self.time_zone,
            consents=sum(1 << CHANNELS.index(channel) for channel in set(self.consents or ())),
            addresses={**self.addresses},
            traits={**self.traits},
        )


class CustomerLine(CustomerBody):
    """The same with the id, as a line of a file."""

    id: Id
