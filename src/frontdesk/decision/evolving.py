"""Steps of evolution at work: asked for, done as a job, and what wins has its trial, first in the shadow."""

import asyncio
from datetime import timedelta

import msgspec
import structlog

from frontdesk import registry
from frontdesk.decision.arms import Arms
from frontdesk.decision.evolution import Result, evolve
from frontdesk.decision.logs import read_log
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.policies import seed_of
from frontdesk.decision.rewards import STANDARD
from frontdesk.decision.searching import Search
from frontdesk.decision.settings import Settings
from frontdesk.engagement import Policy, Serving
from frontdesk.errors import BadSetting, Conflict, EvolutionDisabled, MissingExtra
from frontdesk.ports import Clock, Dispatcher, Ids, Job
from frontdesk.store.evolutions import Evolution, Evolutions, Found
from frontdesk.store.logged import DecisionLog
from frontdesk.store.policies import Policies
from frontdesk.telemetry import metrics

log = structlog.get_logger("frontdesk.decision")

STRATEGY = "engagement"  # the one kind of strategy that evolves here, as metrics call it
LOOK_BACK = timedelta(days=90)
MOST = 12_000  # decisions of the log, the latest ones: bounds a step to some ten seconds
MOVES = 5  # tries to move the pointer while learning moves it too


async def ask(
    evolutions: Evolutions,
    policies: Policies,
    options: EngagementOptions,
    ids: Ids,
    *,
    actor: str = "",
    seed: int | None = None,
) -> Evolution:
    """Write a step for whoever finds its job. Raises as `Evolving.ask`."""
    if options.learning.strategy_evolution == "disabled":
        raise EvolutionDisabled("Strategies do not evolve at this desk")
    parent = (await policies.serving()).champion_id
    return await evolutions.begin(parent, seed_of(ids.secret()) if seed is None else seed, actor)


def search_of(options: EngagementOptions) -> Search:
    """The way to look for strategies that the options name. Raises `BadSetting`, or `MissingExtra`."""
    return registry.load("searches", options.learning.evolution_search, Search)


class _Payload(msgspec.Struct, frozen=True):
    evolution: str


class Evolving:
    """Asking for steps of evolution, and doing them. `settings` gives the options in effect."""

    def __init__(
        self,
        evolutions: Evolutions,
        policies: Policies,
        decisions: DecisionLog,
        settings: Settings,
        clock: Clock,
        ids: Ids,
        work: Dispatcher,
    ) -> None:
        self._evolutions = evolutions
        self._policies = policies
        self._decisions = decisions
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._work = work

    async def ask(self, *, actor: str = "", seed: int | None = None) -> Evolution:
        """Have a step done, soon. The seed makes it repeatable on the same log.

        Raises `EvolutionDisabled`, or `EvolutionRunning` while another step runs.
        """
        step = await ask(self._evolutions, self._policies, self._settings(), self._ids, actor=actor, seed=seed)
        await self._work.ready("job", step.job_id)
        return step

    async def on_schedule(self, _: Job) -> None:
        """The step that the desk takes by itself; none where evolution is disabled or a step runs."""
        try:
            await self.ask()
        except Conflict as error:
            log.info("evolution_skipped", code=error.code)

    async def run(self, job: Job) -> None:
        """Do the step that the job names. Bears one that is done."""
        step = await self._evolutions.get(msgspec.json.decode(job.payload, type=_Payload).evolution)
        if step.state != "running":
            return
        parent = await self._policies.get(step.parent_id)
        result = await self._search(step, parent)
        if result.winner is not None:
            await self._to_the_shadow(result.winner, step, result)
        await self._evolutions.settle(
            step.id,
            "refused" if result.winner is None else "shadow",
            found=result.found,
            note=result.words,
            policy_id=result.winner and result.winner.id,
        )
        log.info("evolution_step", evolution=step.id, generation=step.generation, words=result.words)
        await self.publish()

    async def publish(self) -> None:
        """Show the latest step in the metrics of this process; earlier generations go."""
        latest = await self._evolutions.latest()
        generation, fitness = (0, 0.0) if latest is None else (latest.generation, latest.found.fitness)
        metrics.evolution_generation.labels(STRATEGY).set(generation)
        metrics.strategy_fitness.clear()
        metrics.strategy_fitness.labels(STRATEGY, str(generation)).set(fitness)

    async def _search(self, step: Evolution, parent: Policy) -> Result:
        options, now = self._settings(), self._clock.now()
        known = await read_log(
            self._decisions,
            Arms.of(options, STANDARD),
            now - LOOK_BACK,
            holdout_share=options.learning.holdout_share,
            until=now,  # from when on a winner learns by itself
            limit=MOST,
        )
        policy_id = self._ids.new("pol")
        try:
            search = search_of(options)
        except (BadSetting, MissingExtra) as error:  # set since the start
            return Result(found=Found(), words=f"{error.what}. {error.hint}".strip())
        return await asyncio.to_thread(
            evolve, known, parent, options, seed=step.seed, policy_id=policy_id, now=now, search=search
        )

    async def _to_the_shadow(self, winner: Policy, step: Evolution, result: Result) -> None:
        await self._policies.add(winner)
        before = await self._moved(winner, result)
        if before.shadow_id is not None:
            strategy = (await self._policies.get(before.shadow_id)).strategy
            await self._evolutions.became(strategy, "ended", f"{step.id} took its place in the shadow")

    async def _moved(self, winner: Policy, result: Result, tries: int = MOVES) -> Serving:
        """Have the winner score in the shadow; the pointer as it was. Raises `Conflict` if others keep moving it."""
        before = await self._policies.serving()
        after = msgspec.structs.replace(before, shadow_id=winner.id)
        figures = {name: getattr(result.found, name) for name in ("fitness", "held_out", "gain", "gain_low")}
        try:
            await self._policies.move("shadow", before, after, reason=result.words, figures=figures)
        except Conflict:
            if tries == 1:
                raise
            return await self._moved(winner, result, tries - 1)
        return before
