"""POST /api/v1/feedback: what customers did with messages, joined to the decision that caused them."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, Field, FiniteFloat

from frontdesk.api.errors import COMMON, Error, described
from frontdesk.api.fields import Body, Id, View
from frontdesk.decision.feedback import Feedback, Taken
from frontdesk.engagement import Outcome, OutcomeKind
from frontdesk.errors import FrontdeskError
from frontdesk.ports import Clock

MOST = 1000  # outcomes in one request

OutcomeId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]


class OutcomeBody(Body):
    """An outcome. The same `id` again is the same outcome; without `at` it happened now."""

    id: OutcomeId
    decision_id: Id
    kind: OutcomeKind
    at: AwareDatetime | None = None
    value: FiniteFloat = Field(default=0.0, description="What a conversion was worth, in the owner's currency.")

    def outcome(self, now: datetime) -> Outcome:
        """As the house knows it."""
        return Outcome(id=self.id, decision_id=self.decision_id, kind=self.kind, at=self.at or now, value=self.value)


class OutcomesBody(Body):
    """Many at once."""

    outcomes: Annotated[list[OutcomeBody], Field(min_length=1, max_length=MOST)]


class TakenView(View):
    """What became of an outcome: counted, late (kept, but its decision is settled), repeated (known), or refused."""

    id: str
    decision_id: str
    state: Literal["counted", "late", "repeated", "refused"]
    error: Error | None = None


class FeedbackView(View):
    """What became of each outcome, in their order."""

    results: list[TakenView]


def router(feedback: Feedback, clock: Clock) -> APIRouter:
    """The route of feedback."""
    routes = APIRouter(prefix="/api/v1/feedback", tags=["engagement"], responses=COMMON)

    @routes.post("", status_code=202, responses=described(404))
    async def post(body: OutcomeBody | OutcomesBody) -> TakenView | FeedbackView:
        """Take in one outcome, or `{"outcomes": […]}`. Of many, a refused one does not keep the others out."""
        now = clock.now()
        if isinstance(body, OutcomeBody):
            [taken] = await feedback.accept([body.outcome(now)])
            return _view(taken)
        return FeedbackView(results=[await _each(feedback, one.outcome(now)) for one in body.outcomes])

    return routes


async def _each(feedback: Feedback, outcome: Outcome) -> TakenView:
    try:
        [taken] = await feedback.accept([outcome])
    except FrontdeskError as problem:
        if problem.status >= 500:
            raise
        error = Error(code=problem.code, message=problem.what, where=problem.where, hint=problem.hint)
        return TakenView(id=outcome.id, decision_id=outcome.decision_id, state="refused", error=error)
    return _view(taken)


def _view(taken: Taken) -> TakenView:
    return TakenView(id=taken.id, decision_id=taken.decision_id, state=taken.state)
