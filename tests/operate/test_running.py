"""Several processes kept running by one supervisor: order, readiness, deaths, replacement, and the end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from frontdesk.operate.errors import NotLookedAfter, OrderFailed, StateDamaged
from frontdesk.operate.running import state
from frontdesk.operate.running.control import obeying, order, reserved
from frontdesk.operate.running.ending import end
from frontdesk.operate.running.identity import Identity, identity_of, is_alive, send
from frontdesk.operate.running.logfiles import bound, followed, last_lines, sizes
from frontdesk.operate.running.state import Control, Instance, Process
from frontdesk.operate.running.supervisor import Supervisor, _pause
from frontdesk.operate.running.unit import Unit

SECONDS = 60.0

# Answers /ready on the socket that it is handed; `ready` is the file that must be there before it says yes. It notes
# when it begins and ends in the file of its journal.
PROGRAM = """
import http.server, os, pathlib, signal, socket, sys
name, journal, ready = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
def note(what):
    with journal.open("a") as file:
        file.write(f"{what} {name}\\n")
class Asked(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if not ready or os.path.exists(ready) else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
def stop(*_):
    note("ended")
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
note("began")
print(f"{name} speaks", flush=True)
number = dict(word.split("=") for word in os.environ["FRONTDESK_LISTENERS"].split())["own"]
server = http.server.HTTPServer(("127.0.0.1", 0), Asked, bind_and_activate=False)
server.socket = socket.socket(fileno=int(number))
server.serve_forever()
"""


class Heard:
    """What a person would have been told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._news = asyncio.Event()

    def stage(self, number: int, names: Sequence[str]) -> None:
        self._add(f"stage {number}: {' '.join(names)}")

    def process(self, name: str, service: str, what: str, seconds: float) -> None:
        self._add(f"{name} {what}")

    def say(self, text: str) -> None:
        self._add(text)

    def _add(self, line: str) -> None:
        self.lines.append(line)
        self._news.set()

    async def hears(self, line: str, times: int = 1) -> None:
        """Return when this has been told so often."""
        async with asyncio.timeout(SECONDS):
            while sum(line in each for each in self.lines) < times:
                self._news.clear()
                await self._news.wait()


class Machine:
    """A folder for an instance, units for it, and the journal that their processes write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / "journal"
        self.program = folder / "program.py"
        self.program.write_text(PROGRAM)

    def unit(self, name: str, stage: int = 1, *, ready: str = "", service: str = "") -> Unit:
        return Unit(
            name=name,
            service=service or name,
            role="web",
            stage=stage,
            command=(sys.executable, str(self.program), name, str(self.journal), ready),
            variables={"PATH": os.environ["PATH"]},
            log=self.folder / "logs" / f"{service or name}.log",
            grace=10,
        )

    def broken(self, name: str, code: int) -> Unit:
        words = f"import sys; print('there is no such key'); sys.exit({code})"
        return replace(self.unit(name), command=(sys.executable, "-c", words))

    def instance(self, control: Control | None = None) -> Instance:
        me = identity_of(os.getpid())
        assert me is not None
        return Instance(
            name="desk",
            desk="Test",
            version="0",
            state="starting",
            since="2026-11-21T00:00:00+00:00",
            home=str(self.folder),
            system_file=None,
            environment="development",
            offset=0,
            supervisor=me,
            control=control or Control(1, "word"),
        )

    def supervisor(self, *units: Unit) -> tuple[Supervisor, Heard]:
        heard = Heard()
        return Supervisor(self.instance(), units, self.folder, heard), heard

    @asynccontextmanager
    async def running(self, *units: Unit) -> AsyncGenerator[tuple[Supervisor, Heard]]:
        """All of them open; stopped at the end, well."""
        supervisor, heard = self.supervisor(*units)
        opened = asyncio.Event()
        task = asyncio.create_task(supervisor.run(opened.set))
        try:
            async with asyncio.timeout(SECONDS):
                await asyncio.wait([task, asyncio.create_task(opened.wait())], return_when=asyncio.FIRST_COMPLETED)
            assert opened.is_set(), heard.lines
            yield supervisor, heard
        finally:
            supervisor.stop()
            async with asyncio.timeout(SECONDS):
                await task

    def told(self) -> list[str]:
        return self.journal.read_text().split("\n")[:-1] if self.journal.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


async def test_each_stage_begins_when_the_one_before_is_ready_and_ends_before_it(machine: Machine) -> None:
    release = machine.folder / "release"
    units = [machine.unit("store", 0, ready=str(release)), machine.unit("web", 1), machine.unit("pages", 2)]
    supervisor, heard = machine.supervisor(*units)
    opened = asyncio.Event()
    task = asyncio.create_task(supervisor.run(opened.set))
    async with asyncio.timeout(SECONDS):
        while not machine.told():  # noqa: ASYNC110 another process writes it
            await asyncio.sleep(0.02)
        assert "stage 1: web" not in heard.lines  # the store runs, and says that it is not ready
        release.touch()
        await opened.wait()
        supervisor.stop()
        assert await task == 0
    assert machine.told() == ["began store", "began web", "began pages", "ended pages", "ended web", "ended store"]
    assert not (machine.folder / state.FILE).exists()


async def test_a_process_that_is_killed_is_begun_anew_and_counted(machine: Machine) -> None:
    async with machine.running(machine.unit("web")) as (supervisor, heard):
        first = supervisor.living("web")
        assert first is not None
        assert first.identity is not None
        os.kill(first.identity.pid, signal.SIGKILL)
        await heard.hears("web ready", times=2)
        assert "web has ended by itself (by SIGKILL)." in heard.lines
        second = supervisor.living("web")
        assert second is not None
        assert second.identity != first.identity
        told = state.read(machine.folder)
        assert told is not None
        (process,) = told.processes
        assert (process.state, process.restarts, process.process) == ("ready", 1, second.identity)


async def test_what_keeps_ending_is_given_up_while_all_opens_and_its_log_is_told(machine: Machine) -> None:
    supervisor, heard = machine.supervisor(machine.unit("store", 0), machine.broken("web", 2))
    async with asyncio.timeout(SECONDS):
        assert await supervisor.run(lambda: None) == 1
    assert "    there is no such key" in heard.lines
    assert machine.told() == ["began store", "ended store"]


async def test_a_stop_while_all_opens_does_not_wait_for_what_is_not_ready(machine: Machine) -> None:
    never = machine.folder / "never"
    supervisor, heard = machine.supervisor(machine.unit("store", 0), machine.unit("web", ready=str(never)))
    task = asyncio.create_task(supervisor.run(lambda: None))
    async with asyncio.timeout(SECONDS):
        await heard.hears("web starting")
        while "began web" not in machine.told():  # noqa: ASYNC110 another process writes it
            await asyncio.sleep(0.02)
        supervisor.stop()
        assert await task == 0
    assert machine.told() == ["began store", "began web", "ended web", "ended store"]


async def test_what_dies_while_a_later_stage_opens_is_ready_again_before_all_is_open(machine: Machine) -> None:
    late = machine.folder / "late"
    supervisor, heard = machine.supervisor(machine.unit("store", 0), machine.unit("web", ready=str(late)))
    opened = asyncio.Event()
    task = asyncio.create_task(supervisor.run(opened.set))
    async with asyncio.timeout(SECONDS):
        await heard.hears("web starting")
        store = supervisor.living("store")
        assert store is not None
        store.process.kill()
        await heard.hears("store ready", times=2)
        late.touch()
        await opened.wait()
        assert {process.state for process in supervisor.instance.processes} == {"ready"}
        supervisor.stop()
        await task


async def test_a_state_file_that_cannot_be_written_ends_nothing_and_is_written_later(machine: Machine) -> None:
    async with machine.running(machine.unit("web")) as (supervisor, heard):
        file = machine.folder / state.FILE
        file.unlink()
        (file / "in the way").mkdir(parents=True)
        supervisor.told()
        assert any("state file cannot be written" in line for line in heard.lines)
        web = supervisor.living("web")
        assert web is not None
        web.process.kill()
        await heard.hears("web ready", times=2)
        (file / "in the way").rmdir()
        file.rmdir()
        supervisor.told()
        told = state.read(machine.folder)
        assert told is not None
        assert told.processes[0].restarts == 1


def test_the_pause_before_a_process_is_begun_anew_doubles_up_to_half_a_minute() -> None:
    pauses = [_pause(ends) for ends in (1, 2, 3, 7, 8, 100_000)]
    assert pauses == [0.25, 0.5, 1.0, 16.0, 30.0, 30.0]


async def test_a_stop_while_a_process_is_replaced_ends_both(machine: Machine) -> None:
    never = machine.folder / "never"
    async with machine.running(machine.unit("web")) as (supervisor, _):
        replacing = asyncio.create_task(supervisor.replace(machine.unit("web", ready=str(never))))
        async with asyncio.timeout(SECONDS):
            while machine.told().count("began web") < 2:  # noqa: ASYNC110 another process writes it
                await asyncio.sleep(0.02)
            told = state.read(machine.folder)
            assert told is not None
            both = told.alive()
            assert len(both) == 2  # so that both are found, should this supervisor die now
            supervisor.stop()
            with pytest.raises(OrderFailed, match="is being stopped"):
                await replacing
    assert machine.told().count("ended web") == 2
    assert not any(each.process is not None and is_alive(each.process) for each in both)
    assert not (machine.folder / state.FILE).exists()


async def test_hangups_ask_for_the_end_and_never_insist(machine: Machine) -> None:
    """A shell that closes sends two of them; a second Ctrl+C would end running answers at once."""
    async with machine.running(machine.unit("web")) as (supervisor, _):
        web = supervisor.living("web")
        assert web is not None
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0)
        async with asyncio.timeout(SECONDS):
            assert await web.ended == 0
    assert machine.told() == ["began web", "ended web"]


async def test_a_fresh_process_takes_over_before_the_old_one_ends(machine: Machine) -> None:
    async with machine.running(machine.unit("web")) as (supervisor, _):
        await supervisor.replace(machine.unit("web"))
        assert machine.told() == ["began web", "began web", "ended web"]


async def test_a_fresh_process_that_does_not_get_ready_changes_nothing(machine: Machine) -> None:
    async with machine.running(machine.unit("web")) as (supervisor, _):
        before = supervisor.living("web")
        with pytest.raises(OrderFailed, match="did not get ready") as caught:
            await supervisor.replace(machine.broken("web", 1))
        assert "there is no such key" in caught.value.hint
        assert supervisor.living("web") is before
        assert supervisor.restarts("web") == 0


async def test_an_old_process_that_dies_while_a_fresh_one_begins_is_not_begun_anew(machine: Machine) -> None:
    late = machine.folder / "late"
    async with machine.running(machine.unit("web")) as (supervisor, heard):
        old = supervisor.living("web")
        assert old is not None
        taking_over = asyncio.create_task(supervisor.replace(machine.unit("web", ready=str(late))))
        await heard.hears("web replacing")
        old.process.kill()
        await old.ended
        late.touch()
        async with asyncio.timeout(SECONDS):
            await taking_over
        assert machine.told().count("began web") == 2


async def test_orders_need_the_word_and_their_failures_come_back(machine: Machine) -> None:
    async def obey(what: object, say: object) -> dict[str, object]:
        assert callable(say)
        say("one moment")
        if what == {"act": "fail"}:
            raise OrderFailed("It did not get ready", where="web", hint="Look at its log.")
        return {"done": what}

    listener, control = reserved()
    instance = machine.instance(control)
    said: list[str] = []
    async with obeying(listener, control, obey):
        told = await asyncio.to_thread(order, instance, {"act": "restart"}, said.append)
        assert told == {"done": {"act": "restart"}}
        assert said == ["one moment"]
        with pytest.raises(OrderFailed, match="It did not get ready"):
            await asyncio.to_thread(order, instance, {"act": "fail"}, said.append)
        stranger = msgspec.structs.replace(instance, control=Control(control.port, "another word"))
        with pytest.raises(NotLookedAfter):
            await asyncio.to_thread(order, stranger, {"act": "restart"}, said.append)


def test_a_number_that_somebody_else_has_now_is_never_signalled() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        real = identity_of(process.pid)
        assert real is not None
        former = Identity(real.pid, "0@before")
        assert not is_alive(former)
        assert not send(former, signal.SIGKILL)
        assert process.poll() is None
        assert send(real, signal.SIGKILL)
    assert identity_of(process.pid) is None


def test_what_a_dead_supervisor_has_left_is_found_and_ended_and_nobody_else(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(program) as ours, subprocess.Popen(program) as foreign:
        mine, theirs = identity_of(ours.pid), identity_of(foreign.pid)
        assert mine is not None
        assert theirs is not None
        gone = Identity(1, "0@before")
        left = [_process("web", mine, stage=1), _process("store", Identity(theirs.pid, "0@before"), stage=0)]
        machine = Machine(tmp_path)
        folder = state.folder_of(tmp_path, "desk")
        folder.mkdir(parents=True)
        instance = msgspec.structs.replace(machine.instance(), supervisor=gone, processes=tuple(left))
        state.write(folder, instance)
        (found,) = state.instances(tmp_path)
        assert not found.is_looked_after
        assert [each.name for each in found.alive()] == ["web"]
        assert end(found, folder, lambda _: None)
        assert ours.wait(10) == -signal.SIGTERM
        assert foreign.poll() is None
        assert list(state.instances(tmp_path)) == []
        foreign.kill()


def test_only_its_owner_reads_the_state_and_it_holds_no_half(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    state.write(tmp_path, machine.instance())
    file = tmp_path / state.FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["control"]["token"] == "word"


def test_a_damaged_state_file_is_told_and_one_that_the_machine_lost_is_none(tmp_path: Path) -> None:
    folder = state.folder_of(tmp_path, "desk")
    folder.mkdir(parents=True)
    (folder / state.FILE).write_text('{"name": "desk"')
    with pytest.raises(StateDamaged) as caught:
        list(state.instances(tmp_path))
    assert caught.value.where == str(folder / state.FILE)
    (folder / state.FILE).write_bytes(b"\0" * 100)  # what some file systems leave after a power cut
    assert list(state.instances(tmp_path)) == []


def test_logs_have_a_bound_and_are_read_over_it(tmp_path: Path) -> None:
    file = tmp_path / "web.log"
    with file.open("ab") as log:
        for number in range(1000):
            log.write(f"line {number}\n".encode())
            log.flush()
            bound(file, largest=4000)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["web.log", "web.log.1", "web.log.2"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 4 * 4100
    assert last_lines(file, 3) == ["line 997", "line 998", "line 999"]


def test_who_follows_a_log_reads_the_lines_from_before_it_was_cut(tmp_path: Path) -> None:
    file = tmp_path / "web.log"
    file.write_text("before\n")
    lines = followed(lambda: {file: "web"}, sizes([file]))
    with file.open("a") as log:
        log.write("one\n")
        log.flush()
        assert next(lines) == ("web", "one")
        log.write("two\nthree\n")
    bound(file, largest=1)
    with file.open("a") as log:
        log.write("four\n")
    assert [next(lines) for _ in range(3)] == [("web", "two"), ("web", "three"), ("web", "four")]


def test_whoever_begins_later_is_followed_from_its_first_line_on(tmp_path: Path) -> None:
    web = tmp_path / "web.log"
    web.write_text("before\n")
    begun = sizes([web])
    lines = followed(lambda: {file: file.stem for file in sorted(tmp_path.glob("*.log"))}, begun)
    (tmp_path / "late.log").write_text("one\n")
    assert next(lines) == ("late", "one")
    web.write_text("before\nafter\n")
    assert last_lines(web, 5, begun[web]) == ["before"]
    assert next(lines) == ("web", "after")


def _process(name: str, identity: Identity, stage: int) -> Process:
    return Process(
        name=name,
        service=name,
        role="web",
        stage=stage,
        state="ready",
        process=identity,
        since="2026-11-21T00:00:00+00:00",
        restarts=0,
        log="",
        end_signal=int(signal.SIGTERM),
        grace=10,
    )
