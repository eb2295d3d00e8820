"""Asking, following the answer, and stopping it."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import Field, model_validator

from frontdesk.api.errors import COMMON, described, request_id_of
from frontdesk.api.fields import Body, Id, MessageText, PathId, View, Who
from frontdesk.api.sse import EventStream, frames
from frontdesk.api.views import MessageView, Shelf
from frontdesk.events import Inbound, PersonAnswers
from frontdesk.ports import Converse, Ids
from frontdesk.store.conversations import Conversations
from frontdesk.store.turns import Turns

EXAMPLE = (
    "id: 1\nevent: turn.started\n"
    'data: {"turn_id":"turn_1","conversation_id":"conv_1","message_id":"msg_1","reply_id":"msg_2"}\n\n'
    'id: 2\nevent: text.added\ndata: {"text":"We open at nine"}\n\n'
)
STREAM = {
    "description": "The turn's events, numbered; a comment `: ping` keeps a quiet stream open.",
    "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}},
}
NUMBER_PATTERN = r"^\d{1,9}$"


class ChatBody(Body):
    """A question. Without `conversation_id` a new conversation begins.

    `parent_id` (or `at_start`) makes a sibling branch, `regenerate` asks for another answer to an earlier question.
    """

    text: MessageText | None = Field(default=None, examples=["When do you open?"])
    conversation_id: Id | None = None
    parent_id: Id | None = None
    at_start: bool = False
    regenerate: Id | None = None
    file_ids: list[Id] = Field(default=[], max_length=20)
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @model_validator(mode="after")
    def _text_or_regenerate(self) -> "ChatBody":
        if (self.text is None) == (self.regenerate is None):
            raise ValueError("Give either text or regenerate")
        if self.conversation_id is None and (self.regenerate or self.parent_id):
            raise ValueError("regenerate and parent_id need conversation_id")
        return self


class Reply(View):
    """A finished answer; without a `message` where a person of the team, `handed_to`, has the conversation."""

    turn_id: str
    conversation_id: str
    message: MessageView | None
    handed_to: str | None = None


def router(converse: Converse, turns: Turns, conversations: Conversations, shelf: Shelf, ids: Ids) -> APIRouter:
    """The routes of a turn."""
    routes = APIRouter(prefix="/api/v1", tags=["chat"], responses=COMMON)

    @routes.post(
        "/chat", response_model=Reply, responses={200: {"description": "The answer"} | STREAM} | described(404, 409)
    )
    async def chat(
        request: Request,
        body: ChatBody,
        who: Who,
        accept: Annotated[str, Header()] = "application/json",
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200, pattern=r"^[!-~]+$")] = None,
    ) -> Reply | EventStream:
        """Ask. With `Accept: text/event-stream` the answer is streamed, else it comes whole when it is finished.

        The question is stored before anything else happens, and is answered even if the connection breaks. The same
        `Idempotency-Key` with the same body is the same question; with another body it is refused.
        """
        key = f"{who.person.id}:{idempotency_key}" if idempotency_key else ids.new("in")
        accepted = await converse.accept(
            Inbound(
                channel="widget" if who.credential == "widget" else "web",
                external_id=key,
                person_id=who.person.id,
                text=body.text or "",
                conversation_id=body.conversation_id,
                parent_id=body.parent_id,
                at_start=body.at_start,
                regenerate=body.regenerate,
                file_ids=tuple(body.file_ids),
                model=body.model,
                trace=request_id_of(request.scope),
            )
        )
        if "text/event-stream" in accept:
            return EventStream(frames(converse.follow(accepted.turn_id)))
        async for numbered in converse.follow(accepted.turn_id):
            if isinstance(numbered.event, PersonAnswers):
                return Reply(
                    turn_id=accepted.turn_id,
                    conversation_id=accepted.conversation_id,
                    message=None,
                    handed_to=numbered.event.name,
                )
        message = await conversations.message(accepted.reply_id, who.person.id)
        [view] = await shelf.show([message], who.person.id)
        return Reply(turn_id=accepted.turn_id, conversation_id=accepted.conversation_id, message=view)

    @routes.get("/turns/{id}/events", response_class=Response, responses={200: STREAM} | described(404))
    async def events(
        id: PathId,
        who: Who,
        after: Annotated[int, Query(ge=0, le=999_999_999, description="Resume after this event's number.")] = 0,
        last_event_id: Annotated[str | None, Header(pattern=NUMBER_PATTERN)] = None,
    ) -> EventStream:
        """Follow a turn, from its start or from where a broken stream ended. Ends by itself with the turn."""
        await turns.owner(id, who.person.id)
        return EventStream(frames(converse.follow(id, after=max(after, int(last_event_id or 0)))))

    @routes.post("/turns/{id}/stop", status_code=204, responses=described(404))
    async def stop(id: PathId, who: Who) -> None:
        """End the turn with what has been said so far."""
        await turns.owner(id, who.person.id)
        await converse.stop(id)

    return routes
