"""`frontdesk probe` as people, programs and containers call it."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from frontdesk.operate.ports import free_port
from tests.cli.conftest import Command, desk, panel
from tests.operate.locked import locked_valkey

HEAVY = {"pydantic", "msgspec", "sqlalchemy", "rich", "fastapi", "yaml", "numpy", "uvicorn", "httpx2", "asyncio"}


def test_a_desk_at_work_is_probed_whole(frontdesk: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    (home / ".env").write_text(f"PORT={port}\n")
    assert frontdesk("probe", f"http://127.0.0.1:{port}/ready").code == 1
    with desk(home, "--port", str(port)) as process:
        panel(process)
        ended = frontdesk("probe", "--time-out", "10", "--json")
        told = json.loads(ended.out)
        assert ended.code == 0
        assert [(each["name"], each["state"]) for each in told["probes"]] == [
            ("desk", "healthy"),
            ("database", "healthy"),
        ]


@pytest.mark.proves("agents-11")
def test_a_probe_tells_apart_a_healthy_a_dead_and_a_slow_service(frontdesk: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = f"127.0.0.1:{listening.getsockname()[1]}"
        assert frontdesk("probe", f"tcp://{place}").code == 0
        slow = frontdesk("probe", f"http://{place}/health", "--time-out", "0.2")
        assert (slow.code, slow.out.split()[0]) == (2, "late")
    dead = frontdesk("probe", f"tcp://127.0.0.1:{free_port()}")
    assert (dead.code, dead.out.split()[0]) == (1, "fail")
    assert "→ Start it" in dead.out


def test_a_health_check_of_a_container_imports_nothing_heavy_and_is_quick() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        address = f"tcp://127.0.0.1:{port}"
        program = f"import sys; from frontdesk.cli.main import run; run(['probe', '{address}']); print(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("ok")
        assert not HEAVY & set(done.stdout.split())


def test_a_password_comes_from_the_desks_own_settings_and_is_not_shown(
    frontdesk: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with locked_valkey("hunter2-of-a-test") as server:
        address = f"redis://127.0.0.1:{server.port}/0"
        assert "wants a password" in frontdesk("probe", address).out
        monkeypatch.setenv("REDIS_URL", address)
        monkeypatch.setenv("REDIS_PASSWORD", "hunter2-of-a-test")
        ended = frontdesk("probe", address)
        assert (ended.code, "PONG" in ended.out) == (0, True)
        assert "hunter2" not in ended.out + ended.err


def test_quiet_tells_only_what_is_not_well(frontdesk: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert frontdesk("probe", "--quiet", f"tcp://127.0.0.1:{port}").out == ""


def test_an_address_of_no_known_form_is_wrong_words(frontdesk: Command) -> None:
    ended = frontdesk("probe", "desk.example")
    assert ended.code == 2
    assert "redis(s)://" in ended.err
