"""A person's own conversations."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, model_validator

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, Cursor, Id, Limit, Messages, PathId, Text, Who, Words
from frontdesk.api.views import ConversationLine, ConversationPage, ConversationView, Shelf
from frontdesk.store.conversations import Conversations


class ConversationChange(Body):
    """Another title, or another branch as the current one."""

    title: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    head_id: Id | None = Field(default=None, description="The message that ends the branch.")

    @model_validator(mode="after")
    def _something(self) -> "ConversationChange":
        if self.title is None and self.head_id is None:
            raise ValueError("Give title or head_id")
        return self


ELSEWHERE = ("openai",)  # these callers keep their own history; a script of theirs would bury a person's


def router(conversations: Conversations, shelf: Shelf) -> APIRouter:
    """The routes of a person's conversations."""
    routes = APIRouter(prefix="/api/v1/conversations", tags=["conversations"], responses=COMMON)

    @routes.get("")
    async def page(who: Who, limit: Limit = 30, cursor: Cursor = None, query: Words = "") -> ConversationPage:
        """The caller's conversations, newest first."""
        found, following = await conversations.page(
            who.person.id, query=query, before=cursor, limit=limit, but=ELSEWHERE
        )
        return ConversationPage(items=[ConversationLine.model_validate(item) for item in found], next=following)

    @routes.get("/{id}", responses=described(404))
    async def one(id: PathId, who: Who, limit: Messages = 200) -> ConversationView:
        """A conversation with the newest messages of all its branches."""
        return await shelf.conversation(id, who.person.id, limit)

    @routes.patch("/{id}", status_code=204, responses=described(404))
    async def change(id: PathId, body: ConversationChange, who: Who) -> None:
        """Rename it, or choose its current branch."""
        if body.head_id is not None:
            await conversations.choose_branch(id, who.person.id, body.head_id)
        if body.title is not None:
            await conversations.rename(id, who.person.id, body.title)

    @routes.delete("/{id}", status_code=204, responses=described(404))
    async def delete(id: PathId, who: Who) -> None:
        """Erase it with everything in it."""
        await conversations.delete(id, who.person.id)

    return routes
