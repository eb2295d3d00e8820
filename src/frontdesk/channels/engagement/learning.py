"""/api/v1/learning, /api/v1/calibration, /api/v1/patterns: what was learned, and how far confidence can be trusted."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Limit, View
from frontdesk.channels.engagement.policies import CalibrationView
from frontdesk.decision.learning import Learner
from frontdesk.store.patterns import Patterns
from frontdesk.store.policies import Policies

Segment = Annotated[str, Query(max_length=100, description="Of this segment alone.")]


class MeasuredView(View):
    """The expected calibration error of a snapshot, on the holdout."""

    policy_id: str
    at: datetime
    error: float


class BinView(View):
    """Decisions of the holdout whose confidence lies from `low` to `high`."""

    low: float
    high: float
    said: float = Field(description="How sure the champion is of them, on average.")
    true: float = Field(description="What share of them beats doing nothing, as far as outcomes can tell.")
    count: int


class CalibrationsView(View):
    """The champion's calibration, what the holdout says of it, and how the error went."""

    policy_id: str
    measured_at: datetime
    calibration: CalibrationView
    bins: list[BinView]
    items: list[MeasuredView] = Field(description="The latest snapshots that were measured, the oldest first.")
    next: None = None


class PatternView(View):
    """In `segment`, messages of `subject` are answered at `rate`, its others at `others`; `low` and `high` bound the
    difference."""

    id: str
    kind: str = Field(description="slot, channel or message: what `subject` is.")
    segment: str
    subject: str
    rate: float
    others: float
    low: float
    high: float
    count: int
    confidence: str = Field(description="medium or high.")
    found_at: datetime
    seen_at: datetime


class PatternsPage(View):
    """Those that held last first."""

    items: list[PatternView]
    next: None = None


class LearnedView(View):
    """The snapshots that serve from now on; none where there was nothing new to learn."""

    items: list[str]


def router(learner: Learner, policies: Policies, patterns: Patterns) -> APIRouter:
    """The routes of what is learned."""
    routes = APIRouter(prefix="/api/v1", tags=["engagement"], responses=COMMON)

    @routes.post("/learning")
    async def learn() -> LearnedView:
        """Settle what is due, learn from it now, and measure and mend how confidence is calibrated."""
        return LearnedView(items=[policy.id for policy in await learner.refit()])

    @routes.get("/calibration", responses=described(404))
    async def calibration() -> CalibrationsView:
        """How far the champion's confidence can be taken at its word."""
        champion = await policies.get((await policies.serving()).champion_id)
        measured = [
            MeasuredView(policy_id=line.id, at=line.created_at, error=line.calibration_error)
            for line in await policies.calibrations()
            if line.calibration_error is not None
        ]
        return CalibrationsView(
            policy_id=champion.id,
            measured_at=champion.created_at,
            calibration=CalibrationView.model_validate(champion.calibration),
            bins=[BinView.model_validate(each) for each in await learner.trust(champion)],
            items=measured,
        )

    @routes.get("/patterns")
    async def found(segment: Segment = "", limit: Limit = 50) -> PatternsPage:
        """What groups of customers answer to."""
        items = await patterns.page(segment=segment, limit=limit)
        return PatternsPage(items=[PatternView.model_validate(pattern) for pattern in items])

    return routes
