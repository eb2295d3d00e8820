"""Servers that answer nonsense: one call fails in plain words, and the desk goes on."""

import json
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from frontdesk.errors import ToolUnavailable
from frontdesk.messages import ToolCall
from tests.tools.conftest import MakeToolbox, Serve, until

KINDS = [
    "no json",
    "empty",
    "another shape",
    "null content",
    "unasked input",
    "deep",
    "status 500",
    "status 503",
    "packed",
    "wrong type",
    "accepted",
    "cut stream",
    "empty stream",
    "large event",
    "server error",
    "wrong id",
    "elsewhere",
]


def hostile_app() -> Starlette:
    """A raw server of 2025 without sessions; its tool `act` answers as its argument says."""

    async def endpoint(request: Request) -> Response:
        if request.method != "POST":
            return Response(status_code=405)
        message = json.loads(await request.body())
        match message["method"]:
            case "initialize":
                result: dict[str, Any] = {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "raw", "version": "1"},
                }
            case "tools/list":
                schema = {"type": "object", "properties": {"kind": {"type": "string"}}}
                tools = [{"name": "act", "inputSchema": schema}, {"name": "act", "inputSchema": schema}]
                tools.append({"name": "vast", "description": "x" * 70_000, "inputSchema": schema})
                result = {"tools": tools}
            case "tools/call":
                return answer(message["params"]["arguments"]["kind"], message["id"])
            case "notifications/initialized":
                return Response(status_code=202)
            case _:
                return reply(message.get("id"), error={"code": -32601, "message": "Method not found"})
        return reply(message["id"], result=result)

    return Starlette(routes=[Route("/mcp", endpoint, methods=["GET", "POST", "DELETE"])])


def reply(id: object, **fields: object) -> Response:
    return Response(json.dumps({"jsonrpc": "2.0", "id": id, **fields}), media_type="application/json")


def answer(kind: str, id: int) -> Response:
    good = {"content": [{"type": "text", "text": "fine"}]}
    event = f"event: message\ndata: {json.dumps({'jsonrpc': '2.0', 'id': id, 'result': good})}\n\n"
    match kind:
        case "good":
            return reply(id, result=good)
        case "no json":
            return Response(b"\xff\xfe<html>", media_type="application/json")
        case "empty":
            return Response(b"", media_type="application/json")
        case "another shape":
            return reply(id, result={"content": "text"})
        case "null content":
            return reply(id, result={"content": [{"type": "text", "text": None}]})
        case "unasked input":
            return reply(id, result={"resultType": "input_required", "inputRequests": {}})
        case "deep":
            return Response(b"[" * 100_000, media_type="application/json")
        case "status 500" | "status 503":
            return Response("sorry", int(kind[-3:]))
        case "packed":
            return Response(b"\x1f\x8b" + b"0" * 100, headers={"content-encoding": "gzip"})
        case "wrong type":
            return Response("hello", media_type="text/html")
        case "accepted":
            return Response(status_code=202)
        case "cut stream":
            return StreamingResponse(iter([event[: len(event) // 2]]), media_type="text/event-stream")
        case "empty stream":
            return StreamingResponse(iter([]), media_type="text/event-stream")
        case "large event":
            return StreamingResponse(iter(["data: ", *["x" * 10_000] * 50]), media_type="text/event-stream")
        case "server error":
            return reply(id, error={"code": -32000, "message": "boom", "data": {"why": "none"}})
        case "wrong id":
            return reply(id + 1_000, result=good)
        case _:
            return RedirectResponse("http://127.0.0.1:1/elsewhere", 307)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_one_bad_answer_harms_no_other_call(serve: Serve, make_toolbox: MakeToolbox) -> None:
    server = await serve(hostile_app)
    toolbox = make_toolbox(
        discovery_urls=[server.address], call_seconds=2, answer_bytes=100_000, circuit_failures=1_000
    )
    await until(toolbox, lambda: bool(toolbox.specs()))
    assert [spec.name for spec in toolbox.specs()] == ["raw__act"]

    async def act(kind: str) -> tuple[str, bool]:
        call = ToolCall(id="1", name="raw__act", arguments=json.dumps({"kind": kind}))
        try:
            result = await toolbox.call(call, person_id="per_1")
        except ToolUnavailable as error:
            return error.what, True
        return result.text, result.is_error

    for kind in KINDS:
        text, is_error = await act(kind)
        assert is_error, (kind, text)
        assert text, kind
        await until(toolbox, lambda: bool(toolbox.specs()))
        assert await act("good") == ("fine", False), f"after {kind}"
