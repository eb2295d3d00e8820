"""Several processes of one system on this machine, looked after by the process that this becomes."""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import webbrowser
from collections.abc import Generator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from frontdesk import __version__
from frontdesk.cli.output import note
from frontdesk.cli.place import Place
from frontdesk.cli.processes import panel_lines
from frontdesk.cli.showing import panel, show
from frontdesk.operate.errors import AlreadyRunning, OrderFailed, UnknownService
from frontdesk.operate.release.record import Content, Release, Releases
from frontdesk.operate.release.roll import Watch, roll
from frontdesk.operate.running import state
from frontdesk.operate.running.assembly import Circumstances, Sockets, host_of, units
from frontdesk.operate.running.control import Order, Say, obeying, reserved
from frontdesk.operate.running.identity import identity_of
from frontdesk.operate.running.layout import DeskRole, Layout, Wish, described, plain
from frontdesk.operate.running.servers import Stores, Wanted, stores
from frontdesk.operate.running.state import Instance
from frontdesk.operate.running.supervisor import Supervisor
from frontdesk.operate.running.unit import Unit
from frontdesk.system.layout.services import ServicesOptions
from frontdesk.system.load import examine, near, together
from frontdesk.system.system import System
from frontdesk.work.kinds import Queue

LOCK = "lock"
SUPERVISOR_LOG = "supervisor.log"
PROGRAM = (sys.executable, "-m", "frontdesk.cli")
PANEL_SECONDS = 5.0  # for what a process that is ready says about itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How an instance is made. With `counts` the system file's services are left out, and so many of each role run."""

    place: Place
    options: Mapping[str, object]
    wish: Wish
    counts: Mapping[DeskRole, int]
    queues: tuple[Queue, ...]
    servers: bool
    name: str

    def system(self, file: Path | None, env_file: Path | None, variables: Mapping[str, str]) -> System:
        """The system as `file` describes it. Raises `BadSystemFile` or `BadSetting` with every mistake."""
        found, problems = examine(
            file,
            env_file=env_file,
            home=self.place.folder,
            options=self.options,
            variables={**os.environ, **variables},
        )
        if found is None or problems:
            raise together(problems)
        return found

    def layout(self, system: System) -> Layout:
        """What is to run of it."""
        if self.counts:
            return plain(system, self.counts, self.queues, offset=self.wish.offset, wants_servers=self.servers)
        if not system.section(ServicesOptions).by_name:
            each = self.wish.replicas.get("*", 1)
            return plain(system, {"web": each, "worker": each}, self.queues, offset=self.wish.offset)
        return described(system, self.wish)

    def words(self, system: System, file: Path | None) -> tuple[str, ...]:
        """The words of its processes' commands, between the program and what each is."""
        found = ["up", "--home", str(system.home)]
        if file is not None:
            found += ["--system", str(file)]
        if system.environment_variables.file is not None:
            found += ["--env-file", str(system.environment_variables.file)]
        if "http.host" in self.options:
            found += ["--host", str(self.options["http.host"])]
        if self.wish.offset:
            found += ["--offset", str(self.wish.offset)]
        return tuple(found)


def run(recipe: Recipe, *, detach: bool, open_browser: bool) -> int:
    """Run it until it is told to stop; with `detach` the caller's process returns once all is open."""
    place = recipe.place
    system = place.load(recipe.options)
    for warning in system.warnings:
        note(f"{click.style('warning', fg='yellow')}  {warning}. {warning.hint}")
    layout = recipe.layout(system)
    folder = state.folder_of(system.home, recipe.name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_alone(folder))
        others = [each for each in state.instances(system.home) if each.name != recipe.name]
        sockets = Sockets(host_of(system), stack)
        sockets.take(layout)
        wanted = Wanted(postgres=layout.wants_postgres, broker=layout.wants_broker, processes=layout.desk_processes)
        servers = stores(system, wanted, recipe.wish.offset, folder / "logs", others)
        if detach and (code := _detached(folder)) is not None:
            return code
        running = _Running(recipe=recipe, system=system, folder=folder, sockets=sockets, servers=servers)
        return asyncio.run(running.run(layout, open_browser=open_browser, detached=detach))


@dataclass(slots=True, kw_only=True)
class _Running:
    """The instance while it runs."""

    recipe: Recipe
    system: System
    folder: Path
    sockets: Sockets
    servers: Stores
    releases: Releases = field(init=False)

    def __post_init__(self) -> None:
        self.releases = Releases(self.system.home)

    async def run(self, layout: Layout, *, open_browser: bool, detached: bool) -> int:
        release = self.releases.keep(_content(self.system))
        before = self.releases.current()
        former = before.former if before and before.release == release.number else before and before.release
        self.releases.note("up", release, former)
        all_units = (*self.servers.units, *self.units(layout, release))
        self._tell_beginning(layout)
        shown = show(all_units)
        listener, control = reserved()
        reading, writing = os.pipe()
        supervisor = Supervisor(self._instance(layout, release, control), all_units, self.folder, shown)

        def opened() -> None:
            shown.end()
            with contextlib.suppress(OSError):  # nobody reads any more, and the desk goes on
                self._tell_panel(layout, reading, open_browser, detached=detached)
            if detached:
                _leave_terminal(self.folder)

        try:
            async with obeying(listener, control, lambda order, say: self._obey(supervisor, order, say)):
                code = await supervisor.run(opened, writing)
        finally:
            shown.end()
        if code == 0:
            shown.say("The desk is closed. What it stores lies where it lay.")
        return code

    def units(self, layout: Layout, release: Release) -> tuple[Unit, ...]:
        """The processes of a release."""
        content = release.content
        file = self.releases.file_of(release)
        return units(
            layout,
            Circumstances(
                system=self.system,
                words=(*(content.program or PROGRAM), *self.recipe.words(self.system, file)),
                settings=content.variables,
                stores=self.servers.variables,
                logs=self.folder / "logs",
                release=release.number,
            ),
            self.sockets,
        )

    def _instance(self, layout: Layout, release: Release, control: state.Control) -> Instance:
        me = identity_of(os.getpid())
        assert me is not None
        entry = layout.entry
        addresses = self._address(layout) if entry else ""
        return Instance(
            name=self.recipe.name,
            desk=self.system.name,
            version=__version__,
            state="starting",
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            home=str(self.system.home),
            system_file=str(self.system.file) if self.system.file else None,
            environment=self.system.environment,
            offset=self.recipe.wish.offset,
            supervisor=me,
            control=control,
            supervisor_version=__version__,
            release=release.number,
            address=addresses,
            stores=dict(self.servers.told),
            missing=dict(layout.missing),
        )

    def _address(self, layout: Layout) -> str:
        from frontdesk.operate.ports import address_of

        entry = layout.entry
        return "" if entry is None else address_of(self.sockets.of(entry, 0)["desk"][0])

    def _tell_beginning(self, layout: Layout) -> None:
        number = sum(service.replicas for service in layout.services)
        parts = f"{number} processes of {len(layout.services)} services"
        note(f"{self.system.name} begins with {parts}; logs in {self.folder / 'logs'}")
        for name, words in self.servers.told.items():
            note(f"  {name}: {words}")
        if (self.system.home / "desk.db").exists() and "SQLite" not in self.servers.told.get("database", "SQLite"):
            note(f"  What lies in {self.system.home / 'desk.db'} stays there, and is not part of this database.")
        for name, why in layout.missing.items():
            note(f"  not started: {name}: {why}")

    def _tell_panel(self, layout: Layout, reading: int, open_browser: bool, *, detached: bool) -> None:
        told = _panel_of(reading)
        address = self._address(layout)
        if not address:
            note(f"{self.system.name} is at work: {', '.join(service.key for service in layout.services)}.")
            return
        link = f"{address}{told['link']}" if told.get("link") else None
        counts: dict[str, int] = {}
        for service in layout.services:
            name = "workers" if service.role == "worker" else service.key
            counts[name] = counts.get(name, 0) + service.replicas
        parts = ", ".join(f"{number} {name}" for name, number in counts.items() if name != "workers")
        parts += f", {counts['workers']} workers" if "workers" in counts else ""
        lines = panel_lines(address, link, str(told.get("answers", "")), str(self.system.home), Parts=parts)
        lines = {heading: text for heading, text in lines.items() if text}
        lines["Stop"] = f"{'' if detached else 'Ctrl+C, or '}frontdesk down  (what runs: frontdesk ps)"
        click.echo(panel(self.system.name, lines))
        sys.stdout.flush()
        if open_browser:
            webbrowser.open(link or address)

    # --- orders ---

    async def _obey(self, supervisor: Supervisor, order: Order, say: Say) -> Mapping[str, object]:
        if order["act"] == "restart":
            return await _restart(supervisor, order, say)
        if order["act"] == "roll":
            return await self._roll(supervisor, order, say)
        raise OrderFailed(f"Nobody here knows how to {order['act']}")

    async def _roll(self, supervisor: Supervisor, order: Order, say: Say) -> Mapping[str, object]:
        """The order names the release, and how long and how strictly its processes are watched."""
        release = self.releases.get(int(str(order["release"])))
        before = supervisor.instance.release
        watch = Watch(float(str(order["seconds"])), float(str(order["worst"])))
        former, stays = self.system, self.recipe.layout(self.system)
        self.system = self.recipe.system(
            self.releases.file_of(release), former.environment_variables.file, release.content.variables
        )
        supervisor.told(state="rolling")
        try:
            layout = self.recipe.layout(self.system)
            _refuse_other_stores(stays, layout)
            self.sockets.take(layout)
            await roll(supervisor, self.units(layout, release), watch, say)
        except BaseException:
            self.system = former
            self.sockets.let_go(stays)
            supervisor.told(state="open")
            raise
        self.sockets.let_go(layout)
        supervisor.told(
            state="open",
            release=release.number,
            version=release.content.version,
            desk=self.system.name,
            address=self._address(layout),
            missing=dict(layout.missing),
        )
        return {"release": release.number, "former": before}


def _refuse_other_stores(now: Layout, then: Layout) -> None:
    if (then.wants_postgres and not now.wants_postgres) or (then.wants_broker and not now.wants_broker):
        raise OrderFailed(
            "The release needs a store that does not run here",
            hint="A release replaces services, no stores: frontdesk down, then frontdesk up --processes.",
        )


async def _restart(supervisor: Supervisor, order: Order, say: Say) -> Mapping[str, object]:
    """Fresh processes for the named services or processes, one after the other."""
    wanted = [str(name) for name in order["services"]]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType, reportUnknownArgumentType] — JSON
    known = {name for unit in supervisor.units for name in (unit.name, unit.service)}
    for name in wanted:
        if name not in known:
            raise UnknownService(f"No service `{name}` runs here", where=name, hint=near(name, known))
    renewed = [unit for unit in supervisor.units if unit.name in wanted or unit.service in wanted]
    for unit in renewed:
        say(f"{unit.name}: a fresh process begins")
        await supervisor.replace(unit)
        say(f"{unit.name}: ready")
    return {"restarted": [unit.name for unit in renewed]}


def _content(system: System) -> Content:
    text = system.file.read_text(encoding="utf-8") if system.file else ""
    return Content(
        text=text, file=str(system.file.absolute()) if system.file else None, version=__version__, program=PROGRAM
    )


@contextlib.contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Only one supervisor at a time, and none beside processes that one has left. Raises `AlreadyRunning`."""
    handle = os.open(folder / LOCK, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(f"{folder.name} runs already", where=str(folder)) from error
        left = state.read(folder)
        if left is not None and left.alive():
            names = ", ".join(process.name for process in left.alive())
            raise AlreadyRunning(f"Processes are left whose supervisor has gone: {names}", where=str(folder))
        yield
    finally:
        os.close(handle)


def _panel_of(reading: int) -> dict[str, object]:
    """What the greeting process says of itself, if it does so soon."""
    import select

    with os.fdopen(reading, "rb") as pipe:
        ready, _, _ = select.select([pipe], [], [], PANEL_SECONDS)
        text = pipe.read() if ready else b""
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except msgspec.DecodeError:
        return {}


def _detached(folder: Path) -> int | None:
    """Go on in a process of its own session. None there; the exit code in the process that waited until all is open.

    What the new one says on its way goes to this terminal; later words go to its log.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(reading)
        os.dup2(writing, 1)
        os.close(writing)
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        return None
    os.close(writing)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever stops this process means the other one too
    try:
        with os.fdopen(reading, encoding="utf-8") as told:
            for line in told:
                click.echo(line, nl=False)
    except KeyboardInterrupt:
        _end(child)
        raise
    ended, status = os.waitpid(child, 0 if not _has_state(folder) else os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else 0


def _end(child: int) -> None:
    """Return when it has ended. Whoever stops this process a second time insists."""
    ended = 0
    while not ended:
        try:
            os.kill(child, signal.SIGTERM)
            ended, _ = os.waitpid(child, 0)
        except KeyboardInterrupt:
            continue


def _has_state(folder: Path) -> bool:
    found = state.read(folder)
    return found is not None and found.is_looked_after and found.state != "stopping"


def _leave_terminal(folder: Path) -> None:
    """Whoever waited for this process may go: its words go to its log from here on."""
    from frontdesk.operate.running import logfiles

    log = logfiles.opened(folder / "logs" / SUPERVISOR_LOG)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
