"""The models and how they have been doing in this process."""

from typing import Literal

from fastapi import APIRouter

from frontdesk.api.errors import COMMON
from frontdesk.api.fields import View
from frontdesk.ports import Models


class ModelHealthView(View):
    """One model. `p50_ms` is the median time to its first word; `state` that of its circuit breaker."""

    name: str
    wire: str
    model: str
    state: Literal["closed", "open", "half_open"]
    calls: int
    failures: int
    p50_ms: float | None
    last_error: str | None


class ModelHealthList(View):
    """All models, in the order in which they are asked."""

    items: list[ModelHealthView]
    next: None = None


def router(models: Models) -> APIRouter:
    """The route of the models' health."""
    routes = APIRouter(prefix="/api/v1/console", tags=["console"], responses=COMMON)

    @routes.get("/models")
    async def health() -> ModelHealthList:
        """The health of each model."""
        return ModelHealthList(items=[ModelHealthView.model_validate(one) for one in models.health()])

    return routes
