"""The processes that `frontdesk up` starts: those that answer HTTP, and those that work on rows."""

import asyncio
import contextlib
import gc
import socket
import sys
import webbrowser
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import click

from frontdesk.cli.output import note
from frontdesk.cli.place import Place
from frontdesk.cli.trouble import tell

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from frontdesk.app import Desk
    from frontdesk.app.work import Role
    from frontdesk.system.system import System
    from frontdesk.work.kinds import Queue
    from frontdesk.work.local import LocalWork


@dataclass(frozen=True, slots=True)
class Listeners:
    """The sockets of the desk; of one process's metrics and of the example MCP server, where they are wanted."""

    desk: Sequence[socket.socket] = ()
    metrics: Sequence[socket.socket] = ()
    example: Sequence[socket.socket] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of the desk. It is handed to others by its fields, so it loads the system for itself.

    The one that `greets` tells where the desk is; `parts` says what else there is.
    """

    place: Place
    options: dict[str, object]
    role: "Literal['all', 'web', 'worker']" = "all"
    queues: "tuple[Queue, ...]" = ("general", "ml")
    listeners: Listeners = Listeners()
    greets: bool = True
    open_browser: bool = False
    parts: str = ""

    def __call__(self) -> int:
        """Run until a signal; the exit code. An error is told here, for no one above it knows how."""
        try:
            return self._run()
        except Exception as error:
            return tell(error)

    def _run(self) -> int:
        system = self.place.load(self.options)
        with _told(system):
            if self.role == "worker":
                return self._work(system)
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(self._serve(system))
        return 0

    async def _serve(self, system: "System") -> None:
        from frontdesk.app import open_desk
        from frontdesk.operate.ports import address_of
        from frontdesk.operate.serve import Face, serve
        from frontdesk.system.options import HttpOptions

        address = address_of(self.listeners.desk[0])
        async with open_desk(system, role=self._role()) as desk:
            faces = [Face(desk.asgi(), self.listeners.desk)]
            if self.listeners.metrics:
                faces.append(Face(desk.metrics_face(), self.listeners.metrics))
            if self.listeners.example:
                from frontdesk.tools.example_server import example_app

                faces.append(Face(example_app(system.variable("MCP_SERVICE_TOKEN") or ""), self.listeners.example))
            link = await _owner_link(desk, address) if self.greets else None

            def ready() -> None:
                if self.greets:
                    click.echo(_panel(desk, address, link, self.parts))
                    sys.stdout.flush()
                    if self.open_browser:
                        webbrowser.open(link or address)

            _keep_what_is_here()
            await serve(
                faces, drain_seconds=system.section(HttpOptions).drain_seconds, ready=ready, ending=desk.live.end
            )
        if self.greets:
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
            if self.greets:
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
        from frontdesk.app import open_desk

        async with open_desk(system, role=self._role()) as desk, _measured(desk.metrics_face(), self.listeners.metrics):
            _keep_what_is_here()
            yield desk.work

    def _role(self) -> "Role":
        from frontdesk.app.work import Role

        return Role(name=self.role, queues=self.queues)


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
async def _measured(face: "ASGIApp", listeners: Sequence[socket.socket]) -> AsyncGenerator[None]:
    """A worker's metrics are answered meanwhile, where a port is set."""
    from frontdesk.operate.serve import Face, serve

    if not listeners:
        yield
        return
    serving = asyncio.create_task(serve([Face(face, listeners)], drain_seconds=1, ready=lambda: None), name="metrics")
    try:
        yield
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def _keep_what_is_here() -> None:
    """Let the garbage collector pass over what the start has made: it lives as long as the process, and looking
    through it again and again holds every answer up."""
    gc.collect()
    gc.freeze()


async def _owner_link(desk: "Desk", address: str) -> str | None:
    """A link for the owner who has never signed in; None once somebody has."""
    owner = await desk.store.people.owner()
    return await desk.owner_link(address) if owner is None or owner.signed_in_at is None else None


def _panel(desk: "Desk", address: str, link: str | None, parts: str) -> str:
    names = desk.models.names
    lines = {
        "Open": address,
        "Sign in": f"{link}\n           for the owner, once, within an hour"
        if link
        else f"{address}/sign-in  (a new link: frontdesk people link owner)",
        "Answers": names[0] + (f", then {', '.join(names[1:])}" if names[1:] else ""),
        **({"Parts": parts} if parts else {}),
        "Data": str(desk.system.home),
        "Stop": "Ctrl+C",
    }
    head = click.style(f"{desk.system.name} is open", bold=True)
    return "\n".join(["", f"  {head}", "", *(f"  {name:<8} {text}" for name, text in lines.items()), ""])


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    try:
        import uvloop
    except ImportError:  # Windows
        return None
    return uvloop.Loop
