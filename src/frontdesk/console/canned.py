"""The team's ready replies."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, PathId, Text, View
from frontdesk.store.canned import Canned


class CannedBody(Body):
    """A reply; `{name}` in its text stands for the person's name."""

    shortcut: Annotated[str, Field(pattern=r"^[\w-]{1,40}$", examples=["hours"])]
    title: Annotated[Text, Field(min_length=1, max_length=200)]
    text: Annotated[Text, Field(min_length=1, max_length=10_000)]


class CannedView(View):
    """A reply that is ready."""

    id: str
    shortcut: str
    title: str
    text: str


class CannedList(View):
    """All of them, in order of the shortcuts."""

    items: list[CannedView]
    next: None = None


def router(canned: Canned) -> APIRouter:
    """The routes of ready replies."""
    routes = APIRouter(prefix="/api/v1/console/canned", tags=["console"], responses=COMMON)

    @routes.get("")
    async def every() -> CannedList:
        """The ready replies."""
        return CannedList(items=[CannedView.model_validate(reply) for reply in await canned.all()])

    @routes.post("", status_code=201, responses=described(409))
    async def add(body: CannedBody) -> CannedView:
        """Keep a reply for all of the team."""
        return CannedView.model_validate(await canned.add(**body.model_dump()))

    @routes.put("/{id}", responses=described(404, 409))
    async def change(id: PathId, body: CannedBody) -> CannedView:
        """Write a reply anew."""
        return CannedView.model_validate(await canned.change(id, **body.model_dump()))

    @routes.delete("/{id}", status_code=204, responses=described(404))
    async def remove(id: PathId) -> None:
        """Drop a reply."""
        await canned.remove(id)

    return routes
