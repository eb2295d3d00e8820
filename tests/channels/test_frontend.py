"""The pages as a service of their own, in front of a stand-in for the desk."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from frontdesk.app.frontend import open_frontend
from frontdesk.errors import BadSetting
from frontdesk.gate.options import GateOptions
from frontdesk.system.options import HttpOptions
from frontdesk.system.system import System
from frontdesk.testing.serve import serve

SECONDS = 20.0  # for anything that is waited for

Answer = Callable[[Request], Awaitable[Response]]


class Upstream:
    """What answers behind the pages: it tells what it was asked, and streams when it is let."""

    def __init__(self) -> None:
        self.next = asyncio.Event()
        self.left = asyncio.Event()
        self.bodies: list[bytes] = []

    def app(self) -> Starlette:
        every = ["GET", "POST", "DELETE"]
        return Starlette(
            routes=[
                Route("/ready", self._ready),
                Route("/api/echo/{rest:path}", self._echo, methods=every),
                Route("/api/stream", self._stream, methods=every),
                Route("/api/forever", self._forever),
                Route("/api/body", self._body, methods=["POST"]),
            ]
        )

    async def _ready(self, _: Request) -> Response:
        return JSONResponse({"status": "ready"})

    async def _echo(self, request: Request) -> Response:
        told = {
            "path": request.scope["raw_path"].decode(),
            "query": request.url.query,
            "headers": [(name, value) for name, value in request.headers.items()],
            "body": (await request.body()).decode(),
        }
        headers = {"Connection": "X-Secret-Hop", "X-Secret-Hop": "1", "Set-Cookie": "fd_session=abc; Path=/"}
        return JSONResponse(told, status_code=201, headers=headers)

    async def _stream(self, _: Request) -> Response:
        async def pieces() -> AsyncGenerator[bytes]:
            for number in range(3):
                yield f"data: {number}\n\n".encode()
                await self.next.wait()
                self.next.clear()

        return StreamingResponse(pieces(), media_type="text/event-stream")

    async def _forever(self, _: Request) -> Response:
        async def pieces() -> AsyncGenerator[bytes]:
            try:
                yield b"data: begun\n\n"
                await asyncio.Event().wait()
            finally:
                self.left.set()

        return StreamingResponse(pieces(), media_type="text/event-stream")

    async def _body(self, request: Request) -> Response:
        async for chunk in request.stream():
            self.bodies.append(chunk)
            self.next.set()
        return JSONResponse({"size": sum(map(len, self.bodies))})


@asynccontextmanager
async def pages(
    tmp_path: Path, address: str, *, trusted: Sequence[str] = (), silence: int = 5
) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client of the pages, which stand in front of `address`."""
    system = System.of(
        tmp_path,
        HttpOptions(upstream_url=address, upstream_seconds=silence),
        GateOptions(trusted_proxies=list(trusted), max_body_bytes=2048, max_upload_bytes=4096, body_seconds=0.5),
    )
    async with (
        open_frontend(system) as service,
        serve(service.asgi) as own,
        httpx2.AsyncClient(base_url=own, trust_env=False, timeout=SECONDS) as client,
    ):
        client.end = service.frontend.end  # pyright: ignore[reportAttributeAccessIssue] — what a stop calls
        yield client


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


async def test_the_pages_come_from_here_and_everything_else_from_behind(tmp_path: Path, upstream: Upstream) -> None:
    async with serve(upstream.app()) as address, pages(tmp_path, address) as client:
        page = await client.get("/")
        assert page.status_code == 200
        assert "text/html" in page.headers["content-type"]
        assert "default-src" in page.headers["content-security-policy"]
        told = await client.post("/api/echo/a%2Fb?c=1&c=2", content=b"words", headers={"Cookie": "fd_session=mine"})
        assert told.status_code == 201
        assert told.json()["path"] == "/api/echo/a%2Fb"
        assert told.json()["query"] == "c=1&c=2"
        assert told.json()["body"] == "words"
        assert dict(told.json()["headers"])["cookie"] == "fd_session=mine"
        assert told.headers["set-cookie"] == "fd_session=abc; Path=/"
        assert (await client.get("/assets/nothing-12345678.js")).json()["error"]["code"] == "not_found"


async def test_no_visitor_gets_the_cookies_of_another(tmp_path: Path, upstream: Upstream) -> None:
    async with serve(upstream.app()) as address, pages(tmp_path, address) as client:
        await client.get("/api/echo/1")
        client.cookies.clear()
        headers = dict((await client.get("/api/echo/2")).json()["headers"])
        assert "cookie" not in headers


async def test_a_stream_arrives_piece_by_piece(tmp_path: Path, upstream: Upstream) -> None:
    async with (
        serve(upstream.app()) as address,
        pages(tmp_path, address) as client,
        asyncio.timeout(SECONDS),
        client.stream("POST", "/api/stream") as answer,
    ):
        read = answer.aiter_raw()
        for number in range(3):
            assert await anext(read) == f"data: {number}\n\n".encode()  # the next piece does not exist yet
            upstream.next.set()


async def test_a_body_is_handed_on_as_it_comes(tmp_path: Path, upstream: Upstream) -> None:
    async def body() -> AsyncGenerator[bytes]:
        yield b"first"
        await upstream.next.wait()  # the upstream has got it before the rest is written
        yield b"second"

    async with serve(upstream.app()) as address, pages(tmp_path, address) as client, asyncio.timeout(SECONDS):
        assert (await client.post("/api/body", content=body())).json() == {"size": 11}


async def test_whoever_leaves_is_no_longer_answered(tmp_path: Path, upstream: Upstream) -> None:
    async with serve(upstream.app()) as address, pages(tmp_path, address) as client, asyncio.timeout(SECONDS):
        async with client.stream("GET", "/api/forever") as answer:
            await anext(answer.aiter_raw())
        await upstream.left.wait()


async def test_a_stop_ends_the_streams_by_which_pages_listen(tmp_path: Path, upstream: Upstream) -> None:
    async with (
        serve(upstream.app()) as address,
        pages(tmp_path, address) as client,
        asyncio.timeout(SECONDS),
        client.stream("GET", "/api/forever") as answer,
    ):
        read = answer.aiter_raw()
        await anext(read)
        client.end()  # pyright: ignore[reportAttributeAccessIssue]
        assert [chunk async for chunk in read] == []  # properly ended, not broken off


async def test_hop_by_hop_headers_stay_on_their_hop(tmp_path: Path, upstream: Upstream) -> None:
    async with serve(upstream.app()) as address, pages(tmp_path, address) as client:
        answer = await client.get("/api/echo/1", headers={"Connection": "X-Mine", "X-Mine": "1", "TE": "trailers"})
        names = {name for name, _ in answer.json()["headers"]}
        assert not names & {"x-mine", "te", "keep-alive"}
        assert "x-secret-hop" not in answer.headers


async def test_forwarding_headers_of_strangers_are_replaced(tmp_path: Path, upstream: Upstream) -> None:
    lies = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    lies |= {"Forwarded": "for=6.6.6.6", "X-Real-IP": "6.6.6.6"}
    async with serve(upstream.app()) as address, pages(tmp_path, address) as client:
        headers = dict((await client.get("/api/echo/1", headers=lies)).json()["headers"])
        assert headers["x-forwarded-for"] == "127.0.0.1"
        assert headers["x-forwarded-proto"] == "http"
        assert headers["x-forwarded-host"] == headers["host"] == client.base_url.netloc.decode()
        assert not headers.keys() & {"forwarded", "x-real-ip"}
    async with serve(upstream.app()) as address, pages(tmp_path, address, trusted=["127.0.0.0/8"]) as client:
        headers = dict((await client.get("/api/echo/1", headers=lies)).json()["headers"])
        assert headers["x-forwarded-for"] == "6.6.6.6"
        assert headers["x-forwarded-proto"] == "https"


@pytest.mark.parametrize("length", [True, False])
async def test_a_body_beyond_the_bound_is_refused(tmp_path: Path, upstream: Upstream, length: bool) -> None:
    async def endless() -> AsyncGenerator[bytes]:
        for _ in range(10):
            yield b"x" * 1000

    async with serve(upstream.app()) as address, pages(tmp_path, address) as client:
        answer = await client.post("/api/body", content=b"x" * 10_000 if length else endless())
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "too_large"


async def test_a_body_that_does_not_come_is_refused(tmp_path: Path, upstream: Upstream) -> None:
    async with serve(upstream.app()) as address, pages(tmp_path, address) as client:
        host, port = client.base_url.host, client.base_url.port
        assert port is not None
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"POST /api/body HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        async with asyncio.timeout(SECONDS):
            assert b"408" in await reader.readline()
        writer.close()


async def test_an_upstream_that_is_away_is_told_in_the_shape_of_all_errors(tmp_path: Path) -> None:
    async with pages(tmp_path, "http://127.0.0.1:9") as client:
        answer = await client.get("/api/v1/desk")
        assert answer.status_code == 502
        assert answer.json()["error"]["code"] == "upstream_unavailable"
        assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]
        assert (await client.get("/")).status_code == 200  # the pages stand
        assert (await client.get("/health")).status_code == 200
        ready = await client.get("/ready")
        assert (ready.status_code, ready.json()["checks"]) == (503, {"desk": "upstream_unavailable"})


async def test_an_upstream_that_is_silent_is_given_up(tmp_path: Path) -> None:
    async def hang(_: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    app = Starlette(routes=[Route("/api/slow", hang, methods=["POST"])])
    async with serve(app) as address, pages(tmp_path, address, silence=1) as client:
        answer = await client.post("/api/slow", content=b"{}")
        assert answer.status_code == 504
        assert answer.json()["error"]["code"] == "upstream_silent"


async def test_a_connection_that_was_closed_meanwhile_is_no_error(tmp_path: Path) -> None:
    """Each connection of this server takes one request and is then closed without a word."""
    seen: list[bytes] = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.close()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, pages(tmp_path, address) as client:
        for method in ("GET", "POST", "GET", "POST", "GET"):
            answer = await client.request(method, "/api/x")
            assert (answer.status_code, answer.text) == (200, "ok")
    assert len(seen) == 5  # nothing was asked twice


async def test_metrics_are_for_those_inside(tmp_path: Path, upstream: Upstream) -> None:
    async with serve(upstream.app()) as address, pages(tmp_path, address) as client:
        await client.get("/api/echo/1")
        told = (await client.get("/metrics")).text
        assert 'http_requests_total{method="GET",path="upstream",status="201"}' in told
        outside = await client.get("/metrics", headers={"X-Forwarded-For": "6.6.6.6"})
        assert outside.status_code == 404


async def test_pages_that_do_not_know_their_desk_do_not_start(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="do not know the desk"):
        async with open_frontend(System.of(tmp_path)):
            raise AssertionError


def test_the_pages_need_no_database_no_model_and_no_tools() -> None:
    program = "import sys, frontdesk.app.frontend; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"sqlalchemy", "mcp", "fastapi", "numpy", "frontdesk.store", "frontdesk.models"} & set(
        done.stdout.split()
    )
