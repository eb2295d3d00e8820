"""`frontdesk up --processes` of the assistant as it ships: from the command until all is ready, with all its stores.

Warm: its home holds a database and the desk's own documentation already, as after its first start.
"""

import json
import os
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.desk import FRONTDESK
from benchmarks.figures import Figure, below, seen
from frontdesk.operate.running.state import instances

READY_SECONDS = 15
OFFSET = "21000"  # beside whatever runs on this machine


def run(quick: bool) -> list[Figure]:
    """Measure; the best of several tries, since a busy machine only ever adds to them."""
    with TemporaryDirectory(prefix="frontdesk-bench-") as folder:
        Path(folder).chmod(0o755)  # as root, PostgreSQL runs as another user
        home = Path(folder) / "home"
        home.mkdir()
        _up(home)  # the first start of this home: makes the database, reads the documentation
        tries = [_up(home) for _ in range(1 if quick else 3)]
    return [
        below("`up --processes` of the assistant, warm: ready", min(up for up, _, _ in tries), "s", READY_SECONDS),
        seen("one of its services replaced by a fresh process", min(restart for _, restart, _ in tries), "s"),
        seen("all ended in reverse order", min(down for _, _, down in tries), "s"),
    ]


def _up(home: Path) -> tuple[float, float, float]:
    """Seconds until it is ready, to restart a service, and to end all."""
    began = time.monotonic()
    try:
        _command(home, "up", "assistant", "--processes", "--detach", "--offset", OFFSET)
        ready = time.monotonic()
        status = json.loads(_command(home, "status", "--json"))
        if not status["ok"] or len(status["processes"]["desk"]) != 5:
            raise RuntimeError(f"Not all is ready: {status}")
        again = time.monotonic()
        _command(home, "restart", "orchestrator")
        restarted = time.monotonic()
    finally:
        ending = time.monotonic()
        if list(instances(home)):
            _command(home, "down", "--yes")
    return ready - began, restarted - again, time.monotonic() - ending


def _command(home: Path, *words: str) -> str:
    environment = os.environ | {"FRONTDESK_HOME": str(home), "NO_COLOR": "1"}
    done = subprocess.run([FRONTDESK, *words], capture_output=True, text=True, env=environment, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"frontdesk {' '.join(words)}: {done.stderr}")
    return done.stdout
