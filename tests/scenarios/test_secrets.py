"""A renewed secret reaches those that run: their processes are replaced, and what was sealed is still read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from frontdesk.operate.ports import free_port
from frontdesk.operate.running.state import instances
from tests.cli.conftest import LEAN, panel

FRONTDESK = [sys.executable, "-c", "from frontdesk.cli.main import main; main()"]
SYSTEM = LEAN + "http: {{port: {port}}}\nservices:\n  web: {{role: all, port: {port}}}\n"


def run(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    variables = {**os.environ, "FRONTDESK_HOME": str(home)}
    return subprocess.run([*FRONTDESK, *words], env=variables, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.proves("agents-13")
def test_renewing_a_secret_replaces_the_processes_that_use_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "system.yaml").write_text(SYSTEM.format(port=free_port()))
    assert run(home, "secrets", "create", "ENCRYPTION_KEY").returncode == 0
    with (home / "log").open("w") as log:
        variables = {**os.environ, "FRONTDESK_HOME": str(home)}
        up = subprocess.Popen(
            [*FRONTDESK, "up", "--processes"], env=variables, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        panel(up)
        before = processes(home)
        renewed = run(home, "secrets", "rotate", "JWT_SECRET_KEY")
        assert (renewed.returncode, "No secret JWT_SECRET_KEY is kept here" in renewed.stderr) == (1, True)
        renewed = run(home, "secrets", "rotate", "ENCRYPTION_KEY")
        assert renewed.returncode == 0, renewed.stderr
        assert "Starting anew: web" in renewed.stderr
        after = processes(home)
        assert set(after) == set(before) == {"web"}
        assert after["web"] != before["web"]
        assert run(home, "probe", "--quiet").returncode == 0
        sealed = run(home, "encryption", "status")
        assert sealed.returncode == 0, sealed.stderr
    finally:
        up.terminate()
        up.wait(60)
        if up.stdout:
            up.stdout.close()


def processes(home: Path) -> dict[str, int]:
    [instance] = instances(home)
    return {each.name: each.process.pid for each in instance.alive() if each.process is not None}
