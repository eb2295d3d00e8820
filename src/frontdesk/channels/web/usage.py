"""What the caller has used, by day and model."""

from fastapi import APIRouter

from frontdesk.api.errors import COMMON
from frontdesk.api.fields import Days, Who
from frontdesk.api.views import UsageView
from frontdesk.store.budgets import Budgets
from frontdesk.store.calls import Calls


def router(calls: Calls, budgets: Budgets) -> APIRouter:
    """The route of a person's own usage."""
    routes = APIRouter(prefix="/api/v1", tags=["usage"], responses=COMMON)

    @routes.get("/usage")
    async def usage(who: Who, days: Days = 30) -> UsageView:
        """Tokens and cost of the last days."""
        return UsageView.of(await calls.spent(who.person.id, days), await budgets.left(who.person.id))

    return routes
