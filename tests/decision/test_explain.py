"""Why a decision came out as it did."""

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from frontdesk.decision.explain import REST, contributions, reasons
from frontdesk.decision.features import FEATURE_NAMES
from frontdesk.decision.scoring import Scorer
from frontdesk.engagement import NOTHING, Contribution, Decision, Mask
from tests.decision.examples import ARMS, NOON, people, policy, sure

ALL = np.ones((1, len(ARMS)), dtype=np.bool_)
SEEDS = np.zeros(1, dtype=np.uint64)
DECISION = Decision(
    id="d1",
    customer_id="ann",
    at=NOON,
    segment="default",
    objective="activate",
    state="act",
    arm="welcome/email/now",
    channel="email",
    policy_id="policy-1",
    role="champion",
    confidence=0.91,
    risk=0.012,
    propensity=0.8,
    seed=1,
    eligible=(NOTHING, "welcome/email/now"),
    probabilities=(0.2, 0.8),
    features=(),
    features_digest="",
    masks=(Mask(rule="cap", words="3 messages in 7 days are enough.", arms=2),),
    contributions=(
        Contribution(feature="likes_email × email", against_runner_up=0.02, against_nothing=0.03),
        Contribution(feature="fatigue × message", against_runner_up=0.0, against_nothing=-0.01),
    ),
    runner_up=NOTHING,
)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), most=st.integers(0, 40))
def test_contributions_add_up_to_the_differences_exactly(seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    reward = sure(dict(zip(FEATURE_NAMES, rng.normal(0, 0.2, len(FEATURE_NAMES)).tolist(), strict=True)))
    scorer = Scorer(policy(reward=reward), ARMS, 0.9)
    eligible = rng.random((6, len(ARMS))) < 0.6
    chosen = scorer.choose(people(6, seed), eligible, rng.integers(0, 2**63, 6, dtype=np.uint64))
    for row, told in enumerate(contributions(scorer, people(6, seed), chosen, most)):
        own = chosen.means[row, chosen.arm[row]]
        other = chosen.means[row, chosen.runner_up[row]] if chosen.runner_up[row] >= 0 else own
        assert sum(one.against_runner_up for one in told) == own - other
        assert sum(one.against_nothing for one in told) == own - chosen.means[row, 0]
        assert len(told) <= most + 1


def test_the_strongest_come_first_and_the_others_are_summed() -> None:
    reward = sure({"bias × message": 0.3, "bias × email": 0.2, "bias × offer": -0.1, "bias × mark": 0.01})
    scorer = Scorer(policy(reward=reward), ARMS, 0.0)
    told = contributions(scorer, people(1), scorer.choose(people(1), ALL, SEEDS), most=2)[0]
    assert [one.feature for one in told] == ["bias × message", "bias × email", REST]


def test_what_holds_for_every_arm_explains_nothing() -> None:
    scorer = Scorer(policy(reward=sure({"bias × always": 5.0, "bias × message": 0.1})), ARMS, 0.0)
    told = contributions(scorer, people(1), scorer.choose(people(1), ALL, SEEDS))[0]
    assert [one.feature for one in told] == ["bias × message"]


def test_a_decision_is_told_in_sentences() -> None:
    assert reasons(DECISION) == (
        "`welcome/email/now` does better than nothing with a confidence of 0.91; predicted harm 0.012.",
        "For it: they answer by e-mail (+0.030).",
        "Against it: how many messages they had lately (-0.010).",
        "3 messages in 7 days are enough.",
    )


def test_doing_nothing_is_explained_against_what_came_next() -> None:
    nothing = msgspec.structs.replace(
        DECISION,
        arm=NOTHING,
        runner_up="welcome/email/now",
        contributions=(Contribution(feature="fatigue × message", against_runner_up=0.04, against_nothing=0.0),),
        masks=(),
    )
    assert reasons(nothing) == (
        "Nothing: that `welcome/email/now` would not do better has a confidence of 0.91.",
        "For it: how many messages they had lately (+0.040).",
    )


def test_where_the_rules_leave_no_message_they_are_the_reason() -> None:
    masked = msgspec.structs.replace(DECISION, arm=NOTHING, runner_up=None, contributions=())
    assert reasons(masked) == ("Nothing, because the rules leave no message.", "3 messages in 7 days are enough.")


def test_every_feature_that_an_arm_can_change_has_words() -> None:
    for name in FEATURE_NAMES:
        if not name.endswith("× always"):
            one = Contribution(feature=name, against_runner_up=0.0, against_nothing=1.0)
            assert name not in reasons(msgspec.structs.replace(DECISION, contributions=(one,)))[1]
