"""The example MCP server: time, opening hours and arithmetic. `python -m frontdesk.tools.example_server` serves it.

It listens on port 8001, speaks both eras of the protocol, and demands the service token when MCP_SERVICE_TOKEN is set.
`examples/mcp_server` shows how to write one's own.
"""

import argparse
import ast
import hmac
import json
import logging
import math
import os
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

PORT = 8001
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LONGEST_EXPRESSION = 200  # characters
LARGEST_POWER = 256  # both of base and exponent, so that no number fills the memory

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: lambda left, right: left % right,
}

logging.getLogger("mcp.server").setLevel(logging.WARNING)  # its lines below quote what tools were asked and answered


def example_server(hours: Path | None = None) -> MCPServer:
    """The server with its three tools. `hours` is a JSON file of opening hours by day; one comes along."""
    server = MCPServer("example", instructions="Time, opening hours and arithmetic.", log_level="WARNING")

    @server.tool()
    def get_time(zone: str = "UTC") -> str:
        """The time now in a time zone, such as Europe/Berlin or Asia/Tokyo."""
        return _time_in(zone, datetime.now(UTC))

    @server.tool()
    def opening_hours(day: str) -> str:
        """When the desk is open on a day of the week, such as monday."""
        return _hours_on(day, hours)

    @server.tool()
    def calculate(expression: str) -> str:
        """The value of an arithmetic expression: numbers, + - * / // % ** and brackets."""
        return _value_of(expression)

    return server


def example_app(token: str = "", hours: Path | None = None) -> ASGIApp:
    """The server as an ASGI app at `/mcp`. With a token, calls without it are answered 401."""
    # Which Host it is asked by does not matter: it holds no cookie, and with a token a page cannot call it.
    security = TransportSecuritySettings(enable_dns_rebinding_protection=not token, allowed_hosts=_LOCAL)
    return _TokenRequired(example_server(hours).streamable_http_app(transport_security=security), token)


_LOCAL = ["127.0.0.1:*", "localhost:*", "[::1]:*"]


class _TokenRequired:
    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode() if token else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._expected:
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self._expected):
                refusal = JSONResponse(
                    {"error": "The service token is missing or wrong"}, 401, {"WWW-Authenticate": "Bearer"}
                )
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _time_in(zone: str, now: datetime) -> str:
    if zone not in available_timezones():
        near = sorted(name for name in available_timezones() if zone.lower().replace(" ", "_") in name.lower())[:5]
        raise ToolError(f"There is no time zone {zone!r}." + (f" Perhaps: {', '.join(near)}." if near else ""))
    local = now.astimezone(ZoneInfo(zone))
    return f"{local:%A, %d %B %Y, %H:%M} in {zone} (UTC{local:%z})"


def _hours_on(day: str, file: Path | None) -> str:
    text = file.read_text() if file else (files("frontdesk.tools") / "opening_hours.json").read_text()
    hours: dict[str, str] = json.loads(text)
    wanted = day.strip().lower()
    if wanted not in DAYS:
        raise ToolError(f"{day!r} is not a day of the week. Use one of {', '.join(DAYS)}.")
    return f"{wanted.capitalize()}: {hours.get(wanted, 'closed')}"


def _value_of(expression: str) -> str:
    if len(expression) > LONGEST_EXPRESSION:
        raise ToolError(f"The expression is longer than {LONGEST_EXPRESSION} characters.")
    try:
        value = _evaluate(ast.parse(expression.strip(), mode="eval").body)
        return f"{value:.12g}" if isinstance(value, float) else str(value)
    except ZeroDivisionError:
        raise ToolError("A division by zero.") from None
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        raise ToolError("This is not an arithmetic expression that can be worked out.") from None


def _evaluate(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluate(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _evaluate(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_evaluate(left), _evaluate(right))
        case ast.BinOp(left=left, op=symbol, right=right) if type(symbol) in _OPERATORS:
            return _OPERATORS[type(symbol)](_evaluate(left), _evaluate(right))
        case _:
            raise ValueError("not arithmetic")


def _power(base: float, exponent: float) -> float:
    if abs(base) > LARGEST_POWER or abs(exponent) > LARGEST_POWER:
        raise OverflowError
    result = math.pow(base, exponent) if base < 0 or isinstance(exponent, float) else base**exponent
    return float(result)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="The example MCP server of Frontdesk.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--hours", type=Path, help="a JSON file of opening hours by day")
    given = parser.parse_args()
    app = example_app(os.environ.get("MCP_SERVICE_TOKEN", ""), given.hours)
    # Clients keep a stream open to hear of changes: closing waits no longer than a second for them.
    uvicorn.run(app, host=given.host, port=given.port, log_level="warning", timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main()
