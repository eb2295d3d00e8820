"""/api/v1/outreach: messages on their way to customers, and people's words on those that wait for them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, Limit, PathId, ShortText, Text, View, Who
from frontdesk.channels.engagement.decision_views import CheckView
from frontdesk.decision.approvals import Approvals, Verdict
from frontdesk.decision.content.templates import Draft
from frontdesk.engagement import Channel, Objective, OutreachState
from frontdesk.errors import Unprocessable
from frontdesk.ports import Dispatcher
from frontdesk.store.database import Database
from frontdesk.store.outreach import OutreachRow, OutreachRows
from frontdesk.store.outreach_votes import VerdictKind, votes_of

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="`digest` of what was seen.")]


class OutreachView(View):
    """A message that the desk means to send of its own accord."""

    id: str
    decision_id: str
    customer_id: str
    channel: Channel
    message: str
    segment: str
    objective: Objective
    state: OutreachState
    confidence: float
    risk: float
    needs: int = Field(description="How many people must approve it.")
    send_at: datetime
    deadline: datetime | None = Field(description="Until when people can decide.")
    escalated: bool = Field(description="Nobody decided in time, so it goes to another person.")
    subject: str | None
    body: str | None
    footer: str = Field(description="Stands below the text of what has not left yet, and is the owner's: the way out.")
    digest: str | None = Field(description="SHA-256 over exactly what will be sent; a verdict names it.")
    checks: list[CheckView]
    model: str | None = Field(description="Who wrote it: a model, `template` or `person`.")
    problem: str | None = Field(description="Why it waits, or ended unsent (a name).")
    created_at: datetime
    updated_at: datetime


class VoteView(View):
    """Somebody's word."""

    person_id: str
    verdict: VerdictKind
    digest: str
    note: str
    at: datetime


class OutreachWithVotes(OutreachView):
    """A message and what people said of it."""

    votes: list[VoteView]


class OutreachList(View):
    """Those that wait for people by their deadlines, escalated ones first; all others newest first."""

    items: list[OutreachView]
    next: None = None


class VerdictBody(Body):
    """A word on exactly what `digest` covers. An edit brings the new text, which counts as approved by its writer."""

    verdict: Literal["approve", "edit", "reject"]
    digest: Digest
    note: ShortText = ""
    subject: Annotated[Text, Field(max_length=200)] = ""
    body: Annotated[Text | None, Field(max_length=5000)] = None

    def meant(self) -> Verdict:
        """What was said. Raises `Unprocessable` for an edit without a text, or a text without an edit."""
        if (self.verdict == "edit") != (self.body is not None):
            raise Unprocessable("An edit, and nothing else, brings a text", where="body")
        draft = None if self.body is None else Draft(subject=self.subject, body=self.body)
        return Verdict(kind=self.verdict, digest=self.digest, note=self.note, draft=draft)


def router(approvals: Approvals, rows: OutreachRows, database: Database, work: Dispatcher) -> APIRouter:
    """The routes of messages. `work` is told of those that may go on."""
    routes = APIRouter(prefix="/api/v1/outreach", tags=["engagement"], responses=COMMON)

    def fields(row: OutreachRow) -> Mapping[str, object]:
        computed = {"checks": row.checks or (), "footer": approvals.footer(row)}
        return {name: getattr(row, name) for name in OutreachView.model_fields if name not in computed} | computed

    async def with_votes(row: OutreachRow) -> OutreachWithVotes:
        return OutreachWithVotes.model_validate({**fields(row), "votes": await votes_of(database, row.id)})

    @routes.get("")
    async def page(
        state: OutreachState | None = None,
        customer: Annotated[str | None, Query(max_length=100, description="Of this customer alone.")] = None,
        limit: Limit = 50,
    ) -> OutreachList:
        """Messages on their way, and those that ended."""
        found = await rows.page(state=state, customer_id=customer, limit=limit)
        return OutreachList(items=[OutreachView.model_validate(fields(row)) for row in found])

    @routes.get("/{id}", responses=described(404))
    async def one(id: PathId) -> OutreachWithVotes:
        """The message, and what people said of it."""
        return await with_votes(await rows.get(id))

    @routes.post("/{id}/verdict", responses=described(404, 409))
    async def settle(id: PathId, body: VerdictBody, caller: Who) -> OutreachWithVotes:
        """Approve, edit or reject what waits for people. It acts once, on exactly what was seen."""
        row = await approvals.settle(id, caller.person, body.meant())
        if row.state == "scheduled":
            await work.ready("outreach", row.id)
        return await with_votes(row)

    return routes
