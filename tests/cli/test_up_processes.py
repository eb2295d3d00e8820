"""`frontdesk up --processes` and the verbs that look after what it starts, with the lightest services: pages."""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

import httpx2
import pytest

from frontdesk import __version__
from frontdesk.operate.ports import free_port
from frontdesk.operate.running.ending import end
from frontdesk.operate.running.identity import is_alive
from frontdesk.operate.running.state import Instance, folder_of, instances
from tests.cli.conftest import LEAN, Command

PATIENCE = 60.0


class Desk(http.server.BaseHTTPRequestHandler):
    """What stands behind the pages: it is ready, and slow enough that calls meet a restart."""

    def do_GET(self) -> None:
        time.sleep(0.02)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def behind() -> Generator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Desk) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def pages(home: Path, behind: str, monkeypatch: pytest.MonkeyPatch) -> Generator[int]:
    """A system whose one service is the pages; the port that it describes. What it leaves running is ended."""
    port = free_port()
    monkeypatch.setenv("ORCHESTRATOR_URL", behind)
    (home / "system.yaml").write_text(f"{LEAN}services:\n  pages: {{role: frontend, port: {port}}}\n")
    yield port
    for instance in instances(home):
        os.kill(instance.supervisor.pid, signal.SIGKILL) if instance.is_looked_after else None
        end(instance, folder_of(home, instance.name), print)


def up(home: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """`frontdesk up --processes --detach`, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "frontdesk.cli", "up", "--processes", "--detach", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "FRONTDESK_HOME": str(home), **variables},
        timeout=PATIENCE,
        check=False,
    )


def only(home: Path) -> Instance:
    (instance,) = instances(home)
    return instance


def listed(frontdesk: Command) -> dict[str, object]:
    """What `ps --json` says of the one process."""
    (instance,) = json.loads(frontdesk("ps", "--json").out)
    (process,) = instance["processes"]
    return process


def wait_for(holds: "object", what: str) -> None:
    assert callable(holds)
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_it_opens_in_the_background_is_told_of_and_ends(pages: int, home: Path, frontdesk: Command) -> None:
    opened = up(home)
    assert opened.returncode == 0, opened.stderr
    assert f"http://127.0.0.1:{pages}" in opened.stdout
    assert "Stage 1: pages" in opened.stderr
    assert httpx2.get(f"http://127.0.0.1:{pages}/", trust_env=False).status_code == 200
    told = frontdesk("ps")
    assert told.code == 0
    assert "pages" in told.out
    assert frontdesk("status").code == 0
    assert frontdesk("logs", "pages").code == 0
    ended = frontdesk("down", "--yes")
    assert ended.code == 0
    assert frontdesk("ps").code == 1
    assert frontdesk("status").code == 1
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"http://127.0.0.1:{pages}/", trust_env=False)


def test_who_follows_the_logs_hears_a_service_that_begins_later(home: Path) -> None:
    folder = folder_of(home, "desk") / "logs"
    folder.mkdir(parents=True)
    (folder / "web.log").write_text("early\n")
    words = [sys.executable, "-m", "frontdesk.cli", "logs", "--follow"]
    variables = {**os.environ, "FRONTDESK_HOME": str(home)}
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env=variables, preexec_fn=_at_a_terminal
    ) as process:
        assert process.stdout is not None
        watch = threading.Timer(PATIENCE, process.kill)
        watch.start()
        assert process.stdout.readline() == "web  early\n"
        (folder / "worker.log").write_text("late\n")
        assert process.stdout.readline() == "worker  late\n"
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        watch.cancel()


def _at_a_terminal() -> None:
    """Let Ctrl+C count, also where the tests run in the background: a shell has it ignored there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_killed_process_comes_back_by_itself(pages: int, home: Path, frontdesk: Command) -> None:
    assert up(home).returncode == 0
    before = listed(frontdesk)
    os.kill(int(str(before["pid"])), signal.SIGKILL)
    wait_for(lambda: listed(frontdesk)["restarts"] == 1 and listed(frontdesk)["state"] == "ready", "a new process")
    assert listed(frontdesk)["pid"] != before["pid"]
    assert httpx2.get(f"http://127.0.0.1:{pages}/health", trust_env=False).status_code == 200


def test_a_restart_loses_no_call(pages: int, home: Path, frontdesk: Command) -> None:
    assert up(home, "--replicas", "2").returncode == 0
    done = threading.Event()
    seen: list[int] = []

    def call() -> None:
        while not done.is_set():
            seen.append(httpx2.get(f"http://127.0.0.1:{pages}/api/v1/desk", trust_env=False, timeout=30).status_code)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    before = {process.process for process in only(home).processes}
    assert frontdesk("restart", "pages").code == 0
    done.set()
    for caller in callers:
        caller.join()
    assert len(seen) > 50
    assert set(seen) == {200}
    assert not before & {process.process for process in only(home).processes}


def test_what_a_dead_supervisor_leaves_goes_on_is_told_and_is_ended(pages: int, home: Path, frontdesk: Command) -> None:
    assert up(home).returncode == 0
    os.kill(only(home).supervisor.pid, signal.SIGKILL)
    wait_for(lambda: not only(home).is_looked_after, "the supervisor's end")
    assert "not looked after" in frontdesk("ps").out
    assert frontdesk("status").code == 1
    assert httpx2.get(f"http://127.0.0.1:{pages}/", trust_env=False).status_code == 200
    again = up(home)
    assert again.returncode == 1
    assert "frontdesk down" in again.stderr
    refused = frontdesk("restart", "pages")
    assert "not_looked_after" in refused.err
    assert frontdesk("down", "--yes").code == 0
    assert list(instances(home)) == []


def test_a_supervisor_that_dies_while_it_is_asked_to_end_leaves_nothing(pages: int, home: Path) -> None:
    assert up(home).returncode == 0
    instance = only(home)
    os.kill(instance.supervisor.pid, signal.SIGSTOP)  # so that it hears of the end, and then only dies
    dying = threading.Timer(0.3, os.kill, (instance.supervisor.pid, signal.SIGKILL))
    dying.start()
    assert end(instance, folder_of(home, instance.name), print)
    dying.join()
    assert instance.alive() == ()
    assert list(instances(home)) == []


def test_a_terminal_that_goes_away_ends_it_well(pages: int, home: Path) -> None:
    """Its words cannot be written any more, and a shell says twice that it goes."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "frontdesk.cli", "up", "--processes"],
        stdout=writing,
        stderr=writing,
        env={**os.environ, "FRONTDESK_HOME": str(home)},
        start_new_session=True,
    )
    os.close(writing)
    with process:
        wait_for(lambda: [each.state for each in instances(home)] == ["open"], "the desk is open")
        (service,) = only(home).alive()
        os.close(reading)
        os.kill(process.pid, signal.SIGHUP)
        os.kill(process.pid, signal.SIGHUP)
        process.wait(PATIENCE)
    assert service.process is not None
    assert not is_alive(service.process)
    assert list(instances(home)) == []


def test_a_stop_while_it_opens_in_the_background_leaves_nothing(pages: int, home: Path) -> None:
    with socket.socket() as silent:  # the pages are never ready: nobody answers behind them
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        process = subprocess.Popen(
            [sys.executable, "-m", "frontdesk.cli", "up", "--processes", "--detach"],
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                "FRONTDESK_HOME": str(home),
                "ORCHESTRATOR_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            },
        )
        with process:
            wait_for(lambda: [len(each.alive()) for each in instances(home)] == [1], "the pages' process")
            (service,) = only(home).alive()
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 130
    assert service.process is not None
    assert not is_alive(service.process)
    assert list(instances(home)) == []


def test_two_instances_run_beside_each_other_by_an_offset(
    pages: int, home: Path, tmp_path: Path, frontdesk: Command
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "system.yaml").write_text((home / "system.yaml").read_text())
    assert up(home).returncode == 0
    refused = up(other)
    assert refused.returncode == 4
    assert f"Port {pages} is taken" in refused.stderr
    assert "--offset" in refused.stderr
    assert list(instances(other)) == []  # nothing was started
    assert up(other, FRONTDESK_PORT_OFFSET="7").returncode == 0
    try:
        for port in (pages, pages + 7):
            assert httpx2.get(f"http://127.0.0.1:{port}/", trust_env=False).status_code == 200
        assert frontdesk("ps", "--home", str(other)).code == 0
    finally:
        assert frontdesk("down", "--yes", "--home", str(other)).code == 0
    assert httpx2.get(f"http://127.0.0.1:{pages}/", trust_env=False).status_code == 200


def test_one_home_runs_once(pages: int, home: Path) -> None:
    assert up(home).returncode == 0
    again = up(home, "--offset", "9")
    assert again.returncode == 1
    assert "runs already" in again.stderr


@pytest.mark.proves("agents-18")
def test_a_release_takes_over_and_is_taken_back(pages: int, home: Path, frontdesk: Command) -> None:
    assert up(home).returncode == 0
    file = home / "system.yaml"
    file.write_text(file.read_text() + "desk: {name: Another}\n")
    rolled = frontdesk("release", "roll", "--watch", "1", "--why", "a name")
    assert rolled.code == 0, rolled.err
    assert "Release 1 → 2" in rolled.err
    assert listed(frontdesk)["release"] == 2
    undone = frontdesk("release", "undo", "--watch", "0")
    assert "Release 2 → 1" in undone.err
    assert listed(frontdesk)["release"] == 1
    entries = json.loads(frontdesk("release", "list", "--json").out)
    assert [(entry["act"], entry["release"], entry["former"]) for entry in entries] == [
        ("up", 1, None),
        ("roll", 2, 1),
        ("undo", 1, 2),
    ]
    assert frontdesk("release", "watch", "--seconds", "1").code == 0


def test_a_release_brings_its_variables_and_its_port_to_every_service(
    pages: int, home: Path, frontdesk: Command
) -> None:
    assert up(home).returncode == 0
    file, other = home / "system.yaml", free_port()
    file.write_text(file.read_text().replace(f"port: {pages}", f"port: {other}"))
    rolled = frontdesk("release", "roll", "--watch", "0", "--set", "LOG_LEVEL=DEBUG")
    assert rolled.code == 0, rolled.err
    assert httpx2.get(f"http://127.0.0.1:{other}/", trust_env=False).status_code == 200
    with pytest.raises(httpx2.ConnectError):  # nobody listens there, so nobody waits for an answer
        httpx2.get(f"http://127.0.0.1:{pages}/", trust_env=False)
    instance = only(home)
    assert instance.address == f"http://127.0.0.1:{other}"
    (service,) = instance.alive()
    assert service.process is not None
    if sys.platform == "linux":
        assert b"LOG_LEVEL=DEBUG" in Path(f"/proc/{service.process.pid}/environ").read_bytes().split(b"\0")


def test_a_release_is_of_the_file_that_runs_and_not_of_another_one_in_the_home(
    pages: int, home: Path, tmp_path: Path, frontdesk: Command
) -> None:
    runs = tmp_path / "runs.yaml"
    runs.write_text((home / "system.yaml").read_text())
    (home / "system.yaml").write_text("desk: {name: Not this one}\n")
    assert up(home, "--system", str(runs)).returncode == 0
    runs.write_text(runs.read_text() + "desk: {name: This one}\n")
    told = frontdesk("release", "roll", "--watch", "0")
    assert told.code == 0, told.err
    assert only(home).desk == "This one"


def test_another_version_takes_over_and_what_its_supervisor_lacks_is_told(
    pages: int, home: Path, tmp_path: Path, frontdesk: Command
) -> None:
    program = tmp_path / "frontdesk"
    says = '{"frontdesk": "99.1"}'
    program.write_text(
        f'#!/bin/sh\n[ "$1" = version ] && echo \'{says}\' && exit\nexec {sys.executable} -m frontdesk.cli "$@"\n'
    )
    program.chmod(0o755)
    assert up(home).returncode == 0
    assert "supervisor" not in frontdesk("ps").err
    rolled = frontdesk("release", "roll", "--watch", "0", "--program", str(program))
    assert rolled.code == 0, rolled.err
    for told in (rolled, frontdesk("ps"), frontdesk("status")):
        assert f"version 99.1, their supervisor is of {__version__}" in told.err
        assert "frontdesk down" in told.err
    (facts,) = json.loads(frontdesk("ps", "--json").out)
    assert (facts["version"], facts["supervisor_version"]) == ("99.1", __version__)
    assert "supervisor" not in frontdesk("release", "undo", "--watch", "0").err


def test_a_broken_release_is_refused_and_the_former_one_goes_on(pages: int, home: Path, frontdesk: Command) -> None:
    assert up(home).returncode == 0
    before = listed(frontdesk)["pid"]
    refused = frontdesk("release", "roll", "--set", "ORCHESTRATOR_URL=http://127.0.0.1:9/path")
    assert refused.code != 0
    assert listed(frontdesk)["pid"] == before
    assert json.loads(frontdesk("release", "list", "--json").out)[-1]["failed"]
    secret = frontdesk("release", "roll", "--set", "OPENAI_API_KEY=sk-of-a-test")
    assert "is a secret" in secret.err
    assert httpx2.get(f"http://127.0.0.1:{pages}/", trust_env=False).status_code == 200


def test_down_asks_and_without_a_terminal_names_its_flag(pages: int, home: Path, frontdesk: Command) -> None:
    assert frontdesk("down", "--yes").code == 1  # there is nothing
    assert up(home).returncode == 0
    asked = frontdesk("down")
    assert asked.code == 2
    assert "--yes" in asked.err
    assert only(home).is_looked_after


def test_down_names_the_instances_that_there_are(pages: int, home: Path, frontdesk: Command) -> None:
    assert up(home).returncode == 0
    told = frontdesk("down", "--yes", "--only", "dsk")
    assert told.code == 2
    assert "Did you mean `desk`?" in told.err
    assert only(home).is_looked_after


def test_a_damaged_state_file_is_told_and_mended_by_whoever_keeps_it(
    pages: int, home: Path, frontdesk: Command
) -> None:
    assert up(home).returncode == 0
    file = folder_of(home, "desk") / "state.json"
    file.write_text("{")
    told = frontdesk("down", "--yes")
    assert "state_damaged" in told.err
    assert str(file) in told.err
    wait_for(lambda: file.read_text() != "{", "the supervisor writes it anew")
    assert frontdesk("down", "--yes").code == 0


def test_what_does_not_start_is_told_with_the_end_of_its_log(pages: int, home: Path) -> None:
    failed = up(home, ORCHESTRATOR_URL="")
    assert failed.returncode == 1
    assert "do not know the desk behind them" in failed.stderr
    assert list(instances(home)) == []


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--service", "pages", "--processes"], "Take one"),
        (["--processes", "--port", "1"], "--offset"),
        (["--processes", "--metrics-port", "1"], "--offset"),
        (["--replicas", "2"], "--processes"),
        (["--detach"], "--processes"),
        (["--processes", "--replicas", "many"], "worker=2"),
        (["--service", "pags"], "Did you mean `pages`?"),
        (["--processes", "--role", "worker"], "Leave --role out"),
        (["--processes", "--queues", "ml"], "Leave --queues out"),
        (["assistant", "--system", "other.yaml"], "Take one"),
    ],
)
def test_words_that_do_not_fit_are_told(words: list[str], hint: str, pages: int, frontdesk: Command) -> None:
    told = frontdesk("up", *words)
    assert told.code == 2
    assert hint in told.err


def test_a_service_tells_its_metrics_where_the_command_line_says(home: Path, frontdesk: Command) -> None:
    (home / "system.yaml").write_text("services:\n  w: {role: worker, queues: [ml], metrics_port: 9100}\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = frontdesk("up", "--service", "w", "--metrics-port", str(port))
    assert (told.code, f"Port {port} is taken" in told.err) == (4, True)  # which it looks at before anything else


def test_a_role_that_is_not_built_is_refused_in_plain_words(home: Path, frontdesk: Command) -> None:
    (home / "system.yaml").write_text("services:\n  eyes: {role: vision, port: 8002}\n")
    for words in (["--service", "eyes"], ["--processes"]):
        told = frontdesk("up", *words)
        assert told.code == 1
        assert "describes images" in told.err
        assert "role_not_built" in told.err
        assert "--skip-unbuilt" in told.err
