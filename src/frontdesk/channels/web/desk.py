"""What anybody may know about the desk before signing in."""

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter

from frontdesk.api.fields import View


class ProviderView(View):
    """A site that vouches for people."""

    id: str
    name: str


class ModelView(View):
    """The model that answers first, and what to expect of it."""

    name: str
    strength: Literal["strong", "small", "extractive"]


class DeskView(View):
    """The desk's public face."""

    name: str
    greeting: str
    suggestions: list[str]
    version: str
    sign_in: Literal["required", "open"]
    providers: list[ProviderView]
    local_sign_in: bool
    model: ModelView
    max_upload_bytes: int
    engagement: bool


def router(describe: Callable[[], DeskView]) -> APIRouter:
    """The route of the desk's public face; `describe` is asked each time, for models may come and go."""
    routes = APIRouter(prefix="/api/v1", tags=["desk"])

    @routes.get("/desk")
    async def desk() -> DeskView:
        """Name, greeting and how to sign in."""
        return describe()

    return routes
