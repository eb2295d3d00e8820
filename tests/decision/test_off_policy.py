"""Off-policy estimates find the truth where the log can show it, and say so where it cannot."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frontdesk.decision.arms import Arms
from frontdesk.decision.features import CUSTOMER_NUMBERS, FEATURES
from frontdesk.decision.logs import Log
from frontdesk.decision.off_policy import doubly_robust, expectations, ips, model_of, snips
from frontdesk.decision.rewards import HARM, STANDARD, counted, harmed, rewards
from frontdesk.decision.scoring import Bools, Floats, Places
from frontdesk.engagement import OUTCOMES, Genes
from tests.decision.examples import ARMS, design, people

A = 4
TRUTH = np.array([0.1, 0.2, 0.3, 0.4])


class Played(NamedTuple):
    arm: Places
    propensity: Floats
    reward: Floats
    answered: Bools
    customer: Places


def played(count: int, chances: Floats, seed: int, truth: Floats = TRUTH) -> Played:
    rng = np.random.default_rng(seed)
    arm = rng.choice(A, count, p=chances)
    reward = (rng.random(count) < truth[arm]).astype(float)
    return Played(arm, chances[arm], reward, reward > 0, np.arange(count))


EVEN = np.full(A, 0.25)
LATE = np.array([0.05, 0.05, 0.1, 0.8])


@pytest.mark.parametrize("seed", range(3))
def test_all_estimates_find_the_value_of_another_policy(seed: int) -> None:
    log = played(20_000, EVEN, seed)
    target, model = np.tile(LATE, (len(log.arm), 1)), np.tile(TRUTH, (len(log.arm), 1))
    value = float(LATE @ TRUTH)
    for estimate in (ips(log, target), snips(log, target), doubly_robust(log, target, model)):
        assert estimate.enough
        assert estimate.low < estimate.value < estimate.high
        assert estimate.value == pytest.approx(value, abs=0.03)


def test_a_good_model_makes_the_interval_narrower() -> None:
    log = played(5000, np.array([0.7, 0.1, 0.1, 0.1]), 1, truth=np.array([0.02, 0.95, 0.5, 0.05]))
    target = np.tile(np.array([0.05, 0.85, 0.05, 0.05]), (len(log.arm), 1))
    with_model = doubly_robust(log, target, np.tile(np.array([0.02, 0.95, 0.5, 0.05]), (len(log.arm), 1)))
    without = ips(log, target)
    assert with_model.high - with_model.low < 0.5 * (without.high - without.low)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    value, held = float(LATE @ TRUTH), 0
    for seed in range(200):
        log = played(2000, np.array([0.7, 0.1, 0.1, 0.1]), seed)
        estimate = doubly_robust(log, np.tile(LATE, (2000, 1)), np.full((2000, A), 0.2))
        held += estimate.low <= value <= estimate.high
    assert held >= 0.93 * 200


def test_outcomes_of_one_customer_do_not_count_as_many() -> None:
    log = played(4000, EVEN, 1)
    customers = Played(
        log.arm, log.propensity, np.repeat(log.reward[::10], 10), log.answered, np.repeat(np.arange(400), 10)
    )
    target = np.tile(EVEN, (4000, 1))
    one_each = customers._replace(customer=np.arange(4000))
    wide, narrow = ips(customers, target), ips(one_each, target)
    assert wide.value == narrow.value
    assert wide.high - wide.low > 2.5 * (narrow.high - narrow.low)


def test_with_little_overlap_nothing_is_claimed() -> None:
    log = played(2000, np.array([0.997, 0.001, 0.001, 0.001]), 1)
    target = np.tile(np.array([0.0, 0.0, 0.0, 1.0]), (2000, 1))
    estimate = doubly_robust(log, target, np.full((2000, A), 0.1))
    assert not estimate.enough
    assert "decisions of this policy" in estimate.why
    assert (estimate.low, estimate.high) == (0.0, 1.0), "as wide as rewards are"


def test_with_few_outcomes_nothing_is_claimed_though_the_variance_looks_small() -> None:
    log = played(2000, EVEN, 1, truth=np.full(A, 0.004))
    estimate = ips(log, np.tile(EVEN, (2000, 1)))
    assert estimate.effective == pytest.approx(2000)
    assert not estimate.enough
    assert "outcomes" in estimate.why


def test_an_empty_log_is_not_enough() -> None:
    nothing = Played(*(np.zeros(0, dtype) for dtype in (np.intp, float, float, np.bool_, np.intp)))
    for estimate in (ips(nothing, np.zeros((0, A))), snips(nothing, np.zeros((0, A)))):
        assert (estimate.count, estimate.enough, estimate.value) == (0, False, 0.0)


def log_of(numbers: Floats, arm: Places, reward: Floats, arms: Arms) -> Log:
    count = len(arm)
    return Log(
        ids=tuple(map(str, range(count))),
        numbers=numbers,
        arm=arm,
        propensity=np.full(count, 1 / len(arms)),
        eligible=np.ones((count, len(arms)), dtype=np.bool_),
        reward=reward,
        released=np.ones(count, dtype=np.bool_),
        outcomes=np.zeros((count, len(OUTCOMES))),
        values=np.zeros(count),
        customer=np.arange(count),
        held_out=np.zeros(count, dtype=np.bool_),
        at=np.zeros(count),
        policy=np.zeros(count, dtype=np.intp),
        segment=np.zeros(count, dtype=np.intp),
    )


def test_a_row_of_the_model_knows_nothing_of_its_own_customer() -> None:
    numbers, rng = people(600), np.random.default_rng(1)
    arm = rng.integers(0, len(ARMS), 600)
    reward = rng.random(600)
    before = model_of(log_of(numbers, arm, reward, ARMS), ARMS)
    changed = reward.copy()
    changed[7] = 1000.0
    after = model_of(log_of(numbers, arm, changed, ARMS), ARMS)
    same_fold = np.arange(600) % 3 == 7 % 3
    assert np.array_equal(before[same_fold], after[same_fold])
    assert not np.allclose(before[~same_fold], after[~same_fold])


def test_expectations_are_the_weighted_features() -> None:
    numbers, weights = people(20), np.random.default_rng(1).normal(size=len(FEATURES))
    assert np.allclose(expectations(weights, numbers, ARMS), design(numbers, ARMS) @ weights)
    assert numbers.shape[1] == len(CUSTOMER_NUMBERS)


def test_a_log_can_be_cut_by_places_and_by_conditions() -> None:
    numbers = people(6)
    log = log_of(numbers, np.arange(6) % len(ARMS), np.arange(6.0), ARMS)
    cut = log.where(log.reward > 2)
    assert (cut.ids, cut.reward.tolist(), len(cut)) == (("3", "4", "5"), [3.0, 4.0, 5.0], 3)
    assert log.where(np.array([5, 0])).ids == ("5", "0")


@given(st.lists(st.sampled_from(OUTCOMES), max_size=12), st.floats(0, 1e6), st.floats(0, 1))
@settings(max_examples=200)
def test_each_kind_of_outcome_counts_once_and_costs_are_taken_off(kinds: list[str], value: float, cost: float) -> None:
    genes = Genes(value_weight=0.1)
    once = rewards(counted(set(kinds))[None], np.array([value]), np.array([cost]), genes)
    often = rewards(counted(kinds)[None], np.array([value]), np.array([cost]), genes)
    assert often == once
    assert rewards(counted(kinds)[None], np.array([value]), np.array([0.0]), genes) == pytest.approx(once + cost)
    assert harmed(counted(kinds)[None]) == bool(set(kinds) & set(HARM))


def test_what_is_worth_more_to_the_owner_is_rewarded_more() -> None:
    def worth(*kinds: str) -> float:
        return float(rewards(counted(kinds)[None], np.zeros(1), np.zeros(1), STANDARD)[0])

    assert worth() == 0 < worth("open") < worth("click") < worth("reply") < worth("conversion")
    assert worth("conversion", "unsubscribe") < worth("conversion")
    assert worth("complaint") < worth("unsubscribe") < 0
