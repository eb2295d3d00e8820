"""Our own side: a desk in a fresh home, with authentication, limits and durable requests on."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.peers import Gateway
from benchmarks.processes import running, wait_until_ready
from frontdesk.operate.ports import free_port

FRONTDESK = Path(sys.executable).with_name("frontdesk")

SYSTEM = """\
blueprint: assistant
http: {{host: 127.0.0.1, frontend_port: null, example_tools_port: null}}
gate: {{rate_limit_per_minute: 100000000, rate_limit_per_hour: 1000000000}}
models:
  list: [{{name: scripted, wire: openai, model: scripted, base_url: "http://127.0.0.1:{upstream}/v1"}}]
  order: [scripted, quote]
tools: {{discovery_urls: []}}
knowledge: {{own_documentation: false}}
"""


@contextmanager
def desk(upstream: int, *, workers: int) -> Generator[tuple[Gateway, Path]]:
    """The desk, sending everything to the upstream, and its home."""
    with TemporaryDirectory(prefix="frontdesk-bench-") as folder:
        home = Path(folder)
        (home / "system.yaml").write_text(SYSTEM.format(upstream=upstream))
        port = free_port()
        place = ["--home", home, "--system", home / "system.yaml"]
        key = subprocess.run(
            [FRONTDESK, "keys", "create", "benchmark", *place],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONWARNINGS": "ignore"},
        ).stdout.strip()
        command = [FRONTDESK, "up", *place, "--port", str(port), "--workers", str(workers)]
        with running(command, {}, log=home / "up.log") as pid:
            wait_until_ready(f"http://127.0.0.1:{port}/ready", seconds=60)
            yield Gateway("Frontdesk", port, pid, headers={"authorization": f"Bearer {key}"}), home


def booked(home: Path) -> dict[str, int]:
    """How many requests the desk's books hold, by state."""
    file = next(home.glob("*.db"))
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return dict(connection.execute("SELECT state, count(*) FROM model_requests GROUP BY state").fetchall())
