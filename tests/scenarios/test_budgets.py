"""What a desk spends at most, whatever is asked of it, and what people and programs are told of it."""

from pathlib import Path

import pytest
from mcp.server import MCPServer

from frontdesk.messages import Role
from frontdesk.testing.desk import served_desk, text_of
from frontdesk.testing.upstream import Received, Reply, ToolCall
from tests.tools.conftest import until
from tests.tools.mcp_servers import app_of, serving

CAP = 6_000
SETTINGS = {"models.budget.tokens_per_day": CAP, "models.max_tokens": 500}
DEAR = {"prompt_tokens": 900, "completion_tokens": 100}


def again_and_again(received: Received) -> Reply:
    """Asks for a tool as long as it is given one."""
    asked = received.json()
    tools = [tool["function"]["name"] for tool in asked.get("tools", ())]  # type: ignore[attr-defined]
    number = len(asked["messages"])  # type: ignore[arg-type]
    if not tools:
        return Reply(text="No tools.", **DEAR)
    return Reply(text="", calls=(ToolCall(id=f"call_{number}", name=tools[0], arguments="{}"),), **DEAR)


def clock_server() -> MCPServer:
    server = MCPServer("clock", log_level="WARNING")

    @server.tool()
    def what_time_is_it() -> str:
        """Tells the time."""
        return "It is time to ask again."

    return server


@pytest.mark.proves("abuse-19")
async def test_a_loop_of_tool_calls_ends_with_the_budget(tmp_path: Path) -> None:
    async with serving(lambda: app_of(clock_server())) as server:
        settings = SETTINGS | {
            "tools.discovery_urls": [server.address],
            "tools.rediscover_seconds": 0.2,
            "tools.without_approval": ["*"],
            "conversation.tool_rounds": 50,
        }
        async with served_desk(tmp_path, model=again_and_again, settings=settings) as desk:
            await until(desk.desk.toolbox, lambda: bool(desk.desk.toolbox.specs()))
            ann, owner = await desk.client(), await desk.client(Role.OWNER, "Owner")
            said = await desk.ask(ann, "What time is it?")
            told = (await owner.get("/api/v1/console/usage")).json()
    assert said[-1].tag in ("turn.finished", "turn.failed"), "the turn ends"
    (budget,) = told["budgets"]
    assert (budget["whose"], budget["period"], budget["tokens"]) == ("desk", "day", CAP)
    assert 0 < budget["tokens_used"] <= CAP
    assert budget["tokens_used"] == told["totals"]["prompt_tokens"] + told["totals"]["completion_tokens"]
    assert 1 <= len(desk.upstream.received) <= CAP // 1000


@pytest.mark.proves("abuse-19")
async def test_an_input_larger_than_the_budget_is_refused_with_a_code_and_nothing_is_sent(tmp_path: Path) -> None:
    async with served_desk(tmp_path, model=[Reply(text="Yes.")], settings=SETTINGS) as desk:
        program = await desk.program(await desk.client())
        body = {"model": "scripted", "messages": [{"role": "user", "content": "word " * 80_000}]}
        answer = await program.post("/v1/chat/completions", json=body)
        usage = (await program.get("/api/v1/usage")).json()
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "budget_spent")
    assert "less text" in answer.json()["error"]["message"]
    assert desk.upstream.received == []
    assert usage["budgets"] == [], "the desk's budget is nobody's own"


async def test_somebody_whose_budget_is_spent_is_told_when_it_renews_and_others_go_on(tmp_path: Path) -> None:
    settings = {"models.budget.person.tokens_per_hour": 2_000, "models.max_tokens": 500}
    async with served_desk(tmp_path, model=[Reply(text="At nine.", **DEAR)] * 10, settings=settings) as desk:
        ann, ben = await desk.client(), await desk.client(name="Ben")
        program = await desk.program(ann)
        body = {"model": "scripted", "messages": [{"role": "user", "content": "When do you open?"}]}
        answers = [await program.post("/v1/chat/completions", json=body) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        refused = answers[-1]
        assert refused.json()["error"]["code"] == "budget_spent"
        assert 0 < int(refused.headers["retry-after"]) <= 3600
        (left,) = (await ann.get("/api/v1/usage")).json()["budgets"]
        assert (left["whose"], left["period"], left["tokens_used"]) == ("person", "hour", 2000)
        assert text_of(await desk.ask(ben, "When do you open?")) == "At nine."
