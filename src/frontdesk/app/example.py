"""The example MCP server as a service of its own, wired: its tools, and whether it lives."""

from starlette.types import ASGIApp, Receive, Scope, Send

import frontdesk
from frontdesk.channels import health
from frontdesk.clock import RandomIds, SystemClock
from frontdesk.system.options import TelemetryOptions
from frontdesk.system.system import System
from frontdesk.telemetry import metrics
from frontdesk.telemetry.exposition import Exposition
from frontdesk.telemetry.http import Measured
from frontdesk.tools.example_server import example_app

TOOLS = "/mcp"
OWN = frozenset({"/health", "/ready", "/metrics"})


def example_service(system: System) -> tuple[ASGIApp, ASGIApp]:
    """The service's face, and that of its own port. Calls need the bearer token MCP_SERVICE_TOKEN where one is set."""
    metrics.build_info.labels(frontdesk.__version__, "tools").set(1)
    exposition = Exposition((), SystemClock()) if system.section(TelemetryOptions).metrics else None
    own = health.own_face({}, exposition)
    tools = example_app(system.variable("MCP_SERVICE_TOKEN") or "")
    ids = RandomIds()

    async def service(scope: Scope, receive: Receive, send: Send) -> None:
        answering = own if scope["type"] == "http" and scope["path"] in OWN else tools
        await answering(scope, receive, send)

    return Measured(service, template=_template, new_id=lambda: ids.new("req")), own


def _template(scope: Scope) -> str | None:
    path: str = scope["path"]
    return path if path in OWN or path == TOOLS else None
