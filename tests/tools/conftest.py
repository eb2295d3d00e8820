"""Toolboxes over real servers and a real ledger."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from starlette.types import ASGIApp

from frontdesk.clock import SystemClock
from frontdesk.store.database import Database
from frontdesk.store.tools import ToolLedger
from frontdesk.tools.options import ToolsOptions
from frontdesk.tools.toolbox import Toolbox
from tests.tools.mcp_servers import LoopbackServer, serving

BOUND = 20.0  # seconds that a test waits for anything

MakeToolbox = Callable[..., Toolbox]
Serve = Callable[[Callable[[], ASGIApp]], Awaitable[LoopbackServer]]


@pytest.fixture
async def serve() -> AsyncGenerator[Serve]:
    """Start MCP servers that die with the test."""
    async with AsyncExitStack() as stack:

        async def start(make: Callable[[], ASGIApp]) -> LoopbackServer:
            return await stack.enter_async_context(serving(make))

        yield start


@pytest.fixture
async def make_toolbox(database: Database) -> AsyncGenerator[MakeToolbox]:
    """Started toolboxes over `database`; settings as keywords."""
    made: list[Toolbox] = []

    def make(**settings: object) -> Toolbox:
        options = ToolsOptions.model_validate({"discovery_urls": [], "needs_approval": [], **settings})
        toolbox = Toolbox(options, ToolLedger(database, SystemClock()), SystemClock())
        toolbox.start()
        made.append(toolbox)
        return toolbox

    yield make
    for toolbox in made:
        await toolbox.close()


async def until(toolbox: Toolbox, holds: Callable[[], bool]) -> None:
    """Wait for a change of the servers that makes `holds` true."""
    async with asyncio.timeout(BOUND):
        while not holds():
            await toolbox.changed()
