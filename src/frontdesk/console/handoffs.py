"""The messages that people left for a person, for operators."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, PathId, View
from frontdesk.store.handoffs import Handoffs


class HandoffView(View):
    """A message that somebody left for a person."""

    id: str
    conversation_id: str
    person_id: str
    text: str
    contact: str
    state: Literal["waiting", "settled"]
    created_at: datetime
    settled_at: datetime | None


class HandoffList(View):
    """Left messages, the oldest waiting ones first."""

    items: list[HandoffView]
    next: None = None


class HandoffChange(Body):
    """Settled, or waiting again."""

    state: Literal["waiting", "settled"]


def router(handoffs: Handoffs) -> APIRouter:
    """The routes of left messages."""
    routes = APIRouter(prefix="/api/v1/console/handoffs", tags=["console"], responses=COMMON)

    @routes.get("")
    async def left(state: Literal["waiting", "settled"] | None = None) -> HandoffList:
        """The messages that people left."""
        return HandoffList(items=[HandoffView.model_validate(handoff) for handoff in await handoffs.page(state)])

    @routes.patch("/{id}", status_code=204, responses=described(404))
    async def settle(id: PathId, body: HandoffChange) -> None:
        """Mark a message as settled, or as waiting again."""
        await handoffs.settle(id, body.state)

    return routes
