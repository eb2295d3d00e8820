"""Looking at a system: its processes, its figures, its stores, the machine. Whatever is away is left out, and told."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from frontdesk.decision.options import EngagementOptions
from frontdesk.operate.diagnosis.errors import error_lines
from frontdesk.operate.diagnosis.figures import Figures
from frontdesk.operate.diagnosis.seen import (
    NOTHING,
    ClusterSeen,
    GpuSeen,
    MachineSeen,
    ProcessSeen,
    Seen,
    Targets,
)
from frontdesk.operate.diagnosis.stores import database_within, redis_within
from frontdesk.operate.probe.known import address_of_desk, neighbours, targets
from frontdesk.operate.probe.run import probe
from frontdesk.operate.probe.target import target
from frontdesk.operate.release.record import Releases
from frontdesk.operate.running.state import Instance, Process, instances
from frontdesk.system.layout.objectives import ObjectivesOptions
from frontdesk.system.options import TelemetryOptions
from frontdesk.system.system import System

PATIENCE = 3.0  # seconds for each look
MOST_PORTS = 16  # of metrics that are looked for
GROUPS, OWN_GROUP, MACHINE = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"), Path("/proc/vmstat")
NVIDIA = ("nvidia-smi", "--query-gpu=name,utilization.gpu,memory.used,memory.total", "--format=csv,noheader,nounits")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to look at: `address` of the desk, if it is not the system file's; the `service` whose neighbours are asked;
    `seconds` between two looks at figures (0: all that was counted); a `log` besides those of processes known to run.
    """

    address: str = ""
    service: str = ""
    seconds: float = 0.0
    log: Path | None = None
    settings: Sequence[str] = ()
    cluster: ClusterSeen | None = None


async def observe(system: System, wanted: Wanted) -> Seen:
    """Everything at once. What is away raises nothing; a service that nobody describes raises `NotFound`."""
    running = list(instances(system.home))
    named = [each for each in targets(system) if not (each.name == "desk" and wanted.address)]
    desk = [target(f"{wanted.address.rstrip('/')}/ready", name="desk")] if wanted.address else []
    around = neighbours(system, wanted.service) if wanted.service else []
    results, near, processes, database, redis, machine = await asyncio.gather(
        asyncio.to_thread(probe, [*desk, *named]),
        asyncio.to_thread(probe, around),
        _processes(system, running, wanted),
        database_within(system.database_url, PATIENCE),
        redis_within(system, PATIENCE),
        asyncio.to_thread(machine_seen, system.home),
    )
    answers = next((each for each in results if each.name == "desk"), None)
    if answers is not None and answers.fault == "refused" and not running and not wanted.address:
        answers, processes = None, []  # nobody says that it should run
    engagement = system.section(EngagementOptions)
    return Seen(
        settings=wanted.settings,
        answers=answers,
        probes=results,
        neighbours=near,
        processes=processes,
        figures=Figures.together(each.figures for each in processes),
        database=database,
        redis=redis,
        machine=machine,
        cluster=wanted.cluster,
        targets=_targets(system),
        errors=error_lines([*_logs(running), *([wanted.log] if wanted.log else [])]),
        released_hours_ago=_hours_since_release(system),
        learning=engagement.learning.enabled,
    )


def _targets(system: System) -> Targets:
    """What the desk is held to: by its own settings, by `objectives`, or as the blueprints have it."""
    engagement = system.section(EngagementOptions)
    found = Targets(
        decision=engagement.decision_latency_target / 1000,
        confidence=min(0.75, engagement.confidence_threshold),
        error_share=engagement.error_rate_threshold if engagement.enabled else Targets().error_share,
    )
    for objective in system.section(ObjectivesOptions).all:
        if objective.category:
            continue
        if objective.kind == "availability":
            found = replace(found, availability=objective.target / 100)
        elif objective.kind == "latency" and objective.threshold:
            found = replace(found, response=objective.threshold)
    return found


def _hours_since_release(system: System) -> float | None:
    """How old the release is that runs here; None without one before it, to go back to."""
    entry = Releases(system.home).current()
    if entry is None or entry.former is None:
        return None
    return (datetime.now(UTC) - datetime.fromisoformat(entry.at)).total_seconds() / 3600


# --- processes ---


async def _processes(system: System, running: Sequence[Instance], wanted: Wanted) -> list[ProcessSeen]:
    """Those that the supervisor knows, or else whoever answers at the desk's own addresses."""
    known = [(instance, process) for instance in running for process in instance.processes]
    async with httpx2.AsyncClient(timeout=PATIENCE, trust_env=False) as client:
        if known and not wanted.address:
            return list(await asyncio.gather(*(_known(client, process, wanted.seconds) for _, process in known)))
        return await _unknown(client, system, wanted)


async def _known(client: httpx2.AsyncClient, process: Process, seconds: float) -> ProcessSeen:
    seen = ProcessSeen(name=process.name, restarts=process.restarts, state=process.state)
    if process.own_port is None:
        return seen
    address = f"http://127.0.0.1:{process.own_port}"
    return await _asked(client, replace(seen, address=address), address, seconds)


async def _unknown(client: httpx2.AsyncClient, system: System, wanted: Wanted) -> list[ProcessSeen]:
    address = wanted.address.rstrip("/") or address_of_desk(system)
    first = system.section(TelemetryOptions).metrics_port
    desk = await _asked(client, ProcessSeen(name="desk", address=address), address, wanted.seconds)
    if not first:
        return [desk]
    host = address.partition("://")[2].rpartition(":")[0] or "127.0.0.1"
    found = [replace(desk, figures=NOTHING, cpu=None, memory=None, memory_limit=None)]  # its figures stand at the ports
    for port in range(first, first + MOST_PORTS):
        seen = ProcessSeen(name=f"process at {port}", address=f"http://{host}:{port}")
        seen = await _asked(client, seen, seen.address, wanted.seconds, ask_ready=False)
        if seen.figures is NOTHING:
            break
        found.append(seen)
    return found if len(found) > 1 else [desk]


async def _asked(
    client: httpx2.AsyncClient, seen: ProcessSeen, address: str, seconds: float, *, ask_ready: bool = True
) -> ProcessSeen:
    """Whether it is ready, and its figures."""
    if ask_ready:
        seen = await _ready(client, seen, address)
    earlier = await _figures(client, address)
    if earlier is None:
        return seen
    begun = time.monotonic()
    if not seconds:
        age = time.time() - (earlier.most("process_start_time_seconds") or time.time())
        return _measured(seen, earlier, earlier, max(age, 1.0))
    await asyncio.sleep(seconds)
    now = await _figures(client, address) or earlier
    passed = time.monotonic() - begun
    return replace(_measured(seen, now, now.since(earlier), passed), growth=_growth(earlier, now) / passed)


def _growth(earlier: Figures, now: Figures) -> float:
    """Bytes of memory that were taken in between; those of a process that was begun anew do not count."""
    begun, memory = "process_start_time_seconds", "process_resident_memory_bytes"
    if earlier.most(begun) != now.most(begun):
        return 0.0
    return (now.most(memory) or 0.0) - (earlier.most(memory) or 0.0)


async def _ready(client: httpx2.AsyncClient, seen: ProcessSeen, address: str) -> ProcessSeen:
    try:
        answer = await client.get(f"{address}/ready")
        checks: dict[str, str] = answer.json()["checks"]
    except (httpx2.HTTPError, ValueError, KeyError, TypeError):
        return replace(seen, ready=False)
    away = {name: state for name, state in checks.items() if state != "ok"}
    return replace(seen, ready=answer.status_code == 200, away=away)


async def _figures(client: httpx2.AsyncClient, address: str) -> Figures | None:
    try:
        answer = await client.get(f"{address}/metrics")
        return Figures.of(answer.text) if answer.status_code == 200 else None
    except (httpx2.HTTPError, ValueError):
        return None


def _measured(seen: ProcessSeen, now: Figures, counted: Figures, seconds: float) -> ProcessSeen:
    cpu = counted.sum("process_cpu_seconds_total")
    return replace(
        seen,
        figures=counted,
        cpu=cpu / seconds if cpu else None,
        memory=now.most("process_resident_memory_bytes"),
        memory_limit=now.most("frontdesk_memory_limit_bytes") or None,
    )


def _logs(running: Sequence[Instance]) -> list[Path]:
    return list(dict.fromkeys(Path(process.log) for instance in running for process in instance.processes))


# --- the machine ---


def machine_seen(home: Path) -> MachineSeen:
    """Cores, load, memory, disk, kills and cards; zeros where the system does not tell."""
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    disk = shutil.disk_usage(place)
    memory = _table(Path("/proc/meminfo"))
    most = memory.get("MemTotal:", 0.0) * 1024
    return MachineSeen(
        cores=os.cpu_count() or 1,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
        memory=most - memory.get("MemAvailable:", 0.0) * 1024,
        memory_most=most,
        disk_free=disk.free,
        disk_size=disk.total,
        killed_for_memory=_killed_for_memory(),
        gpus=_gpus(),
    )


def _killed_for_memory() -> int:
    """How many processes of this container, or of the machine where there is no bound, the kernel has killed."""
    try:
        own = next(line for line in OWN_GROUP.read_text().splitlines() if line.startswith("0::"))
        group = GROUPS / own.removeprefix("0::").strip().lstrip("/")
    except (OSError, StopIteration):
        group = GROUPS
    counted = _table(group / "memory.events") or _table(MACHINE)  # kernel: admin-guide/cgroup-v2
    return int(counted.get("oom_kill", 0.0))


def _table(file: Path) -> dict[str, float]:
    """Lines of a name and a number (man 5 proc_meminfo, proc_vmstat)."""
    try:
        lines = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return {}
    return {line[0]: float(line[1]) for line in lines if len(line) > 1}


def _gpus() -> list[GpuSeen]:
    try:
        said = subprocess.run(NVIDIA, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout  # noqa: S603 — our own words
    except (OSError, subprocess.SubprocessError):
        return []
    return gpus_of(said)


def gpus_of(said: str) -> list[GpuSeen]:
    """What `nvidia-smi` prints: name, percent, MiB, MiB."""
    found: list[GpuSeen] = []
    for line in said.splitlines():
        parts = [part.strip() for part in line.split(",")]
        try:
            used, memory, most = (float(part) for part in parts[1:4])
        except ValueError:  # a card that does not tell
            continue
        found.append(GpuSeen(name=parts[0], used=used / 100, memory=memory * 2**20, memory_most=most * 2**20))
    return found
