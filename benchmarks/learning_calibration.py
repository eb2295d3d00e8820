"""Whether confidence can be taken at its word, on people whose truth is known.

In each world a policy learns from 20,000 outcomes; a tenth of the people teach it nothing and calibrate it, as in the
product. Then it decides about all the others, and what it says of each is held against the truth: whether the arm that
it chose beats doing nothing by the margin. The decisions of one snapshot share its errors, so worlds of many seeds are
judged together, and the mean error of single worlds is shown beside it.
"""

import numpy as np

from benchmarks.figures import Figure, below, seen
from frontdesk.decision.arms import Arms
from frontdesk.decision.calibration import apply, expected_error, fit
from frontdesk.decision.features import Floats
from frontdesk.decision.policies import first, held_out
from frontdesk.decision.scoring import Bools
from frontdesk.decision.simulation.memory import REST_HOURS, START
from frontdesk.decision.simulation.messages import simulated_options
from frontdesk.decision.simulation.runner import Learned, Lesson, Runner
from frontdesk.decision.simulation.world import World
from frontdesk.engagement import Genes

WORLDS = 20
OUTCOMES = 20_000
PEOPLE = 1500
HOLDOUT = 0.1
BAR = 0.03
SEED = 500  # of the first world: none of those that learning is measured on


class Taught(Learned):
    """A policy that learns from most people, and keeps what the others did to be calibrated by."""

    def __init__(self, arms: Arms, seed: int) -> None:
        super().__init__(first(f"calibrated-{seed}", Genes(), START), arms, 0.05)
        self.held: list[Lesson] = []

    def learn(self, lesson: Lesson) -> None:
        out = np.array([held_out(str(person), HOLDOUT) for person in lesson.people])
        self.held.append(_part(lesson, out))
        super().learn(_part(lesson, ~out))


def run(quick: bool) -> list[Figure]:
    """The figures."""
    worlds = [world(SEED + number) for number in range(5 if quick else WORLDS)]
    said, calibrated, truth = (np.concatenate(each) for each in zip(*worlds, strict=True))
    alone = float(np.mean([expected_error(level, true) for _, level, true in worlds]))
    return [
        below("expected calibration error", expected_error(calibrated, truth), "", BAR),
        seen("as the posterior says it, uncalibrated", expected_error(said, truth), ""),
        seen("of single worlds, on average", alone, ""),
        seen("decisions judged", len(truth), ""),
        seen("of them truly better than nothing", 100 * float(truth.mean()), "%"),
    ]


def world(seed: int) -> tuple[Floats, Floats, Floats]:
    """Of each decision to send something: what was said raw and calibrated, and whether it is true."""
    options, genes = simulated_options(), Genes()
    arms = Arms.of(options, genes)
    taught = Taught(arms, seed)
    simulated = World(options.messages, arms.keys, people=PEOPLE, seed=seed, start=START)
    runner = Runner(simulated, arms, genes, taught, seed=seed, rest_hours=REST_HOURS, round_hours=REST_HOURS + 24)
    runner.run(24 * 120, until=OUTCOMES)
    scorer = taught.scorer
    numbers, arm, reward, eligible, person = (
        np.concatenate([getattr(lesson, name) for lesson in taught.held])
        for name in ("numbers", "arms", "rewards", "eligible", "people")
    )
    calibration = fit(scorer.held(numbers, eligible, arm, reward, person), genes.margin)
    people = np.array([each for each in range(PEOPLE) if not held_out(str(each), HOLDOUT)])
    seeds = np.random.default_rng(seed).integers(0, 2**63, size=len(people), dtype=np.uint64)
    chosen = scorer.choose(runner.numbers(people), runner.eligible(people), seeds)
    sent = chosen.arm > 0
    values = runner.values(people)
    better = values[np.arange(len(people)), chosen.arm] - values[:, 0] > genes.margin
    return chosen.raw[sent], apply(calibration, chosen.raw[sent]), better[sent].astype(np.float64)


def _part(lesson: Lesson, which: Bools) -> Lesson:
    return Lesson(
        at=lesson.at,
        people=lesson.people[which],
        numbers=lesson.numbers[which],
        eligible=lesson.eligible[which],
        arms=lesson.arms[which],
        propensities=lesson.propensities[which],
        rewards=lesson.rewards[which],
        harmed=lesson.harmed[which],
    )
