"""A whole simulation in memory, from a seed to a report: what `frontdesk simulate engagement` runs without a desk."""

from collections.abc import Callable
from datetime import UTC, datetime

from frontdesk.decision.arms import Arms
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.policies import first
from frontdesk.decision.simulation.runner import Learned, Report, Runner
from frontdesk.decision.simulation.world import World
from frontdesk.engagement import Genes

START = datetime(2026, 1, 5, tzinfo=UTC)
REST_HOURS = 72.0  # as long as an outcome counts, so that no two decisions share one


def begun(options: EngagementOptions, *, people: int, seed: int, drift: float = 1.0) -> Runner:
    """A world with a policy that knows nothing yet, at the start of its first day."""
    genes = Genes()
    arms = Arms.of(options, genes)
    world = World(options.messages, arms.keys, people=people, seed=seed, start=START, drift=drift)
    policy = first(f"simulated-{seed}", genes, START)
    return Runner(
        world,
        arms,
        genes,
        Learned(policy, arms, options.exploration_rate),
        seed=seed,
        rest_hours=REST_HOURS,
        round_hours=REST_HOURS + 24,
    )


def simulate(
    options: EngagementOptions, *, people: int, days: int, seed: int, watch: Callable[[float], None] | None = None
) -> Report:
    """Live `days` with a policy that begins by knowing nothing; how good it is is looked at once a day."""
    runner = begun(options, people=people, seed=seed)
    runner.standings.append(runner.standing())
    for day in range(days):
        runner.run(24)
        runner.standings.append(runner.standing())
        if watch is not None:
            watch((day + 1) / days)
    return runner.report()
