"""What the desk can do about a customer."""

import math

import numpy as np
import pytest

from frontdesk.decision.arms import ARM_NUMBERS, LIMIT, STEP, Arms, quantised
from frontdesk.decision.options import EngagementOptions
from frontdesk.engagement import NOTHING, Genes
from frontdesk.errors import UnknownArm
from tests.decision.examples import OPTIONS


def number(arms: Arms, key: str, name: str) -> float:
    return arms[arms.index(key)].numbers[ARM_NUMBERS.index(name)]


def test_each_message_makes_an_arm_for_each_channel_and_time_and_nothing_comes_first() -> None:
    assert Arms.of(OPTIONS, Genes()).keys == (
        NOTHING,
        "welcome/email/now",
        "welcome/in_app/now",
        "sale/sms/morning",
        "sale/sms/evening",
    )


def test_a_system_without_messages_has_nothing_to_do() -> None:
    assert Arms.of(EngagementOptions(), Genes()).keys == (NOTHING,)


def test_nothing_costs_and_risks_nothing_and_differs_from_each_message() -> None:
    arms = Arms.of(OPTIONS, Genes())
    assert (arms[0].cost, arms[0].risk, arms[0].message, arms[0].channel) == (0.0, 0.0, None, None)
    assert [name for name, value in zip(ARM_NUMBERS, arms[0].numbers, strict=True) if value] == ["always"]


def test_an_arm_tells_its_channel_time_purpose_and_offer_in_numbers() -> None:
    arms = Arms.of(OPTIONS, Genes())
    told = {"always", "message", "sms", "evening", "upsell"}
    assert all(number(arms, "sale/sms/evening", name) == 1.0 for name in told)
    assert number(arms, "sale/sms/evening", "offer") == 0.5
    assert number(arms, "sale/sms/evening", "morning") == 0.0
    assert abs(number(arms, "sale/sms/evening", "mark")) == 1.0


def test_a_strategy_sets_what_an_arm_costs_and_the_system_file_the_least_harm() -> None:
    arms = Arms.of(OPTIONS, Genes(cost_sms=0.25, cost_offer=0.5))
    assert arms.costs[arms.index("sale/sms/morning")] == 0.5
    assert arms.risks[arms.index("sale/sms/morning")] == 0.02


def test_the_numbers_of_arms_lie_on_the_grid() -> None:
    numbers = Arms.of(OPTIONS, Genes()).numbers
    assert not np.any(np.mod(numbers, STEP))


@pytest.mark.parametrize("value", [8.1, 1e300, 1.7e308, -1.7e308])
def test_a_number_beyond_the_grid_is_its_end(value: float) -> None:
    assert quantised(value) == math.copysign(LIMIT, value)
    assert quantised(0.3) == 19 * STEP


def test_an_unknown_arm_is_told_with_a_code() -> None:
    with pytest.raises(UnknownArm) as caught:
        Arms.of(OPTIONS, Genes()).index("welcome/sms/now")
    assert (caught.value.code, caught.value.status, caught.value.where) == ("unknown_arm", 404, "welcome/sms/now")
