"""How a policy chooses: Thompson sampling in closed shape, so that the chance of every arm is known and logged.

A snapshot has a fixed set of posterior draws. An arm's chance is the share of draws in which it is the best of those
that the rules allow, mixed with a uniform floor over them; the arm is drawn from exactly these chances by one uniform
number made of the decision's seed. Confidence needs no draws: an uplift is normal under the posterior. All sums are
exact (see `features`), so a decision can be made again bit for bit.
"""

from functools import cached_property, lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from frontdesk.decision.arms import LIMIT, STEP, Arms
from frontdesk.decision.calibration import Held, apply, exceeds, scatter
from frontdesk.decision.features import EFFECTS, FEATURE_NAMES, Floats, folded, gained, weighed
from frontdesk.decision.posterior import deviations, draws, mean_of, quantised_weights
from frontdesk.engagement import Policy
from frontdesk.errors import UnknownPolicy

CHOOSING = 64  # draws by which arms are chosen: two sets at right angles
GAIN_STEP = 2.0**-13  # what a number is worth for an arm in a draw is a multiple of it, of 0.0001 conversions …
EXACT = GAIN_STEP * STEP * 2**24  # … so that sums of products with numbers, up to this, are exact in float32
LENGTH_STEP = 2.0**-22  # parts of a spread are multiples of it, so that the sum of their squares is exact
BLOCK = 64  # customers whose scores are looked at together: they fit into the processor's cache

Bools = NDArray[np.bool_]
Places = NDArray[np.intp]
Seeds = NDArray[np.uint64]


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen for B customers among A arms.

    `arm` [B] is the place of the chosen arm, `runner_up` [B] that of the best other eligible one by its mean (-1: there
    is none). `probabilities` [B, A] are the chances that the arm was drawn from. `raw` [B] is the posterior probability
    that the chosen arm beats doing nothing by the margin; where nothing was chosen, that the runner-up does not.
    `confidence` [B] is that, calibrated. `means` and `risks` [B, A] are the expected reward and the predicted
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
        self._means = folded(self.weights[:, None], arms)[:, :, 0].T  # [W, A]
        self._harms = folded(self.harm[:, None], arms)[:, :, 0].T
        self._gains = _gains(folded(_draws(policy), arms))  # [A, W, CHOOSING]

    @cached_property
    def _lengths(self) -> Floats:
        return _deviations(self.policy) / LENGTH_STEP  # for confidence alone, which not everybody asks for

    def risks(self, numbers: Floats) -> Floats:
        """The predicted probability of harm of each arm for customers with `numbers` [B, C]: [B, A]."""
        return self._risks(weighed(numbers))

    def choose(self, numbers: Floats, eligible: Bools, seeds: Seeds) -> Chosen:
        """Choose for customers with `numbers` [B, C] among the `eligible` arms [B, A], one seed each [B].

        Nothing is always eligible.

        Raises:
            BadFeature: a number is not on the grid.
        """
        seen, allowed = weighed(numbers), _with_nothing(eligible)
        probabilities = self._probabilities(seen, allowed)
        arm = _drawn(probabilities, seeds)
        means = seen @ self._means
        runner_up = _runners_up(means, allowed, arm)
        sent, here = arm > 0, np.arange(len(arm))
        judged = np.where(sent, arm, np.maximum(runner_up, 0))
        raw = self._raw(numbers, means[here, judged] - means[:, 0], judged)
        level = apply(self.policy.calibration, raw)
        risks = self._risks(seen)
        return Chosen(
            arm=arm,
            runner_up=runner_up,
            probabilities=probabilities,
            raw=np.where(sent, raw, 1.0 - raw),
            confidence=np.where(sent, level, 1.0 - level),
            means=means,
            risks=risks,
            risk=risks[here, arm],
        )

    def probabilities(self, numbers: Floats, eligible: Bools) -> Floats:
        """The chances of all arms [B, A], without choosing: what off-policy estimates ask of a policy."""
        return self._probabilities(weighed(numbers), _with_nothing(eligible))

    def held(self, numbers: Floats, eligible: Bools, done: Places, rewards: Floats, person: Places, out: Bools) -> Held:
        """The holdout as this policy sees it, to calibrate it by.

        Args:
            numbers: of the customers [N, C].
            eligible: what the rules allowed [N, A].
            done: the arm that was really carried out [N].
            rewards: what came of it under the strategy's genes, costs taken off [N].
            person: numbers the customers [N].
            out: the decisions of the holdout [N]; the others only tell how much people differ who look alike.
        """
        seen = weighed(numbers)
        residual = rewards - np.einsum("nw,nw->n", seen, self._means.T[done])
        sent, noise = done > 0, self.policy.reward.noise
        common = scatter(residual[sent], (person * len(self.arms) + done)[sent], noise)
        means = seen[out] @ self._means
        best = _runners_up(means, eligible[out], np.zeros_like(done[out]))
        judged = np.where(sent[out], done[out], np.maximum(best, 0))
        some = judged > 0
        return Held(
            sent=sent[out][some],
            residual=residual[out][some],
            gain=(means[np.arange(len(judged)), judged] - means[:, 0])[some],
            spread=self._spread(numbers[out][some], judged[some]),
            person=person[out][some],
            noise=noise,
            scatter=common,
        )

    def _probabilities(self, seen: Floats, allowed: Bools) -> Floats:
        blocks = range(0, max(1, len(seen)), BLOCK)
        wins = np.concatenate([self._wins(seen[at : at + BLOCK], allowed[at : at + BLOCK]) for at in blocks])
        share = (1.0 - self.floor) / wins.sum(axis=1)
        even = self.floor / allowed.sum(axis=1)
        return wins * share[:, None] + allowed * even[:, None]

    def _wins(self, seen: Floats, allowed: Bools) -> NDArray[np.uint8]:
        """In how many draws each arm is the best of those allowed [B, A]; of equals, each wins."""
        gains = np.matmul(seen.astype(self._gains.dtype), self._gains)  # [A, B, CHOOSING]
        gains[~allowed.T] = -np.inf
        best: Bools = gains == gains.max(axis=0)
        return np.einsum("abs->ba", best.view(np.uint8))  # no count is beyond 255

    def _raw(self, numbers: Floats, gain: Floats, judged: Places) -> Floats:
        spread = np.maximum(self._spread(numbers, judged), LENGTH_STEP)
        level = np.rint(exceeds(gain, spread, self.policy.genes.margin) * 1e6) / 1e6  # see `calibration.apply`
        return np.where(judged > 0, level, 0.0)

    def _spread(self, numbers: Floats, arm: Places) -> Floats:
        """The standard deviation of the uplift of an arm over nothing [B]."""
        parts = np.rint(gained(numbers, self.arms, arm) @ self._lengths)
        return np.sqrt(np.einsum("bd,bd->b", parts, parts)) * LENGTH_STEP

    def _risks(self, seen: Floats) -> Floats:
        return np.minimum(np.maximum(seen @ self._harms, self.arms.risks), 1.0)


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


def _with_nothing(eligible: Bools) -> Bools:
    allowed = eligible.copy()
    allowed[:, 0] = True
    return allowed


def _runners_up(means: Floats, allowed: Bools, arm: Places) -> Places:
    here = np.arange(len(arm))
    others = np.where(allowed, means, -np.inf)
    others[here, arm] = -np.inf
    best = others.argmax(axis=1)
    return np.where(others[here, best] == -np.inf, -1, best)


def _gains(scores: Floats) -> Floats | NDArray[np.float32]:
    """What is gained over nothing, on its grid: in float32 unless a belief is so wild that this would not be exact."""
    gains = np.rint((scores - scores[:1]) / GAIN_STEP) * GAIN_STEP
    reach = LIMIT * np.abs(gains).sum(axis=1).max()
    return gains.astype(np.float32) if reach <= EXACT else gains


@lru_cache(maxsize=16)
def _draws(policy: Policy) -> Floats:
    return draws(policy.reward, policy.draws_seed, CHOOSING)


@lru_cache(maxsize=16)
def _deviations(policy: Policy) -> Floats:
    return deviations(policy.reward)
