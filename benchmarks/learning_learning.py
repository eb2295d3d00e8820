"""How much of the oracle's uplift over chance is learned from 20,000 outcomes, beside other learners in the same world.

Everybody lives with a world of their own, of the same seed: the same people, days and drift, and outcomes that come
late. All see the same numbers of customers and of arms, decide about whoever comes by, and learn every six hours what
settled. Judged is the arm that each believes in, over everybody at the end, by the known truth; what each serves while
it explores is printed beside it. LinUCB is ours (Li et al. 2010), Vowpal Wabbit and MABWiser run in a process with an
environment of its own. Vowpal Wabbit is tuned: the best of its settings on another seed of the world runs. They are the
best of some thirty that were tried on fewer outcomes: it needs to explore by a bag of models or a softmax, as greedy
choices stay with nothing for long, and it learns more from our features than from all products of both sides.
"""

import pickle
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, cast

import numpy as np

from benchmarks.figures import Figure, at_least, seen
from benchmarks.processes import cache
from frontdesk.decision.arms import Arms
from frontdesk.decision.features import FEATURES, Floats, folded, weighed
from frontdesk.decision.policies import first
from frontdesk.decision.scoring import Bools, Places, Seeds, uniforms
from frontdesk.decision.simulation.memory import REST_HOURS, START
from frontdesk.decision.simulation.messages import simulated_options
from frontdesk.decision.simulation.runner import Chooser, Learned, Lesson, Runner
from frontdesk.decision.simulation.world import World
from frontdesk.engagement import Genes

OUTCOMES = 20_000
PEOPLE = 5000
EXPLORED = 0.05  # by whoever explores evenly
TUNING_SEED = 1000
VOWPAL, MABWISER = "9.11.9", "2.7.4"
VOWPAL_SETTINGS = (  # "ours" is no word of its own: see `learning_peer.py`
    "ours --bag 10 --cb_type mtr -l 0.05",
    "ours --bag 5 --cb_type mtr -l 0.2",
    "ours --bag 5 --cb_type mtr -l 0.05 --power_t 0.25",
    "ours --softmax --lambda 20 -l 0.05",
    "ours --epsilon 0.05 --cb_type dm -l 0.05",
    "--bag 5 --cb_type mtr -l 0.01",
)
BAR = 90.0


def run(quick: bool) -> list[Figure]:
    """The figures: means over worlds of several seeds."""
    seeds = (1,) if quick else (1, 2, 3)
    arms = Arms.of(simulated_options(), Genes())
    shares: dict[str, tuple[float, float]] = {}
    shares["ours"] = _mean(seeds, lambda seed: _ours(arms, seed))
    shares["LinUCB, an arm each"] = _mean(seeds, lambda _: LinUCB(arms))
    tuned = _tuned(arms, VOWPAL_SETTINGS[:2] if quick else VOWPAL_SETTINGS)
    print(f"Vowpal Wabbit runs with {tuned}", file=sys.stderr)
    shares["Vowpal Wabbit, tuned"] = _mean(seeds, lambda seed: Peer("vowpal", tuned, arms, seed))
    shares["MABWiser, LinUCB"] = _mean(seeds, lambda seed: Peer("mabwiser", "linucb", arms, seed))
    shares["MABWiser, LinTS"] = _mean(seeds, lambda seed: Peer("mabwiser", "lints", arms, seed))
    learned, served = shares.pop("ours")
    best = max(share for share, _ in shares.values())
    figures = [
        at_least("learned, ours", learned, "% of the oracle's uplift", BAR),
        seen("served while exploring, ours", served, "%"),
    ]
    for name, (share, while_exploring) in shares.items():
        figures += [seen(f"learned, {name}", share, "%"), seen(f"served, {name}", while_exploring, "%")]
    return [*figures, at_least("ours less the best of the others", learned - best, "points", 0.0)]


def judged(chooser: Chooser, arms: Arms, seed: int) -> tuple[float, float]:
    """What a learner has learned, and what it serves, in % of the way from chance to the oracle."""
    world = World(simulated_options().messages, arms.keys, people=PEOPLE, seed=seed, start=START)
    runner = Runner(world, arms, Genes(), chooser, seed=seed, rest_hours=REST_HOURS, round_hours=REST_HOURS + 24)
    runner.run(24 * 60, until=OUTCOMES)
    people = np.arange(PEOPLE)
    numbers, eligible, values = runner.numbers(people), runner.eligible(people), runner.values(people)
    believed = np.where(eligible, believes(chooser, numbers, eligible, arms), -np.inf).argmax(axis=1)
    standing = runner.standing()
    learned = float(values[people, believed].mean() - standing.random) / (standing.oracle - standing.random)
    return 100 * learned, 100 * standing.share


def believes(chooser: Chooser, numbers: Floats, eligible: Bools, arms: Arms) -> Floats:
    """What the learner expects of each arm [B, A]."""
    if isinstance(chooser, Learned):
        return (weighed(numbers) @ folded(chooser.scorer.weights[:, None], arms))[:, :, 0].T
    return chooser.means(numbers, eligible) if isinstance(chooser, Peer) else cast("LinUCB", chooser).means(numbers)


def _mean(seeds: tuple[int, ...], make: Callable[[int], Chooser]) -> tuple[float, float]:
    arms = Arms.of(simulated_options(), Genes())
    found = [judged(make(seed), arms, seed) for seed in seeds]
    return float(np.mean([learned for learned, _ in found])), float(np.mean([served for _, served in found]))


def _tuned(arms: Arms, settings: tuple[str, ...]) -> str:
    return max(settings, key=lambda each: judged(Peer("vowpal", each, arms, TUNING_SEED), arms, TUNING_SEED)[0])


def _ours(arms: Arms, seed: int) -> Learned:
    return Learned(first(f"learned-{seed}", Genes(), START), arms, EXPLORED)


class LinUCB:
    """LinUCB with a linear model for each arm (Li, Chu, Langford and Schapire 2010, algorithm 1), with the alpha that
    MABWiser has here."""

    def __init__(self, arms: Arms, alpha: float = 0.25) -> None:
        self._alpha = alpha
        self._costs = arms.costs
        self._precision: Floats | None = None
        self._pull: Floats | None = None

    def choose(self, numbers: Floats, eligible: Bools, seeds: Seeds) -> tuple[Places, Floats]:
        if self._precision is None:  # it has heard nothing yet: by chance, as the others do
            chances = eligible / eligible.sum(axis=1, keepdims=True)
            arm = np.argmax(np.cumsum(chances, axis=1) > uniforms(seeds)[:, None], axis=1)
            return arm, chances[np.arange(len(arm)), arm]
        chances = self.probabilities(numbers, eligible)
        return chances.argmax(axis=1), np.ones(len(numbers))

    def probabilities(self, numbers: Floats, eligible: Bools) -> Floats:
        precision, _ = self._state(numbers.shape[1])
        spread = np.sqrt(np.einsum("bc,acd,bd->ba", numbers, np.linalg.inv(precision), numbers))
        bound = np.where(eligible, self.means(numbers) + self._alpha * spread, -np.inf)
        return (np.arange(bound.shape[1]) == bound.argmax(axis=1)[:, None]).astype(np.float64)

    def means(self, numbers: Floats) -> Floats:
        precision, pull = self._state(numbers.shape[1])
        return numbers @ np.linalg.solve(precision, pull[:, :, None])[:, :, 0].T

    def learn(self, lesson: Lesson) -> None:
        precision, pull = self._state(lesson.numbers.shape[1])
        for arm in np.unique(lesson.arms):
            x = lesson.numbers[lesson.arms == arm]
            precision[arm] += x.T @ x
            pull[arm] += x.T @ lesson.rewards[lesson.arms == arm]

    def _state(self, size: int) -> tuple[Floats, Floats]:
        if self._precision is None or self._pull is None:
            self._precision = np.tile(np.eye(size), (len(self._costs), 1, 1))
            self._pull = np.zeros((len(self._costs), size))
        return self._precision, self._pull


class Peer:
    """A learner in another process, spoken to by pickled messages, each after its length."""

    def __init__(self, kind: str, settings: str, arms: Arms, seed: int) -> None:
        command = [python(), Path(__file__).with_name("learning_peer.py"), kind]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        pairs = np.array([(customer, arm) for _, customer, arm in FEATURES]).T
        self._ask({"settings": settings, "arms": arms.numbers, "costs": arms.costs, "pairs": pairs, "seed": seed})

    def choose(self, numbers: Floats, eligible: Bools, seeds: Seeds) -> tuple[Places, Floats]:
        chances = self.probabilities(numbers, eligible)
        reached = np.cumsum(chances, axis=1)
        arm = np.argmax(reached > (uniforms(seeds) * reached[:, -1])[:, None], axis=1)
        return arm, chances[np.arange(len(arm)), arm]

    def probabilities(self, numbers: Floats, eligible: Bools) -> Floats:
        return cast("Floats", self._ask({"do": "probabilities", "numbers": numbers, "eligible": eligible}))

    def means(self, numbers: Floats, eligible: Bools) -> Floats:
        return cast("Floats", self._ask({"do": "means", "numbers": numbers, "eligible": eligible}))

    def learn(self, lesson: Lesson) -> None:
        names = ("numbers", "eligible", "arms", "propensities", "rewards")
        self._ask({"do": "learn"} | {name: getattr(lesson, name) for name in names})

    def __del__(self) -> None:
        self._process.kill()
        self._process.wait()

    def _ask(self, message: Mapping[str, object]) -> object:
        inlet, outlet = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        body = pickle.dumps(dict(message))
        inlet.write(struct.pack("<Q", len(body)) + body)
        inlet.flush()
        (size,) = struct.unpack("<Q", outlet.read(8))
        return pickle.loads(outlet.read(size))


def python() -> Path:
    """The interpreter of the peers' environment, made at first use."""
    folder = cache() / f"learners-{VOWPAL}-{MABWISER}"
    if not (folder / "ready").exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--clear", "-p", sys.executable, folder], check=True)
        wanted = [f"vowpalwabbit=={VOWPAL}", f"mabwiser=={MABWISER}"]
        subprocess.run([*uv, "pip", "install", "-q", "--python", folder / "bin" / "python", *wanted], check=True)
        (folder / "ready").touch()
    return folder / "bin" / "python"
