"""GET /api/v1/off-policy: what policies would have done on the decisions that were really made."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Days, Id, View
from frontdesk.decision.comparing import Comparing
from frontdesk.decision.off_policy import Method
from frontdesk.ports import Clock
from frontdesk.store.policies import Policies

Which = Annotated[list[Id] | None, Query(max_length=10, description="Policies; without any, those that serve now.")]


class EstimateView(View):
    """A mean reward a decision, in units of one conversion, with its 95 % interval."""

    method: Method
    value: float
    low: float
    high: float
    effective: float = Field(description="How many decisions of the policy's own the log is worth.")
    matched: float = Field(description="How many outcomes it rests on.")
    enough: bool = Field(description="False: nothing may be decided on it, and `why` says what is missing.")
    why: str


class ComparedView(View):
    """A policy on the decisions that it has not learned from. `earned` is what these brought in truth."""

    policy_id: str
    decisions: int
    logged: int = Field(description="All decisions of that time.")
    earned: float
    estimates: list[EstimateView]


class OffPolicyView(View):
    """The policies side by side."""

    items: list[ComparedView]
    next: None = None


def router(comparing: Comparing, policies: Policies, clock: Clock) -> APIRouter:
    """The route of off-policy estimates."""
    routes = APIRouter(prefix="/api/v1/off-policy", tags=["engagement"], responses=COMMON)

    @routes.get("", responses=described(404))
    async def compare(policy_id: Which = None, days: Days = 30) -> OffPolicyView:
        """Estimates from the log of the last days. Decisions that a person made or changed are left out."""
        ids = policy_id or await policies.served()
        found = await comparing.compare(ids, clock.now() - timedelta(days=days))
        return OffPolicyView(items=[ComparedView.model_validate(each) for each in found])

    return routes
