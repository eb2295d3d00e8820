"""How often 95 % intervals of off-policy estimates hold the truth, over replays of logs whose truth is known.

Digits: the 1,797 handwritten digits of scikit-learn (UCI, Alpaydin and Kaynak 1998) as a bandit, the usual benchmark:
ten arms, reward 1 for naming the digit. The simulator: its people at one moment, twenty arms, and the chances that it
knows. In each replay people are drawn anew, a policy chooses, outcomes are drawn, and another policy is estimated.
"""

import gzip
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from benchmarks.figures import Figure, at_least, seen
from benchmarks.processes import cache
from frontdesk.decision.arms import Arms
from frontdesk.decision.logs import Log
from frontdesk.decision.off_policy import Estimate, Played, doubly_robust, ips, model_of, snips
from frontdesk.decision.policies import first
from frontdesk.decision.rewards import STANDARD, rewards
from frontdesk.decision.scoring import Bools, Floats, Places, Scorer
from frontdesk.decision.simulation.messages import simulated_options
from frontdesk.decision.simulation.runner import Learned, Runner
from frontdesk.decision.simulation.world import World
from frontdesk.engagement import OUTCOMES

SCIKIT_LEARN = "1.7.2"
BAR = 93.0
REPLAYS = 1000
START = datetime(2026, 1, 5, tzinfo=UTC)

Replay = Callable[[np.random.Generator], tuple[Played, Floats, Floats]]  # a log, the target's chances, the model


class Digits(NamedTuple):
    """Logged choices among ten digits."""

    arm: Places
    propensity: Floats
    reward: Floats
    answered: Bools
    customer: Places


def run(_quick: bool) -> list[Figure]:
    """The figures. Fewer replays would tell less than the bar asks: a share of 200 is known to 3 % and no better."""
    figures: list[Figure] = []
    for name, (replay, truth) in (("digits", digits()), ("simulator", simulator())):
        figures += coverage(name, replay, truth)
    replay, _ = digits(overlap=0.001)
    log, target, model = replay(np.random.default_rng(0))
    unguarded = doubly_robust(log, target, model)
    return [
        *figures,
        Figure("claims where hardly anything overlaps", float(unguarded.enough), "", "= 0", not unguarded.enough),
    ]


def coverage(name: str, replay: Replay, truth: float) -> list[Figure]:
    """How often each estimator's interval holds the truth, and how wide it is."""
    held = {"doubly robust": 0, "SNIPS": 0, "IPS": 0}
    widths = dict.fromkeys(held, 0.0)
    for seed in range(REPLAYS):
        log, target, model = replay(np.random.default_rng([2026, seed]))
        estimates: tuple[Estimate, ...] = doubly_robust(log, target, model), snips(log, target), ips(log, target)
        for which, estimate in zip(held, estimates, strict=True):
            assert estimate.enough, estimate.why
            held[which] += estimate.low <= truth <= estimate.high
            widths[which] += (estimate.high - estimate.low) / REPLAYS
    return [
        figure
        for which in held
        for figure in (
            at_least(f"{name}, {which}: truth within 95 %", 100 * held[which] / REPLAYS, "%", BAR),
            seen(f"{name}, {which}: width of the truth", 100 * widths[which] / abs(truth), "%"),
        )
    ]


def digits(*, count: int = 3000, overlap: float = 0.2) -> tuple[Replay, float]:
    """Digits as a bandit: logged by a weak reader who names one of all with `overlap`, estimated for a better one."""
    table = _digits()
    pixels, label = np.c_[table[:, :-1] / 16.0, np.ones(len(table))], table[:, -1].astype(np.intp)
    weak = _reader(pixels[:100], label[:100])
    good = _reader(pixels[100:500], label[100:500])
    pixels, label = pixels[500:], label[500:]
    logging = (1 - overlap) * _softmax(2.0 * pixels @ weak) + overlap / 10
    target = 0.95 * _softmax(8.0 * pixels @ good) + 0.005
    if overlap < 0.01:  # nobody ever chose what the target would
        target = np.eye(10)[logging.argmin(axis=1)]
    truth = float(target[np.arange(len(label)), label].mean())

    def replay(chance: np.random.Generator) -> tuple[Played, Floats, Floats]:
        who = chance.integers(0, len(label), count)
        arm = _drawn(logging[who], chance)
        reward = (arm == label[who]).astype(np.float64)
        log = Digits(arm, logging[who, arm], reward, reward > 0, np.arange(count))
        return log, target[who], _model(pixels[who], arm, reward)

    return replay, truth


def simulator(*, count: int = 4000) -> tuple[Replay, float]:
    """The simulator's people after two weeks: logged by a policy that knows nothing, estimated for one that learned."""
    options = simulated_options()
    arms = Arms.of(options, STANDARD)
    world = World(options.messages, arms.keys, people=1500, seed=11, start=START)
    learned = Learned(first("learned", STANDARD, START), arms, 0.05)
    runner = Runner(world, arms, STANDARD, learned, seed=11)
    runner.run(24 * 14)
    people = np.arange(1500)
    numbers, eligible, chances = runner.numbers(people), runner.eligible(people), world.chances(people)
    logging = Scorer(first("logging", STANDARD, START), arms, 0.15).probabilities(numbers, eligible)
    target = learned.probabilities(numbers, eligible)
    truth = float((target * runner.values(people)).sum(axis=1).mean())

    def replay(chance: np.random.Generator) -> tuple[Played, Floats, Floats]:
        who = chance.integers(0, len(people), count)
        arm = _drawn(logging[who], chance)
        outcomes = (chance.random((count, len(OUTCOMES))) < chances[who, arm]).astype(np.float64)
        log = Log(
            ids=tuple(map(str, range(count))),
            numbers=numbers[who],
            arm=arm,
            propensity=logging[who, arm],
            eligible=eligible[who],
            reward=rewards(outcomes, np.zeros(count), arms.costs[arm]),
            released=np.ones(count, dtype=np.bool_),
            outcomes=outcomes,
            values=np.zeros(count),
            customer=np.arange(count),
            held_out=np.zeros(count, dtype=np.bool_),
            at=np.zeros(count),
            policy=np.zeros(count, dtype=np.intp),
            segment=np.zeros(count, dtype=np.intp),
        )
        return log, target[who], model_of(log, arms)

    return replay, truth


def _drawn(chances: Floats, chance: np.random.Generator) -> Places:
    reached = np.cumsum(chances, axis=1)
    return np.argmax(reached > (chance.random(len(chances)) * reached[:, -1])[:, None], axis=1)


def _reader(pixels: Floats, label: Places) -> Floats:
    """Least squares towards the digits, ridged."""
    ridge = np.eye(pixels.shape[1])
    return np.linalg.solve(pixels.T @ pixels + ridge, pixels.T @ np.eye(10)[label])


def _model(pixels: Floats, arm: Places, reward: Floats) -> Floats:
    """The expected reward of each arm, learned from the other half of the log."""
    expected, half = np.zeros((len(arm), 10)), np.arange(len(arm)) % 2 == 0
    for mine in (half, ~half):
        for digit in range(10):
            seen_here = ~mine & (arm == digit)
            x = pixels[seen_here]
            weights = np.linalg.solve(x.T @ x + 3 * np.eye(x.shape[1]), x.T @ reward[seen_here])
            expected[mine, digit] = np.clip(pixels[mine] @ weights, 0, 1)
    return expected


def _softmax(scores: Floats) -> Floats:
    heavy = np.exp(scores - scores.max(axis=1, keepdims=True))
    return heavy / heavy.sum(axis=1, keepdims=True)


def _digits() -> Floats:
    """The table of scikit-learn's wheel, which is pinned and not otherwise used: 64 pixels (0 to 16) and the digit."""
    folder = cache() / f"scikit-learn-{SCIKIT_LEARN}"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        wanted = ["--no-deps", "--target", str(folder), f"scikit-learn=={SCIKIT_LEARN}"]
        subprocess.run([sys.executable, "-m", "uv", "pip", "install", "-q", *wanted], check=True)
        (folder / "ready").touch()
    with gzip.open(folder / "sklearn" / "datasets" / "data" / "digits.csv.gz", "rt") as lines:
        return np.loadtxt(lines, delimiter=",")
