"""False alarms of the rollback's rules over the whole life of a challenger, and how soon they see a fall.

A challenger has a tenth of the people and is looked at after every 50 of its outcomes. Half of the null runs are of
strangers, half of people who come up to 40 times and have a rate of their own (beta with a quarter of the evidence of
one trial), which a test for strangers gets wrong.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure, seen
from frontdesk.decision.options import RollbackOptions
from frontdesk.decision.rollback import Evidence, Verdict, judge
from frontdesk.decision.sequential import Tally

SHARE = 0.10
LOOK = 50  # outcomes of the challenger between two looks
OPTIONS = RollbackOptions(most_outcomes=1_000_000)  # so that a fall is waited for, not given up
LIFE = 20_000  # outcomes of the challenger in a null run
LONGEST = 200_000
BASES = (0.05, 0.20)
VISITS = 40


def run(quick: bool) -> list[Figure]:
    """The figures."""
    runs = 100 if quick else 400
    figures: list[Figure] = []
    for base in BASES:
        alarms = [bool(_fall(strangers(base, 0.0, seed), LIFE)) for seed in range(runs)]
        alarms += [bool(_fall(regulars(base, seed), LIFE)) for seed in range(runs // 2)]
        share = float(np.mean(alarms))
        what = f"false alarms in {len(alarms)} null runs, base {base:.0%}"
        figures.append(Figure(what, round(share * 100, 2), "%", "≤ 5", share <= 0.05))
    for base in BASES:
        for drop in (0.10, 0.20, 0.40):
            found = [_fall(strangers(base, drop, seed), LONGEST) for seed in range(runs // 4)]
            median = float(np.median([outcomes or LONGEST for outcomes in found]))
            figures.append(seen(f"challenger's outcomes to see −{drop:.0%}, base {base:.0%} (median)", median, ""))
    return figures


def strangers(base: float, drop: float, seed: int) -> Iterator[tuple[Evidence, Evidence]]:
    """Both sides after each look; nobody comes twice."""
    chance = np.random.default_rng([seed, round(base * 100), round(drop * 100)])
    counts = np.zeros(4, dtype=np.int64)  # champion's trials and successes, challenger's
    while True:
        total = round(LOOK / SHARE)
        ours = chance.binomial(total, SHARE)
        counts += (
            total - ours,
            chance.binomial(total - ours, base),
            ours,
            chance.binomial(ours, base * (1 - drop)),
        )
        yield _of_strangers(*counts[:2]), _of_strangers(*counts[2:])


def regulars(base: float, seed: int) -> Iterator[tuple[Evidence, Evidence]]:
    """The same of people who come again and again, all alike on both sides."""
    chance = np.random.default_rng([seed, round(base * 100), 1])
    many = round(LIFE / SHARE / VISITS)
    rates = chance.beta(base / 4, (1 - base) / 4, many)
    ours = chance.random(many) < SHARE
    visits, successes = np.zeros(many), np.zeros(many)
    while True:
        came = chance.integers(many, size=round(LOOK / SHARE))
        np.add.at(visits, came, 1)
        np.add.at(successes, came, chance.random(len(came)) < rates[came])
        yield _of_people(visits[~ours], successes[~ours]), _of_people(visits[ours], successes[ours])


def _fall(looks: Iterator[tuple[Evidence, Evidence]], life: int) -> int | None:
    """The challenger's outcomes when it is called surely worse, whatever follows from that; None: never."""
    for champion, challenger in looks:
        verdict = judge(champion, challenger, OPTIONS, 0.001)
        if _is_alarm(verdict):
            return challenger.success.trials
        if verdict.act != "wait" or challenger.success.trials >= life:
            return None
    return None


def _is_alarm(verdict: Verdict) -> bool:
    return verdict.act == "roll_back" or (verdict.rule == "futile" and verdict.comparison.surely_lower)


def _of_strangers(trials: int, successes: int) -> Evidence:
    count, total = int(trials), int(successes)
    return Evidence(success=Tally(people=count, trials=count, total=total, squares=total, cross=total, sizes=count))


def _of_people(visits: NDArray[np.float64], successes: NDArray[np.float64]) -> Evidence:
    return Evidence(
        success=Tally(
            people=int((visits > 0).sum()),
            trials=int(visits.sum()),
            total=float(successes.sum()),
            squares=float(successes @ successes),
            cross=float(visits @ successes),
            sizes=int(visits @ visits),
        )
    )
