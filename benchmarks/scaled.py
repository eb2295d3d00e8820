"""A scaled desk on this machine: PostgreSQL, Valkey, two web processes, two workers, and a stand-in for Telegram.

`python -m benchmarks.scaled postgres|valkey FOLDER PORT` becomes one of the servers.
"""

import contextlib
import os
import pwd
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

from benchmarks.desk import FRONTDESK
from benchmarks.processes import running, wait_for, wait_until_ready
from frontdesk.operate.ports import free_port
from frontdesk.operate.scaled import Postgres, Valkey

PASSWORD = "benchmark"
TOKEN = "110201543:stand-in-for-tests"  # what the stand-in takes
WEB, WORKERS = 2, 2

SYSTEM = """\
blueprint: conversation
http: {{host: 127.0.0.1, example_tools_port: null}}
store: {{pool_size: 32, max_overflow: 8}}
gate: {{visitors: true, rate_limit_enabled: false}}
conversation: {{parallel_turns: 1000, most_waiting: 20000}}
models:
  list:
    - name: scripted
      wire: scripted
      script: {{first_delay: {first}, words_per_second: 40, words_at_once: 4, words: {words}, echo: 'n:\\d+'}}
    - {{name: instant, wire: scripted}}
  order: [scripted]
  budget: {{person: {{tokens_per_hour: 1000000000, tokens_per_day: 1000000000}}}}
telegram:
  webhook_url: http://127.0.0.1:{port}/webhook
  api_url: http://127.0.0.1:{telegram}
  messages_per_minute: 1000
  rates: {{all_per_second: 1000}}
tools: {{discovery_urls: []}}
knowledge: {{own_documentation: false, embedder: {{kind: none}}}}
telemetry: {{metrics: false, log_level: WARNING}}
"""


@dataclass(frozen=True, slots=True)
class Scaled:
    """Where it listens, the process ids of its web processes, and the sessions of its web processes and workers."""

    address: str
    telegram: str
    web: tuple[int, ...]
    sessions: tuple[int, int]


@contextmanager
def scaled_desk(*, first_delay: float, words: int) -> Generator[Scaled]:
    """The desk at work; its model waits so long for the first of so many words, and says 40 a second."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="frontdesk-bench-")))
        folder.chmod(0o755)  # as root, PostgreSQL runs as another user
        urls = {"DATABASE_URL": postgres(folder, stack), "REDIS_URL": _valkey(folder, stack)}
        port, telegram = free_port(), free_port()
        home = folder / "home"
        home.mkdir()
        system = folder / "system.yaml"
        system.write_text(SYSTEM.format(first=first_delay, words=words, port=port, telegram=telegram))
        stand_in = [sys.executable, "-m", "frontdesk.testing.telegram", "--port", str(telegram)]
        stack.enter_context(running(stand_in, {}, log=folder / "telegram.log"))
        wait_for(telegram, seconds=30)
        up = [FRONTDESK, "up", "--home", home, "--system", system]
        environment = urls | {"TELEGRAM_BOT_TOKEN": TOKEN, "PYTHONWARNINGS": "ignore"}
        web = [*up, "--role", "web", "--workers", str(WEB), "--port", str(port)]
        group = stack.enter_context(running(web, environment, log=folder / "web.log"))
        wait_until_ready(f"http://127.0.0.1:{port}/ready", seconds=60)
        worker = [*up, "--role", "worker", "--workers", str(WORKERS)]
        working = stack.enter_context(running(worker, environment, log=folder / "worker.log"))
        _wait_for_workers(folder / "worker.log")
        yield Scaled(
            f"http://127.0.0.1:{port}", f"http://127.0.0.1:{telegram}", desk_processes(group), (group, working)
        )


def desk_processes(group: int) -> tuple[int, ...]:
    """The desk's own processes of a session: those that the supervisor has started."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getsid(int(folder.name)) == group and b"frontdesk.cli" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return tuple(sorted(found))


def postgres(folder: Path, stack: ExitStack) -> str:
    """A PostgreSQL in the folder; its address."""
    server = Postgres(folder=folder / "postgres", port=free_port(), password=PASSWORD)
    server.prepare()
    _start("postgres", folder, server.port, stack)
    while not server.answers():
        time.sleep(0.05)
    return server.url


def _valkey(folder: Path, stack: ExitStack) -> str:
    server = Valkey(folder=folder / "valkey", port=free_port(), password=PASSWORD)
    server.prepare()
    _start("valkey", folder, server.port, stack)
    wait_for(server.port, seconds=20)
    return server.url


def _start(name: str, folder: Path, port: int, stack: ExitStack) -> None:
    command = [sys.executable, "-m", "benchmarks.scaled", name, folder / name, str(port)]
    stack.enter_context(running(command, {}, log=folder / f"{name}.log"))


def _wait_for_workers(log: Path) -> None:
    """The supervisor says when both are ready."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if "Frontdesk is at work" in log.read_text(errors="replace"):
            return
        time.sleep(0.1)
    raise TimeoutError(f"The workers did not start: {log.read_text(errors='replace')[-500:]}")


def get(address: str) -> bytes:
    """What stands at an address."""
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.read()


def become(server: Postgres | Valkey) -> NoReturn:
    """Let this process become the server."""
    if isinstance(server, Postgres):
        user = server.user
        if user is not None:
            os.setgroups([])
            os.setgid(pwd.getpwuid(user).pw_gid)
            os.setuid(user)
        os.chdir(server.folder)
    os.execv(server.command[0], server.command)


if __name__ == "__main__":
    kind = {"postgres": Postgres, "valkey": Valkey}[sys.argv[1]]
    become(kind(folder=Path(sys.argv[2]), port=int(sys.argv[3]), password=PASSWORD))
