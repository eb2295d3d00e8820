"""How a policy chooses: Thompson sampling in closed shape, so that the chance of every arm is known and logged.

A snapshot has a fixed set of posterior draws. An arm's chance is the share of draws in which it is the best of those
that the rules allow, mixed with a uniform floor over them; the arm is drawn from exactly these chances by one uniform
number made of the decision's seed. All sums are exact (see `features`), so a decision can be made again bit for bit.
"""

from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from frontdesk.decision.arms import Arms
from frontdesk.decision.calibration import Held, apply
from frontdesk.decision.features import EFFECTS, FEATURE_NAMES, Floats, design, rows
from frontdesk.decision.posterior import covariance, draws, mean_of, quantised_weights
from frontdesk.engagement import Policy
from frontdesk.errors import UnknownPolicy

CHOOSING = 128  # draws by which arms are chosen …
JUDGING = 1024  # … and by which the chosen one is held against doing nothing
PART = 2048  # decisions of a log that are looked at together: bounds the memory for their features

Bools = NDArray[np.bool_]
Places = NDArray[np.intp]
Seeds = NDArray[np.uint64]


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen for B customers among A arms.

    `arm` [B] is the place of the chosen arm, `runner_up` [B] that of the best other eligible one by its mean (-1: there
    is none). `probabilities` [B, A] are the chances that the arm was drawn from. `raw` [B] is the share of draws in
    which the chosen arm beats doing nothing by the margin; where nothing was chosen, the share in which the runner-up
    does not. `confidence` [B] is that, calibrated. `means` and `risks` [B, A] are the expected reward and the predicted
    probability of harm, `risk` [B] the chosen arm's.
    """

    arm: Places
    runner_up: Places
    probabilities: Floats
    raw: Floats
    confidence: Floats
    means: Floats
    risks: Floats
    risk: Floats


class Scorer:
    """A policy made ready to choose among arms.

    Args:
        policy: an immutable snapshot.
        arms: all arms of the system file under its strategy.
        exploration_rate: share of decisions drawn evenly from all that the rules allow; the strategy's own floor
            counts where it is higher.

    Raises:
        UnknownPolicy: the snapshot weighs other features than this version of Frontdesk makes.
    """

    def __init__(self, policy: Policy, arms: Arms, exploration_rate: float) -> None:
        if policy.features != FEATURE_NAMES:
            raise UnknownPolicy(f"Policy `{policy.id}` weighs other features than this version makes.", where=policy.id)
        self.policy = policy
        self.arms = arms
        self.floor = max(exploration_rate, policy.genes.floor)
        self.weights: Floats = quantised_weights(mean_of(policy.reward))
        self.harm: Floats = quantised_weights(mean_of(policy.harm) * EFFECTS * max(1.0, policy.genes.harm_weight))
        self._many: Floats = _draws(policy)  # [JUDGING / CHOOSING, D, CHOOSING]
        self._few: Floats = self._many[0]

    def risks(self, numbers: Floats) -> Floats:
        """The predicted probability of harm of each arm for customers with `numbers` [B, C]: [B, A]."""
        return self._risks(design(numbers, self.arms))

    def choose(self, numbers: Floats, eligible: Bools, seeds: Seeds) -> Chosen:
        """Choose for customers with `numbers` [B, C] among the `eligible` arms [B, A], one seed each [B].

        Nothing is always eligible.

        Raises:
            BadFeature: a number is not on the grid.
        """
        x = design(numbers, self.arms)
        allowed = eligible.copy()
        allowed[:, 0] = True
        probabilities = self._probabilities(x, allowed)
        arm = _drawn(probabilities, seeds)
        means = x @ self.weights
        runner_up = _runners_up(means, allowed, arm)
        raw = self._raw(x, arm, runner_up)
        level = apply(self.policy.calibration, raw)
        risks = self._risks(x)
        return Chosen(
            arm=arm,
            runner_up=runner_up,
            probabilities=probabilities,
            raw=np.where(arm > 0, raw, 1.0 - raw),
            confidence=np.where(arm > 0, level, 1.0 - level),
            means=means,
            risks=risks,
            risk=risks[np.arange(len(arm)), arm],
        )

    def probabilities(self, numbers: Floats, eligible: Bools) -> Floats:
        """The chances of all arms [B, A], without choosing: what off-policy estimates ask of a policy."""
        allowed = eligible.copy()
        allowed[:, 0] = True
        return self._probabilities(design(numbers, self.arms), allowed)

    def held(self, numbers: Floats, eligible: Bools, done: Places, rewards: Floats, person: Places) -> Held:
        """Decisions of the holdout as this policy sees them, to calibrate it by.

        Args:
            numbers: of the customers [N, C].
            eligible: what the rules allowed [N, A].
            done: the arm that was really carried out [N].
            rewards: what came of it under the strategy's genes, costs taken off [N].
            person: numbers the customers [N].
        """
        parts = np.array_split(np.arange(len(done)), len(done) // PART + 1)
        judged = np.concatenate([self._judged(numbers[part], eligible[part], done[part]) for part in parts])
        gains = rows(numbers, self.arms, judged) - rows(numbers, self.arms, np.zeros_like(judged))
        residual = rewards - rows(numbers, self.arms, done) @ self.weights
        some = judged > 0
        spread = np.sqrt(np.einsum("nd,de,ne->n", gains, covariance(self.policy.reward), gains, optimize=True))
        return Held(
            sent=done[some] > 0,
            residual=residual[some],
            gain=(gains @ self.weights)[some],
            spread=spread[some],
            person=person[some],
            noise=self.policy.reward.noise,
        )

    def _judged(self, numbers: Floats, eligible: Bools, done: Places) -> Places:
        best = _runners_up(design(numbers, self.arms) @ self.weights, eligible, np.zeros_like(done))
        return np.where(done > 0, done, np.maximum(best, 0))

    def _probabilities(self, x: Floats, allowed: Bools) -> Floats:
        scores = np.matmul(x, self._few)  # [B, A, CHOOSING]
        np.copyto(scores, -np.inf, where=~allowed[:, :, None])
        wins = _count(scores == scores.max(axis=1, keepdims=True))  # of equals, each wins
        share: Floats = wins / wins.sum(axis=1, keepdims=True)
        even: Floats = allowed / np.count_nonzero(allowed, axis=1)[:, None]
        return (1.0 - self.floor) * share + self.floor * even

    def _raw(self, x: Floats, arm: Places, runner_up: Places) -> Floats:
        judged = np.where(arm > 0, arm, np.maximum(runner_up, 0))
        gains = np.matmul(x[np.arange(len(arm)), judged] - x[:, 0], self._many)  # [JUDGING / CHOOSING, B, CHOOSING]
        return _count(gains > self.policy.genes.margin).sum(axis=0) / JUDGING

    def _risks(self, x: Floats) -> Floats:
        return np.clip(np.maximum(x @ self.harm, self.arms.risks), 0.0, 1.0)


def uniforms(seeds: Seeds) -> Floats:
    """A number in [0, 1) for each seed, by the finaliser of SplitMix64 (Steele et al. 2014), so counters do as well."""
    z = seeds + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _drawn(probabilities: Floats, seeds: Seeds) -> Places:
    """The arm of each row; should rounding leave none, the first, which is nothing."""
    reached = np.cumsum(probabilities, axis=1)
    return np.argmax(reached > (uniforms(seeds) * reached[:, -1])[:, None], axis=1)


def _count(which: Bools) -> Places:
    """How many are true along the last axis, whose length is a multiple of 64: by bits, as numpy's own is slow."""
    return np.bitwise_count(np.packbits(which, axis=-1).view(np.uint64)).sum(axis=-1, dtype=np.intp)


def _runners_up(means: Floats, allowed: Bools, arm: Places) -> Places:
    others = np.where(allowed, means, -np.inf)
    others[np.arange(len(arm)), arm] = -np.inf
    best = np.argmax(others, axis=1)
    return np.where(np.isneginf(others[np.arange(len(arm)), best]), -1, best)


@lru_cache(maxsize=16)
def _draws(policy: Policy) -> Floats:
    """In blocks of `CHOOSING`, the products with which are small enough for BLAS to stay in one thread."""
    drawn = draws(policy.reward, policy.draws_seed, JUDGING)
    blocks = drawn.reshape(len(drawn), JUDGING // CHOOSING, CHOOSING).transpose(1, 0, 2)
    return np.ascontiguousarray(blocks)
