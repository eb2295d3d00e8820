"""Simulated people before a desk: they introduce themselves, come by, and answer what has reached them."""

from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest
from aiohttp import web

from frontdesk.decision.simulation import against as module
from frontdesk.decision.simulation.against import Desk, against
from frontdesk.decision.simulation.messages import simulated_options
from frontdesk.errors import DeskRefused, NotFound
from frontdesk.operate.ports import free_port

OPTIONS = simulated_options()
ARM = "check_in/in_app/now"


class Stand:
    """A desk that sends everybody who comes by the same message, which needs nobody's word."""

    def __init__(self) -> None:
        self.customers: dict[str, dict[str, object]] = {}
        self.events: list[dict[str, str]] = []
        self.outcomes: list[dict[str, str]] = []
        self.keys: set[str] = set()
        self.url = ""

    async def put(self, request: web.Request) -> web.Response:
        self.keys.add(request.headers.get("Authorization", ""))
        self.customers[request.match_info["id"]] = await request.json()
        return web.json_response({"id": request.match_info["id"]})

    async def event(self, request: web.Request) -> web.Response:
        given = (await request.json())["events"]
        self.events += given
        return web.json_response({"results": [{"id": each["id"], "state": "accepted"} for each in given]}, status=202)

    async def decisions(self, request: web.Request) -> web.Response:
        items = [
            {"id": f"dec-{each['id']}", "customer_id": each["customer_id"], "state": "act", "arm": ARM}
            for each in self.events[-100:]
        ]
        return web.json_response({"items": items, "next": None})

    async def story(self, request: web.Request) -> web.Response:
        return web.json_response({"decision": {}, "message": {"state": "released"}})

    async def feedback(self, request: web.Request) -> web.Response:
        given = (await request.json())["outcomes"]
        self.outcomes += given
        return web.json_response({"results": [{"id": each["id"], "state": "counted"} for each in given]}, status=202)


@pytest.fixture
async def stand() -> AsyncGenerator[Stand]:
    stand, app = Stand(), web.Application()
    routes: dict[tuple[str, str], Callable[[web.Request], Awaitable[web.Response]]] = {
        ("PUT", "/api/v1/customers/{id}"): stand.put,
        ("POST", "/api/v1/events"): stand.event,
        ("GET", "/api/v1/decisions"): stand.decisions,
        ("GET", "/api/v1/decisions/{id}"): stand.story,
        ("POST", "/api/v1/feedback"): stand.feedback,
    }
    for (method, path), handler in routes.items():
        app.router.add_route(method, path, handler)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    stand.url = f"http://127.0.0.1:{port}"
    yield stand
    await runner.cleanup()


async def test_people_introduce_themselves_come_by_and_answer(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOURS_A_SECOND", 24.0)  # a day at once
    account = await against(Desk(stand.url, "secret"), OPTIONS, people=40, seed=1, seconds=2.5)
    assert len(stand.customers) == account.people == 40
    assert stand.keys == {"Bearer secret"}
    assert account.events == len(stand.events) > 10
    assert {each["customer_id"] for each in stand.events} <= stand.customers.keys()
    assert account.messages == account.decisions["act"] > 10
    assert account.outcomes["open"] > 0
    assert {each["decision_id"] for each in stand.outcomes} <= {f"dec-{each['id']}" for each in stand.events}


async def test_where_no_desk_answers_is_said_so() -> None:
    with pytest.raises(NotFound, match="No desk answers there"):
        await against(Desk(f"http://127.0.0.1:{free_port()}"), OPTIONS, people=1, seed=1, seconds=1)


async def test_what_the_desk_refuses_is_told(stand: Stand) -> None:
    with pytest.raises(DeskRefused, match="404"):
        await against(Desk(f"{stand.url}/elsewhere"), OPTIONS, people=1, seed=1, seconds=1)
    assert not stand.events
