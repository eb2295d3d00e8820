"""Steps of evolution: asked for, done once, and their winners put into the shadow."""

import pytest

from frontdesk.decision import evolving
from frontdesk.decision.evolution import Result
from frontdesk.decision.evolving import STRATEGY, Evolving
from frontdesk.decision.options import EngagementOptions, LearningOptions
from frontdesk.decision.policies import born, first
from frontdesk.engagement import Genes, Policy
from frontdesk.errors import EvolutionDisabled, EvolutionRunning
from frontdesk.ports import Job
from frontdesk.store.database import Database
from frontdesk.store.evolutions import JOB, Evolution, Evolutions, Found
from frontdesk.store.jobs import Jobs
from frontdesk.store.logged import DecisionLog
from frontdesk.store.policies import Policies
from frontdesk.telemetry import metrics
from frontdesk.testing.clock import CountingIds, FakeClock

FOUND = Found(fitness=0.3, held_out=0.2, gain=0.1, gain_low=0.05)


class Bell:
    def __init__(self) -> None:
        self.rung: list[tuple[str, str]] = []

    async def ready(self, kind: str, row_id: str) -> None:
        self.rung.append((kind, row_id))

    @property
    def backlog(self) -> int:
        return 0


class Desk:
    def __init__(self, database: Database, clock: FakeClock, ids: CountingIds) -> None:
        self.clock, self.bell, self.options = clock, Bell(), EngagementOptions()
        self.evolutions, self.policies = Evolutions(database, clock, ids), Policies(database, clock, ids)
        self.jobs = Jobs(database, clock, ids)
        self.evolving = Evolving(
            self.evolutions, self.policies, DecisionLog(database), lambda: self.options, clock, ids, self.bell
        )

    async def start(self) -> Policy:
        policy = first("old", Genes(), self.clock.now())
        await self.policies.start(policy)
        return policy

    async def run(self, step: Evolution) -> Job:
        """Do the step as a worker does."""
        job = await self.jobs.claim(step.job_id, 60)
        assert job is not None
        assert job.name == JOB
        await self.evolving.run(job)
        await self.jobs.end(job)
        return job


@pytest.fixture
def desk(database: Database, clock: FakeClock, ids: CountingIds) -> Desk:
    return Desk(database, clock, ids)


@pytest.fixture
def wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every search finds a better strategy."""

    def evolve(*args: object, policy_id: str, **_: object) -> Result:
        parent = args[1]
        assert isinstance(parent, Policy)
        winner = born(policy_id, Genes(), parent.created_at, origin="evolved", parent=parent)
        return Result(found=FOUND, words="better", winner=winner)

    monkeypatch.setattr(evolving, "evolve", evolve)


@pytest.mark.proves("engagement-7")
async def test_a_step_raises_the_generation_by_one_and_its_winner_serves_nobody(desk: Desk, wins: None) -> None:
    await desk.start()
    await desk.evolving.publish()
    assert metrics.evolution_generation.labels(STRATEGY)._value.get() == 0
    for generation in (1, 2):
        step = await desk.evolving.ask(actor="per_1")
        assert desk.bell.rung[-1] == ("job", step.job_id)
        await desk.run(step)
        known = await desk.evolutions.get(step.id)
        assert (known.state, known.generation, known.found) == ("shadow", generation, FOUND)
        pointer = await desk.policies.serving()
        assert (pointer.champion_id, pointer.challenger_id, pointer.shadow_id) == ("old", None, known.policy_id)
        assert metrics.evolution_generation.labels(STRATEGY)._value.get() == generation
        assert list(metrics.strategy_fitness._metrics) == [(STRATEGY, str(generation))]
        desk.clock.advance(60)
    assert [step.state for step in await desk.evolutions.page()] == ["shadow", "ended"]


async def test_a_step_that_is_done_is_not_done_again(desk: Desk, wins: None) -> None:
    await desk.start()
    job = await desk.run(await desk.evolving.ask())
    shadow = (await desk.policies.serving()).shadow_id
    await desk.evolving.run(job)
    assert (await desk.policies.serving()).shadow_id == shadow


async def test_on_an_empty_log_nothing_wins_and_the_reason_is_told(desk: Desk) -> None:
    await desk.start()
    step = await desk.evolving.ask(seed=7)
    await desk.run(step)
    known = await desk.evolutions.get(step.id)
    assert (known.seed, known.state, known.policy_id) == (7, "refused", None)
    assert known.note == "There are no outcomes to learn from yet"
    assert (await desk.policies.serving()).shadow_id is None


async def test_a_search_that_is_not_installed_ends_the_step_with_the_reason(desk: Desk) -> None:
    await desk.start()
    step = await desk.evolving.ask()
    desk.options = EngagementOptions(learning=LearningOptions(evolution_search="divining"))
    await desk.run(step)
    known = await desk.evolutions.get(step.id)
    assert known.state == "refused"
    assert known.note.startswith("There is no searches plug-in 'divining'. Installed: cma, genetic")


async def test_one_step_runs_at_a_time_and_the_schedule_gives_way(desk: Desk) -> None:
    await desk.start()
    await desk.evolving.ask()
    with pytest.raises(EvolutionRunning):
        await desk.evolving.ask()
    await desk.evolving.on_schedule(Job(id="job", name="", payload="{}", attempts=1, fence=1))
    assert len(await desk.evolutions.page()) == 1


async def test_where_evolution_is_disabled_nobody_can_ask_for_it(desk: Desk) -> None:
    await desk.start()
    desk.options = EngagementOptions(learning=LearningOptions(strategy_evolution="disabled"))
    with pytest.raises(EvolutionDisabled):
        await desk.evolving.ask()
    await desk.evolving.on_schedule(Job(id="job", name="", payload="{}", attempts=1, fence=1))
    assert await desk.evolutions.page() == []


async def test_a_winner_finds_its_place_while_learning_moves_the_pointer_too(desk: Desk, wins: None) -> None:
    old = await desk.start()
    step = await desk.evolving.ask()
    move, learned = desk.policies.move, born("older", Genes(), desk.clock.now(), origin="learned", parent=old)

    async def overtaken(*args: object, **named: object) -> object:
        desk.policies.move = move  # type: ignore[method-assign]
        await desk.policies.advance(learned)
        return await move(*args, **named)  # type: ignore[arg-type]

    desk.policies.move = overtaken  # type: ignore[method-assign,assignment]
    await desk.run(step)
    pointer = await desk.policies.serving()
    assert pointer.champion_id == "older"
    assert pointer.shadow_id == (await desk.evolutions.get(step.id)).policy_id
