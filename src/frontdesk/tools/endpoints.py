"""Where MCP servers are and how they are reached: over streamable HTTP, or as child processes."""

import contextlib
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, TextIO
from urllib.parse import urlsplit

import mcp_types as mcp
from mcp import Client, StdioServerParameters
from mcp.client import IncomingMessage, Transport
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from frontdesk.tools import wire
from frontdesk.tools.options import StdioServer, ToolsOptions

# The MCP client's own log lines quote messages, and those hold arguments and results. What goes wrong is told here.
for _name in ("mcp.client", "mcp.shared"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class OnMessage(Protocol):
    """Who hears what a server sends without being asked."""

    async def __call__(self, message: IncomingMessage) -> None: ...


class Endpoint(Protocol):
    """Where a server is and how to reach it."""

    @property
    def address(self) -> str: ...

    def open(self, on_message: OnMessage) -> contextlib.AbstractAsyncContextManager[Client]: ...


class WebEndpoint:
    """A server at an http(s) address. An address without a path means `/mcp`."""

    def __init__(self, address: str, options: ToolsOptions) -> None:
        self.address = address
        self._url = address if urlsplit(address).path else f"{address}/mcp"
        self._options = options

    @asynccontextmanager
    async def open(self, on_message: OnMessage) -> AsyncGenerator[Client]:
        options = self._options
        async with wire.http_client(
            token=options.service_token,
            parallel=options.parallel_calls,
            connect_seconds=options.connect_seconds,
            answer_bytes=options.answer_bytes,
        ) as http:
            transport = streamable_http_client(self._url, http_client=http, max_sse_event_size=options.answer_bytes)
            async with _client(transport, options, on_message) as client:
                yield client


class StdioEndpoint:
    """A server that the desk starts as a child process. What it writes to its standard error is dropped."""

    def __init__(self, server: StdioServer, options: ToolsOptions) -> None:
        self.address = f"stdio:{server.name}"
        self._server = server
        self._options = options

    @asynccontextmanager
    async def open(self, on_message: OnMessage) -> AsyncGenerator[Client]:
        server = self._server
        passed = {name: os.environ[name] for name in server.pass_environment if name in os.environ}
        parameters = StdioServerParameters(
            command=server.command[0],
            args=server.command[1:],
            env={**server.environment, **passed},
            cwd=server.directory,
        )
        with _nowhere() as nowhere:
            transport = stdio_client(parameters, errlog=nowhere)
            async with _client(transport, self._options, on_message) as client:
                yield client


def _client(transport: Transport, options: ToolsOptions, on_message: OnMessage) -> Client:
    return Client(
        transport,
        cache=None,
        read_timeout_seconds=options.connect_seconds,
        message_handler=on_message,
        client_info=mcp.Implementation(name="frontdesk", version=version("frontdesk")),
    )


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w")
