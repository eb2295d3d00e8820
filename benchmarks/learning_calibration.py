"""Whether confidence can be taken at its word, on people whose truth is known.

In each world a policy learns from 20,000 outcomes; a tenth of the people teach it nothing and calibrate it, as in the
product. Then it decides about all the others, and what it says of each is held against the truth: whether the arm that
it chose beats doing nothing by the margin. The decisions of one snapshot share its errors, so worlds of many seeds are
judged together, and the mean error of single worlds is shown beside it. So is what so few worlds show of a policy that
is right: the true weights are drawn from its posterior, and people differ from them by the scatter.
"""

from typing import NamedTuple

import numpy as np

from benchmarks.figures import Figure, below, seen
from frontdesk.decision.arms import Arms
from frontdesk.decision.calibration import apply, exceeds, expected_error, fit
from frontdesk.decision.features import Floats, gained
from frontdesk.decision.policies import first, held_out
from frontdesk.decision.posterior import deviations, mean_of
from frontdesk.decision.scoring import Bools, Places
from frontdesk.decision.simulation.memory import REST_HOURS, START
from frontdesk.decision.simulation.messages import simulated_options
from frontdesk.decision.simulation.runner import Learned, Lesson, Runner
from frontdesk.decision.simulation.world import World
from frontdesk.engagement import Genes, Posterior

WORLDS = 20
OUTCOMES = 20_000
PEOPLE = 1500
HOLDOUT = 0.1
BAR = 0.03
TIMES = 40
SEED = 500  # of the first world: none of those that learning is measured on


class Taught(Learned):
    """A policy that learns from most people, and keeps what all of them did to be calibrated by."""

    def __init__(self, arms: Arms, seed: int) -> None:
        super().__init__(first(f"calibrated-{seed}", Genes(), START), arms, 0.05)
        self.seen: list[Lesson] = []

    def learn(self, lesson: Lesson) -> None:
        self.seen.append(lesson)
        super().learn(_part(lesson, ~_out(lesson.people)))


class Judged(NamedTuple):
    """Of each decision to send something: what was said raw and calibrated, and whether it is true. And the same of a
    policy whose posterior is right, several times over: [N] said, [TIMES, N] true."""

    raw: Floats
    calibrated: Floats
    true: Floats
    right_said: Floats
    right_true: Floats


def run(quick: bool) -> list[Figure]:
    """The figures."""
    worlds = [world(SEED + number) for number in range(5 if quick else WORLDS)]
    raw, calibrated, true, right = (np.concatenate(each) for each in list(zip(*worlds, strict=True))[:4])
    chance = np.concatenate([each.right_true for each in worlds], axis=1)
    alone = float(np.mean([expected_error(each.calibrated, each.true) for each in worlds]))
    floor = float(np.mean([expected_error(right, each) for each in chance]))
    return [
        below("expected calibration error", expected_error(calibrated, true), "", BAR),
        seen("as the posterior says it, uncalibrated", expected_error(raw, true), ""),
        seen("of a policy that is right, by as many worlds", floor, ""),
        seen("of single worlds, on average", alone, ""),
        seen("decisions judged", len(true), ""),
        seen("of them truly better than nothing", 100 * float(true.mean()), "%"),
    ]


def world(seed: int) -> Judged:
    """A world's policy, calibrated and judged."""
    options, genes = simulated_options(), Genes()
    arms = Arms.of(options, genes)
    taught = Taught(arms, seed)
    simulated = World(options.messages, arms.keys, people=PEOPLE, seed=seed, start=START)
    runner = Runner(simulated, arms, genes, taught, seed=seed, rest_hours=REST_HOURS, round_hours=REST_HOURS + 24)
    runner.run(24 * 120, until=OUTCOMES)
    scorer = taught.scorer
    numbers, arm, reward, eligible, person = (
        np.concatenate([getattr(lesson, name) for lesson in taught.seen])
        for name in ("numbers", "arms", "rewards", "eligible", "people")
    )
    held = scorer.held(numbers, eligible, arm, reward, person, _out(person))
    people = np.arange(PEOPLE)[~_out(np.arange(PEOPLE))]
    chance = np.random.default_rng(seed)
    seeds = chance.integers(0, 2**63, size=len(people), dtype=np.uint64)
    numbers = runner.numbers(people)
    chosen = scorer.choose(numbers, runner.eligible(people), seeds)
    sent = chosen.arm > 0
    values = runner.values(people)
    better = values[np.arange(len(people)), chosen.arm] - values[:, 0] > genes.margin
    more = gained(numbers, arms, chosen.arm)[sent]
    return Judged(
        chosen.raw[sent],
        apply(fit(held, genes.margin), chosen.raw[sent]),
        better[sent].astype(np.float64),
        *_right(more, taught.policy.reward, held.scatter, genes.margin, chance),
    )


def _right(
    more: Floats, belief: Posterior, scatter: float, margin: float, chance: np.random.Generator
) -> tuple[Floats, Floats]:
    """What is said of uplifts that are as believed, and whether each is beyond the margin, drawn `TIMES` over."""
    mean, parts = more @ mean_of(belief), more @ deviations(belief)
    said = exceeds(mean, np.sqrt(np.square(parts).sum(axis=1) + scatter), margin)
    shared = chance.normal(size=(TIMES, parts.shape[1])) @ parts.T
    own = chance.normal(0, scatter**0.5, size=(TIMES, len(mean)))
    return said, (mean + shared + own > margin).astype(np.float64)


def _out(people: Places) -> Bools:
    return np.array([held_out(str(person), HOLDOUT) for person in people.tolist()], dtype=np.bool_)


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
