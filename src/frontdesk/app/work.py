"""Which rows a process works on, and whom it tells of the others."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

import structlog

from frontdesk.app.store import Store
from frontdesk.errors import BadSetting, FrontdeskError
from frontdesk.ports import Clock, Job
from frontdesk.system.options import RedisOptions
from frontdesk.system.system import System
from frontdesk.telemetry import metrics
from frontdesk.work.celery import CeleryBell, celery_app
from frontdesk.work.jobs import Handler, JobRunner
from frontdesk.work.kinds import QUEUES, Kind, Queue
from frontdesk.work.local import LocalWork
from frontdesk.work.options import WorkOptions
from frontdesk.work.when import next_after

log = structlog.get_logger("frontdesk.app")

RoleName = Literal["all", "web", "worker"]

SAMPLE_SECONDS = 5.0  # between two looks at the queues, and between two signs of life
KEPT = timedelta(days=30)  # how long jobs that are done are remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What a process of the desk does: everything, HTTP alone, or the rows of some queues."""

    name: RoleName = "all"
    queues: tuple[Queue, ...] = QUEUES


EVERYTHING = Role()


@dataclass(slots=True)
class Chores:
    """What the desk does on its own: handlers of jobs by name, and the rhythms in which such jobs are made."""

    handlers: dict[str, Handler] = field(default_factory=dict[str, Handler])
    rhythms: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, name: str, handler: Handler, every: str | None = None) -> None:
        """Have `handler` do the jobs called `name`; with `every` (`every 5m`, `daily 02:00 Europe/Berlin`) such a job
        is made by itself."""
        self.handlers[name] = handler
        if every is not None:
            self.rhythms[name] = every


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The rows of this process, and the bell of the others where there are any. `queues` tells each kind's queue."""

    local: LocalWork
    bell: CeleryBell | None
    queues: Mapping[str, Queue]


def process_name() -> str:
    """How this process is called in leases and lists."""
    return f"{socket.gethostname()}-{os.getpid()}"


def broker_of(system: System) -> str:
    """The broker's address, or nothing."""
    return system.section(WorkOptions).broker_url or system.section(RedisOptions).address


async def open_work(
    system: System, role: Role, kinds: Sequence[Kind], chores: Chores, store: Store, clock: Clock, stack: AsyncExitStack
) -> Work:
    """What a process of this role works on, and the bell. `local.start()` begins to sweep; `stack` ends the rest.

    Raises `BadSetting` for a role that needs a broker where none is set, `MissingExtra` without Celery.
    """

    async def tidy(_: Job) -> None:
        await store.jobs.tidy(clock.now() - KEPT)

    async def fire(name: str) -> None:
        schedule = await store.schedules.find(name)
        if schedule is not None and schedule.next_at <= clock.now():
            made = await store.schedules.fire(schedule, next_after(schedule.every, clock.now()))
            if made is not None:
                await local.ready("job", made)

    chores.add("jobs.tidy", tidy, "daily 03:30")
    for name, every in chores.rhythms.items():
        await store.schedules.declare(name, every, name, next_after(every, clock.now()))
    runner = JobRunner(store.jobs, chores.handlers, clock, system.section(WorkOptions))
    job = Kind(name="job", queue="general", run=runner.run, sweep=store.jobs.due, parallel=8)
    schedule = Kind(name="schedule", queue="general", run=fire, sweep=store.schedules.due, parallel=1)
    all_kinds = [*kinds, job, schedule]
    queues: dict[str, Queue] = {kind.name: kind.queue for kind in all_kinds}
    bell = None if role.name == "all" else await _bell(system, queues, store, clock, stack)
    mine = [kind for kind in all_kinds if role.name != "web" and kind.queue in role.queues]
    local = LocalWork(mine, clock, bell)
    await in_rounds(SAMPLE_SECONDS, lambda: _measure(store, queues, local), clock, stack)
    if mine:
        await _show_life(role, local, store, clock, stack)
    return Work(local=local, bell=bell, queues=queues)


async def _bell(
    system: System, queues: Mapping[str, str], store: Store, clock: Clock, stack: AsyncExitStack
) -> CeleryBell:
    broker = broker_of(system)
    if not broker:
        raise BadSetting(
            "A desk of several roles needs a broker",
            where="REDIS_URL",
            hint="Set REDIS_URL (or CELERY_BROKER_URL), or leave `--role` away: one process then does everything.",
        )
    bell = CeleryBell(celery_app(broker, system.section(WorkOptions)), queues, store.queues.open_turns, clock)
    await bell.start()
    stack.push_async_callback(bell.close)
    return bell


async def _show_life(role: Role, local: LocalWork, store: Store, clock: Clock, stack: AsyncExitStack) -> None:
    name, queues = process_name(), ",".join(role.queues)

    async def beat() -> None:
        await store.workers.beat(name, queues, local.in_hand, "draining" if local.draining else "up")

    async def leave() -> None:
        with contextlib.suppress(FrontdeskError):  # then its row tells that it fell silent
            await store.workers.leave(name)

    stack.push_async_callback(leave)
    await in_rounds(SAMPLE_SECONDS, beat, clock, stack)


async def _measure(store: Store, queues: Mapping[str, Queue], local: LocalWork) -> None:
    rows = await store.queues.lengths()
    for queue in QUEUES:
        waiting = [row for row in rows if queues.get(row.kind) == queue]
        metrics.queue_length.labels(queue).set(sum(row.length for row in waiting))
        metrics.queue_oldest.labels(queue).set(max((row.oldest_seconds for row in waiting), default=0.0))
    for kind in queues:
        metrics.rows_running.labels(kind).set(local.running(kind))
    alive = [worker for worker in await store.workers.page() if worker.state != "down"]
    for queue in QUEUES:
        metrics.workers_alive.labels(queue).set(sum(queue in worker.queues.split(",") for worker in alive))


async def in_rounds(seconds: float, act: Callable[[], Awaitable[None]], clock: Clock, stack: AsyncExitStack) -> None:
    """Do it now and again after so many seconds, until `stack` ends it. A failure is logged, and the next one tried."""

    async def forever() -> None:
        while True:
            try:
                await act()
            except FrontdeskError as error:
                log.warning("round_failed", code=error.code)
            except Exception:
                log.exception("round_failed")
            await clock.sleep(seconds)

    task = asyncio.create_task(forever(), name="round")

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)
