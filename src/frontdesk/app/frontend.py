"""The service of the pages, wired: what it serves itself, what it hands on, how it is measured."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path

from starlette.types import ASGIApp, Scope

import frontdesk
from frontdesk.channels import health
from frontdesk.channels.frontend import KIND, Frontend
from frontdesk.channels.pages import Pages
from frontdesk.clock import RandomIds, SystemClock
from frontdesk.errors import BadSetting
from frontdesk.gate.options import GateOptions
from frontdesk.gate.origins import security_headers
from frontdesk.system.options import HttpOptions, TelemetryOptions
from frontdesk.system.system import System
from frontdesk.telemetry import metrics
from frontdesk.telemetry.exposition import Exposition
from frontdesk.telemetry.http import PROBES, Measured

PAGES = Path(str(package_files(frontdesk))) / "pages"


@dataclass(frozen=True, slots=True, kw_only=True)
class PagesService:
    """The service at work: its face, the face of its own port, and what ends its never-ending answers."""

    asgi: ASGIApp
    own_face: ASGIApp
    frontend: Frontend


@asynccontextmanager
async def open_frontend(system: System) -> AsyncGenerator[PagesService]:
    """The pages, in front of the desk that `http.upstream_url` names. Raises `BadSetting` when it names none."""
    http, gate = system.section(HttpOptions), system.section(GateOptions)
    if not http.upstream_url:
        raise BadSetting(
            "The pages do not know the desk behind them",
            where="ORCHESTRATOR_URL",
            hint="Set ORCHESTRATOR_URL, like http://127.0.0.1:8000, or `http.upstream_url` in the system file.",
        )
    metrics.build_info.labels(frontdesk.__version__, "frontend").set(1)
    exposition = Exposition((), SystemClock()) if system.section(TelemetryOptions).metrics else None
    largest = max(gate.max_body_bytes, gate.max_upload_bytes)
    frontend: Frontend

    async def desk() -> None:
        await frontend.check()

    frontend = Frontend(
        http.upstream_url,
        [*health.routes({"desk": desk}, exposition), *Pages(PAGES).routes()],
        trusted_proxies=gate.trusted_proxies,
        page_headers=security_headers("/", production=system.environment == "production"),
        largest=largest,
        body_seconds=gate.body_seconds,
        silence=http.upstream_seconds,
    )
    ids = RandomIds()
    try:
        yield PagesService(
            asgi=Measured(frontend, template=_template, new_id=lambda: ids.new("req")),
            own_face=health.own_face({"desk": desk}, exposition),
            frontend=frontend,
        )
    finally:
        await frontend.close()


def _template(scope: Scope) -> str | None:
    """A probe, or which of the two kinds an address was: its path could hold anything."""
    kind: str | None = scope.get(KIND)
    return scope["path"] if scope["path"] in PROBES else kind
