"""Confidence that can be taken at its word."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.decision.calibration import LEAST, SCATTER, Held, apply, exceeds, expected_error, fit, isotonic, scatter
from frontdesk.decision.features import Floats, rows
from frontdesk.decision.posterior import learn, prior
from frontdesk.decision.scoring import Scorer
from frontdesk.engagement import Calibration, Genes
from tests.decision.examples import ARMS, people, policy

NOISE = 0.04


def desk(seed: int, count: int, *, differ: float = 0.0, off: float = 0.0) -> tuple[Held, Floats]:
    """Decisions of a holdout in which people differ who look alike, and the true uplift of each. What the
    policy believes is the truth and an error of its own spread, and it is `off` for all."""
    rng = np.random.default_rng(seed)
    person = rng.integers(0, max(1, count // 10), count)
    spread = rng.uniform(0.003, 0.02, count)
    believed = rng.normal(0.01, 0.03, count)
    own = rng.normal(0, differ, person.max() + 1)[person]
    uplift = believed + rng.normal(0, 1, count) * spread + own + off
    sent = rng.random(count) < 0.8
    outcome = np.where(sent, uplift - believed, 0.0) + rng.normal(0, NOISE**0.5, count)
    common = scatter(outcome[sent], person[sent], NOISE)
    return Held(
        sent=sent, residual=outcome, gain=believed, spread=spread, person=person, noise=NOISE, scatter=common
    ), uplift


def raw_of(held: Held, margin: float = 0.01) -> Floats:
    return exceeds(held.gain, held.spread, margin)


def test_without_a_line_confidence_stays_as_it_is() -> None:
    raw = np.linspace(0, 1, 7)
    assert np.array_equal(apply(Calibration(), raw), raw)


def test_a_line_is_straight_between_its_points_and_level_beyond() -> None:
    line = Calibration(x=(0.2, 0.6), y=(0.3, 0.5))
    assert apply(line, np.array([0.0, 0.2, 0.4, 0.6, 1.0])).tolist() == [0.3, 0.3, 0.4, 0.5, 0.5]


def test_isotonic_regression_pools_what_falls() -> None:
    x, y = isotonic(np.array([3.0, 1.0, 2.0, 4.0]), np.array([2.0, 1.0, 4.0, 5.0]), np.array([1.0, 1.0, 3.0, 1.0]))
    assert x.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert y.tolist() == [1.0, 3.5, 3.5, 5.0]


points = st.lists(st.tuples(st.integers(0, 20), st.floats(-5, 5), st.floats(0.1, 4)), min_size=1, max_size=40)


@given(points)
def test_isotonic_regression_rises_keeps_the_mean_and_is_at_rest_on_itself(
    given: list[tuple[int, float, float]],
) -> None:
    x, y, weights = (np.array(each, dtype=np.float64) for each in zip(*given, strict=True))
    places, level = isotonic(x, y, weights)
    assert np.all(np.diff(level) >= 0)
    fitted = level[np.searchsorted(places, x)]
    assert np.sum(weights * fitted) == pytest.approx(np.sum(weights * y), abs=1e-6)
    again = isotonic(x, fitted, weights)[1]
    assert np.allclose(again, level, atol=1e-9)


def test_the_expected_error_is_the_gap_between_what_was_said_and_what_was_true() -> None:
    said = np.array([0.95, 0.95, 0.95, 0.95, 0.15, 1.0])
    true = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 1.0])
    assert expected_error(said, true) == pytest.approx((abs(3.8 + 1.0 - 4.0) + 0.15) / 6)
    assert expected_error(np.array([0.0, 1.0]), np.array([0.0, 1.0])) == 0.0
    assert expected_error(np.empty(0), np.empty(0)) == 0.0


def test_where_people_differ_who_look_alike_raw_confidence_is_too_sure_and_is_mended() -> None:
    held, uplift = desk(1, 40_000, differ=0.03)
    truth = (uplift > 0.01).astype(np.float64)
    raw = raw_of(held)
    mended = apply(fit(held, 0.01), raw)
    assert expected_error(raw, truth) > 0.08
    assert expected_error(mended, truth) < 0.03


def test_where_a_policy_is_off_for_everybody_it_is_mended() -> None:
    held, uplift = desk(2, 40_000, differ=0.01, off=-0.02)
    truth = (uplift > 0.01).astype(np.float64)
    raw = raw_of(held)
    assert expected_error(apply(fit(held, 0.01), raw), truth) < expected_error(raw, truth) / 3


def test_a_policy_that_is_right_is_left_all_but_alone() -> None:
    held, uplift = desk(3, 40_000)
    truth = (uplift > 0.01).astype(np.float64)
    assert expected_error(apply(fit(held, 0.01), raw_of(held)), truth) < 0.03


def test_the_chance_of_an_uplift_is_the_share_of_normal_numbers_beyond_the_margin() -> None:
    gain, spread = np.array([0.02, 0.0, -0.03]), np.array([0.01, 0.02, 0.02])
    drawn = gain + spread * np.random.default_rng(9).normal(size=(100_000, 3))
    assert np.allclose(exceeds(gain, spread, 0.01), (drawn > 0.01).mean(axis=0), atol=0.005)


@pytest.mark.parametrize("differ", [0.0, 0.02, 0.06])
def test_how_people_differ_who_look_alike_is_found_from_what_their_decisions_share(differ: float) -> None:
    rng = np.random.default_rng(12)
    alike = rng.integers(0, 4000, 60_000)
    residual = rng.normal(0, differ, 4000)[alike] + rng.normal(0, NOISE**0.5, 60_000)
    assert scatter(residual, alike, NOISE) ** 0.5 == pytest.approx(differ, abs=0.01)


def test_before_any_pair_of_decisions_people_differ_as_guessed_and_few_pairs_change_that_little() -> None:
    rng = np.random.default_rng(13)
    assert scatter(rng.normal(0, 1, 50), np.arange(50), 1.0) == SCATTER**2
    assert scatter(np.empty(0), np.empty(0, dtype=np.intp), 1.0) == SCATTER**2
    few = scatter(rng.normal(0, 1, 50), np.arange(50) // 2, 1.0)
    assert few == pytest.approx(SCATTER**2, rel=0.05)


def test_residuals_that_have_less_than_nothing_in_common_still_leave_a_variance() -> None:
    residual = np.tile([0.3, -0.3], 3000)
    found = scatter(residual, np.arange(6000) // 2, 0.09)
    assert 0 < found < SCATTER**2 / 2


def test_a_few_lucky_outcomes_make_no_line() -> None:
    held, _ = desk(4, LEAST - 1, off=0.5)
    assert fit(held, 0.01) == Calibration(n=LEAST - 1)


def test_an_empty_holdout_tells_nothing() -> None:
    held, _ = desk(7, 10)
    none = np.zeros(10, dtype=np.bool_)
    empty = msgspec.structs.replace(
        held, **{name: getattr(held, name)[none] for name in ("sent", "residual", "gain", "spread", "person")}
    )
    assert fit(empty, 0.01) == Calibration()


def test_the_line_rises_within_0_and_1_and_says_how_far_it_may_be_off() -> None:
    held, _ = desk(5, 3000, differ=0.05, off=0.03)
    line = fit(held, 0.01)
    assert list(line.x) == sorted(set(line.x))
    assert list(line.y) == sorted(line.y)
    assert 0 <= line.y[0] <= line.y[-1] <= 1
    assert line.n == 3000
    assert line.error is not None
    assert 0 < line.error < 0.5


def test_a_holdout_of_one_person_tells_no_error() -> None:
    held, _ = desk(6, 400)
    assert fit(msgspec.structs.replace(held, person=np.zeros(400, dtype=np.intp)), 0.01).error is None


def test_a_scorer_sees_the_holdout_as_its_policy_does() -> None:
    rng = np.random.default_rng(8)
    numbers = people(600)
    done = rng.integers(0, len(ARMS), 600)
    eligible = np.ones((600, len(ARMS)), dtype=np.bool_)
    eligible[:50, 1:] = False
    done[:50] = 0  # nothing else was allowed, so nothing is judged
    rewards = rng.normal(0.05, 0.2, 600)
    believed = policy(reward=learn(prior(Genes()), rows(people(900, 1), ARMS, rng.integers(0, 5, 900)), np.ones(900)))
    scorer = Scorer(believed, ARMS, 0.05)
    out = np.arange(600) < 600
    held = scorer.held(numbers, eligible, done, rewards, np.arange(600), out)
    assert len(held.gain) == 550
    assert held.sent.tolist() == (done[50:] > 0).tolist()
    chosen = scorer.choose(numbers, eligible, np.arange(600, dtype=np.uint64))
    place = np.arange(50, 600)
    assert np.allclose(held.residual, rewards[50:] - chosen.means[place, done[50:]])
    best = np.argmax(chosen.means[50:, 1:], axis=1) + 1
    judged = np.where(done[50:] > 0, done[50:], best)
    assert np.allclose(held.gain, chosen.means[place, judged] - chosen.means[50:, 0])
    same = judged == chosen.arm[50:]
    assert np.allclose(raw_of(held)[same], chosen.raw[50:][same], atol=0.06)
