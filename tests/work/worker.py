"""A worker process for tests: `python -m tests.work.worker` with its settings as JSON in the variable WORKER.

It runs jobs (rows in the database at `database`) and echoes, which are no rows at all: only a message brings them.
What happens is told on stdout, a line each. The echo `deafen` makes Celery's consumer stop consuming, as its known
faults do.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import frontdesk.work.consumer as consumer
from frontdesk.clock import RandomIds, SystemClock
from frontdesk.ports import Job
from frontdesk.store.database import Database
from frontdesk.store.jobs import Jobs
from frontdesk.telemetry import logs
from frontdesk.testing.keys import key_ring
from frontdesk.work.celery import celery_app
from frontdesk.work.jobs import JobRunner
from frontdesk.work.kinds import Kind
from frontdesk.work.local import LocalWork
from frontdesk.work.options import WorkOptions


@dataclass(kw_only=True)
class Settings:
    """Where things are, and how patient the worker is."""

    broker: str
    database: str = ""
    name: str = "worker"
    parallel: int = 32
    sweep_seconds: float = 1
    silent_seconds: float = 15
    visibility_timeout: int = 3600
    drain_seconds: float = 30


def tell(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def sleep(job: Job) -> None:
    tell("begun", job.id)
    await asyncio.sleep(float(json.loads(job.payload)))
    tell("done", job.id)


@asynccontextmanager
async def rooms(settings: Settings, workers: list[Any]) -> AsyncGenerator[LocalWork]:
    async def echo(word: str) -> None:
        tell("echo", word)
        if word == "deafen":
            workers[0].consumer.task_consumer.cancel()

    async def nothing() -> list[str]:
        return []

    clock = SystemClock()
    kinds = [Kind(name="echo", queue="ml", run=echo, sweep=nothing, parallel=settings.parallel)]
    database = None
    if settings.database:
        database = await Database.open(settings.database, pool_size=30, max_overflow=0, ring=key_ring())
        jobs = Jobs(database, clock, RandomIds())
        runner = JobRunner(jobs, {"sleep": sleep}, clock, WorkOptions())
        every = settings.sweep_seconds
        job = Kind(name="job", queue="general", run=runner.run, sweep=jobs.due, parallel=settings.parallel, every=every)
        kinds.append(job)
    work = LocalWork(kinds, clock)
    await work.start()
    yield work
    await work.drain(settings.drain_seconds)
    if database is not None:
        await database.close()


def main() -> int:
    settings = Settings(**json.loads(os.environ["WORKER"]))
    logs.set_up("ERROR")
    workers: list[Any] = []
    make = consumer._worker

    def kept(*arguments: Any) -> Any:
        workers.append(make(*arguments))
        return workers[0]

    consumer._worker = kept
    return consumer.consume(
        celery_app(settings.broker, WorkOptions(visibility_timeout=settings.visibility_timeout)),
        consumer.Rooms(lambda: rooms(settings, workers)),
        name=settings.name,
        queues=["general", "ml"],
        silent_seconds=settings.silent_seconds,
        ready=lambda: tell("ready", settings.name),
    )


if __name__ == "__main__":
    sys.exit(main())
