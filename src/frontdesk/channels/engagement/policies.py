"""/api/v1/policies: the snapshots, where they came from, and which of them serve."""

from datetime import datetime
from typing import Annotated

import msgspec
import numpy as np
from fastapi import APIRouter, Query
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Cursor, Limit, PathId, View
from frontdesk.decision.posterior import covariance
from frontdesk.engagement import Policy, PolicyOrigin, Posterior
from frontdesk.store.cursors import cursor as cursor_of
from frontdesk.store.policies import MoveKind, Policies

Strategy = Annotated[str, Query(max_length=100, description="Of this strategy alone.")]


class PolicyLineView(View):
    """A snapshot. `outcomes` is how many it has learned from, forgotten ones discounted."""

    id: str
    parent_id: str | None
    strategy: str = Field(description="Groups the snapshots that learned under the same genes.")
    origin: PolicyOrigin
    generation: int
    created_at: datetime
    born_at: datetime = Field(description="When its strategy began.")
    outcomes: float
    calibration_error: float | None
    note: str


class PoliciesPage(View):
    """A page of snapshots, the newest first."""

    items: list[PolicyLineView]
    next: str | None


class WeightView(View):
    """What a feature is believed to add to the reward, and to the probability of harm, with standard deviations."""

    feature: str
    reward: float
    reward_deviation: float
    harm: float
    harm_deviation: float


class CalibrationView(View):
    """From raw to calibrated confidence, straight between the points; empty: as it is."""

    x: list[float]
    y: list[float]
    error: float | None
    n: int


class PolicyView(View):
    """A snapshot with what it believes and what its strategy is."""

    id: str
    parent_id: str | None
    strategy: str
    origin: PolicyOrigin
    generation: int
    created_at: datetime
    born_at: datetime
    note: str
    outcomes: float
    genes: dict[str, float | int | str]
    weights: list[WeightView]
    calibration: CalibrationView


class ServingView(View):
    """Which snapshots decide. `share` is the challenger's share of the people; the shadow only scores."""

    champion_id: str
    challenger_id: str | None
    share: float
    shadow_id: str | None
    since: datetime
    version: int


class MoveView(View):
    """A change of what serves, why, and on which figures; `actor` is empty where the desk did it by itself."""

    id: str
    at: datetime
    kind: MoveKind
    before: ServingView
    after: ServingView
    reason: str
    figures: dict[str, float]
    actor: str


class MovesPage(View):
    """The latest moves, the newest first."""

    items: list[MoveView]
    next: None = None


class LineageView(View):
    """A snapshot and those that it came from, itself first."""

    items: list[PolicyLineView]
    next: None = None


def router(policies: Policies) -> APIRouter:
    """The routes of policies."""
    routes = APIRouter(prefix="/api/v1/policies", tags=["engagement"], responses=COMMON)

    @routes.get("")
    async def page(strategy: Strategy = "", cursor: Cursor = None, limit: Limit = 50) -> PoliciesPage:
        """Snapshots, the newest first."""
        found = await policies.page(strategy=strategy, cursor=cursor, limit=limit + 1)
        items = [PolicyLineView.model_validate(line) for line in found[:limit]]
        more = cursor_of(found[limit - 1].created_at, found[limit - 1].id) if len(found) > limit else None
        return PoliciesPage(items=items, next=more)

    @routes.get("/serving", responses=described(404))
    async def serving() -> ServingView:
        """Who decides now."""
        return ServingView.model_validate(await policies.serving())

    @routes.get("/moves")
    async def moves(kind: MoveKind | None = None, limit: Limit = 50) -> MovesPage:
        """How that came about."""
        return MovesPage(items=[MoveView.model_validate(move) for move in await policies.moves(kind=kind, limit=limit)])

    @routes.get("/{id}", responses=described(404))
    async def one(id: PathId) -> PolicyView:
        """A snapshot with its genes and its beliefs."""
        return view_of(await policies.get(id))

    @routes.get("/{id}/lineage", responses=described(404))
    async def lineage(id: PathId, limit: Limit = 50) -> LineageView:
        """Where it came from."""
        found = await policies.lineage(id, limit=limit)
        return LineageView(items=[PolicyLineView.model_validate(line) for line in found])

    return routes


def view_of(policy: Policy) -> PolicyView:
    """A snapshot as it is shown."""
    beliefs = zip(policy.features, *_spread(policy.reward), *_spread(policy.harm), strict=True)
    names = ("feature", "reward", "reward_deviation", "harm", "harm_deviation")
    plain = {name: getattr(policy, name) for name in PolicyView.model_fields if name in Policy.__struct_fields__}
    return PolicyView.model_validate(
        plain
        | {
            "outcomes": policy.reward.n,
            "genes": msgspec.structs.asdict(policy.genes),
            "weights": [dict(zip(names, belief, strict=True)) for belief in beliefs],
            "calibration": CalibrationView.model_validate(policy.calibration),
        }
    )


def _spread(posterior: Posterior) -> tuple[list[float], list[float]]:
    deviation: list[float] = np.sqrt(np.diag(covariance(posterior))).tolist()
    return list(posterior.mean), deviation
