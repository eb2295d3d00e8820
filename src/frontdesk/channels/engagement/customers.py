"""/api/v1/customers: whom the desk may write to, what it makes of them, and all that happened."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import Field, JsonValue

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Limit, PathId, Text, View
from frontdesk.channels.engagement.customer_lines import CustomerBody
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.profiles import signals
from frontdesk.engagement import CHANNELS, Channel, Customer, Stage
from frontdesk.ports import Clock
from frontdesk.store.cursors import cursor
from frontdesk.store.customers import Customers
from frontdesk.store.timeline import Entry, Kind, Timeline

AfterCustomer = Annotated[Text | None, Query(max_length=100, description="`next` of the page before.")]
Segment = Annotated[Text | None, Query(max_length=100, description="Of this segment alone.")]
Prefix = Annotated[Text, Query(max_length=100, description="Ids that begin so.")]
BeforeEntry = Annotated[
    str | None,
    Query(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00~[A-Za-z0-9_.:-]{1,120}$",
        description="`next` of the page before.",
    ),
]


class SignalsView(View):
    """What the customer's events say of them now. Shares are 0 to 1."""

    recency_days: float = Field(description="Since their last event; 365 where there was none.")
    frequency: float = Field(description="Activities a week, of late.")
    engagement: float
    churn_risk: float
    fatigue: float
    value: float = Field(description="What they spent, in the owner's currency.")
    stage: Stage
    best_channel: str = Field(description="Where their answers come from; empty where there were none.")
    best_hour: int = Field(description="In their time zone.")


class ContactView(View):
    """A message that has reached them or is meant to, which counts against the caps."""

    at: float = Field(description="Seconds since 1970.")
    channel: str
    outreach_id: str


class PlanView(View):
    """How often they are to be written to at most, by the slow policy."""

    weekly: int
    gap_hours: float
    tier: str
    made_at: datetime


class CustomerView(View):
    """A customer, as the owner described them and as the desk sees them."""

    id: str
    segment: str
    name: str
    time_zone: str
    consents: list[Channel]
    reachable: list[Channel] = Field(description="Where there is an address.")
    addresses: dict[str, str]
    traits: dict[str, JsonValue]
    events: int
    first_at: datetime | None
    last_at: datetime | None
    signals: SignalsView
    contacts: list[ContactView]
    plan: PlanView | None


class CustomersPage(View):
    """A page of customers in order of their ids."""

    items: list[CustomerView]
    next: str | None


class EntryView(View):
    """Something that happened: an event, a decision, a message or an outcome."""

    at: datetime
    kind: Kind
    id: str
    what: str = Field(description="An event's type, a decision's arm, a message's key, an outcome's kind.")
    decision_id: str | None
    state: str | None
    channel: str | None
    objective: str | None
    confidence: float | None
    risk: float | None
    value: float | None
    subject: str | None
    problem: str | None
    send_at: datetime | None
    properties: dict[str, JsonValue]


class TimelinePage(View):
    """The newest first."""

    items: list[EntryView]
    next: str | None


def router(
    customers: Customers, timeline: Timeline, clock: Clock, settings: Callable[[], EngagementOptions]
) -> APIRouter:
    """The routes of customers. `settings` gives the options in effect."""
    routes = APIRouter(prefix="/api/v1/customers", tags=["engagement"], responses=COMMON)

    @routes.get("")
    async def page(
        segment: Segment = None, prefix: Prefix = "", cursor: AfterCustomer = None, limit: Limit = 50
    ) -> CustomersPage:
        """Customers in order of their ids."""
        found = await customers.page(segment=segment, prefix=prefix, after=cursor, limit=limit + 1)
        now = clock.now()
        more = found[limit - 1].id if len(found) > limit else None
        return CustomersPage(items=[_view(customer, now) for customer in found[:limit]], next=more)

    @routes.put("/{id}")
    async def put(id: PathId, body: CustomerBody) -> CustomerView:
        """Keep what the owner says of a customer, new or known. Without `consents` theirs stay as they are."""
        customer = body.customer(id, settings())
        return _view(await customers.put(customer, keep_consents=body.consents is None), clock.now())

    @routes.get("/{id}", responses=described(404))
    async def one(id: PathId) -> CustomerView:
        """The customer."""
        return _view(await customers.get(id), clock.now())

    @routes.delete("/{id}", status_code=204, responses=described(404))
    async def erase(id: PathId) -> None:
        """Erase the customer with all that the desk keeps of them: events, decisions, messages, outcomes."""
        await customers.erase(id)

    @routes.get("/{id}/export", response_model=dict[str, list[dict[str, JsonValue]]], responses=described(404))
    async def export(id: PathId) -> Response:
        """All that the desk keeps of the customer, by table."""
        return Response(msgspec.json.encode(await customers.export(id)), media_type="application/json")

    @routes.get("/{id}/timeline", responses=described(404))
    async def history(id: PathId, cursor: BeforeEntry = None, limit: Limit = 50) -> TimelinePage:
        """What they did, what was decided about it, what was sent, and what came of it."""
        await customers.get(id)
        found = await timeline.page(id, before=cursor, limit=limit + 1)
        items = [EntryView.model_validate(entry) for entry in found[:limit]]
        return TimelinePage(items=items, next=_cursor(found[limit - 1]) if len(found) > limit else None)

    return routes


def _view(customer: Customer, now: datetime) -> CustomerView:
    return CustomerView(
        id=customer.id,
        segment=customer.segment,
        name=customer.name,
        time_zone=customer.time_zone,
        consents=_channels(customer.consents),
        reachable=_channels(customer.reachable),
        addresses=customer.addresses,
        traits={**customer.traits},
        events=customer.profile.events,
        first_at=customer.profile.first_at,
        last_at=customer.profile.last_at,
        signals=SignalsView.model_validate(signals(customer.profile, now, customer.time_zone)),
        contacts=[ContactView.model_validate(contact) for contact in customer.contacts],
        plan=None if customer.plan is None else PlanView.model_validate(customer.plan),
    )


def _channels(bits: int) -> list[Channel]:
    return [channel for place, channel in enumerate(CHANNELS) if bits >> place & 1]


def _cursor(entry: Entry) -> str:
    return cursor(entry.at, entry.id)
