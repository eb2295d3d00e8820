"""Real MCP servers on loopback, of both eras, that can be stopped dead and started again."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import uvicorn
from mcp.server import MCPServer
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class LoopbackServer:
    """An ASGI app on a port of its own; `make` builds a fresh app for each start."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make
        self._running: tuple[uvicorn.Server, asyncio.Task[None]] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.address = f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Return once it listens."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(512)
        server = uvicorn.Server(uvicorn.Config(self._make(), log_level="critical", lifespan="on", ws="none"))
        task = asyncio.create_task(server.serve([listener]))
        async with asyncio.timeout(30):
            while not server.started:  # noqa: ASYNC110  uvicorn tells it in no other way
                await asyncio.sleep(0)
        self._running = (server, task)

    async def die(self) -> None:
        """Cut every connection, with no goodbye, and stop listening."""
        if self._running is None:
            return
        server, task = self._running
        self._running = None
        for listening in server.servers:
            listening.close()
        for connection in list(server.server_state.connections):
            connection.transport.abort()  # type: ignore[union-attr]
        server.force_exit = server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 30)


@asynccontextmanager
async def serving(make: Callable[[], ASGIApp]) -> AsyncGenerator[LoopbackServer]:
    """A started server, dead afterwards."""
    server = LoopbackServer(make)
    await server.start()
    try:
        yield server
    finally:
        await server.die()


def only_old(app: ASGIApp) -> ASGIApp:
    """A server of the eras before 2026: it has sessions, and refuses the revision that it does not know."""

    async def refuse_new(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", []))
        if headers.get(b"mcp-protocol-version", b"").decode() in MODERN_PROTOCOL_VERSIONS:
            await PlainTextResponse("Bad Request: Unsupported protocol version", 400)(scope, receive, send)
            return
        await app(scope, receive, send)

    return refuse_new


def app_of(server: MCPServer, *, era: str = "new", stateless: bool = False) -> ASGIApp:
    """`server` as it is served in an era: `new` (2026-07-28) or `old` (2025, with sessions unless `stateless`)."""
    app = server.streamable_http_app(stateless_http=stateless)
    return app if era == "new" else only_old(app)
