"""POST /api/v1/events: what customers did, once each."""

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import Field

from frontdesk.api.errors import COMMON, Error, described
from frontdesk.api.fields import View
from frontdesk.channels.engagement.event_lines import LINES, EventBody, OneEvent, Read, read_events
from frontdesk.decision.intake import Accepted, Intake, State
from frontdesk.engagement import CustomerEvent
from frontdesk.errors import FrontdeskError
from frontdesk.ports import Clock


class EventView(View):
    """What became of an event. `decides`: a decision about it follows."""

    id: str = Field(description="The event's; empty where it could not be read.")
    state: State
    decides: bool = False
    error: Error | None = None


class EventsView(View):
    """What became of each event, in their order."""

    results: list[EventView]
    accepted: int
    known: int
    refused: int


_SCHEMA = msgspec.json.schema(EventBody)["$defs"]["EventBody"]
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        _SCHEMA,
                        {
                            "type": "object",
                            "properties": {"events": {"type": "array", "items": _SCHEMA}},
                            "required": ["events"],
                        },
                    ]
                }
            },
            LINES[0]: {"schema": {"type": "string", "description": "An event in each line."}},
        },
    }
}


def router(intake: Intake, clock: Clock) -> APIRouter:
    """The route of events."""
    routes = APIRouter(prefix="/api/v1/events", tags=["engagement"], responses=COMMON)

    @routes.post(
        "",
        status_code=202,
        response_model=EventView | EventsView,
        responses=described(404, 409, 413),
        openapi_extra=_BODY,
    )
    async def post(request: Request) -> Response:
        """Take in what customers did: one event, `{"events": […]}`, or a line each as `application/x-ndjson`.

        The same id again counts once. A single event that is refused is an error; of many, each has its own result.
        """
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        given = read_events(await request.body(), media_type, clock.now())
        if isinstance(given, OneEvent):
            [result] = await _accept(intake, [given.event])
            if result.problem is not None:
                raise result.problem
            return _answer(_view(result))
        return _answer(_views(await _accept(intake, given.events)))

    return routes


async def _accept(intake: Intake, given: list[Read]) -> list[Accepted]:
    taken = iter(await intake.accept([each for each in given if isinstance(each, CustomerEvent)]))
    return [
        next(taken) if isinstance(each, CustomerEvent) else Accepted(id="", state="refused", problem=each)
        for each in given
    ]


def _views(results: list[Accepted]) -> EventsView:
    states = [result.state for result in results]
    return EventsView(
        results=[_view(result) for result in results],
        accepted=states.count("accepted"),
        known=states.count("known"),
        refused=states.count("refused"),
    )


def _view(result: Accepted) -> EventView:
    problem = result.problem and _error(result.problem)
    return EventView(id=result.id, state=result.state, decides=result.decides, error=problem)


def _error(problem: FrontdeskError) -> Error:
    return Error(code=problem.code, message=problem.what, where=problem.where, hint=problem.hint)


def _answer(view: EventView | EventsView) -> Response:
    return Response(view.model_dump_json(), status_code=202, media_type="application/json")
