"""/api/v1/rollbacks: the trial of a challenger as it stands, what was taken back, and taking back by hand."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, Id, Limit, Text, View, Who
from frontdesk.channels.engagement.policies import MoveView, ServingView
from frontdesk.decision.guard import Guard, figures_of
from frontdesk.decision.rollback import Act, Rule, Verdict
from frontdesk.store.policies import MoveKind, Policies


class TrialView(View):
    """A challenger beside the champion now. Bounds hold at every look, however often one looks.

    `act` is what the guard does about it at its next look, by which `rule`, in `words`; `figures` are the numbers that
    it stands on, of both.
    """

    act: Act
    rule: Rule
    words: str
    champion_rate: float = Field(description="Share of settled decisions that a click, reply or conversion followed.")
    challenger_rate: float
    ratio: float | None = Field(description="The challenger's rate over the champion's; null: nothing to divide by.")
    low: float = Field(description="The ratio is at least this …")
    high: float | None = Field(description="… and at most this; null: as yet unbounded.")
    figures: dict[str, float]


class RollbacksPage(View):
    """What was taken back, the newest first, and the trial that is going on."""

    trial: TrialView | None
    items: list[MoveView]
    next: None = None


class TakeBackBody(Body):
    """Which snapshot is to serve again, and why. Without `to`: the challenger ends, or else the one before serves."""

    to: Id | None = None
    reason: Annotated[Text, Field(min_length=1, max_length=500)]


def router(guard: Guard, policies: Policies) -> APIRouter:
    """The routes of rollbacks."""
    routes = APIRouter(prefix="/api/v1/rollbacks", tags=["engagement"], responses=COMMON)

    @routes.get("", responses=described(404))
    async def page(kind: MoveKind | Literal["all"] = "rolled_back", limit: Limit = 50) -> RollbacksPage:
        """Strategies that were taken back, with their numbers, and how the present trial stands."""
        verdict = await guard.trial()
        moves = await policies.moves(kind=None if kind == "all" else kind, limit=limit)
        return RollbacksPage(
            trial=None if verdict is None else trial_of(verdict),
            items=[MoveView.model_validate(move) for move in moves],
        )

    @routes.post("", responses=described(404, 409))
    async def take_back(body: TakeBackBody, caller: Who) -> ServingView:
        """Take a strategy back, now."""
        return ServingView.model_validate(await guard.take_back(to=body.to, reason=body.reason, actor=caller.person.id))

    return routes


def trial_of(verdict: Verdict) -> TrialView:
    """A verdict as it is shown."""
    figures = figures_of(verdict)
    return TrialView(
        act=verdict.act,
        rule=verdict.rule,
        words=verdict.words,
        champion_rate=verdict.comparison.baseline,
        challenger_rate=verdict.comparison.rate,
        ratio=verdict.comparison.ratio,
        low=verdict.comparison.low,
        high=figures.get("ratio_high"),
        figures=figures,
    )
