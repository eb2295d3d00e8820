"""Scoring alone: customers' numbers in, chosen arms with every chance and confidence out, beside Vowpal Wabbit.

Both choose among 20 arms by 32 features, on one thread. Ours takes 32 customers at a time, as the batch route does; it
draws from a posterior, and what is timed holds the confidence and the predicted harm. Vowpal Wabbit has been taught the
same outcomes and chooses with `--cb_explore_adf --epsilon 0.05`, its quickest way. It takes features as text, its form
for Python, and only those that are not zero: so the arms that are compared have none, and how quick it is with those
of the simulated desk, most of which are zero, is shown beside. So is how quick it is with examples that somebody has
made before, with no account of making them.
"""

import json
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from benchmarks.figures import Figure, at_least, seen
from benchmarks.learning_learning import python
from frontdesk.decision.arms import STEP, Arms
from frontdesk.decision.explain import contributions
from frontdesk.decision.features import CUSTOMER_NUMBERS, FEATURE_NAMES, Floats, rows
from frontdesk.decision.posterior import harm_prior, learn, prior
from frontdesk.decision.scoring import Scorer
from frontdesk.decision.simulation.messages import simulated_options
from frontdesk.engagement import Genes, Policy

BATCH = 32
OUTCOMES = 2000
RATIO = 20


def run(quick: bool) -> list[Figure]:
    """Decisions a second, ours and the peer's, and their ratio."""
    seconds = 2.0 if quick else 8.0
    random = np.random.default_rng(1)
    sparse = Arms.of(simulated_options(), Genes())
    arms = full(sparse, random)
    taught = people(random, OUTCOMES)
    done = random.integers(0, len(arms), OUTCOMES)
    rewards = (random.random(OUTCOMES) < 0.05).astype(np.float64)
    scorer = Scorer(policy(rows(taught, arms, done), rewards), arms, 0.05)
    numbers = people(random, BATCH)
    eligible = random.random((BATCH, len(arms))) < 0.8
    seeds = random.integers(0, 2**63, BATCH, dtype=np.uint64)
    peer = vowpal(design(taught, arms), done, rewards, design(numbers, arms), seconds)
    light = vowpal(design(taught, sparse), done, rewards, design(numbers, sparse), seconds)
    ours = BATCH * rate(lambda: scorer.choose(numbers, eligible, seeds), seconds)
    explained = BATCH * rate(lambda: contributions(scorer, numbers, scorer.choose(numbers, eligible, seeds)), seconds)
    return [
        seen("ours: chosen", ours, "1/s"),
        seen("ours: chosen and explained", explained, "1/s"),
        seen("Vowpal Wabbit", peer["text"], "1/s"),
        seen("Vowpal Wabbit, examples made before", peer["made"], "1/s"),
        at_least("ours against Vowpal Wabbit", ours / peer["text"], "×", RATIO),
        seen("ours against Vowpal Wabbit, most features zero", ours / light["text"], "×"),
        seen("ours against Vowpal Wabbit, examples made before", ours / peer["made"], "×"),
    ]


def full(arms: Arms, random: np.random.Generator) -> Arms:
    """The same arms, with no number that is zero."""
    numbers = _on_the_grid(random.uniform(0.1, 1, arms.numbers.shape)).tolist()
    return Arms(tuple(replace(arm, numbers=tuple(row)) for arm, row in zip(arms, numbers, strict=True)))


def design(numbers: Floats, arms: Arms) -> Floats:
    """The features of each arm for each customer: from numbers [B, C] to [B, A, D]."""
    return np.stack([rows(numbers, arms, np.full(len(numbers), arm)) for arm in range(len(arms))], axis=1)


def people(random: np.random.Generator, count: int) -> Floats:
    """Numbers of customers [count, C], none of them zero."""
    return _on_the_grid(random.uniform(0.1, 1, (count, len(CUSTOMER_NUMBERS))))


def policy(x: Floats, rewards: Floats) -> Policy:
    """What the desk believes after these outcomes."""
    genes, now = Genes(), datetime(2026, 1, 1, tzinfo=UTC)
    return Policy(
        id="measured",
        parent_id=None,
        strategy="measured",
        origin="learned",
        generation=0,
        created_at=now,
        born_at=now,
        genes=genes,
        features=FEATURE_NAMES,
        reward=learn(prior(genes), x, rewards),
        harm=harm_prior(),
        draws_seed=1,
    )


def rate(act: Callable[[], object], seconds: float) -> float:
    """How often a second it can be done, by the best of twenty rounds."""
    best = 0.0
    for _ in range(20):
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds / 20:
            act()
            count += 1
        best = max(best, count / (time.perf_counter() - began))
    return best


def vowpal(taught: Floats, done: np.ndarray, rewards: Floats, asked: Floats, seconds: float) -> dict[str, float]:
    """The peer's decisions a second, in a process with the peer installed."""
    work = {
        "taught": [examples(x, int(arm), float(reward)) for x, arm, reward in zip(taught, done, rewards, strict=True)],
        "asked": [examples(x) for x in asked],
        "seconds": seconds,
    }
    script = Path(__file__).with_name("decisions_vowpal.py")
    answer = subprocess.run([python(), script], input=json.dumps(work), capture_output=True, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


def examples(x: Floats, arm: int | None = None, reward: float = 0.0) -> list[str]:
    """A decision in Vowpal Wabbit's text, a line for each arm; the one that was done bears its cost."""
    lines = [" ".join(f"{place}:{value:g}" for place, value in enumerate(row) if value) for row in x.tolist()]
    return [
        f"0:{-reward}:{1 / len(lines):.4f} | {line}" if place == arm else f"| {line}"
        for place, line in enumerate(lines)
    ]


def _on_the_grid(numbers: Floats) -> Floats:
    return np.round(numbers / STEP) * STEP
