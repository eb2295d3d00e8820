"""A connection to one MCP server, in either era of the protocol.

One task owns the connection: it opens it, lists the tools, listens for changes, and opens it again. Nobody else enters
or leaves the MCP client's contexts, because its cancel scopes belong to the task that entered them. Callers only send
requests; each request has its own id and its own HTTP exchange, so answers cannot cross.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import mcp_types as mcp
from mcp import Client, MCPError
from mcp.client.session import IncomingMessage
from mcp.client.subscriptions import SubscriptionLost
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from frontdesk.errors import ToolUnavailable
from frontdesk.ports import Clock
from frontdesk.tools import wire
from frontdesk.tools.answers import Answer, CallBroken, CallFailed
from frontdesk.tools.endpoints import Endpoint
from frontdesk.tools.options import ToolsOptions
from frontdesk.tools.results import answer_of

FIRST_WAIT = 0.5  # seconds until the first new attempt; doubles
LONGEST_WAIT = 15.0  # so that a server that starts is found well within a minute
CALM = 1.0  # seconds between two listings that a server asks for
RENEWAL = 5.0  # seconds that a call waits for a connection whose session the server forgot
MOST_TOOLS = 500
MOST_PAGES = 50


class Listener(Protocol):
    """Who wants to know about a server's tools. Called by the connection's own task."""

    async def listed(self, address: str, title: str, tools: tuple[mcp.Tool, ...]) -> None:
        """The server is up and has these tools now."""
        ...

    def lost(self, address: str) -> None:
        """The server is away."""
        ...


@dataclass(frozen=True, slots=True)
class _Live:
    """A connection that has listed its tools. Every listing makes a new one, so that callers can see a change."""

    client: Client


class _NotTaken(Exception):
    """The server says that it did not take the call; a renewed connection may send it again."""


class Connection:
    """`start` it, `call` through it while `state` is `up`, `close` it."""

    def __init__(self, endpoint: Endpoint, options: ToolsOptions, listener: Listener, clock: Clock) -> None:
        self.address = endpoint.address
        self.state: Literal["up", "down", "refused"] = "down"
        self.protocol: str | None = None
        self.problem = "the desk has not reached it yet"
        self._endpoint = endpoint
        self._options = options
        self._listener = listener
        self._clock = clock
        self._look = asyncio.Event()  # the tools should be listed now
        self._changed = asyncio.Event()  # a listing or an attempt to connect has ended; replaced each time
        self._slots = asyncio.Semaphore(options.parallel_calls)
        self._live: _Live | None = None
        self._listed_at = 0.0
        self._owner: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect, and keep at it."""
        self._owner = asyncio.create_task(self._own(), name=f"tools {self.address}")

    async def close(self) -> None:
        """Disconnect. Calls in flight break."""
        if self._owner is not None:
            self._owner.cancel()
            await asyncio.gather(self._owner, return_exceptions=True)
            self._owner = None

    def changed(self) -> Coroutine[Any, Any, bool]:
        """Await it to wait until the next listing or attempt to connect, from now, has ended either way."""
        return self._changed.wait()

    async def call(self, tool: str, arguments: dict[str, Any]) -> Answer:
        """Run a tool. It is sent a second time only if the server has said that it did not take the first.

        Raises `ToolUnavailable` when the call did not happen, `CallBroken` when nobody knows, `CallFailed` when the
        server answered with an error, `TimeoutError` after the configured time.
        """
        async with asyncio.timeout(self._options.call_seconds), self._slots:
            live = self._ready()
            try:
                return await self._send(live, tool, arguments)
            except _NotTaken:
                await self._renewed(live)
            try:
                return await self._send(self._ready(), tool, arguments)
            except _NotTaken as error:
                raise self._unavailable(str(error)) from error

    def _ready(self) -> _Live:
        if self._live is None:
            raise self._unavailable(self.problem)
        return self._live

    def _unavailable(self, problem: str) -> ToolUnavailable:
        return ToolUnavailable(f"The tool server is away: {problem}", where=self.address, retry_after=LONGEST_WAIT)

    async def _renewed(self, old: _Live) -> None:
        try:
            async with asyncio.timeout(RENEWAL):
                while self._live is None or self._live is old:
                    if self._live is old:
                        self._look.set()
                    await self._changed.wait()
        except TimeoutError as error:
            raise self._unavailable(self.problem) from error

    async def _send(self, live: _Live, tool: str, arguments: dict[str, Any]) -> Answer:
        request = mcp.CallToolRequest(params=mcp.CallToolRequestParams(name=tool, arguments=arguments))
        seconds = self._options.call_seconds
        try:
            result = await live.client.session.send_request(request, mcp.CallToolResult, seconds)
        except MCPError as error:
            raise self._meaning(error) from error
        except ValidationError as error:
            raise CallFailed("The tool answered with something that is not a tool result.") from error
        return answer_of(result, limit=self._options.answer_characters)

    def _meaning(self, error: MCPError) -> Exception:
        match error.error.code:
            case wire.SESSION_GONE | mcp.HEADER_MISMATCH:
                return _NotTaken(error.error.message)
            case wire.NOT_SENT | wire.REFUSED:
                self._look.set()
                return self._unavailable(error.error.message)
            case wire.BROKEN | mcp.CONNECTION_CLOSED:
                self._look.set()
                return CallBroken(error.error.message)
            case wire.UNREADABLE | mcp.PARSE_ERROR:
                return CallFailed("The answer could not be read: it is malformed, cut off or too large.")
            case mcp.REQUEST_TIMEOUT:
                return TimeoutError()
            case _:
                return CallFailed(error.error.message)

    # --- the owner's side ---------------------------------------------------

    async def _own(self) -> None:
        failures = 0
        try:
            while True:
                try:
                    await self._live_once()
                except Exception as error:  # nothing that a server does may end the owner
                    failures = 0 if self._live else failures + 1
                    self._down(error)
                wait = min(FIRST_WAIT * 2 ** min(failures, 10), LONGEST_WAIT, self._options.rediscover_seconds)
                await self._clock.sleep(wait)
        finally:
            self._down(None)

    async def _live_once(self) -> None:
        """One connection, from opening it until it fails."""
        async with contextlib.AsyncExitStack() as stack:
            async with asyncio.timeout(self._options.connect_seconds * 2.5):
                client = await stack.enter_async_context(self._endpoint.open(self._on_message))
                await self._list(client)
            listening = asyncio.create_task(self._listen(client))
            try:
                while True:
                    timed = await self._rest()
                    await self._list(client)
                    if timed and listening.done():
                        listening = asyncio.create_task(self._listen(client))
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    async def _list(self, client: Client) -> None:
        self._look.clear()
        tools: list[mcp.Tool] = []
        cursor = None
        for _ in range(MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            tools += page.tools
            cursor = page.next_cursor
            if cursor is None or len(tools) >= MOST_TOOLS:
                break
        title = client.server_info.name if client.server_info else ""
        self._live = _Live(client)
        self._listed_at = self._clock.monotonic()
        self.state, self.problem, self.protocol = "up", "", client.protocol_version
        await self._listener.listed(self.address, title, tuple(tools[:MOST_TOOLS]))
        self._tell()

    async def _rest(self) -> bool:
        """Wait until the tools should be listed again. Whether that is for the time and not because somebody asked."""
        sleeping = asyncio.ensure_future(self._clock.sleep(self._options.rediscover_seconds))
        asked = asyncio.ensure_future(self._look.wait())
        try:
            await asyncio.wait({sleeping, asked}, return_when=asyncio.FIRST_COMPLETED)
            timed = sleeping.done()
        finally:
            sleeping.cancel()
            asked.cancel()
        too_soon = self._listed_at + CALM - self._clock.monotonic()
        if too_soon > 0:
            await self._clock.sleep(too_soon)
        return timed

    async def _listen(self, client: Client) -> None:
        """Hear of changed tools where the 2026 protocol is spoken; earlier ones send it unasked to `_on_message`."""
        if client.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            return
        try:
            async with client.listen(tools_list_changed=True) as changes:
                self._look.set()  # for what changed between the listing and now
                async for _ in changes:
                    self._look.set()
        except (MCPError, SubscriptionLost, TimeoutError):
            pass  # the server does not tell of changes, or it is gone; the next listing shows which
        finally:
            self._look.set()

    async def _on_message(self, message: IncomingMessage) -> None:
        if isinstance(message, mcp.ToolListChangedNotification):
            self._look.set()

    def _down(self, error: Exception | None) -> None:
        self._live = None
        self.protocol = None
        self.state = "refused" if error is not None and _code(error) == wire.REFUSED else "down"
        self.problem = _plain(error) if error is not None else "the desk has closed the connection"
        self._listener.lost(self.address)
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _first(error: BaseException) -> BaseException:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return _first(group.exceptions[0])
    return error


def _code(error: BaseException) -> int | None:
    first = _first(error)
    return first.error.code if isinstance(first, MCPError) else None


def _plain(error: BaseException) -> str:
    """What is wrong, in words of ours or the name of the error: a server's own words stay out of logs."""
    first = _first(error)
    if isinstance(first, MCPError):
        ours = first.error.code in (wire.NOT_SENT, wire.REFUSED, wire.SESSION_GONE, wire.BROKEN, wire.UNREADABLE)
        return first.error.message if ours else f"it answered with MCP error {first.error.code}"
    if isinstance(first, TimeoutError):
        return "it did not answer in time"
    if isinstance(first, FileNotFoundError):
        return f"there is no program {first.filename!r}"
    return type(first).__name__
