"""What people say about answers: thumbs, and messages left for a person."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, Id, PathId, ShortText, Text, View, Who
from frontdesk.store.feedback import Feedback
from frontdesk.store.handoffs import Handoffs


class OpinionBody(Body):
    """A thumb up (1), down (-1), or none any more (0)."""

    value: Literal[1, -1, 0]
    reason: ShortText = ""


class HandoffBody(Body):
    """A message for a person, and how to answer it."""

    conversation_id: Id
    text: Annotated[Text, Field(min_length=1, max_length=10_000)]
    contact: Annotated[Text, Field(max_length=300)] = Field(default="", description="An address or a number.")


class Left(View):
    """The message is kept for a person."""

    id: str


def router(feedback: Feedback, handoffs: Handoffs) -> APIRouter:
    """The routes of feedback and of messages for a person."""
    routes = APIRouter(prefix="/api/v1", tags=["feedback"], responses=COMMON)

    @routes.put("/messages/{id}/feedback", status_code=204, responses=described(404))
    async def give(id: PathId, body: OpinionBody, who: Who) -> None:
        """Say whether an answer helped."""
        await feedback.give(who.person.id, id, body.value, body.reason)

    @routes.post("/handoffs", status_code=201, responses=described(404))
    async def leave(body: HandoffBody, who: Who) -> Left:
        """Leave a message for a person at the desk."""
        handoff = await handoffs.leave(who.person.id, body.conversation_id, body.text, body.contact)
        return Left(id=handoff.id)

    return routes
