"""`frontdesk up`"""

import os
import signal
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal

import click

from frontdesk.cli.output import note
from frontdesk.cli.place import Place, placed, was_said
from frontdesk.cli.shape import Verb

if TYPE_CHECKING:
    from frontdesk.cli.processes import Listeners
    from frontdesk.errors import BadSetting
    from frontdesk.operate.running.layout import DeskRole
    from frontdesk.system.system import System
    from frontdesk.work.kinds import Queue

EXAMPLES = """\
frontdesk up                                  with what the home holds, or all defaults
frontdesk up --port 8123 --open               another port, and the browser opens
frontdesk up engagement                       a shipped blueprint as it is
frontdesk up assistant --processes            each of its services as processes of their own, with their stores
frontdesk up --processes --detach             the same in the background; frontdesk ps, logs, restart, down
frontdesk up --processes --offset 100         beside another instance: every port is 100 higher
frontdesk up --scaled                         PostgreSQL, Valkey, two web processes and two workers, here
frontdesk up --role worker --queues ml        only the work of one queue (REDIS_URL, DATABASE_URL)
frontdesk up --service orchestrator           one service of the system file, as containers run it"""

Role = Literal["all", "web", "worker", "frontend", "tools"]
SCALED = 2  # web processes, and workers, unless said otherwise


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@click.argument("blueprint", required=False)
@click.option("--port", type=click.IntRange(0, 65535), help="Where to listen; 0 takes a free port (PORT).")
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="A port for metrics alone (METRICS_PORT).")
@click.option("--host", help="The address to listen on; 0.0.0.0 lets other machines in (HOST).")
@click.option("--role", type=click.Choice(["all", "web", "worker"]), default="all", help="What the processes do.")
@click.option("--queues", default="general,ml", show_default=True, help="What workers take, separated by commas.")
@click.option("--workers", type=click.IntRange(1, 64), help="How many processes; with --scaled, of each role.")
@click.option("--scaled", is_flag=True, help="Run PostgreSQL, Valkey, web processes and workers on this machine.")
@click.option("--service", metavar="NAME", help="Run one service of the system file, and nothing else.")
@click.option("--processes", is_flag=True, help="Run every service of the system file as processes of its own.")
@click.option("--replicas", multiple=True, metavar="[NAME=]N", help="How many processes of each, or of one, service.")
@click.option("--on", "only_host", metavar="NAME", help="Only the services of one host of the system file.")
@click.option("--skip-unbuilt", is_flag=True, help="Leave out services that cannot run yet, and what needs them.")
@click.option(
    "--offset",
    type=click.IntRange(0, 60000),
    default=0,
    envvar="FRONTDESK_PORT_OFFSET",
    help="Added to every port (FRONTDESK_PORT_OFFSET).",
)
@click.option("--detach", is_flag=True, help="Go on in the background once all is open.")
@click.option("--open", "open_browser", is_flag=True, help="Open the browser once the desk is ready.")
def up(
    place: Place,
    blueprint: str | None,
    port: int | None,
    metrics_port: int | None,
    host: str | None,
    role: "DeskRole",
    queues: str,
    workers: int | None,
    scaled: bool,
    service: str | None,
    processes: bool,
    replicas: tuple[str, ...],
    only_host: str | None,
    skip_unbuilt: bool,
    offset: int,
    detach: bool,
    open_browser: bool,
) -> int:
    """Run the desk until it is stopped: what its home holds, or the shipped BLUEPRINT as it is.

    Running answers are finished first; a second Ctrl+C ends at once.
    """
    _heed_stops()
    place = place.with_blueprint(blueprint)
    chosen = {"http.port": port, "http.host": host, "telemetry.metrics_port": metrics_port}
    options: dict[str, object] = {path: value for path, value in chosen.items() if value is not None}
    taken = _queues(queues)
    several = scaled or processes or (workers or 1) > 1
    _check_words(several, locals())
    if not several:
        return _alone(place, options, role, taken, service, offset, open_browser)

    if os.name != "posix":
        raise _not_here()
    from frontdesk.cli.instance import Recipe, run
    from frontdesk.operate.running.layout import Wish

    counts: dict[DeskRole, int] = {role: workers or 1}
    if scaled:
        counts = {"web": workers or SCALED, "worker": workers or SCALED}
    recipe = Recipe(
        place=place,
        options=options,
        wish=Wish(offset=offset, replicas=_replicas(replicas), host=only_host, skip_unbuilt=skip_unbuilt),
        counts={} if processes else counts,
        queues=taken,
        servers=scaled,
        name=only_host or ("desk" if scaled or processes or role == "all" else role),
    )
    return run(recipe, detach=detach, open_browser=open_browser)


def _heed_stops() -> None:
    """End at SIGTERM while starting, too: at once, as every other process does that has nothing to finish yet.

    The kernel spares a container's first process the signals that it does not handle. An exception would not do: it is
    lost where it strikes in a finalizer.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))


def _not_here() -> "BadSetting":
    from frontdesk.errors import BadSetting

    return BadSetting("Several processes need Linux or macOS", where="--processes", hint="Run `frontdesk up`.")


def _check_words(several: bool, words: Mapping[str, object]) -> None:
    """Refuse words that do not go together, naming them."""
    from frontdesk.errors import Usage

    together = [name for name in ("service", "processes", "scaled") if words[name]]
    if len(together) > 1 or (words["workers"] and (words["service"] or words["processes"])):
        raise Usage(
            "These say different things about what runs",
            where=" ".join(f"--{name}" for name in (*together, *(["workers"] if words["workers"] else []))),
            hint="Take one: `--service` runs one, `--processes` all, `--scaled` a desk without a description.",
        )
    said = [name for name in ("role", "queues") if was_said(name)]
    if said and (words["service"] or words["processes"] or words["scaled"]):
        flags = " and ".join(f"--{name}" for name in said)
        raise Usage("Roles and queues are chosen already", where=flags, hint=f"Leave {flags} out.")
    for name, flag in (("port", "--port"), ("metrics_port", "--metrics-port")):
        if words["processes"] and words[name] is not None:
            raise Usage("Each service has its own port", where=flag, hint="`--offset N` adds N to all of them.")
    for name, flag in (("replicas", "--replicas"), ("only_host", "--on"), ("skip_unbuilt", "--skip-unbuilt")):
        if words[name] and not words["processes"]:
            raise Usage(f"{flag} is about services", where=flag, hint="Add `--processes`.")
    if words["detach"] and not several:
        raise Usage("A single process stays in the foreground", where="--detach", hint="Add `--processes`.")


def _queues(text: str) -> "tuple[Queue, ...]":
    from frontdesk.errors import Usage
    from frontdesk.work.kinds import QUEUES

    wanted = {name.strip() for name in text.split(",")}
    if unknown := wanted - set(QUEUES):
        raise Usage(f"There is no queue {sorted(unknown)[0]!r}", where="--queues", hint=f"Take {' or '.join(QUEUES)}.")
    return tuple(queue for queue in QUEUES if queue in wanted)


def _replicas(said: tuple[str, ...]) -> dict[str, int]:
    """How many of each service: `3` is of all, `web=3` of one."""
    from frontdesk.errors import Usage

    found: dict[str, int] = {}
    for words in said:
        name, _, number = words.rpartition("=")
        if not number.isdigit() or not 1 <= int(number) <= 64:
            raise Usage(f"{words!r} is no number of processes", where="--replicas", hint="Write `2`, or `worker=2`.")
        found[name or "*"] = int(number)
    return found


def _alone(
    place: Place,
    options: dict[str, object],
    role: Role,
    queues: "tuple[Queue, ...]",
    service: str | None,
    offset: int,
    open_browser: bool,
) -> int:
    """This process itself."""
    from frontdesk.cli.processes import Process
    from frontdesk.operate.ports import address_of
    from frontdesk.operate.running.layout import WITHOUT_SECRETS
    from frontdesk.operate.running.single import told
    from frontdesk.operate.running.unit import LISTENERS, PANEL

    if service is not None:
        role, queues, options = _of_service(place, options, service, offset)
    elif offset:
        options = _further(place.load(options), options, offset)
    system = place.load(options, starting=role not in WITHOUT_SECRETS)
    for warning in system.warnings:
        note(f"{click.style('warning', fg='yellow')}  {warning}. {warning.hint}")
    handed, panel = os.environ.pop(LISTENERS, None), os.environ.pop(PANEL, None)
    with ExitStack() as stack:
        listeners = _listeners(system, role, stack) if handed is None else _handed(handed)
        if handed is None:
            addresses = [address_of(each) for each in listeners.desk]
            stack.enter_context(told(system.home, role, addresses))
        return Process(
            system=system,
            role=role,
            queues=queues,
            listeners=listeners,
            greets=handed is None or panel is not None,
            panel=None if panel is None else int(panel),
            open_browser=open_browser,
        ).run()


def _of_service(
    place: Place, options: dict[str, object], key: str, offset: int
) -> "tuple[Role, tuple[Queue, ...], dict[str, object]]":
    """What the system file says of a service: its role, its queues, and its settings."""
    from frontdesk.operate.running.layout import service_of
    from frontdesk.work.kinds import QUEUES

    service = service_of(place.load(options, starting=False), key)
    said: dict[str, object] = {
        "http.frontend_port": None,
        "http.example_tools_port": None,
        "http.drain_seconds": service.stopping.drain,
        "telemetry.metrics_port": service.metrics_port and service.metrics_port + offset,
    }
    if service.port is not None:
        said["http.port"] = service.port + offset
    return service.role, service.queues or QUEUES, {**said, **options}  # pyright: ignore[reportReturnType] — only built roles come through


def _further(system: "System", options: dict[str, object], offset: int) -> dict[str, object]:
    """The options, with every port of the system that much higher."""
    from frontdesk.system.options import HttpOptions, TelemetryOptions

    http = system.section(HttpOptions)
    ports = {
        "http.port": http.port,
        "http.frontend_port": http.frontend_port,
        "http.example_tools_port": http.example_tools_port,
        "telemetry.metrics_port": system.section(TelemetryOptions).metrics_port,
    }
    return {**options, **{path: port + offset for path, port in ports.items() if port}}


def _handed(words: str) -> "Listeners":
    """The sockets that whoever looks after this process holds for it: `desk=5,6 own=7`."""
    from frontdesk.cli.processes import Listeners

    found: dict[str, tuple[socket.socket, ...]] = {}
    for word in words.split():
        name, _, numbers = word.partition("=")
        found[name] = tuple(socket.socket(fileno=int(number)) for number in numbers.split(","))
    for listener in (each for listeners in found.values() for each in listeners):
        listener.set_inheritable(False)
        listener.setblocking(False)
    return Listeners(**found)


def _listeners(system: "System", role: Role, stack: ExitStack) -> "Listeners":
    """Taken before anything is opened, so that a port in use is told at once."""
    from frontdesk.cli.processes import Listeners
    from frontdesk.operate.ports import listen
    from frontdesk.system.options import HttpOptions, TelemetryOptions

    http, telemetry = system.section(HttpOptions), system.section(TelemetryOptions)

    def taken(*ports: int | None, option: str = "--port") -> tuple[socket.socket, ...]:
        return tuple(stack.enter_context(listen(http.host, port, option=option)) for port in ports if port is not None)

    metrics = taken(telemetry.metrics_port if telemetry.metrics else None, option="--metrics-port")
    if role == "worker":
        return Listeners(metrics=metrics)
    return Listeners(desk=taken(http.port, http.frontend_port), metrics=metrics, example=taken(http.example_tools_port))
