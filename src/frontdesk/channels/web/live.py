"""What an open page hears of its conversation, what it tells of its person, and how content the person was."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, PathId, ShortText, Who
from frontdesk.api.sse import EventStream, plain_frame
from frontdesk.outgoing import Signal
from frontdesk.ports import Live
from frontdesk.store.conversations import Conversations
from frontdesk.store.surveys import Surveys

STREAM = {
    "description": "`changed`: fetch the conversation again. `answering`: a person of the team types, `name`. News may "
    "be lost, so look for yourself at times. A comment `: ping` keeps a quiet stream open.",
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": 'event: changed\ndata: {}\n\nevent: answering\ndata: {"name":"Ann"}\n\n',
        }
    },
}


class Contentment(Body):
    """How content somebody was: from 1 (not at all) to 5 (very)."""

    score: Annotated[int, Field(ge=1, le=5, strict=True)]
    comment: ShortText = ""


def router(conversations: Conversations, surveys: Surveys, live: Live) -> APIRouter:
    """The routes beside a conversation's own."""
    routes = APIRouter(prefix="/api/v1/conversations", tags=["conversations"], responses=COMMON)

    @routes.get("/{id}/events", response_class=Response, responses={200: STREAM} | described(404))
    async def events(id: PathId, who: Who) -> EventStream:
        """Hear when the conversation changes, and when a person of the team types."""
        await conversations.get(id, who.person.id)
        return EventStream(_news(live, id))

    @routes.post("/{id}/typing", status_code=204, responses=described(404))
    async def typing(id: PathId, who: Who) -> None:
        """Tell the team that the person types, at most every three seconds or so."""
        await conversations.get(id, who.person.id)
        await live.tell(Signal(conversation_id=id, person_id=who.person.id, kind="typing", name=who.person.name))

    @routes.put("/{id}/satisfaction", status_code=204, responses=described(404))
    async def satisfaction(id: PathId, body: Contentment, who: Who) -> None:
        """Answer how content you were, once somebody has asked."""
        await surveys.answer_in(id, who.person.id, body.score, body.comment.strip())
        await live.tell(Signal(conversation_id=id, person_id=who.person.id, kind="changed"))

    return routes


async def _news(live: Live, conversation_id: str) -> AsyncGenerator[bytes]:
    async with aclosing(live.follow(conversation_id)) as signals:
        async for signal in signals:
            if signal.kind == "changed":
                yield plain_frame("changed", {})
            elif signal.kind == "answering":
                yield plain_frame("answering", {"name": signal.name})
