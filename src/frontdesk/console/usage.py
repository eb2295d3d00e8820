"""What everybody has used, by day and model."""

from fastapi import APIRouter

from frontdesk.api.errors import COMMON
from frontdesk.api.fields import Days
from frontdesk.api.views import UsageView
from frontdesk.store.budgets import Budgets
from frontdesk.store.calls import Calls


def router(calls: Calls, budgets: Budgets) -> APIRouter:
    """The route of the desk's usage."""
    routes = APIRouter(prefix="/api/v1/console", tags=["console"], responses=COMMON)

    @routes.get("/usage")
    async def usage(days: Days = 30) -> UsageView:
        """Tokens and cost of everybody in the last days."""
        return UsageView.of(await calls.spent(None, days), await budgets.left(None))

    return routes
