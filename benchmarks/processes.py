"""Starting programs, waiting for them, weighing them and ending them, with all that they started."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

STOP_SECONDS = 10


def cache() -> Path:
    """Where peers are installed: outside the checkout, kept between runs."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "frontdesk-benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def running(command: Sequence[str | Path], environment: dict[str, str], *, log: Path | None = None) -> Generator[int]:
    """The program, in a session of its own that is ended as a whole; yields its process id."""
    output = (log or cache() / f"{Path(command[0]).name}.log").open("wb")
    process = subprocess.Popen(
        [str(part) for part in command],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    try:
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        output.close()


def wait_for(port: int, *, seconds: float) -> None:
    """Return when something takes connections on the loopback port. Raises `TimeoutError`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"Nothing listens on port {port} after {seconds:g} s; see the logs in {cache()}")


def wait_until_ready(address: str, *, seconds: float) -> None:
    """Return when GET `address` is answered with 200. Raises `TimeoutError`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5):
            return
        time.sleep(0.02)
    raise TimeoutError(f"{address} did not answer within {seconds:g} s")


def memory_mb(session: int) -> float:
    """Memory of all processes of the session, shared pages counted once (proportional set size), in MB."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            if os.getsid(int(folder.name)) == session:
                lines = (folder / "smaps_rollup").read_text().splitlines()
                total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def cpu_seconds(session: int) -> float:
    """Processor time that all processes of the session have used so far."""
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            if os.getsid(int(folder.name)) == session:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def settled(session: int, *, seconds: float) -> None:
    """Return when the session's processes have come to rest after their start, or after `seconds`."""
    deadline = time.monotonic() + seconds
    before = cpu_seconds(session)
    while time.monotonic() < deadline:
        time.sleep(1)
        now = cpu_seconds(session)
        if now - before < 0.1:
            return
        before = now
