"""/api/v1/engagement/settings: what holds now, and settings that hold for a while."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AwareDatetime, Field, StrictBool, StrictFloat, StrictInt, StrictStr
from starlette.requests import Request

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, View, Who
from frontdesk.decision.settings import TUNABLE, Effective
from frontdesk.gate.caller import note_subject

Plain = StrictBool | StrictInt | StrictFloat | Annotated[StrictStr, Field(max_length=100)]


class SettingBody(Body):
    """A setting, what it is to be, and until when."""

    name: Annotated[str, Field(max_length=100, examples=["learning_rate"])]
    value: Plain
    until: AwareDatetime


class SettingView(View):
    """A setting. `value` is in effect; `base` is what the system file and the environment say."""

    name: str
    value: bool | int | float | str
    base: bool | int | float | str
    until: datetime | None = Field(description="When it reverts by itself; null: it is not set for a while.")
    set_by: str | None


class SettingsView(View):
    """Every setting that can be set for a while."""

    items: list[SettingView]
    next: None = None


def router(effective: Effective) -> APIRouter:
    """The routes of temporary settings."""
    routes = APIRouter(prefix="/api/v1/engagement/settings", tags=["engagement"], responses=COMMON)

    @routes.get("")
    async def every() -> SettingsView:
        """What holds now, and where it comes from."""
        await effective.refresh()
        return SettingsView(items=[_view(effective, name) for name in TUNABLE])

    @routes.put("", responses=described(404))
    async def tune(body: SettingBody, caller: Who, request: Request) -> SettingView:
        """Let a setting have another value for a while."""
        note_subject(request, body.name)
        await effective.tune(body.name, body.value, body.until, caller.person.id)
        return _view(effective, body.name)

    @routes.delete("/{name}", status_code=204, responses=described(404))
    async def end(name: str) -> None:
        """Let it be what it was, now."""
        await effective.end(name)

    return routes


def _view(effective: Effective, name: str) -> SettingView:
    tuning = next((tuning for tuning in effective.tuned if tuning.name == name), None)
    base = effective.base(name)
    return SettingView(
        name=name,
        value=base if tuning is None else tuning.value,
        base=base,
        until=tuning and tuning.until,
        set_by=tuning and tuning.set_by,
    )
