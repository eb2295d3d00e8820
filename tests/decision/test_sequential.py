"""Bounds on rates that hold at every look."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.decision.sequential import Tally, compare, standard_errors, surely_above

people = st.lists(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), max_size=30)


def strangers(trials: int, successes: int) -> Tally:
    """People of one trial each."""
    return Tally(people=trials, trials=trials, total=successes, squares=successes, cross=successes, sizes=trials)


@given(one=people, other=people)
def test_tallies_of_different_people_add_up(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    assert Tally.of(one) + Tally.of(other) == Tally.of(one + other)


@given(people)
def test_people_who_always_do_the_same_count_as_one_trial_each(rows: list[tuple[int, int]]) -> None:
    repeated = Tally.of([(10, 10.0 if total * 2 > trials else 0.0) for trials, total in rows])
    rate = repeated.rate
    if repeated.people > 1 and 0 < rate < 1:
        assert repeated.variance(rate * (1 - rate)) == pytest.approx(rate * (1 - rate) / (repeated.people - 1))


@given(
    base=st.integers(2, 5000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
    other=st.integers(2, 5000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
)
def test_the_ratio_lies_within_its_bounds(base: tuple[int, int], other: tuple[int, int]) -> None:
    found = compare(strangers(*base), strangers(*other), 0.05)
    assert 0 <= found.low <= found.high
    if found.ratio is not None:
        assert found.low <= found.ratio + 1e-9
        assert found.ratio <= found.high + 1e-9
    assert not (found.surely_lower and found.surely_higher)


def test_nothing_is_said_without_trials_or_without_any_success() -> None:
    for base, other in ((Tally(), strangers(10, 5)), (strangers(10, 5), Tally()), (strangers(9, 0), strangers(9, 0))):
        found = compare(base, other, 0.05)
        assert (found.low, found.high) == (0.0, math.inf)


def test_the_width_is_that_of_the_published_mixture() -> None:
    alpha, v = 0.05, 400.0
    rho = 1000 / (2 * math.log(10) + math.log(1 + 2 * math.log(10)))
    bound = math.sqrt(2 * (v + rho) * math.log(math.sqrt((v + rho) / rho) / (2 * alpha) + 1))
    assert standard_errors(v, alpha) == pytest.approx(bound / math.sqrt(v))


def test_equal_rates_are_seldom_told_apart_however_often_one_looks() -> None:
    chance = np.random.default_rng(7)
    wrong = 0
    for _ in range(200):
        base, other = np.cumsum(chance.binomial(90, 0.1, 100)), np.cumsum(chance.binomial(10, 0.1, 100))
        looks = (
            compare(strangers(90 * (n + 1), int(base[n])), strangers(10 * (n + 1), int(other[n])), 0.05)
            for n in range(100)
        )
        wrong += any(look.surely_lower for look in looks)
    assert wrong <= 0.05 * 200


def test_people_who_come_again_and_again_make_no_false_alarms() -> None:
    """Everybody has a rate of their own and comes up to 40 times: a bound for strangers would fail here."""
    chance = np.random.default_rng(11)
    wrong = naive = 0
    for _ in range(100):
        rates = chance.beta(0.2, 0.8, 200)
        side = chance.random(200) < 0.5
        seen = np.cumsum(chance.random((40, 200)) < rates, axis=0)
        met = [0, 0]
        for n in range(40):
            rows = [[(n + 1, float(each)) for each in seen[n][side == at]] for at in (False, True)]
            met[0] |= compare(Tally.of(rows[0]), Tally.of(rows[1]), 0.05).surely_lower
            totals = [int(sum(total for _, total in each)) for each in rows]
            counts = [(n + 1) * len(each) for each in rows]
            met[1] |= compare(strangers(counts[0], totals[0]), strangers(counts[1], totals[1]), 0.05).surely_lower
        wrong, naive = wrong + met[0], naive + met[1]
    assert wrong <= 5
    assert naive > 15


def test_a_rate_at_its_limit_is_seldom_called_above_it() -> None:
    chance = np.random.default_rng(3)
    events = np.cumsum(chance.random((300, 1000)) < 0.05, axis=1)
    wrong = sum(any(surely_above(int(row[n]), n + 1, 0.05, 0.05) for n in range(0, 1000, 5)) for row in events)
    assert wrong <= 0.05 * 300


def test_a_rate_far_above_its_limit_is_called_so_within_few_trials() -> None:
    assert surely_above(4, 6, 0.05, 0.005)
    assert not surely_above(1, 1, 0.05, 0.005)
    assert not surely_above(0, 0, 0.05, 0.05)
    assert surely_above(1, 100, 0.0, 0.05)
    assert not surely_above(100, 100, 1.0, 0.05)
