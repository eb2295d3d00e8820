"""The desk as an MCP server, met by the official client through the real gate."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION

from frontdesk.app.programs import PATH, Programs
from frontdesk.clock import RandomIds
from frontdesk.errors import NotFound
from frontdesk.events import Accepted, ApprovalAsked, Cited, Failed, Finished, Inbound, Numbered, TextAdded, TurnEvent
from frontdesk.gate.options import GateOptions
from frontdesk.messages import Citation, Found, Grounding, Passage, ToolCall, Usage
from frontdesk.store.database import Database
from frontdesk.testing.clock import FakeClock
from frontdesk.testing.serve import serve
from tests.gate.desk import GateDesk

Connect = Callable[..., AbstractAsyncContextManager[Client]]


class Echo:
    """Knowledge and conversation that answer with who asked what, so that a crossed answer shows."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._asked: dict[str, Inbound] = {}
        self.ending: TurnEvent | None = None

    async def search(self, question: str, *, limit: int = 6) -> Found:
        passage = Passage(
            id="pas_1",
            document_id="doc_1",
            title="Hours",
            source="hours.md",
            heading="Week",
            text=f"About {question}",
            start=0,
            end=1,
        )
        return Found(passages=(passage,) * min(limit, 2), confidence=0.9)

    async def passage(self, passage_id: str) -> Passage:
        raise NotFound("There is no such passage", where=passage_id)

    async def accept(self, inbound: Inbound) -> Accepted:
        if inbound.conversation_id == "conv_of_somebody_else":
            raise NotFound("There is no such conversation", where=inbound.conversation_id)
        turn_id = f"turn_{len(self._asked)}"
        self._asked[turn_id] = inbound
        return Accepted(turn_id=turn_id, conversation_id="conv_1", message_id="msg_1", reply_id="msg_2")

    async def follow(self, turn_id: str, *, after: int = 0) -> AsyncIterator[Numbered]:
        inbound = self._asked[turn_id]
        await asyncio.sleep(0)
        citation = Citation(
            number=1,
            passage_id="pas_1",
            document_id="doc_1",
            title="Hours",
            source="hours.md",
            heading="",
            quote="We open at nine.",
        )
        done = Finished(reply_id="msg_2", grounding=Grounding.QUOTED, model="quote", usage=Usage(), reason="stop")
        events = [TextAdded(text=f"{inbound.person_id}: "), TextAdded(text=inbound.text), Cited(citations=(citation,))]
        for seq, event in enumerate([*events, self.ending or done], 1):
            yield Numbered(seq=seq, event=event, at=self._clock.now())

    async def stop(self, turn_id: str) -> None:
        return


@pytest.fixture
def gate(embedded: Database, clock: FakeClock) -> GateDesk:
    return GateDesk(embedded, clock, GateOptions(rate_limit_enabled=False))


@pytest.fixture
def echo(clock: FakeClock) -> Echo:
    return Echo(clock)


@pytest.fixture
def connect(gate: GateDesk, echo: Echo) -> Connect:
    """An official client, signed in by key (a new person's, unless given), over loopback."""

    @asynccontextmanager
    async def connected(*, key: str | None = None, mode: str = "auto") -> AsyncGenerator[Client]:
        server = Programs(echo, echo, RandomIds())
        key = key or await gate.key(await gate.person())
        async with server.run(), serve(gate.gate(server)) as address:
            headers = {"Authorization": f"Bearer {key}"}
            async with httpx2.AsyncClient(headers=headers, trust_env=False) as http:
                transport = streamable_http_client(f"{address}{PATH}", http_client=http)
                async with Client(transport, mode=mode) as client:
                    yield client

    return connected


def test_a_desk_that_no_program_has_called_knows_nothing_of_the_protocol() -> None:
    program = "import sys, frontdesk.app.rooms, frontdesk.app.http; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "fastapi" in done.stdout.split()
    assert not {"mcp", "mcp_types"} & set(done.stdout.split())


@pytest.mark.parametrize(("mode", "protocol"), [("auto", LATEST_MODERN_VERSION), ("legacy", LATEST_HANDSHAKE_VERSION)])
async def test_the_official_client_of_either_era_asks_the_desk(mode: str, protocol: str, connect: Connect) -> None:
    async with connect(mode=mode) as client:
        assert client.protocol_version == protocol
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools] == ["search_knowledge", "ask"]
        found = await client.call_tool("search_knowledge", {"question": "opening hours", "limit": 1})
        assert found.content[0].text == "[1] Hours > Week (hours.md)\nAbout opening hours"  # type: ignore[union-attr]
        assert found.structured_content["confidence"] == 0.9
        answer = await client.call_tool("ask", {"question": "When do you open?"})
    said = answer.structured_content
    assert not answer.is_error
    assert said["answer"].endswith(": When do you open?")
    assert (said["grounding"], said["conversation_id"]) == ("quoted", "conv_1")
    assert said["citations"] == [{"number": 1, "title": "Hours", "source": "hours.md", "quote": "We open at nine."}]


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("ask", {"question": ""}, "1 to 8000 characters"),
        ("ask", {"question": "x" * 8_001}, "1 to 8000 characters"),
        ("ask", {"question": 7}, "do not fit"),
        ("ask", {}, "do not fit"),
        ("search_knowledge", {"question": "x", "limit": "all"}, "do not fit"),
        ("ask", {"question": "x", "as": "owner"}, "do not fit"),
        ("ask", {"question": "x", "conversation_id": "conv_of_somebody_else"}, "no such conversation"),
        ("delete_everything", {}, "There is no tool"),
    ],
)
async def test_wrong_calls_are_told_what_is_wrong(
    tool: str, arguments: dict[str, object], told: str, connect: Connect
) -> None:
    async with connect() as client:
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert told in result.content[0].text  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (
            Failed(code="model_unavailable", message="No model could answer.", hint="Try again."),
            "No model could answer",
        ),
        (
            ApprovalAsked(approval_id="apr_1", call=ToolCall(id="1", name="shop__pay", arguments="{}")),
            "waits for your approval",
        ),
    ],
)
async def test_a_turn_without_an_answer_says_why(ending: TurnEvent, told: str, echo: Echo, connect: Connect) -> None:
    echo.ending = ending
    async with connect() as client:
        result = await client.call_tool("ask", {"question": "Pay the bill"})
    assert result.is_error
    assert told in result.content[0].text  # type: ignore[union-attr]


async def test_the_gate_stands_before_it(gate: GateDesk, echo: Echo) -> None:
    server = Programs(echo, echo, RandomIds())
    person = await gate.person()
    narrow, fit = await gate.key(person, "knowledge"), await gate.key(person, "chat")
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"Accept": "application/json, text/event-stream"}
    async with server.run(), serve(gate.gate(server)) as address, httpx2.AsyncClient(trust_env=False) as http:

        async def status(key: str | None = None, method: str = "POST", **headers: str) -> int:
            bearer = {"Authorization": f"Bearer {key}"} if key else {}
            sent = {**accept, **bearer, **headers}
            return (await http.request(method, f"{address}{PATH}", json=call, headers=sent)).status_code

        assert await status() == 401
        assert await status("wrong") == 401
        assert await status(narrow) == 403
        assert await status(fit, Origin="https://evil.example") == 403
        assert await status(fit, method="GET") == 405
        assert await status(fit) == 200


@pytest.mark.proves("abuse-18")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_answers_of_two_people_do_not_cross(mode: str, gate: GateDesk, echo: Echo) -> None:
    assert await _crossed(gate, echo, mode, each=100) == 0


@pytest.mark.proof
@pytest.mark.proves("abuse-18")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_answers_do_not_cross_in_two_times_a_thousand_calls(mode: str, gate: GateDesk, echo: Echo) -> None:
    assert await _crossed(gate, echo, mode, each=1_000) == 0


async def _crossed(gate: GateDesk, echo: Echo, mode: str, *, each: int) -> int:
    server = Programs(echo, echo, RandomIds())
    people = [await gate.person(name=name) for name in ("Ann", "Ben")]
    async with server.run(), serve(gate.gate(server)) as address:

        async def ask_all(person_id: str, key: str) -> int:
            room = asyncio.Semaphore(32)
            headers = {"Authorization": f"Bearer {key}"}
            async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http:
                transport = streamable_http_client(f"{address}{PATH}", http_client=http)
                async with Client(transport, mode=mode) as client:

                    async def one(number: int) -> bool:
                        async with room:
                            result = await client.call_tool("ask", {"question": f"canary {number}"})
                        return result.structured_content["answer"] != f"{person_id}: canary {number}"

                    return sum(await asyncio.gather(*(one(number) for number in range(each))))

        keys = [await gate.key(person) for person in people]
        return sum(await asyncio.gather(*(ask_all(one.id, key) for one, key in zip(people, keys, strict=True))))
