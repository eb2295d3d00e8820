"""/api/v1/in-app: what the owner's own app shows to its customers."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from frontdesk.api.errors import COMMON
from frontdesk.api.fields import Limit, PathId, View
from frontdesk.delivery.in_app import InAppMessages


class InAppView(View):
    """A message. Opens, clicks and answers are reported as feedback on its decision."""

    id: str
    decision_id: str
    subject: str
    body: str = Field(description="Plain text.")
    unsubscribe_url: str = Field(description="Where its customer stops such messages; empty without PUBLIC_URL.")
    at: datetime


class InAppList(View):
    """The newest first."""

    items: list[InAppView]
    next: None = None


def router(messages: InAppMessages) -> APIRouter:
    """The route that the owner's app asks, with a key of its own."""
    routes = APIRouter(prefix="/api/v1/in-app", tags=["engagement"], responses=COMMON)

    @routes.get("/{customer_id}")
    async def of(customer_id: PathId, limit: Limit = 20) -> InAppList:
        """The customer's messages; none for somebody who is not known."""
        found = await messages.of(customer_id, limit=limit)
        return InAppList(items=[InAppView.model_validate(message) for message in found])

    return routes
