"""/api/v1/bias: how groups of customers are treated, side by side, and the findings among them."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, PathId, ShortText, View, Who
from frontdesk.decision.settings import Settings
from frontdesk.store.gaps import Gaps, GapState, Measure


class GapView(View):
    """A group beside the best one of its trait, as it was seen last. Bounds hold at every look.

    `selection` compares messages a decision, `offer` what a message gives away, `outcome` how many messages a click, a
    reply or a conversion followed.
    """

    id: str
    measure: Measure
    trait: str
    group: str
    reference: str
    rate: float
    reference_rate: float
    ratio: float
    low: float
    high: float | None = Field(description="Null: as yet unbounded.")
    people: int
    reference_people: int
    state: GapState = Field(description="`open`: a finding; `accepted`: somebody knows why; `fair`: none.")
    since: datetime
    seen_at: datetime
    settled_by: str | None
    note: str


class BiasView(View):
    """All gaps, the widest first, and what is looked for."""

    enabled: bool
    groups: list[str] = Field(description="Traits that are compared, beside the segment.")
    least_ratio: float
    least_count: int
    findings: int = Field(description="How many gaps are open findings.")
    items: list[GapView]
    next: None = None


class AcceptBody(Body):
    """Why the gap is no wrong."""

    note: ShortText = ""


def router(gaps: Gaps, settings: Settings) -> APIRouter:
    """The routes of bias."""
    routes = APIRouter(prefix="/api/v1/bias", tags=["engagement"], responses=COMMON)

    @routes.get("")
    async def every() -> BiasView:
        """How groups were treated in the last four weeks, as of the last look."""
        found, options = await gaps.all(), settings().bias
        return BiasView(
            enabled=options.enabled,
            groups=options.groups,
            least_ratio=options.least_ratio,
            least_count=options.least_count,
            findings=sum(row.state == "open" for row in found),
            items=[GapView.model_validate(row) for row in found],
        )

    @routes.post("/findings/{id}", responses=described(404))
    async def accept(id: PathId, body: AcceptBody, caller: Who) -> GapView:
        """Accept a finding: it is known, and why. While it lasts it is not raised again."""
        return GapView.model_validate(await gaps.accept(id, caller.person.id, body.note))

    return routes
