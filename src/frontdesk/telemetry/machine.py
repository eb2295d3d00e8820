"""How much memory and disk this process has to live in.

Memory is that of its control group (version 2), as a container or a service is bounded, with everything else that runs
there; used is the working set, what the kernel could not give back at once. Without a bound it is the machine's.
"""

import shutil
from pathlib import Path

from frontdesk.telemetry import metrics

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")
MACHINE = Path("/proc/meminfo")


def look_at_memory() -> None:
    """Set the two gauges of memory. Where the system does not tell (it is no Linux), they stay at 0."""
    used, limit = _of_group() or _of_machine() or (0, 0)
    metrics.memory_used.set(used)
    metrics.memory_limit.set(limit)


def look_at_disk(folder: Path) -> None:
    """Set the two gauges of the disk that holds `folder`."""
    usage = shutil.disk_usage(folder)
    metrics.disk_free.set(usage.free)
    metrics.disk_size.set(usage.total)


def _of_group() -> tuple[int, int] | None:
    """Working set and bound of the control group (kernel: admin-guide/cgroup-v2), or None where there is no bound."""
    try:
        own = next(line for line in OWN_GROUP.read_text().splitlines() if line.startswith("0::"))
        group = GROUPS / own.removeprefix("0::").strip().lstrip("/")
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
        idle = _number(group / "memory.stat", "inactive_file")
    except (OSError, StopIteration, ValueError):
        return None
    return None if limit == "max" else (max(0, used - idle), int(limit))


def _of_machine() -> tuple[int, int] | None:
    try:
        total = _number(MACHINE, "MemTotal:") * 1024
        return total - _number(MACHINE, "MemAvailable:") * 1024, total
    except OSError:
        return None


def _number(file: Path, name: str) -> int:
    for line in file.read_text().splitlines():
        words = line.split()
        if words and words[0] == name:
            return int(words[1])
    return 0
