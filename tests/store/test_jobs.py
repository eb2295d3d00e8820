"""Jobs and schedules as rows, on both databases."""

import asyncio
from datetime import timedelta

import pytest

from frontdesk.store.database import Database
from frontdesk.store.jobs import Jobs
from frontdesk.store.schedules import Schedules
from frontdesk.testing.clock import CountingIds, FakeClock


@pytest.fixture
def jobs(database: Database, clock: FakeClock, ids: CountingIds) -> Jobs:
    return Jobs(database, clock, ids)


@pytest.fixture
def schedules(database: Database, clock: FakeClock, ids: CountingIds) -> Schedules:
    return Schedules(database, clock, ids)


async def test_of_one_key_there_is_one_job_however_often_it_is_added(jobs: Jobs) -> None:
    added = await asyncio.gather(*(jobs.add("send", key="once") for _ in range(20)))
    assert len(set(added)) == 1
    assert await jobs.due() == [added[0]]


async def test_a_job_is_claimed_by_one_process_and_not_before_its_time(jobs: Jobs, clock: FakeClock) -> None:
    job_id = await jobs.add("send", due_at=clock.now() + timedelta(hours=2))
    assert await jobs.claim(job_id, 60) is None
    clock.advance(7200)
    claims = await asyncio.gather(*(jobs.claim(job_id, 60) for _ in range(10)))
    assert len([claim for claim in claims if claim is not None]) == 1


@pytest.mark.proves("promise-5")
async def test_a_process_that_was_paused_past_its_lease_cannot_end_the_job(jobs: Jobs, clock: FakeClock) -> None:
    job_id = await jobs.add("send")
    paused = await jobs.claim(job_id, 60)
    assert paused is not None
    clock.advance(61)
    assert await jobs.due() == [job_id]
    taken_over = await jobs.claim(job_id, 60)
    assert taken_over is not None
    assert taken_over.attempts == 2
    assert not await jobs.end(paused)
    assert not await jobs.renew(paused, 60)
    assert not await jobs.again(paused, 1, "late")
    assert await jobs.end(taken_over)
    assert await jobs.state(job_id) == "done"


async def test_jobs_that_are_long_done_are_forgotten_and_others_kept(jobs: Jobs, clock: FakeClock) -> None:
    old, dead, waiting = [await jobs.add("send") for _ in range(3)]
    for job_id, problem in ((old, None), (dead, "broken")):
        claimed = await jobs.claim(job_id, 60)
        assert claimed is not None
        await jobs.end(claimed, problem)
    clock.advance(60)
    assert await jobs.tidy(clock.now()) == 1
    assert [await jobs.state(job_id) for job_id in (old, dead, waiting)] == [None, "dead", "waiting"]


@pytest.mark.proves("promise-9")
async def test_a_schedule_makes_one_job_for_each_time_however_many_processes_look(
    schedules: Schedules, jobs: Jobs, clock: FakeClock
) -> None:
    await schedules.declare("clean", "every 1h", "clean", clock.now() + timedelta(hours=1))
    assert await schedules.due() == []
    for _ in range(3):
        clock.advance(3600)
        assert await schedules.due() == ["clean"]
        schedule = await schedules.find("clean")
        assert schedule is not None
        following = clock.now() + timedelta(hours=1)
        made = await asyncio.gather(*(schedules.fire(schedule, following) for _ in range(10)))
        assert len([job for job in made if job is not None]) == 1
    assert len(await jobs.due()) == 3


async def test_a_schedule_tells_what_became_of_its_latest_job(
    schedules: Schedules, jobs: Jobs, clock: FakeClock
) -> None:
    await schedules.declare("clean", "every 1h", "clean", clock.now())
    [before] = await schedules.page()
    assert (before.last_at, before.last_result) == (None, None)
    for problem in ("broken", None):
        schedule = await schedules.find("clean")
        assert schedule is not None
        made = await schedules.fire(schedule, clock.now() + timedelta(hours=1))
        assert made is not None
        claimed = await jobs.claim(made, 60)
        assert claimed is not None
        await jobs.end(claimed, problem)
        fired_at = clock.now()
        clock.advance(3600)
    [after] = await schedules.page()
    assert (after.last_at, after.last_result, after.next_at) == (fired_at, "done", clock.now())


async def test_a_schedule_that_is_declared_again_keeps_its_time_unless_its_rhythm_changes(
    schedules: Schedules, clock: FakeClock
) -> None:
    first = clock.now() + timedelta(hours=1)
    await schedules.declare("clean", "every 1h", "clean", first)
    await schedules.declare("clean", "every 1h", "clean", first + timedelta(minutes=30))
    assert [each.next_at for each in await schedules.page()] == [first]
    await schedules.declare("clean", "every 2h", "clean", first + timedelta(hours=1))
    assert [each.next_at for each in await schedules.page()] == [first + timedelta(hours=1)]
