"""/api/v1/decisions: asking for decisions, reading them with all that followed, making them again."""

from collections.abc import Mapping
from typing import Annotated, Protocol

import msgspec
from fastapi import APIRouter, Query, Request, Response
from starlette.types import ASGIApp

from frontdesk.api.errors import COMMON, Unforeseen, described
from frontdesk.api.fields import Limit, PathId
from frontdesk.channels.engagement.deciding import MOST_ASKS, AskBody, Deciding, Hot, Settings, shown
from frontdesk.channels.engagement.decision_views import (
    AnswersView,
    DecisionsPage,
    DecisionView,
    ReplayView,
    StoryView,
)
from frontdesk.decision.overruling import Overruling
from frontdesk.decision.replay import replay
from frontdesk.engagement import DecisionState, Objective, Policy
from frontdesk.ports import Dispatcher
from frontdesk.store.decisions import Decisions, Wanted
from frontdesk.store.stories import Stories

ONE, MANY = "/api/v1/decisions", "/api/v1/decisions/batch"

Before = Annotated[str | None, Query(max_length=100, description="`next` of the page before.")]
Word = Annotated[str | None, Query(max_length=200)]

_ASK = msgspec.json.schema(AskBody)["$defs"]["AskBody"]
_ASKS = {
    "type": "object",
    "properties": {"asks": {"type": "array", "items": _ASK, "minItems": 1, "maxItems": MOST_ASKS}},
    "required": ["asks"],
}


class Snapshots(Protocol):
    """Where policies are found by their ids."""

    async def policy(self, policy_id: str) -> Policy:
        """Raises `NotFound`."""
        ...


def hot(deciding: Deciding) -> dict[str, ASGIApp]:
    """By path, the endpoints of the hot POST routes, to be called past the framework."""
    return {ONE: Unforeseen(Hot(deciding.one)), MANY: Unforeseen(Hot(deciding.many))}


def router(
    deciding: Deciding,
    decisions: Decisions,
    stories: Stories,
    snapshots: Snapshots,
    overruling: Overruling,
    settings: Settings,
    work: Dispatcher,
) -> APIRouter:
    """The routes of decisions. `settings` gives the options in effect; `work` is told of messages to be written."""
    routes = APIRouter(prefix=ONE, tags=["engagement"], responses=COMMON)

    @routes.post("", response_model=DecisionView, responses=described(404, 409), openapi_extra=_body(_ASK))
    async def decide(request: Request) -> Response:
        """Decide what, if anything, a customer should hear. What follows from it happens by itself."""
        return Response(await deciding.one(await request.body()), media_type="application/json")

    @routes.post("/batch", response_model=AnswersView, responses=described(413), openapi_extra=_body(_ASKS))
    async def batch(request: Request) -> Response:
        """Decide about many customers at once. Each question has an answer of its own: a decision or an error."""
        return Response(await deciding.many(await request.body()), media_type="application/json")

    @routes.get("")
    async def page(
        customer_id: Word = None,
        state: DecisionState | None = None,
        segment: Word = None,
        objective: Objective | None = None,
        policy_id: Word = None,
        arm: Word = None,
        cursor: Before = None,
        limit: Limit = 50,
    ) -> DecisionsPage:
        """Decisions, the newest first."""
        wanted = Wanted(
            customer_id=customer_id, state=state, segment=segment, objective=objective, policy_id=policy_id, arm=arm
        )
        found = await decisions.page(wanted, before=cursor, limit=limit + 1)
        items = [DecisionView.model_validate(shown(each, settings())) for each in found[:limit]]
        return DecisionsPage(items=items, next=found[limit - 1].id if len(found) > limit else None)

    async def told(id: str) -> StoryView:
        story = await stories.of(id)
        return StoryView.model_validate(msgspec.structs.replace(story, decision=shown(story.decision, settings())))

    @routes.get("/{id}", responses=described(404))
    async def one(id: PathId) -> StoryView:
        """A decision with its reasons, its strategy, the message, who approved it, its delivery and what came of it."""
        return await told(id)

    @routes.post("/{id}/replay", responses=described(404))
    async def again(id: PathId) -> ReplayView:
        """Make a decision again from what was logged, and tell whether it comes out the same. Nothing is changed."""
        decision = await decisions.get(id)
        return ReplayView.model_validate(replay(decision, await snapshots.policy(decision.policy_id), settings()))

    @routes.post("/{id}/overrule", responses=described(404, 409))
    async def overrule(id: PathId) -> StoryView:
        """Have the message of a held decision written after all. It then waits for approval, as any other."""
        await work.ready("outreach", await overruling.overrule(id))
        return await told(id)

    return routes


def _body(schema: Mapping[str, object]) -> dict[str, object]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
