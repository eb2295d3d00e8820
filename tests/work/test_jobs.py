"""Jobs at work: handlers, tries, leases, and the end of those that cannot be done."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from frontdesk.errors import StoreUnavailable
from frontdesk.ports import Job
from frontdesk.store.database import Database
from frontdesk.store.dead import DeadLetters
from frontdesk.store.jobs import Jobs
from frontdesk.testing.clock import CountingIds, FakeClock
from frontdesk.work.jobs import FIRST_WAIT, LEASE, JobRunner
from frontdesk.work.options import WorkOptions

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

Handlers = dict[str, Callable[[Job], Awaitable[None]]]


@pytest.fixture
def jobs(database: Database, clock: FakeClock, ids: CountingIds) -> Jobs:
    return Jobs(database, clock, ids)


@pytest.fixture
def handlers() -> Handlers:
    return {}


@pytest.fixture
def runner(jobs: Jobs, handlers: Handlers, clock: FakeClock) -> JobRunner:
    return JobRunner(jobs, handlers, clock, WorkOptions(job_tries=3))


async def test_a_job_is_done_once_by_the_handler_of_its_name(jobs: Jobs, runner: JobRunner, handlers: Handlers) -> None:
    seen: list[str] = []

    async def note(job: Job) -> None:
        seen.append(job.payload)

    handlers["note"] = note
    job_id = await jobs.add("note", '{"n": 1}')
    await asyncio.gather(*(runner.run(job_id) for _ in range(5)))
    await runner.run(job_id)
    assert seen == ['{"n": 1}']
    assert await jobs.state(job_id) == "done"


async def test_a_job_that_fails_is_tried_again_after_growing_waits_and_then_lies_with_the_dead(
    jobs: Jobs, runner: JobRunner, handlers: Handlers, clock: FakeClock, database: Database
) -> None:
    tried: list[float] = []

    async def fail(_: Job) -> None:
        tried.append(clock.monotonic())
        raise RuntimeError("no words of this are kept")

    handlers["fail"] = fail
    job_id = await jobs.add("fail")
    for wait in (0, FIRST_WAIT, 2 * FIRST_WAIT):
        clock.advance(wait)
        await runner.run(job_id)
        await runner.run(job_id)
    assert tried == [0, FIRST_WAIT, 3 * FIRST_WAIT]
    [dead] = await DeadLetters(database, clock).page()
    assert (dead.id, dead.reason, dead.attempts) == (job_id, "RuntimeError", 3)


async def test_a_job_that_nobody_knows_is_dead_at_once(jobs: Jobs, runner: JobRunner) -> None:
    job_id = await jobs.add("unheard_of")
    await runner.run(job_id)
    assert await jobs.state(job_id) == "dead"


async def test_a_job_that_kills_each_process_that_tries_it_does_not_go_on_for_ever(
    jobs: Jobs, runner: JobRunner, handlers: Handlers, clock: FakeClock
) -> None:
    async def never(_: Job) -> None:
        raise AssertionError("it must not be tried any more")

    handlers["poison"] = never
    job_id = await jobs.add("poison")
    for _ in range(3):
        assert await jobs.claim(job_id, LEASE) is not None  # and the process dies
        clock.advance(LEASE + 1)
    await runner.run(job_id)
    assert await jobs.state(job_id) == "dead"


@pytest.mark.proves("promise-5")
async def test_a_handler_is_stopped_when_another_process_has_its_job(
    jobs: Jobs, runner: JobRunner, handlers: Handlers, clock: FakeClock
) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def slow(_: Job) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    handlers["slow"] = slow
    job_id = await jobs.add("slow")
    running = asyncio.create_task(runner.run(job_id))
    async with asyncio.timeout(30):
        await begun.wait()
        clock.advance(0.1)
        await asyncio.sleep(0)
        clock._elapsed += LEASE + 1  # the process was paused: its own timers have not run
        assert await jobs.claim(job_id, LEASE) is not None
        clock.advance(LEASE)
        await stopped.wait()
        await running
    assert await jobs.state(job_id) == "running"


@pytest.mark.proves("promise-6")
async def test_a_job_whose_end_cannot_be_written_at_once_is_not_done_again(
    jobs: Jobs, handlers: Handlers, clock: FakeClock
) -> None:
    done: list[str] = []

    async def note(job: Job) -> None:
        done.append(job.id)

    class Away(Jobs):
        """Its database is away when the first ends are written."""

        failures = 2

        async def end(self, job: Job, problem: str | None = None) -> bool:
            if self.failures:
                self.failures -= 1
                raise StoreUnavailable("no free connection")
            return await super().end(job, problem)

    away = Away(jobs._database, clock, CountingIds())
    job_id = await jobs.add("note")
    running = asyncio.create_task(JobRunner(away, {"note": note}, clock, WorkOptions()).run(job_id))
    async with asyncio.timeout(30):
        while not running.done():
            await asyncio.sleep(0.01)
            clock.advance(1)
    assert await jobs.state(job_id) == "done"
    assert done == [job_id]
