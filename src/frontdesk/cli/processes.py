"""The process that `frontdesk up` becomes: it answers HTTP, works on rows, serves the pages or the example tools."""

import asyncio
import contextlib
import json
import os
import socket
import sys
import webbrowser
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import click

from frontdesk.cli.collector import keep_what_is_here
from frontdesk.cli.output import note
from frontdesk.cli.showing import panel

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from frontdesk.app.rooms import Desk
    from frontdesk.app.work import Role
    from frontdesk.operate.serve import Face
    from frontdesk.system.system import System
    from frontdesk.work.kinds import Queue
    from frontdesk.work.local import LocalWork


TOOLS_DRAIN = 2  # seconds: its calls take none, and clients keep a stream open for as long as they live


@dataclass(frozen=True, slots=True)
class Listeners:
    """The sockets of the desk; of the metrics, and of this process alone; of the example MCP server, where wanted."""

    desk: Sequence[socket.socket] = ()
    metrics: Sequence[socket.socket] = ()
    own: Sequence[socket.socket] = ()
    example: Sequence[socket.socket] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of a system. `greets`: it tells where the desk is, through the pipe `panel` if others show it."""

    system: "System"
    role: "Literal['all', 'web', 'worker', 'frontend', 'tools']" = "all"
    queues: "tuple[Queue, ...]" = ("general", "ml")
    listeners: Listeners = Listeners()
    greets: bool = True
    panel: int | None = None
    open_browser: bool = False

    def run(self) -> int:
        """Run until a signal; the exit code."""
        with _told(self.system):
            if self.role == "worker":
                return self._work(self.system)
            serving = {"frontend": self._serve_pages, "tools": self._serve_tools}.get(self.role, self._serve)
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(serving(self.system))
        return 0

    async def _serve_pages(self, system: "System") -> None:
        from frontdesk.app.frontend import open_frontend
        from frontdesk.operate.serve import Face, serve

        async with open_frontend(system) as pages:
            faces = [Face(pages.asgi, self.listeners.desk), *self._own(pages.own_face)]
            keep_what_is_here()
            await serve(faces, drain_seconds=self._drain, ready=self._say_open, ending=pages.frontend.end)

    async def _serve_tools(self, system: "System") -> None:
        from frontdesk.app.example import example_service
        from frontdesk.operate.serve import Face, serve

        asgi, own_face = example_service(system)
        faces = [Face(asgi, self.listeners.desk, TOOLS_DRAIN), *self._own(own_face)]
        keep_what_is_here()
        await serve(faces, drain_seconds=self._drain, ready=self._say_open)

    @property
    def _drain(self) -> int:
        from frontdesk.system.options import HttpOptions

        return self.system.section(HttpOptions).drain_seconds

    def _own(self, face: "ASGIApp") -> "list[Face]":
        from frontdesk.operate.serve import Face

        listeners = [*self.listeners.metrics, *self.listeners.own]
        return [Face(face, listeners)] if listeners else []

    def _say_open(self) -> None:
        from frontdesk.operate.ports import address_of

        if self.greets:
            name = {"frontend": "pages", "tools": "example tools"}[self.role]
            click.echo(
                f"\n  {self.system.name}: the {name} are at {address_of(self.listeners.desk[0])}. Stop: Ctrl+C\n"
            )
            sys.stdout.flush()

    async def _serve(self, system: "System") -> None:
        from frontdesk.app.rooms import open_desk
        from frontdesk.operate.ports import address_of
        from frontdesk.operate.serve import Face, serve

        address = address_of(self.listeners.desk[0])
        async with open_desk(system, role=self._role()) as desk:
            faces = [Face(desk.asgi(), self.listeners.desk), *self._own(desk.own_face())]
            if self.listeners.example:
                from frontdesk.tools.example_server import example_app

                example = example_app(system.variable("MCP_SERVICE_TOKEN") or "")
                faces.append(Face(example, self.listeners.example, TOOLS_DRAIN))
            link = await _owner_link(desk, address) if self.greets else None

            def ready() -> None:
                if self.greets:
                    self._greet(desk, address, link)

            keep_what_is_here()
            await serve(faces, drain_seconds=self._drain, ready=ready, ending=desk.live.end)
        if self.greets and self.panel is None:
            note("The desk is closed. What it stores lies where it lay.")

    def _work(self, system: "System") -> int:
        from frontdesk.app.work import broker_of, process_name
        from frontdesk.operate.serve import THREAD_TURN
        from frontdesk.work.celery import celery_app
        from frontdesk.work.consumer import Rooms, consume
        from frontdesk.work.options import WorkOptions

        sys.setswitchinterval(THREAD_TURN)
        options = system.section(WorkOptions)

        def ready() -> None:
            if self.greets and self.panel is None:
                click.echo(f"\n  {system.name}: a worker takes {' and '.join(self.queues)}. Stop: Ctrl+C\n")
                sys.stdout.flush()

        return consume(
            celery_app(broker_of(system), options),
            Rooms(lambda: self._rooms(system), _loop_factory()),
            name=process_name(),
            queues=self.queues,
            silent_seconds=options.silent_seconds,
            ready=ready,
        )

    @contextlib.asynccontextmanager
    async def _rooms(self, system: "System") -> "AsyncGenerator[LocalWork]":
        from frontdesk.app.rooms import open_desk

        async with open_desk(system, role=self._role()) as desk, _answered(self._own(desk.own_face())):
            keep_what_is_here()
            yield desk.work

    def _role(self) -> "Role":
        from frontdesk.app.work import Role

        assert self.role not in ("frontend", "tools")
        return Role(name=self.role, queues=self.queues)

    def _greet(self, desk: "Desk", address: str, link: str | None) -> None:
        if self.panel is not None:  # whoever looks after this process knows where people come in
            told = {"link": link and link.removeprefix(address), "answers": _answering(desk)}
            with contextlib.suppress(OSError), os.fdopen(self.panel, "w") as pipe:
                pipe.write(json.dumps(told))
            return
        click.echo(panel(desk.system.name, panel_lines(address, link, _answering(desk), str(desk.system.home))))
        sys.stdout.flush()
        if self.open_browser:
            webbrowser.open(link or address)


def panel_lines(address: str, link: str | None, answers: str, home: str, **more: str) -> dict[str, str]:
    """The panel's lines by their headings. Without `link` an owner has signed in already."""
    sign_in = f"{link}\n           for the owner, once, within an hour"
    return {
        "Open": address,
        "Sign in": sign_in if link else f"{address}/sign-in  (a new link: frontdesk people link owner)",
        "Answers": answers,
        **more,
        "Data": home,
        "Stop": "Ctrl+C",
    }


@contextlib.contextmanager
def _told(system: "System") -> Generator[None]:
    """Logs, traces and told errors of this process."""
    from frontdesk import __version__
    from frontdesk.system.options import DeskOptions, TelemetryOptions
    from frontdesk.telemetry import logs, sentry, tracing

    telemetry, debug = system.section(TelemetryOptions), system.section(DeskOptions).debug
    environment = telemetry.sentry_environment or system.environment
    watch, end_errors = sentry.set_up(
        telemetry.sentry_dsn.get_secret_value(), environment=environment, version=__version__
    )
    logs.set_up(telemetry.log_level, as_json=not sys.stderr.isatty(), details=debug, watch=watch)
    end_traces = tracing.set_up(telemetry.otlp_endpoint, name=system.name, version=__version__)
    try:
        yield
    finally:
        end_traces()
        end_errors()


@contextlib.asynccontextmanager
async def _answered(faces: "Sequence[Face]") -> AsyncGenerator[None]:
    """A worker's own ports are answered meanwhile."""
    from frontdesk.operate.serve import serve

    if not faces:
        yield
        return
    serving = asyncio.create_task(serve(faces, drain_seconds=1, ready=lambda: None), name="own port")
    try:
        yield
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def _owner_link(desk: "Desk", address: str) -> str | None:
    """A link for the owner who has never signed in; None once somebody has."""
    owner = await desk.store.people.owner()
    return await desk.owner_link(address) if owner is None or owner.signed_in_at is None else None


def _answering(desk: "Desk") -> str:
    names = desk.models.names
    return names[0] + (f", then {', '.join(names[1:])}" if names[1:] else "")


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    try:
        import uvloop
    except ImportError:  # Windows
        return None
    return uvloop.Loop
