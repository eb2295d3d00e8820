"""What a policy sees of a customer and an arm."""

from datetime import timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from frontdesk.decision.arms import LIMIT, STEP
from frontdesk.decision.features import (
    CUSTOMER_NUMBERS,
    EFFECTS,
    FEATURE_NAMES,
    FEATURES,
    LAYERS,
    digest,
    folded,
    numbers_of,
    rows,
    weighed,
)
from frontdesk.decision.posterior import quantised_weights
from frontdesk.engagement import Customer, Signals
from frontdesk.errors import BadFeature
from tests.decision.examples import ARMS, NOON, design, quantise

ANN = Customer(id="ann", segment="default", time_zone="Europe/Berlin")
SIGNALS = Signals(
    recency_days=7,
    frequency=0.4,
    engagement=0.5,
    churn_risk=0.25,
    fatigue=0.1,
    value=120,
    stage="at_risk",
    best_channel="email",
    best_hour=9,
)
finite = st.floats(-1e6, 1e6)


def named(numbers: tuple[float, ...]) -> dict[str, float]:
    return dict(zip(CUSTOMER_NUMBERS, numbers, strict=True))


def test_there_are_32_features_with_names_of_their_own() -> None:
    assert len(FEATURES) == 32
    assert len(set(FEATURE_NAMES)) == 32


def test_a_customer_is_told_in_numbers() -> None:
    told = named(numbers_of(ANN, SIGNALS, 5, NOON))
    assert told["bias"] == 1.0
    assert told["recency"] == 0.5
    assert told["churn_risk"] == 0.25
    assert (told["at_risk"], told["new"]) == (1.0, 0.0)
    assert (told["likes_email"], told["likes_sms"]) == (1.0, 0.0)
    assert told["fits_morning"] == 1.0
    assert told["fits_midday"] == 0.5
    assert told["fits_now"] == pytest.approx(2 / 6, abs=STEP)  # one o'clock in Berlin


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_what_lies_deeper_than_allowed_is_not_used(depth: int) -> None:
    told = named(numbers_of(ANN, SIGNALS, depth, NOON, {"intent": 1.0}))
    assert all(value == 0.0 for name, value in told.items() if LAYERS[name] > depth)
    assert told["bias"] == 1.0
    assert {name for name, value in told.items() if value} == {
        name
        for name, value in named(numbers_of(ANN, SIGNALS, 5, NOON, {"intent": 1.0})).items()
        if value and LAYERS[name] <= depth
    }


def test_layers_rise_so_that_a_depth_is_a_beginning() -> None:
    assert list(LAYERS.values()) == sorted(LAYERS.values())


def test_what_the_asker_tells_takes_the_place_of_what_is_known() -> None:
    told = named(numbers_of(ANN, SIGNALS, 5, NOON, {"intent": 0.75, "engagement": 1.0}))
    assert (told["intent"], told["engagement"]) == (0.75, 1.0)


@pytest.mark.parametrize("name", ["weather", "bias"])
def test_a_number_that_no_policy_knows_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadFeature) as caught:
        numbers_of(ANN, SIGNALS, 5, NOON, {name: 1.0})
    assert caught.value.where == f"context.{name}"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(BadFeature, match="intent"):
        numbers_of(ANN, SIGNALS, 5, NOON, {"intent": value})
    with pytest.raises(BadFeature, match="engagement"):
        numbers_of(ANN, msgspec.structs.replace(SIGNALS, engagement=value), 5, NOON)


def test_an_unknown_time_zone_counts_as_utc() -> None:
    lost = msgspec.structs.replace(ANN, time_zone="Mars/Olympus")
    assert named(numbers_of(lost, SIGNALS, 5, NOON))["fits_now"] == 0.5


@given(frequency=finite, engagement=finite, value=finite, recency=finite, hours=st.integers(0, 23))
def test_numbers_always_lie_on_the_grid(
    frequency: float, engagement: float, value: float, recency: float, hours: int
) -> None:
    signals = msgspec.structs.replace(
        SIGNALS, frequency=frequency, engagement=engagement, value=value, recency_days=recency, best_hour=hours
    )
    numbers = np.array(numbers_of(ANN, signals, 5, NOON + timedelta(hours=hours)))
    assert not np.any(np.mod(numbers, STEP))
    assert np.all(np.abs(numbers) <= LIMIT)


@given(arrays(np.float64, (3, len(CUSTOMER_NUMBERS)), elements=st.floats(-20, 20)))
def test_a_feature_is_the_product_of_a_customers_and_an_arms_number(raw: np.ndarray) -> None:
    numbers = quantise(raw)
    x = design(numbers, ARMS)
    assert x.shape == (3, len(ARMS), len(FEATURES))
    for place, (_, customer, arm) in enumerate(FEATURES):
        assert np.array_equal(x[:, :, place], np.outer(numbers[:, customer], ARMS.numbers[:, arm]))
    chosen = np.array([0, 2, 4])
    assert np.array_equal(rows(numbers, ARMS, chosen), x[np.arange(3), chosen])


@settings(deadline=None)
@given(arrays(np.float64, (3, len(CUSTOMER_NUMBERS)), elements=st.floats(-20, 20)), st.integers(0, 2**32))
def test_folded_weights_score_as_features_do_to_the_last_bit(raw: np.ndarray, seed: int) -> None:
    numbers = quantise(raw)
    weights = quantised_weights(np.random.default_rng(seed).normal(0, 20, (len(FEATURES), 7)))
    scores = np.moveaxis(weighed(numbers) @ folded(weights, ARMS), 0, 1)
    assert np.array_equal(scores, design(numbers, ARMS) @ weights)


def test_what_would_happen_anyway_is_the_same_for_every_arm() -> None:
    x = design(np.array([numbers_of(ANN, SIGNALS, 5, NOON)]), ARMS)[0]
    assert np.any(EFFECTS == 0)
    assert np.array_equal(x * (1 - EFFECTS), np.tile(x[0] * (1 - EFFECTS), (len(ARMS), 1)))
    assert not np.any(x[0] * EFFECTS)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1 / 3, 9.0])
def test_numbers_off_the_grid_are_refused(value: float) -> None:
    numbers = np.zeros((2, len(CUSTOMER_NUMBERS)))
    numbers[1, 3] = value
    with pytest.raises(BadFeature):
        weighed(numbers)


def test_the_digest_tells_numbers_apart_and_stays() -> None:
    numbers = numbers_of(ANN, SIGNALS, 5, NOON)
    assert digest(numbers) == digest(tuple(numbers))
    assert digest(numbers) != digest((*numbers[:-1], numbers[-1] + STEP))
    assert digest((1.0, 0.5)) == "7ded32179961d3df64ab9071d95eed3a7b5efc1750a16bdc02db400678278fab"
