"""What operators see of tools and say about them, over HTTP and through the real gate."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
import pytest
from fastapi import FastAPI
from mcp.server import MCPServer

from frontdesk.api import errors
from frontdesk.channels.web import approvals as approval_routes
from frontdesk.clock import RandomIds, SystemClock
from frontdesk.console import tools as tool_routes
from frontdesk.gate.options import GateOptions
from frontdesk.gate.policy import Policy
from frontdesk.messages import Role, ToolCall
from frontdesk.store.database import Database
from frontdesk.store.tools import ApprovalRows, ToolLedger
from frontdesk.testing.clock import FakeClock
from frontdesk.testing.serve import serve
from frontdesk.tools.approvals import Approvals
from frontdesk.tools.options import ToolsOptions
from frontdesk.tools.toolbox import Toolbox
from tests.gate.desk import GateDesk
from tests.tools.mcp_servers import app_of, serving


class ToolDesk:
    """The real gate, ledger, toolbox and approvals behind the real routes."""

    def __init__(self, database: Database, clock: FakeClock, address: str) -> None:
        self.gate = GateDesk(database, clock, GateOptions(rate_limit_enabled=False))
        options = ToolsOptions(discovery_urls=[address], auto_approve_servers=[])
        self.toolbox = Toolbox(options, ToolLedger(database, SystemClock()), SystemClock())
        self.approvals = Approvals(ApprovalRows(database, clock), clock, RandomIds())
        app = FastAPI(openapi_url=None)
        errors.install(app)
        app.include_router(tool_routes.router(self.toolbox))
        app.include_router(approval_routes.router(self.approvals))
        self.app = self.gate.gate(app)

    @asynccontextmanager
    async def as_somebody(self, role: Role) -> AsyncGenerator[httpx2.AsyncClient]:
        """A client signed in as a new person of that role."""
        headers = await self.gate.token(await self.gate.person(role))
        async with serve(self.app) as address, httpx2.AsyncClient(base_url=address, headers=headers) as client:
            yield client


@pytest.fixture
async def desk(embedded: Database, clock: FakeClock) -> AsyncGenerator[ToolDesk]:
    server = MCPServer("shop", log_level="CRITICAL")
    server.add_tool(lambda: "paid", name="pay", description="Pay the bill.")
    async with serving(lambda: app_of(server)) as running:
        desk = ToolDesk(embedded, clock, running.address)
        desk.toolbox.start()
        async with asyncio.timeout(20):
            await desk.toolbox.changed()
        yield desk
        await desk.toolbox.close()


async def test_an_operator_reads_a_new_tool_and_approves_it(desk: ToolDesk) -> None:
    async with desk.as_somebody(Role.OPERATOR) as operator:
        [server] = (await operator.get("/api/v1/tools")).json()["servers"]
        [tool] = server["tools"]
        assert (server["name"], server["state"]) == ("shop", "up")
        assert (tool["name"], tool["state"], tool["needs_approval"]) == ("shop__pay", "new", True)
        assert desk.toolbox.specs() == ()
        stale = await operator.post("/api/v1/tools/shop__pay", json={"state": "approved", "digest": "0" * 64})
        assert (stale.status_code, stale.json()["error"]["code"]) == (409, "conflict")
        body = {"state": "approved", "digest": tool["digest"], "needs_approval": False}
        approved = (await operator.post("/api/v1/tools/shop__pay", json=body)).json()
        assert (approved["state"], approved["needs_approval"]) == ("approved", False)
        assert [spec.name for spec in desk.toolbox.specs()] == ["shop__pay"]
        disabled = (await operator.post("/api/v1/tools/shop__pay", json={"state": "disabled"})).json()
        assert disabled["state"] == "disabled"
        assert desk.toolbox.specs() == ()
        assert (await operator.post("/api/v1/tools/none", json={"state": "disabled"})).status_code == 404


@pytest.mark.proves("abuse-17")
@pytest.mark.parametrize(
    "body",
    [
        {"state": "approved", "command": ["rm", "-rf", "/"]},
        {"stdio": [{"name": "shell", "command": ["sh"]}]},
        {"url": "stdio:sh"},
        {"state": "new"},
        {"state": "approved"},
        {},
    ],
)
async def test_no_call_of_the_api_can_add_a_command_or_a_server(body: dict[str, object], desk: ToolDesk) -> None:
    async with desk.as_somebody(Role.OWNER) as owner:
        assert (await owner.post("/api/v1/tools/shop__pay", json=body)).status_code == 422
        assert (await owner.post("/api/v1/tools", json=body)).status_code == 405
        assert (await owner.put("/api/v1/tools/shop__pay", json=body)).status_code == 405
        servers = (await owner.get("/api/v1/tools")).json()["servers"]
    assert len(servers) == 1


@pytest.mark.proves("abuse-17")
def test_no_route_of_tools_takes_anything_but_a_ruling() -> None:
    rules = [rule for rule in Policy().rules if "/tools" in rule.path]
    assert sorted((rule.methods, rule.path) for rule in rules) == [
        (("GET",), "/api/v1/tools"),
        (("POST",), "/api/v1/tools/{name}"),
    ]
    assert set(tool_routes.RulingBody.model_fields) == {"state", "needs_approval", "digest"}


async def test_members_do_not_rule_tools(desk: ToolDesk) -> None:
    async with desk.as_somebody(Role.MEMBER) as member:
        assert (await member.get("/api/v1/tools")).status_code == 403
        assert (await member.post("/api/v1/tools/shop__pay", json={"state": "disabled"})).status_code == 403


@pytest.mark.proves("abuse-16")
async def test_a_person_sees_the_whole_call_and_decides_it_once(desk: ToolDesk) -> None:
    arguments = '{"to": "' + "x" * 5_000 + '", "note": "p\u0430y"}'
    async with desk.as_somebody(Role.MEMBER) as member, desk.as_somebody(Role.MEMBER) as other:
        person_id = (await desk.gate.people.page())[0].id
        call = ToolCall(id="call_1", name="shop__pay", arguments=arguments)
        asked = await desk.approvals.ask("turn_1", person_id, call)
        [shown] = (await member.get("/api/v1/approvals")).json()["items"]
        assert shown["arguments"] == arguments
        assert shown["unusual_letters"] == ["U+0430 CYRILLIC SMALL LETTER A"]
        assert (await other.get("/api/v1/approvals")).json()["items"] == []
        path, yes = f"/api/v1/approvals/{asked.id}", {"decision": "approve", "digest": shown["digest"]}
        assert (await other.post(path, json=yes)).status_code == 404
        assert (await member.post(path, json={"decision": "approve", "digest": "0" * 64})).status_code == 409
        assert (await member.post(path, json=yes)).json()["state"] == "approved"
        assert (await member.post(path, json=yes)).status_code == 409
    assert await desk.approvals.consume(asked.id, asked.digest)
