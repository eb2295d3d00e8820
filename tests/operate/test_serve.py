"""Serving, and ending well."""

import asyncio
import os
import signal
from typing import Any

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from frontdesk.operate.ports import address_of, listen
from frontdesk.operate.serve import Face, serve
from frontdesk.tools.example_server import example_app

PATIENCE = 20  # seconds for anything here to happen
ACCEPT = {"Accept": "application/json, text/event-stream"}
CLIENT = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
LISTENING = {"mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen"}
ABOUT = "io.modelcontextprotocol"
META = {f"{ABOUT}/protocolVersion": "2026-07-28", f"{ABOUT}/clientCapabilities": {}}
LISTEN = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "subscriptions/listen",
    "params": {"notifications": {"toolsListChanged": True}, "_meta": META},
}
INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": CLIENT}


class Streaming:
    """An application that streams one piece at once and the other when it is let go."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        await self.go_on.wait()
        await send({"type": "http.response.body", "body": b"last"})


async def opened(app: Any, *, drain_seconds: int = PATIENCE) -> tuple[str, "asyncio.Task[None]"]:
    listener, ready = listen("127.0.0.1", 0), asyncio.Event()
    address = address_of(listener)
    serving = asyncio.create_task(serve([Face(app, [listener])], drain_seconds=drain_seconds, ready=ready.set))
    async with asyncio.timeout(PATIENCE):
        await ready.wait()
    return address, serving


async def refused(address: str) -> bool:
    try:
        async with httpx2.AsyncClient(trust_env=False) as client:
            await client.get(address, timeout=PATIENCE)
    except httpx2.ConnectError:
        return True
    return False


@pytest.mark.proves("assistant-12")
async def test_a_stop_lets_the_running_answer_end_and_takes_no_new_one() -> None:
    app = Streaming()
    address, serving = await opened(app)
    async with (
        asyncio.timeout(PATIENCE),
        httpx2.AsyncClient(trust_env=False) as client,
        client.stream("GET", address) as answer,
    ):
        pieces = answer.aiter_text()
        got = await anext(pieces)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait({serving}, timeout=0.3)
        assert not serving.done()
        assert await refused(address)
        app.go_on.set()
        got += "".join([piece async for piece in pieces])
    assert got == "first last"
    async with asyncio.timeout(PATIENCE):
        await serving


async def test_a_face_may_have_less_time_than_the_others() -> None:
    """As the example tools have: the desk itself keeps a stream to them open, and would wait for its own end."""
    listeners, ready = [listen("127.0.0.1", 0), listen("127.0.0.1", 0)], asyncio.Event()
    faces = [Face(Streaming(), listeners[:1]), Face(Streaming(), listeners[1:], longest_drain=1)]
    address = address_of(listeners[1])
    serving = asyncio.create_task(serve(faces, drain_seconds=10 * PATIENCE, ready=ready.set))
    async with (
        asyncio.timeout(PATIENCE),
        httpx2.AsyncClient(trust_env=False) as client,
    ):
        await ready.wait()
        async with client.stream("GET", address) as answer:
            await anext(answer.aiter_text())
            os.kill(os.getpid(), signal.SIGTERM)
            await serving


@pytest.mark.parametrize("era", ["GET", "POST"])
async def test_a_stream_that_lasts_as_long_as_its_reader_ends_whole_and_in_silence(
    era: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As those of the example tools: before 2026 clients listened by GET, since then by a call that is not answered."""
    listener, ready = listen("127.0.0.1", 0), asyncio.Event()
    faces = [Face(example_app(), [listener], longest_drain=0)]
    serving = asyncio.create_task(serve(faces, drain_seconds=PATIENCE, ready=ready.set))
    async with asyncio.timeout(PATIENCE), httpx2.AsyncClient(trust_env=False, headers=ACCEPT) as client:
        await ready.wait()
        url = f"{address_of(listener)}/mcp"
        if era == "GET":
            begun = await client.post(url, json=INITIALIZE)
            session = {"mcp-session-id": begun.headers["mcp-session-id"], "mcp-protocol-version": "2025-06-18"}
            asking = client.stream("GET", url, headers=session)
        else:
            asking = client.stream("POST", url, json=LISTEN, headers=LISTENING)
        async with asking as answer:
            assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/event-stream")
            os.kill(os.getpid(), signal.SIGTERM)
            async for _ in answer.aiter_bytes():  # raises where the answer is not whole
                pass
        await serving
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_serving_that_is_cancelled_ends_well(caplog: pytest.LogCaptureFixture) -> None:
    address, serving = await opened(Streaming(), drain_seconds=1)
    async with asyncio.timeout(PATIENCE):
        serving.cancel()
        await asyncio.wait([serving])
    assert serving.cancelled()
    assert await refused(address)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_an_answer_that_takes_too_long_is_cut_off() -> None:
    address, serving = await opened(Streaming(), drain_seconds=1)
    async with (
        asyncio.timeout(PATIENCE),
        httpx2.AsyncClient(trust_env=False) as client,
        client.stream("GET", address) as answer,
    ):
        await anext(answer.aiter_text())
        os.kill(os.getpid(), signal.SIGTERM)
        await serving


async def test_several_faces_open_and_close_together() -> None:
    first, second = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
    addresses, ready = [address_of(first), address_of(second)], asyncio.Event()
    apps = [Streaming(), Streaming()]
    for app in apps:
        app.go_on.set()
    faces = [Face(apps[0], [first]), Face(apps[1], [second])]
    serving = asyncio.create_task(serve(faces, drain_seconds=PATIENCE, ready=ready.set))
    async with asyncio.timeout(PATIENCE), httpx2.AsyncClient(trust_env=False) as client:
        await ready.wait()
        for address in addresses:
            assert (await client.get(address)).text == "first last"
        os.kill(os.getpid(), signal.SIGTERM)
        await serving
    assert [await refused(address) for address in addresses] == [True, True]


async def test_what_never_ends_by_itself_is_told_of_the_stop() -> None:
    app, ready, listener = Streaming(), asyncio.Event(), listen("127.0.0.1", 0)
    serving = asyncio.create_task(
        serve([Face(app, [listener])], drain_seconds=PATIENCE, ready=ready.set, ending=app.go_on.set)
    )
    async with asyncio.timeout(PATIENCE), httpx2.AsyncClient(trust_env=False) as client:
        await ready.wait()
        async with client.stream("GET", address_of(listener)) as answer:
            os.kill(os.getpid(), signal.SIGTERM)
            assert b"".join([piece async for piece in answer.aiter_bytes()]) == b"first last"
        await serving


async def test_a_request_that_meets_the_stop_is_answered_and_told_to_be_the_last() -> None:
    """On a connection that was kept: at once closed, its sender could not know whether the request counted."""
    address, serving = await opened(answering)
    host, _, port = address.removeprefix("http://").partition(":")
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection(host, int(port))
        first = await asked(reader, writer)
        assert b"connection: close" not in first
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait({serving}, timeout=0.3)
        assert not serving.done()
        assert await refused(address)
        last = await asked(reader, writer)
        assert last.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in last
        assert await reader.read() == b""
        writer.close()
        await serving


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """The head of an answer with a body of two bytes."""
    writer.write(b"GET / HTTP/1.1\r\nHost: desk\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(2) == b"ok"
    return head.lower().replace(b"http/1.1", b"HTTP/1.1")


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
