"""/api/v1/console/outbox: letters to customers, for the team's page. Without adapters this is where they end."""

from datetime import datetime

from fastapi import APIRouter

from frontdesk.api.errors import COMMON
from frontdesk.api.fields import Cursor, Limit, View
from frontdesk.delivery.local import CustomerLetters
from frontdesk.engagement import Channel
from frontdesk.store.outbox import LetterState


class CustomerLetterView(View):
    """A letter to a customer. `unknown`: perhaps it arrived, and nobody sends it again."""

    id: str
    customer_id: str
    decision_id: str
    channel: Channel
    message: str
    subject: str
    body: str
    state: LetterState
    problem: str | None
    created_at: datetime
    settled_at: datetime | None


class CustomerLettersPage(View):
    """The newest first."""

    items: list[CustomerLetterView]
    next: str | None


def router(letters: CustomerLetters) -> APIRouter:
    """The route of the outbox page."""
    routes = APIRouter(prefix="/api/v1/console/outbox", tags=["console"], responses=COMMON)

    @routes.get("")
    async def page(
        channel: Channel | None = None, state: LetterState | None = None, cursor: Cursor = None, limit: Limit = 50
    ) -> CustomerLettersPage:
        """Letters to customers, by whichever way they go."""
        found, following = await letters.page(channel=channel, state=state, before=cursor, limit=limit)
        return CustomerLettersPage(
            items=[CustomerLetterView.model_validate(letter) for letter in found], next=following
        )

    return routes
