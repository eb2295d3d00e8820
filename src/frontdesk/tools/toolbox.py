"""All tools of all servers: which are offered, and the one way to call them."""

import asyncio
import dataclasses
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from opentelemetry import trace

from frontdesk.circuit import Circuit
from frontdesk.errors import ToolUnavailable
from frontdesk.messages import ToolCall, ToolRecord, ToolResult, ToolServer, ToolSpec
from frontdesk.ports import Clock
from frontdesk.telemetry import metrics
from frontdesk.tools.answers import CallBroken, CallFailed, bounded
from frontdesk.tools.arguments import BadArguments, Checker, read
from frontdesk.tools.ledger import Ledger
from frontdesk.tools.naming import description_digest, server_slug, tool_name
from frontdesk.tools.options import ToolsOptions

if TYPE_CHECKING:
    import mcp_types as mcp

    from frontdesk.tools.connection import Connection, Listener

LARGEST_TOOL = 65_536  # characters of a tool's description and schema together; larger ones are left out

log = structlog.get_logger(__name__)
tracer = trace.get_tracer("frontdesk.tools")


@dataclass(frozen=True, slots=True)
class _Offered:
    """A tool that its server has now. `schema` is what arguments are checked against."""

    record: ToolRecord
    schema: dict[str, Any]
    server: str


@dataclass(slots=True)
class _Server:
    connection: "Connection"
    circuit: Circuit
    wanted_name: str
    offered: tuple[_Offered, ...] = ()
    checkers: dict[str, Checker] = field(default_factory=dict[str, Checker])  # by digest; making one is slow

    def checker(self, offered: _Offered) -> Checker:
        digest = offered.record.digest
        if digest not in self.checkers:
            self.checkers[digest] = Checker(offered.schema)
        return self.checkers[digest]


class Toolbox:
    """Fulfils `ports.Toolbox` and `ports.ToolDesk`. `start` it inside the event loop, `close` it at the end."""

    def __init__(self, options: ToolsOptions, ledger: Ledger, clock: Clock) -> None:
        self._options = options
        self._ledger = ledger
        self._servers = {
            connection.address: _Server(
                connection,
                Circuit(
                    clock,
                    failures=options.circuit_failures,
                    window=options.circuit_seconds,
                    pause=options.circuit_seconds,
                ),
                wanted,
            )
            for connection, wanted in _connections(options, self, clock)
        }

    def start(self) -> None:
        """Begin to connect to every configured server."""
        for server in self._servers.values():
            server.connection.start()

    async def close(self) -> None:
        """Disconnect from all servers; child processes end."""
        await asyncio.gather(*(server.connection.close() for server in self._servers.values()))

    async def changed(self) -> None:
        """Return when any server has been listed, found away or lost from now on; without servers, at once."""
        if not self._servers:
            return
        waits = [asyncio.ensure_future(server.connection.changed()) for server in self._servers.values()]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    # --- what is offered ----------------------------------------------------

    def specs(self) -> tuple[ToolSpec, ...]:
        """The approved tools of the servers that are up, by name."""
        found = [
            self._spec(offered)
            for server in self._servers.values()
            if server.circuit.state != "open"
            for offered in server.offered
            if offered.record.state == "approved"
        ]
        return tuple(sorted(found, key=lambda spec: spec.name))

    async def listed(self, address: str, title: str, tools: "tuple[mcp.Tool, ...]") -> None:
        """A server has told its tools (`connection.Listener`)."""
        server = self._servers[address]
        name = await self._ledger.server_name(address, server_slug(server.wanted_name or title))
        told = {tool.name: made for tool in reversed(tools) if (made := _record(address, name, tool)) is not None}
        if len(told) < len(tools):
            log.warning("tools_left_out", server=name, count=len(tools) - len(told))
        accept = any(fnmatchcase(address, pattern) for pattern in self._options.auto_approve_servers)
        records = await self._ledger.seen(address, tuple(told.values()), accept=accept)
        schemas = {tool.name: tool.input_schema for tool in tools}
        server.checkers.clear()
        server.offered = tuple(
            _Offered(record=record, schema=schemas[record.tool], server=name)
            for record in records
            if record.digest == told[record.tool].digest
        )
        waiting = sum(1 for record in records if record.state in ("new", "changed"))
        if waiting:
            log.warning("tools_wait_for_approval", server=name, count=waiting)
        self._count()

    def lost(self, address: str) -> None:
        """A server is away (`connection.Listener`)."""
        self._servers[address].offered = ()
        self._count()

    def _count(self) -> None:
        metrics.tool_servers_up.set(sum(1 for server in self._servers.values() if server.connection.state == "up"))

    def _spec(self, offered: _Offered) -> ToolSpec:
        record = offered.record
        return ToolSpec(
            name=record.name,
            description=record.description,
            parameters=record.parameters,
            server=offered.server,
            needs_approval=self._needs_approval(record),
        )

    def _needs_approval(self, record: ToolRecord) -> bool:
        """An operator's word, else the settings. What a tool says of itself (read-only, harmless) never counts."""
        if record.needs_approval is not None:
            return record.needs_approval
        if any(fnmatchcase(record.name, pattern) for pattern in self._options.without_approval):
            return False
        return any(fnmatchcase(record.name, pattern) for pattern in self._options.needs_approval)

    # --- a call -------------------------------------------------------------

    async def call(self, call: ToolCall, *, person_id: str) -> ToolResult:
        """Check the tool is still approved and the arguments fit, run it, and return its bounded text.

        Everything that the model may mend, and everything that happened after the call was sent, is a result with
        `is_error`. Raises `ToolUnavailable` when the call did not happen: no such tool, server away, not approved.
        """
        server, offered = self._find(call.name)
        with tracer.start_as_current_span(f"execute_tool {call.name}", record_exception=False) as span:
            span.set_attributes(
                {
                    "gen_ai.operation.name": "execute_tool",
                    "gen_ai.tool.name": call.name,
                    "gen_ai.tool.call.id": call.id,
                    "enduser.pseudo.id": person_id,
                }
            )
            outcome, text = "stopped", ""
            try:
                await self._check_ruling(offered)
                outcome, text = await self._run(server, offered, call.arguments)
            except ToolUnavailable:
                outcome = "unavailable"
                raise
            finally:
                span.set_attribute("frontdesk.tool.outcome", outcome)
                metrics.tool_calls.labels(offered.server, outcome).inc()
        return ToolResult(call_id=call.id, name=call.name, text=text, is_error=outcome != "ok")

    def _find(self, name: str) -> tuple[_Server, _Offered]:
        for server in self._servers.values():
            for offered in server.offered:
                if offered.record.name == name:
                    return server, offered
        raise ToolUnavailable(
            f"No tool {name!r} is offered now", where=name, hint="Its server may be away; the console lists all tools."
        )

    async def _check_ruling(self, offered: _Offered) -> None:
        """The database has the last word: another process may have heard the operator."""
        current = await self._ledger.tool(offered.record.name)
        wanted = offered.record
        allowed = current is not None and not current.disabled and current.accepted == wanted.digest
        if not allowed:
            raise ToolUnavailable(
                f"The tool {wanted.name!r} is not approved",
                where=wanted.name,
                hint="An operator approves it in the console.",
            )
        if current is not None and self._needs_approval(current) and not self._needs_approval(wanted):
            self._remember(current)
            raise ToolUnavailable(f"The tool {wanted.name!r} needs a person's approval now", where=wanted.name)

    async def _run(self, server: _Server, offered: _Offered, arguments: str) -> tuple[str, str]:
        """The outcome's name and the text for the model."""
        options = self._options
        try:
            values = read(arguments)
            server.checker(offered).check(values)
        except BadArguments as error:
            return "bad_arguments", f"The call was not made: {error}"
        if not server.circuit.admits():
            raise ToolUnavailable(
                "The tool server has failed often and is left alone for a while",
                where=server.connection.address,
                retry_after=server.circuit.tries_in,
            )
        failed: bool | None = True
        try:
            with metrics.tool_call_duration.labels(offered.server).time():
                answer = await server.connection.call(offered.record.tool, values)
            failed = False
        except CallFailed as error:
            failed = False
            return "tool_error", bounded(str(error), options.answer_characters)
        except CallBroken:
            return "broken", "The tool's server broke off during the call. Whether it took effect is not known."
        except TimeoutError:
            seconds = f"{options.call_seconds:g}"
            return "timeout", f"The tool did not answer within {seconds} s. Whether it took effect is not known."
        except asyncio.CancelledError:
            server.circuit.abandoned()
            failed = None
            raise
        finally:
            if failed is not None:
                server.circuit.failed() if failed else server.circuit.succeeded()
        return ("tool_error" if answer.is_error else "ok"), answer.text

    # --- what operators see and rule ----------------------------------------

    async def servers(self) -> tuple[ToolServer, ...]:
        """Every configured server with the tools that it was ever seen to have."""
        names, tools = await self._ledger.server_names(), await self._ledger.tools()
        return tuple(
            ToolServer(
                address=address,
                name=names.get(address, server.wanted_name),
                state=server.connection.state,
                protocol=server.connection.protocol,
                problem=server.connection.problem,
                tools=tuple(
                    msgspec.structs.replace(record, needs_approval=self._needs_approval(record))
                    for record in tools
                    if record.address == address
                ),
            )
            for address, server in self._servers.items()
        )

    async def rule(
        self, name: str, *, digest: str | None = None, disabled: bool | None = None, needs_approval: bool | None = None
    ) -> ToolRecord:
        """Accept the tool as `digest` says, disable or enable it, or say whether its calls need approval."""
        record = await self._ledger.rule(name, digest=digest, disabled=disabled, needs_approval=needs_approval)
        self._remember(record)
        return msgspec.structs.replace(record, needs_approval=self._needs_approval(record))

    def _remember(self, record: ToolRecord) -> None:
        server = self._servers.get(record.address)
        if server is not None:
            server.offered = tuple(
                dataclasses.replace(offered, record=record)
                if offered.record.name == record.name and offered.record.digest == record.digest
                else offered
                for offered in server.offered
            )


def _connections(options: ToolsOptions, listener: "Listener", clock: Clock) -> "list[tuple[Connection, str]]":
    """One for each configured server, with the name that it shall have, if any. The client of MCP is imported where
    there is a server alone: that takes a third of a desk's start."""
    if not options.stdio and not options.discovery_urls:
        return []
    from frontdesk.tools.connection import Connection
    from frontdesk.tools.endpoints import StdioEndpoint, WebEndpoint

    found = [(Connection(StdioEndpoint(each, options), options, listener, clock), each.name) for each in options.stdio]
    addresses = dict.fromkeys(options.discovery_urls)
    return found + [(Connection(WebEndpoint(each, options), options, listener, clock), "") for each in addresses]


def _record(address: str, server: str, tool: "mcp.Tool") -> ToolRecord | None:
    """The tool as the desk remembers it, or None for one that is too large or not text."""
    description = tool.description or ""
    try:
        schema = msgspec.json.encode(tool.input_schema).decode()
        digest = description_digest(tool.name, description, tool.input_schema)
    except ValueError:
        return None
    if len(tool.name) + len(description) + len(schema) > LARGEST_TOOL:
        return None
    return ToolRecord(
        name=tool_name(server, tool.name),
        address=address,
        tool=bounded(tool.name, LARGEST_TOOL),
        description=bounded(description, LARGEST_TOOL),
        parameters=msgspec.Raw(bounded(schema, LARGEST_TOOL).encode()),
        digest=digest,
    )
