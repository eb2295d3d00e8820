"""An MCP server of one's own: rooms that a desk can look up and book.

Run it with `python room_booking.py`, add its address to MCP_DISCOVERY_URLS, and the desk offers its tools within a
minute. With MCP_SERVICE_TOKEN set, it takes calls with that token alone.
"""

import hmac
import os

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

ROOMS = {"blue room": 4, "green room": 8, "hall": 40}

server = MCPServer("rooms", log_level="WARNING")
bookings: dict[str, str] = {}  # "room day" → who; a real server keeps this in a database


@server.tool()
def free_rooms(day: str, seats: int = 1) -> list[str]:
    """Rooms that are free on a day (such as 2026-05-04) and have at least this many seats."""
    return [room for room, size in ROOMS.items() if size >= seats and f"{room} {day}" not in bookings]


@server.tool()
def book_room(room: str, day: str, name: str) -> str:
    """Book a room for a whole day in somebody's name."""
    if room not in ROOMS:
        raise ToolError(f"There is no room {room!r}; there are {', '.join(ROOMS)}.")
    if f"{room} {day}" in bookings:
        raise ToolError(f"The {room} is taken on {day}.")
    bookings[f"{room} {day}"] = name
    return f"The {room} is booked on {day} for {name}."


class TokenRequired:
    """Answers 401 to calls without the service token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self.expected):
                await JSONResponse({"error": "wrong service token"}, 401)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def make_app(token: str = "") -> ASGIApp:
    """The server at `/mcp`."""
    app = server.streamable_http_app()
    return TokenRequired(app, token) if token else app


if __name__ == "__main__":
    uvicorn.run(make_app(os.environ.get("MCP_SERVICE_TOKEN", "")), port=8002, timeout_graceful_shutdown=1)
