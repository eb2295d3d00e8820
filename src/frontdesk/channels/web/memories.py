"""What the desk remembers about the caller: theirs to read, correct and erase."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, PathId, Text, View, Who
from frontdesk.ports import Embedder
from frontdesk.store.memories import Memories


class MemoryBody(Body):
    """A fact in plain words."""

    text: Annotated[Text, Field(min_length=1, max_length=1_000, examples=["I prefer answers in Spanish."])]


class MemoryView(View):
    """A remembered fact."""

    id: str
    text: str
    created_at: datetime
    updated_at: datetime


class MemoryList(View):
    """All remembered facts, newest first."""

    items: list[MemoryView]
    next: None = None


def router(memories: Memories, embedder: Embedder | None) -> APIRouter:
    """The routes of a person's memories; with an embedder new facts are found by meaning too."""
    routes = APIRouter(prefix="/api/v1/memories", tags=["memories"], responses=COMMON)

    async def vector(text: str) -> bytes | None:
        return (await embedder.embed_passages([text]))[0] if embedder is not None else None

    @routes.get("")
    async def all_of_them(who: Who) -> MemoryList:
        """Everything the desk remembers about the caller."""
        return MemoryList(items=[MemoryView.model_validate(memory) for memory in await memories.of(who.person.id)])

    @routes.post("", status_code=201)
    async def add(body: MemoryBody, who: Who) -> MemoryView:
        """Tell the desk a fact to remember."""
        memory = await memories.add(who.person.id, body.text, vector=await vector(body.text))
        return MemoryView.model_validate(memory)

    @routes.patch("/{id}", status_code=204, responses=described(404, 409))
    async def change(id: PathId, body: MemoryBody, who: Who) -> None:
        """Correct a fact."""
        await memories.change(who.person.id, id, body.text, vector=await vector(body.text))

    @routes.delete("/{id}", status_code=204, responses=described(404))
    async def forget(id: PathId, who: Who) -> None:
        """Erase a fact."""
        await memories.forget(who.person.id, id)

    return routes
