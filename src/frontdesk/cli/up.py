"""`frontdesk up`"""

import secrets
import signal
import socket
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import click

from frontdesk.cli.output import note
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Verb

if TYPE_CHECKING:
    from frontdesk.cli.processes import Listeners
    from frontdesk.operate.workers import Part
    from frontdesk.system.system import System
    from frontdesk.work.kinds import Queue

EXAMPLES = """\
frontdesk up                                  with what the home holds, or all defaults
frontdesk up --port 8123 --open               another port, and the browser opens
frontdesk up engagement                       a shipped blueprint as it is
frontdesk up --system desk.yaml --workers 2   a system file of your own, two processes
frontdesk up --scaled                         PostgreSQL, Valkey, two web processes and two workers, here
frontdesk up --role worker --queues ml        only the work of one queue (REDIS_URL, DATABASE_URL)"""

RoleName = Literal["all", "web", "worker"]
SCALED = 2  # web processes, and workers, unless said otherwise
SCALED_POOL = {"store.pool_size": 32, "store.max_overflow": 8}  # four processes share the server's 200 connections


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@click.argument("blueprint", required=False)
@click.option("--port", type=click.IntRange(0, 65535), help="Where to listen; 0 takes a free port (PORT).")
@click.option("--host", help="The address to listen on; 0.0.0.0 lets other machines in (HOST).")
@click.option("--role", type=click.Choice(["all", "web", "worker"]), default="all", help="What the processes do.")
@click.option("--queues", default="general,ml", show_default=True, help="What workers take, separated by commas.")
@click.option("--workers", type=click.IntRange(1, 64), help="How many processes; with --scaled, of each role.")
@click.option("--scaled", is_flag=True, help="Run PostgreSQL, Valkey, web processes and workers on this machine.")
@click.option("--open", "open_browser", is_flag=True, help="Open the browser once the desk is ready.")
def up(
    place: Place,
    blueprint: str | None,
    port: int | None,
    host: str | None,
    role: RoleName,
    queues: str,
    workers: int | None,
    scaled: bool,
    open_browser: bool,
) -> int:
    """Run the desk until it is stopped: what its home holds, or the shipped BLUEPRINT as it is.

    Running answers are finished first; a second Ctrl+C ends at once.
    """
    from frontdesk.operate.workers import Supervisor
    from frontdesk.system.options import RedisOptions

    place = replace(place, blueprint=blueprint or place.blueprint)
    chosen = {"http.port": port, "http.host": host}
    options: dict[str, object] = {path: value for path, value in chosen.items() if value is not None}
    taken = _queues(queues)
    servers: list[Part] = []
    if scaled:
        servers, more = _servers(place.load(options))
        options |= more
    system = place.load(options)
    for warning in system.warnings:
        note(f"{click.style('warning', fg='yellow')}  {warning}. {warning.hint}")
    names: tuple[RoleName, ...] = ("web", "worker") if scaled else (role,)
    roles: list[RoleName] = [name for name in names for _ in range(workers or (SCALED if scaled else 1))]
    if len(roles) > 1 and not system.section(RedisOptions).address:
        note(f"{click.style('warning', fg='yellow')}  Without REDIS_URL each process counts rate limits for itself.")
    with ExitStack() as stack:
        parts = _desk(place, options, system, roles, taken, open_browser, stack)
        return parts[0].run() if len(parts) == 1 else Supervisor([*servers, *parts], note).run()


def _queues(text: str) -> "tuple[Queue, ...]":
    from frontdesk.errors import Usage
    from frontdesk.work.kinds import QUEUES

    wanted = {name.strip() for name in text.split(",")}
    if unknown := wanted - set(QUEUES):
        raise Usage(f"There is no queue {sorted(unknown)[0]!r}", where="--queues", hint=f"Take {' or '.join(QUEUES)}.")
    return tuple(queue for queue in QUEUES if queue in wanted)


def _desk(
    place: Place,
    options: dict[str, object],
    system: "System",
    roles: list[RoleName],
    queues: "tuple[Queue, ...]",
    open_browser: bool,
    stack: ExitStack,
) -> "list[Part]":
    """The desk's processes. Workers begin before those that hand work to them, and end after them.

    `stack` closes their sockets.
    """
    from frontdesk.cli.processes import Process
    from frontdesk.operate.workers import Part

    listeners = _listeners(system, roles, stack)
    mixed = len(set(roles)) > 1
    return [
        Part(
            name=f"{role}-{number}",
            row=1 if role == "worker" else 2,
            run=Process(
                place=place,
                options=options,
                role=role,
                queues=queues,
                listeners=own,
                greets=number == 0,
                open_browser=open_browser and number == 0,
                parts=f"{roles.count('web')} web, {roles.count('worker')} workers" if mixed else "",
            ),
        )
        for number, (role, own) in enumerate(zip(roles, listeners, strict=True))
    ]


def _listeners(system: "System", roles: list[RoleName], stack: ExitStack) -> "list[Listeners]":
    """Taken before anything is opened, so that a port in use is told at once. Web processes share the desk's."""
    from frontdesk.cli.processes import Listeners
    from frontdesk.operate.ports import listen
    from frontdesk.system.options import HttpOptions, TelemetryOptions

    http, telemetry = system.section(HttpOptions), system.section(TelemetryOptions)
    ports = (http.port, http.frontend_port) if http.frontend_port is not None else (http.port,)

    def taken(port: int) -> socket.socket:
        return stack.enter_context(listen(http.host, port))

    desk = tuple(map(taken, ports)) if set(roles) - {"worker"} else ()
    found: list[Listeners] = []
    for number, role in enumerate(roles):
        first = telemetry.metrics_port if telemetry.metrics else None
        metrics = () if first is None else (taken(first + number if first else 0),)
        wanted = http.example_tools_port if number == 0 and role != "worker" else None
        example = () if wanted is None else (taken(wanted),)
        found.append(Listeners(desk=desk if role != "worker" else (), metrics=metrics, example=example))
    return found


def _servers(system: "System") -> "tuple[list[Part], dict[str, object]]":
    """PostgreSQL and Valkey on this machine, where no others are set, and the settings that lead to them."""
    from frontdesk.gate.signing import kept_secret
    from frontdesk.operate.ports import free_port
    from frontdesk.operate.scaled import Postgres, Valkey, folder_of
    from frontdesk.operate.workers import Part
    from frontdesk.system.options import RedisOptions

    system.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = folder_of(system.home)
    password = kept_secret("", system.home / "servers.key", make=partial(secrets.token_hex, 24)).decode()
    parts: list[Part] = []
    options: dict[str, object] = {}
    if system.database_url.startswith("sqlite"):
        postgres = Postgres(folder=folder / "postgres", port=free_port(), password=password)
        postgres.prepare()
        parts.append(Part(name="postgres", run=postgres, ready=postgres.answers, end=signal.SIGINT))
        options |= {"store.url": postgres.url, **SCALED_POOL}
    if not system.section(RedisOptions).address:
        valkey = Valkey(folder=folder / "valkey", port=free_port(), password=password)
        valkey.prepare()
        parts.append(Part(name="valkey", run=valkey, ready=valkey.answers))
        options["redis.url"] = valkey.url
    return parts, options
