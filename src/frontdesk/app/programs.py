"""The desk as an MCP server, imported and opened when the first program calls."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from starlette.types import Receive, Scope, Send

from frontdesk.ports import Converse, Ids, Search

if TYPE_CHECKING:
    from frontdesk.channels.mcp import DeskServer

PATH = "/mcp"


class Programs:
    """An ASGI application for `/mcp`. Be inside `run` while it is called.

    What serves them takes two thirds of a second to import and 16 MB to keep, and most processes are never called so.
    """

    def __init__(self, search: Search, converse: Converse, ids: Ids) -> None:
        self._search = search
        self._converse = converse
        self._ids = ids
        self._opened: asyncio.Future[DeskServer] | None = None
        self._serving: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
            self._serving = asyncio.create_task(self._serve(self._opened), name="mcp-server")
        server = await asyncio.shield(self._opened)
        await server(scope, receive, send)

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Serve calls while inside."""
        try:
            yield
        finally:
            self._ending.set()
            if self._serving is not None:
                await self._serving

    async def _serve(self, opened: "asyncio.Future[DeskServer]") -> None:
        """Begin and end the server in one task, as it demands."""
        try:
            await asyncio.to_thread(import_module, "frontdesk.channels.mcp")  # others are served meanwhile
            from frontdesk.channels.mcp import DeskServer

            server = DeskServer(self._search, self._converse, self._ids)
        except Exception as error:
            opened.set_exception(error)
            return
        async with server.run():
            opened.set_result(server)
            await self._ending.wait()
