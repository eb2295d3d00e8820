"""From the command to the first answered question, the memory of a desk at rest, and what `--help` costs.

Warm: the home holds the desk's own documentation already, as after its first start.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.desk import FRONTDESK
from benchmarks.figures import Figure, below
from benchmarks.processes import memory_mb, running, settled, wait_until_ready
from frontdesk.operate.ports import free_port

ANSWER_SECONDS, IDLE_MB, HELP_MS = 4, 250, 60

SYSTEM = """\
blueprint: assistant
http: {host: 127.0.0.1, frontend_port: null, example_tools_port: null}
models: {order: [quote]}
tools: {discovery_urls: []}
"""


def run(quick: bool) -> list[Figure]:
    """Measure; the best of several tries, since a busy machine only ever adds to them."""
    tries = 2 if quick else 5
    with TemporaryDirectory(prefix="frontdesk-bench-") as folder:
        home = Path(folder)
        (home / "system.yaml").write_text(SYSTEM)
        place = ["--home", str(home), "--system", str(home / "system.yaml")]
        key = _output(FRONTDESK, "keys", "create", "benchmark", *place)
        _start(place, home, key, rest=120)  # the first start of this home: it reads the documentation
        starts = [_start(place, home, key, rest=20) for _ in range(tries)]
    help_ms = _fastest([FRONTDESK, "--help"], tries * 5) - _fastest([sys.executable, "-c", "pass"], tries * 5)
    return [
        below("`frontdesk up`, warm: command to first answer", min(start[0] for start in starts), "s", ANSWER_SECONDS),
        below("memory at rest, without the local model", min(start[1] for start in starts), "MB", IDLE_MB),
        below("`frontdesk --help` beyond a bare Python", help_ms, "ms", HELP_MS),
    ]


def _start(place: list[str], home: Path, key: str, *, rest: float) -> tuple[float, float]:
    """Seconds to the first answer, and megabytes at rest."""
    port = free_port()
    began = time.monotonic()
    with running([FRONTDESK, "up", *place, "--port", str(port)], {}, log=home / "up.log") as pid:
        wait_until_ready(f"http://127.0.0.1:{port}/ready", seconds=60)
        _ask(port, key)
        answered = time.monotonic() - began
        settled(pid, seconds=rest)
        return answered, memory_mb(pid)


def _ask(port: int, key: str) -> None:
    body = {"model": "frontdesk", "messages": [{"role": "user", "content": "What is Frontdesk?"}]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        if not json.load(answer)["choices"][0]["message"]["content"]:
            raise RuntimeError("The desk answered with nothing")


def _fastest(command: list[str | Path], tries: int) -> float:
    """Milliseconds of the fastest of several runs."""
    times: list[float] = []
    for _ in range(tries):
        began = time.perf_counter()
        _output(*command)
        times.append(time.perf_counter() - began)
    return min(times) * 1000


def _output(*command: str | Path) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"})
    return done.stdout.strip()
