"""The passage behind a citation, with the words around it."""

from typing import Protocol

from fastapi import APIRouter

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import PathId, View, Who
from frontdesk.messages import PassageContext


class Library(Protocol):
    """What this door needs of the knowledge."""

    async def context(self, passage_id: str) -> PassageContext:
        """One passage with its surroundings. Raises `NotFound`."""
        ...


class PassageView(View):
    """The quoted words in their place."""

    id: str
    document_id: str
    title: str
    source: str
    heading: str
    before: str
    text: str
    after: str


def router(library: Library) -> APIRouter:
    """The route of passages."""
    routes = APIRouter(prefix="/api/v1/passages", tags=["knowledge"], responses=COMMON)

    @routes.get("/{id}", responses=described(404))
    async def one(id: PathId, who: Who) -> PassageView:  # noqa: ARG001  # whoever may chat may read what is cited
        """What a citation stands on."""
        found = await library.context(id)
        passage = found.passage
        return PassageView(
            id=passage.id,
            document_id=passage.document_id,
            title=passage.title,
            source=passage.source,
            heading=passage.heading,
            before=found.before,
            text=passage.text,
            after=found.after,
        )

    return routes
