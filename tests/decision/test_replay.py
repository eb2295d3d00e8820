"""A decision is made again from what was logged of it, bit for bit."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frontdesk.decision.choosing import Case, Chooser
from frontdesk.decision.replay import drawn, replay
from frontdesk.engagement import CHANNELS, Decision, Policy
from tests.decision.deciding import START, believing, customer, options, policy

OPTIONS = options()
POLICIES = [policy("pol_1", sure=False), policy("pol_2"), policy("pol_3", sure=False, draws_seed=99)]
CHOOSERS = [Chooser(OPTIONS, each) for each in POLICIES]


def made(seed: int, consents: int = 63, which: int = 0, others: int = 0) -> Decision:
    cases = [Case(f"dec_{number}", seed + number, customer(f"cus_{number}")) for number in range(others)]
    cases.append(Case("dec_x", seed, customer(consents=consents)))
    result = CHOOSERS[which].choose(cases, START)[-1]
    assert isinstance(result, Decision)
    return result


@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**62),
    consents=st.integers(0, 2 ** len(CHANNELS) - 1),
    which=st.integers(0, 2),
    others=st.integers(0, 5),
)
def test_every_decision_comes_out_the_same_again_whatever_was_decided_beside_it(
    seed: int, consents: int, which: int, others: int
) -> None:
    decision = made(seed, consents, which, others)
    again = replay(decision, POLICIES[which], OPTIONS)
    assert again.same
    assert (again.same_probabilities, again.same_confidence, again.not_scored) == (True, True, "")
    assert drawn(decision.probabilities, decision.seed) == decision.eligible.index(decision.arm)


def test_what_was_changed_afterwards_is_noticed() -> None:
    decision = made(7)
    forged = msgspec.structs.replace(decision, features=(*decision.features[:-1], decision.features[-1] + 0.5))
    assert not replay(forged, POLICIES[0], OPTIONS).same
    other = next(arm for arm in decision.eligible if arm != decision.arm)
    assert not replay(msgspec.structs.replace(decision, arm=other), POLICIES[0], OPTIONS).same
    tipped = (*decision.probabilities[:-1], decision.probabilities[-1] + 1e-12)
    assert not replay(msgspec.structs.replace(decision, probabilities=tipped), POLICIES[0], OPTIONS).same


def test_by_another_policy_it_does_not_come_out_the_same() -> None:
    changed = msgspec.structs.replace(POLICIES[0], reward=believing(POLICIES[0].reward, "bias × email", 0.4))
    assert not replay(made(7), changed, OPTIONS).same


@pytest.mark.parametrize("values", [{"messages": []}, {"messages": OPTIONS.model_dump()["messages"][:1]}])
def test_when_messages_have_changed_the_draw_is_made_again_and_why_no_more_is_said(values: dict[str, object]) -> None:
    decision = made(7)
    again = replay(decision, POLICIES[0], options(**values))
    assert again.same
    assert (again.arm, again.same_probabilities) == (decision.arm, None)
    assert "have changed" in again.not_scored


def test_features_of_another_version_are_not_scored() -> None:
    other: Policy = msgspec.structs.replace(POLICIES[0], features=("something else",))
    assert "other features" in replay(made(7), other, OPTIONS).not_scored
