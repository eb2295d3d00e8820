"""Everybody's conversations, and the messages that people left, for operators."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, Cursor, Limit, Messages, PathId, View, Words
from frontdesk.api.views import ConversationLine, ConversationView, Shelf
from frontdesk.store.conversations import Conversations
from frontdesk.store.handoffs import Handoffs


class ConversationOf(ConversationLine):
    """A conversation in the operators' list, with whose it is."""

    person_id: str


class ConversationsOfAll(View):
    """A page of everybody's conversations, newest first."""

    items: list[ConversationOf]
    next: str | None


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


def router(conversations: Conversations, handoffs: Handoffs, shelf: Shelf) -> APIRouter:
    """The routes of everybody's conversations and left messages."""
    routes = APIRouter(prefix="/api/v1/console", tags=["console"], responses=COMMON)

    @routes.get("/conversations")
    async def page(limit: Limit = 30, cursor: Cursor = None, query: Words = "") -> ConversationsOfAll:
        """Everybody's conversations, newest first."""
        found, following = await conversations.page(None, query=query, before=cursor, limit=limit, channel=None)
        return ConversationsOfAll(items=[ConversationOf.model_validate(item) for item in found], next=following)

    @routes.get("/conversations/{id}", responses=described(404))
    async def one(id: PathId, limit: Messages = 200) -> ConversationView:
        """Anybody's conversation, to read."""
        return await shelf.conversation(id, None, limit)

    @routes.get("/handoffs")
    async def left(state: Literal["waiting", "settled"] | None = None) -> HandoffList:
        """The messages that people left."""
        return HandoffList(items=[HandoffView.model_validate(handoff) for handoff in await handoffs.page(state)])

    @routes.patch("/handoffs/{id}", status_code=204, responses=described(404))
    async def settle(id: PathId, body: HandoffChange) -> None:
        """Mark a message as settled, or as waiting again."""
        await handoffs.settle(id, body.state)

    return routes
