"""/api/v1/orchestration/evolve and /api/v1/evolutions: steps of evolution, asked for and looked at."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, Cursor, Limit, PathId, View, Who
from frontdesk.channels.engagement.policies import PolicyLineView
from frontdesk.decision.evolving import Evolving
from frontdesk.store.cursors import cursor as cursor_of
from frontdesk.store.evolutions import Evolution, Evolutions, EvolutionState
from frontdesk.store.policies import Policies

LINE = 20  # snapshots of a lineage that are told


class RoundView(View):
    """The fitness of one round's population."""

    best: float
    mean: float


class GeneChangeView(View):
    """A gene in which the winner differs from its parent; `worth` is the fitness that is lost without the change."""

    gene: str
    before: float | str
    after: float | str
    worth: float


class FoundView(View):
    """What a search found, in units of one conversion a decision; all zero while it runs."""

    rounds: list[RoundView]
    tried: int = Field(description="Strategies that were judged.")
    decisions: int = Field(description="Of the slice of the log that the winner was chosen on.")
    held_out_decisions: int = Field(description="Of the slice that nobody looked at before the end.")
    fitness: float = Field(description="The winner's, on the first slice: a lower bound, less penalties.")
    held_out: float = Field(description="The winner's, on the second slice.")
    gap: float = Field(description="How much better it looked where it was chosen: `fitness` less `held_out`.")
    parent_fitness: float
    parent_held_out: float
    gain: float = Field(description="The winner's advantage a decision over its parent on the second slice …")
    gain_low: float = Field(description="… at least, with 90 % confidence …")
    gain_high: float = Field(description="… and at most.")
    load: float = Field(description="Share of decisions that would send a message, by the winner.")
    parent_load: float
    harm: float = Field(description="Share of decisions that would drive somebody away, by the winner.")
    parent_harm: float
    changes: list[GeneChangeView]


class EvolutionView(View):
    """A step of evolution. Its winner has its trial in the shadow, then as canary, and may become champion."""

    id: str
    job_id: str
    state: EvolutionState
    generation: int
    seed: str = Field(description="Decimal digits; the same seed finds the same on the same log.")
    actor: str = Field(description="Who asked for it; empty: the desk.")
    parent_id: str = Field(description="The snapshot that it started from.")
    policy_id: str | None = Field(description="The winner's first snapshot.")
    note: str = Field(description="What it came to, in words.")
    created_at: datetime
    changed_at: datetime
    found: FoundView


class EvolutionWithLineage(EvolutionView):
    """A step, and the snapshots that its winner, or else its parent, came from, itself first."""

    lineage: list[PolicyLineView]


class EvolutionsPage(View):
    """Steps, the newest first."""

    items: list[EvolutionView]
    next: str | None


class EvolveBody(Body):
    """How to take a step."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = Field(default=None, description="Repeats a step.")


def router(evolving: Evolving, evolutions: Evolutions, policies: Policies) -> APIRouter:
    """The routes of evolution."""
    routes = APIRouter(prefix="/api/v1", tags=["engagement"], responses=COMMON)

    async def with_lineage(step: Evolution) -> EvolutionWithLineage:
        found = await policies.lineage(step.policy_id or step.parent_id, limit=LINE)
        lines = [PolicyLineView.model_validate(line) for line in found]
        return EvolutionWithLineage(**dict(_view(step)), lineage=lines)

    @routes.post("/orchestration/evolve", status_code=202, responses=described(409))
    async def evolve(caller: Who, body: EvolveBody | None = None) -> EvolutionWithLineage:
        """Take one step of evolution, as the job that the answer names."""
        return await with_lineage(await evolving.ask(actor=caller.person.id, seed=body and body.seed))

    @routes.get("/evolutions")
    async def page(cursor: Cursor = None, limit: Limit = 50) -> EvolutionsPage:
        """Steps of evolution, the newest first."""
        found = await evolutions.page(cursor=cursor, limit=limit + 1)
        more = cursor_of(found[limit - 1].created_at, found[limit - 1].id) if len(found) > limit else None
        return EvolutionsPage(items=[_view(step) for step in found[:limit]], next=more)

    @routes.get("/evolutions/{id}", responses=described(404))
    async def one(id: PathId) -> EvolutionWithLineage:
        """A step of evolution, with lineage and what each changed gene is worth."""
        return await with_lineage(await evolutions.get(id))

    return routes


def _view(step: Evolution) -> EvolutionView:
    own = {name: getattr(step, name) for name in EvolutionView.model_fields if name not in ("seed", "found")}
    return EvolutionView(**own, seed=str(step.seed), found=FoundView.model_validate(step.found))
