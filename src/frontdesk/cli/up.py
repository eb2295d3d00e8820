"""`frontdesk up`"""

import asyncio
import functools
import socket
import sys
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from frontdesk.cli.output import note
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Verb

if TYPE_CHECKING:
    from frontdesk.app import Desk
    from frontdesk.system.system import System

EXAMPLES = """\
frontdesk up                                  with what the home holds, or all defaults
frontdesk up --port 8123 --open               another port, and the browser opens
frontdesk up --blueprint assistant            the blueprint as it is, with its three ports
frontdesk up --system desk.yaml --workers 2   a system file of your own, two processes"""


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@click.option("--port", type=click.IntRange(0, 65535), help="Where to listen; 0 takes a free port (PORT).")
@click.option("--host", help="The address to listen on; 0.0.0.0 lets other machines in (HOST).")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="How many processes answer.")
@click.option("--open", "open_browser", is_flag=True, help="Open the browser once the desk is ready.")
def up(place: Place, port: int | None, host: str | None, workers: int, open_browser: bool) -> int:
    """Run the desk until it is stopped. Running answers are finished first; a second Ctrl+C ends at once."""
    from frontdesk.operate.workers import Supervisor

    chosen = {"http.port": port, "http.host": host}
    options: dict[str, object] = {path: value for path, value in chosen.items() if value is not None}
    system = place.load(options)
    for warning in system.warnings:
        note(f"{click.style('warning', fg='yellow')}  {warning}. {warning.hint}")
    run = Run(place, options, _listeners(system, workers), open_browser)
    if workers == 1:
        return run(0)
    return Supervisor(functools.partial(run), workers).run()


@dataclass(frozen=True, slots=True)
class Listeners:
    """The sockets of the desk; of each process's metrics and of the example MCP server, where they are wanted."""

    desk: Sequence[socket.socket]
    metrics: Sequence[socket.socket]
    example: Sequence[socket.socket]


@dataclass(frozen=True, slots=True)
class Run:
    """One process of the desk. It is handed to others by its fields, so it loads the system for itself."""

    place: Place
    options: dict[str, object]
    listeners: Listeners
    open_browser: bool

    def __call__(self, number: int) -> int:
        """Run until a signal. The first process (0) greets and serves the example tools."""
        from frontdesk import __version__
        from frontdesk.system.options import DeskOptions, TelemetryOptions
        from frontdesk.telemetry import logs, tracing

        system = self.place.load(self.options)
        telemetry = system.section(TelemetryOptions)
        logs.set_up(telemetry.log_level, as_json=not sys.stderr.isatty(), details=system.section(DeskOptions).debug)
        end_traces = tracing.set_up(telemetry.otlp_endpoint, name=system.name, version=__version__)
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(self._serve(system, number))
        finally:
            end_traces()
        return 0

    async def _serve(self, system: "System", number: int) -> None:
        from frontdesk.app import open_desk
        from frontdesk.operate.ports import address_of
        from frontdesk.operate.serve import Face, serve
        from frontdesk.system.options import HttpOptions

        address, first = address_of(self.listeners.desk[0]), number == 0
        async with open_desk(system) as desk:
            faces = [Face(desk.asgi(), self.listeners.desk)]
            if self.listeners.metrics:
                faces.append(Face(desk.metrics_face(), self.listeners.metrics[number : number + 1]))
            if first and self.listeners.example:
                from frontdesk.tools.example_server import example_app

                faces.append(Face(example_app(system.variable("MCP_SERVICE_TOKEN") or ""), self.listeners.example))
            link = await _owner_link(desk, address) if first else None

            def ready() -> None:
                if first:
                    click.echo(_panel(desk, address, link))
                    sys.stdout.flush()
                    if self.open_browser:
                        webbrowser.open(link or address)

            await serve(faces, drain_seconds=system.section(HttpOptions).drain_seconds, ready=ready)
        if first:
            note("The desk is closed. What it stores lies where it lay.")


def _listeners(system: "System", workers: int) -> Listeners:
    """Taken before anything is opened, so that a port in use is told at once."""
    from frontdesk.operate.ports import listen
    from frontdesk.system.options import HttpOptions, TelemetryOptions

    http, telemetry = system.section(HttpOptions), system.section(TelemetryOptions)
    ports = (http.port, http.frontend_port) if http.frontend_port is not None else (http.port,)
    example = () if http.example_tools_port is None else (listen(http.host, http.example_tools_port),)
    first = telemetry.metrics_port if telemetry.metrics else None
    measured = () if first is None else tuple(first + number if first else 0 for number in range(workers))
    return Listeners(
        desk=tuple(listen(http.host, port) for port in ports),
        metrics=tuple(listen(http.host, port) for port in measured),
        example=example,
    )


async def _owner_link(desk: "Desk", address: str) -> str | None:
    """A link for the owner who has never signed in; None once somebody has."""
    owner = await desk.store.people.owner()
    return await desk.owner_link(address) if owner is None or owner.signed_in_at is None else None


def _panel(desk: "Desk", address: str, link: str | None) -> str:
    names = desk.models.names
    lines = {
        "Open": address,
        "Sign in": f"{link}\n           for the owner, once, within an hour"
        if link
        else f"{address}/sign-in  (a new link: frontdesk people link owner)",
        "Answers": names[0] + (f", then {', '.join(names[1:])}" if names[1:] else ""),
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
