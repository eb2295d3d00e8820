"""What a policy believes of outcomes, and draws from it."""

import hashlib
import os
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from frontdesk.decision.features import EFFECTS, FEATURE_NAMES, Floats, rows
from frontdesk.decision.posterior import (
    DEVIATION_STEP,
    NOISE_OUTCOMES,
    WEIGHT_STEP,
    covariance,
    deviations,
    draws,
    harm_prior,
    learn,
    learn_harm,
    mean_of,
    prior,
)
from frontdesk.engagement import Genes, Posterior
from tests.decision.examples import ARMS, design, people

SIZE = len(FEATURE_NAMES)
RNG = np.random.default_rng(7)
X = rows(people(2000), ARMS, RNG.integers(0, len(ARMS), 2000))
WEIGHTS = RNG.normal(0, 0.03, SIZE)
Y = X @ WEIGHTS + RNG.normal(0, 0.2, 2000)


def test_a_new_policy_believes_that_messages_help_a_little_and_cost_what_they_cost() -> None:
    genes = Genes(
        cost_email=0.2,
        cost_in_app=0.1,
        cost_telegram=0.1,
        cost_webhook=0.1,
        cost_offer=0.3,
        fatigue_cost=0.4,
        optimism=0.07,
    )
    mean = dict(zip(FEATURE_NAMES, prior(genes).mean, strict=True))
    assert mean["bias × message"] + mean["bias × email"] == pytest.approx(0.07 - 0.2)
    assert mean["bias × offer"] == -0.3
    assert mean["fatigue × message"] == -0.4


def test_learning_is_the_textbooks_posterior() -> None:
    belief = prior(Genes())
    learned = learn(belief, X, Y)
    precision = np.diag(belief.prior_precision)
    after = np.linalg.inv(precision + X.T @ X)
    mean = after @ (precision @ mean_of(belief) + X.T @ Y)
    gap = Y - X @ mean_of(belief)
    spread = gap @ np.linalg.inv(np.eye(len(Y)) + X @ np.linalg.inv(precision) @ X.T) @ gap
    assert np.allclose(mean_of(learned), mean)
    assert learned.noise == pytest.approx((NOISE_OUTCOMES * belief.noise + spread) / (NOISE_OUTCOMES + len(Y)))
    assert np.allclose(covariance(learned), learned.noise * after)
    assert learned.n == len(Y)


def test_it_finds_the_truth_and_the_noise() -> None:
    learned = learn(prior(Genes()), X, Y)
    spread = np.sqrt(np.diag(covariance(learned)))
    assert np.mean(np.abs(mean_of(learned) - WEIGHTS) < 2 * spread) >= 0.9
    assert learned.noise == pytest.approx(0.04, rel=0.15)


def test_outcomes_in_portions_teach_what_they_teach_at_once() -> None:
    at_once = learn(prior(Genes()), X, Y)
    portions = prior(Genes())
    for start in range(0, len(Y), 150):
        portions = learn(portions, X[start : start + 150], Y[start : start + 150])
    assert np.allclose(mean_of(portions), mean_of(at_once))
    assert portions.noise == pytest.approx(at_once.noise)


BELIEF = """
import numpy as np
from frontdesk.decision.posterior import learn, prior
from frontdesk.engagement import Genes

chance = np.random.default_rng(3)
x, y = chance.normal(size=(6000, len(prior(Genes()).mean))), chance.normal(size=6000)
found = learn(prior(Genes()), x, y, chance.random(6000))
print(repr((found.mean, found.precision, found.noise)))
"""


def test_what_is_learned_is_the_same_to_the_last_bit_however_many_threads_the_library_may_use() -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", BELIEF],
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
            capture_output=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    ]
    assert told[0] == told[1] != b""


def test_no_outcomes_change_nothing() -> None:
    belief = learn(prior(Genes()), X, Y)
    same = learn(belief, np.empty((0, SIZE)), np.empty(0))
    assert np.allclose(mean_of(same), mean_of(belief))
    assert (same.noise, same.n) == (pytest.approx(belief.noise), belief.n)


def test_twice_the_learning_rate_counts_an_outcome_twice() -> None:
    twice = learn(prior(Genes()), np.vstack([X, X]), np.r_[Y, Y])
    quick = learn(prior(Genes()), X, Y, rate=0.20)
    heavy = learn(prior(Genes()), X, Y, np.full(len(Y), 2.0))
    assert np.allclose(mean_of(quick), mean_of(twice))
    assert np.allclose(mean_of(heavy), mean_of(twice))
    assert quick.n == twice.n


def test_what_is_long_forgotten_leaves_what_was_believed_at_first() -> None:
    old = learn(prior(Genes()), X, Y)
    faded = old
    for _ in range(60):
        faded = learn(faded, np.empty((0, SIZE)), np.empty(0), forgetting=0.5)
    assert np.allclose(mean_of(faded), prior(Genes()).mean, atol=1e-9)
    assert np.allclose(faded.precision, prior(Genes()).precision)
    assert faded.n < 1e-9


def test_after_a_change_the_forgetful_are_nearer_to_the_new_truth() -> None:
    old, new = learn(prior(Genes()), X, Y), X @ -WEIGHTS + RNG.normal(0, 0.2, len(Y))
    keeps, forgets = learn(old, X, new), learn(old, X, new, forgetting=0.1)
    assert np.linalg.norm(X @ (mean_of(forgets) + WEIGHTS)) < 0.6 * np.linalg.norm(X @ (mean_of(keeps) + WEIGHTS))


def test_doing_nothing_harms_nobody() -> None:
    harmed = (RNG.random(len(Y)) < 0.05).astype(np.float64)
    learned = learn_harm(harm_prior(), X, harmed)
    assert not np.any(mean_of(learned)[EFFECTS == 0])
    sent = (X * EFFECTS).any(axis=1)
    assert (X[sent] @ mean_of(learned)).mean() == pytest.approx(harmed[sent].mean(), abs=0.01)


def test_draws_have_the_mean_and_the_spread_of_the_belief() -> None:
    belief = learn(prior(Genes()), X, Y)
    drawn = draws(belief, 3, 20_000)
    assert drawn.shape == (SIZE, 20_000)
    assert np.allclose(drawn.mean(axis=1), mean_of(belief), atol=0.005)
    assert np.allclose(np.cov(drawn), covariance(belief), rtol=0.1, atol=6e-5)


def test_deviations_are_a_factor_of_the_covariance() -> None:
    belief = learn(prior(Genes()), X, Y)
    factor = deviations(belief)
    assert np.allclose(factor @ factor.T, covariance(belief), atol=1e-8)
    assert not np.any(np.mod(factor, DEVIATION_STEP))


def test_draws_lie_opposite_or_at_right_angles_to_each_other() -> None:
    alike = msgspec.structs.replace(prior(Genes()), mean=(0.0,) * SIZE)
    drawn = draws(alike, 4, 2 * SIZE)
    here, opposite = drawn[:, :SIZE], drawn[:, SIZE:]
    assert np.array_equal(here, -opposite)
    lengths = np.linalg.norm(here, axis=0)
    assert np.allclose((here / lengths).T @ (here / lengths), np.eye(SIZE), atol=1e-3)
    assert np.ptp(lengths) > 0.1 * lengths.mean()


def test_shares_of_draws_are_nearer_to_the_truth_than_those_of_twice_as_many_independent_ones() -> None:
    belief, rng = learn(prior(Genes()), X[:500], Y[:500]), np.random.default_rng(11)
    factor, x = deviations(belief), design(people(60, 5), ARMS)

    def shares(weights: Floats) -> Floats:
        scores = x @ weights
        return (scores == scores.max(axis=1, keepdims=True)).mean(axis=2)

    def independent(count: int) -> Floats:
        return mean_of(belief)[:, None] + factor @ rng.normal(size=(SIZE, count))

    truth = shares(independent(20_000))
    ours = [np.mean((shares(draws(belief, seed, 2 * SIZE)) - truth) ** 2) for seed in range(60)]
    theirs = [np.mean((shares(independent(4 * SIZE)) - truth) ** 2) for _ in range(60)]
    assert np.mean(ours) < np.mean(theirs)


def test_draws_lie_on_the_grid_and_follow_from_their_seed() -> None:
    drawn = draws(prior(Genes()), 5, 16)
    assert not np.any(np.mod(drawn, WEIGHT_STEP))
    assert np.array_equal(drawn, draws(prior(Genes()), 5, 16))
    assert not np.array_equal(drawn, draws(prior(Genes()), 6, 16))
    assert np.array_equal(drawn, draws(prior(Genes()), 5, 64)[:, :16])


def test_the_bits_of_draws_are_these_on_every_machine() -> None:
    precision = (9.0, 2.0, 1.0, 2.0, 7.0, 3.0, 1.0, 3.0, 5.0)
    belief = Posterior(mean=(0.1, -0.2, 0.3), precision=precision, noise=0.05, n=0.0)
    assert hashlib.sha256(draws(belief, 5, 64).astype("<f8").tobytes()).hexdigest()[:16] == "455286ee413db274"
