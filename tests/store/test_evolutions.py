"""Steps of evolution as rows, on both databases."""

import asyncio

import pytest

from frontdesk.errors import EvolutionRunning, NotFound
from frontdesk.store.cursors import cursor
from frontdesk.store.database import Database
from frontdesk.store.evolutions import JOB, Evolutions, Found, GeneChange, Round
from frontdesk.store.jobs import Jobs
from frontdesk.testing.clock import CountingIds, FakeClock

FOUND = Found(
    rounds=(Round(best=0.2, mean=0.1), Round(best=0.3, mean=0.2)),
    fitness=0.3,
    held_out=0.25,
    changes=(
        GeneChange(gene="margin", before=0.01, after=0.02, worth=0.1),
        GeneChange(gene="tone_smb", before="warm", after="brief", worth=0.0),
    ),
)


@pytest.fixture
def evolutions(database: Database, clock: FakeClock, ids: CountingIds) -> Evolutions:
    return Evolutions(database, clock, ids)


@pytest.fixture
def jobs(database: Database, clock: FakeClock, ids: CountingIds) -> Jobs:
    return Jobs(database, clock, ids)


async def test_a_step_is_written_with_the_job_that_does_it(evolutions: Evolutions, jobs: Jobs) -> None:
    step = await evolutions.begin("pol_1", 7, "per_1")
    assert (step.state, step.generation, step.actor) == ("running", 1, "per_1")
    job = await jobs.claim(step.job_id, 60)
    assert job is not None
    assert (job.name, job.payload) == (JOB, f'{{"evolution":"{step.id}"}}')
    assert await evolutions.get(step.id) == step


async def test_of_many_who_ask_at_once_one_begins_a_step(evolutions: Evolutions, jobs: Jobs) -> None:
    asked = await asyncio.gather(*(evolutions.begin("pol_1", n) for n in range(10)), return_exceptions=True)
    assert [type(each) for each in asked].count(EvolutionRunning) == 9
    assert len(await jobs.due()) == 1


async def test_a_step_whose_job_died_is_in_nobodys_way(evolutions: Evolutions, jobs: Jobs) -> None:
    dead = await evolutions.begin("pol_1", 1)
    job = await jobs.claim(dead.job_id, 60)
    assert job is not None
    await jobs.end(job, "never_ended")
    following = await evolutions.begin("pol_1", 2)
    assert following.generation == 2
    assert (await evolutions.get(dead.id)).state == "failed"


async def test_what_was_found_is_written_once_and_read_as_it_was(evolutions: Evolutions) -> None:
    step = await evolutions.begin("pol_1", 7)
    assert await evolutions.latest() is None
    assert await evolutions.settle(step.id, "shadow", found=FOUND, note="better", policy_id="pol_2")
    assert not await evolutions.settle(step.id, "refused", found=Found(), note="again")
    known = await evolutions.get(step.id)
    assert (known.state, known.found, known.policy_id) == ("shadow", FOUND, "pol_2")
    assert known.found.gap == pytest.approx(0.05)
    assert await evolutions.latest() == known


async def test_a_winner_goes_from_its_trial_to_where_it_belongs_and_no_further(evolutions: Evolutions) -> None:
    step = await evolutions.begin("pol_1", 7)
    await evolutions.settle(step.id, "shadow", found=FOUND, note="", policy_id="pol_2")
    assert await evolutions.became("pol_2", "canary", "its shadow did well")
    assert await evolutions.became("pol_2", "rolled_back", "40 % worse")
    assert not await evolutions.became("pol_2", "champion", "too late")
    assert (await evolutions.get(step.id)).state == "rolled_back"
    assert not await evolutions.became("pol_1", "canary", "nobody's winner")


async def test_steps_are_listed_newest_first_in_pages(evolutions: Evolutions, clock: FakeClock) -> None:
    made = []
    for seed in range(3):
        step = await evolutions.begin("pol_1", seed)
        await evolutions.settle(step.id, "refused", found=Found(), note="")
        made.append(step.id)
        clock.advance(60)
    [newest, second] = await evolutions.page(limit=2)
    [oldest] = await evolutions.page(cursor=cursor(second.created_at, second.id))
    assert [newest.id, second.id, oldest.id] == made[::-1]


async def test_an_unknown_step_is_told_so(evolutions: Evolutions) -> None:
    with pytest.raises(NotFound):
        await evolutions.get("evolution_x")
