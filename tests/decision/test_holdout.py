"""Calibration is asked of people who taught nothing, about the arm whose uplift is in question."""

import msgspec
import numpy as np
import pytest

from frontdesk.decision.holdout import bins, held
from frontdesk.decision.logs import Log
from frontdesk.engagement import OUTCOMES, Genes
from tests.decision.examples import ARMS, people, policy, sure

GENES = Genes()
POLICY = policy(GENES, reward=sure({"bias × message": 0.2, "bias × sms": -0.1, "bias × always": 0.05}))


def log(count: int = 40) -> Log:
    numbers, rng = people(count), np.random.default_rng(1)
    outcomes = np.zeros((count, len(OUTCOMES)))
    outcomes[:, OUTCOMES.index("conversion")] = rng.random(count) < 0.3
    return Log(
        ids=tuple(map(str, range(count))),
        numbers=numbers,
        arm=rng.integers(0, len(ARMS), count),
        propensity=np.full(count, 1 / len(ARMS)),
        eligible=np.ones((count, len(ARMS)), dtype=np.bool_),
        reward=np.zeros(count),
        released=np.ones(count, dtype=np.bool_),
        outcomes=outcomes,
        values=np.zeros(count),
        customer=np.arange(count) // 2,
        held_out=np.arange(count) < count // 2,
        at=np.zeros(count),
        policy=np.zeros(count, dtype=np.intp),
        segment=np.zeros(count, dtype=np.intp),
    )


def test_only_the_holdout_is_asked_and_of_it_those_who_could_be_written_to() -> None:
    seen = log()
    assert len(held(POLICY, seen, ARMS).gain) == 20
    eligible = seen.eligible.copy()
    eligible[:5, 1:] = False
    nobody = msgspec.structs.replace(seen, eligible=eligible, released=np.arange(40) >= 5)
    assert len(held(POLICY, nobody, ARMS).gain) == 15


def test_a_residual_is_what_came_beyond_what_was_expected_of_what_was_really_done() -> None:
    seen = msgspec.structs.replace(log(), released=np.zeros(40, dtype=np.bool_))
    found = held(POLICY, seen, ARMS)
    assert not found.sent.any(), "nothing left"
    assert found.residual == pytest.approx(seen.outcomes[:20].sum(axis=1) - 0.05, abs=1e-4)


def test_bins_hold_every_decision_once_and_say_what_the_policy_says() -> None:
    seen = held(POLICY, log(), ARMS)
    found = bins(POLICY, seen)
    assert sum(each.count for each in found) == 20
    assert all(each.low <= each.said <= each.high and 0 <= each.true <= 1 for each in found)
    assert bins(POLICY, held(POLICY, log().where(np.zeros(40, dtype=np.bool_)), ARMS)) == []
