"""How a policy chooses."""

from fractions import Fraction

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frontdesk.decision.arms import STEP, Arms
from frontdesk.decision.features import CUSTOMER_NUMBERS, EFFECTS, FEATURE_NAMES, folded, rows, weighed
from frontdesk.decision.posterior import draws, learn, prior
from frontdesk.decision.scoring import CHOOSING, GAIN_STEP, Scorer, uniforms
from frontdesk.engagement import Calibration, Genes
from frontdesk.errors import BadFeature, UnknownPolicy
from tests.decision.examples import ARMS, OPTIONS, design, people, policy, quantise, sure

ALL = np.ones((1, len(ARMS)), dtype=np.bool_)


def seeds(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.uint64)


def test_the_best_arm_is_chosen_by_a_policy_that_is_sure() -> None:
    scorer = Scorer(policy(reward=sure({"bias × message": 0.1, "bias × email": 0.2})), ARMS, 0.0)
    chosen = scorer.choose(people(50), np.ones((50, len(ARMS)), dtype=np.bool_), seeds(50))
    assert {ARMS.keys[arm] for arm in chosen.arm} == {"welcome/email/now"}
    assert chosen.probabilities[:, 1].tolist() == [1.0] * 50
    assert chosen.confidence.tolist() == [1.0] * 50


def test_nothing_is_chosen_where_messages_do_worse() -> None:
    scorer = Scorer(policy(reward=sure({"bias × message": -0.1})), ARMS, 0.0)
    chosen = scorer.choose(people(20), np.ones((20, len(ARMS)), dtype=np.bool_), seeds(20))
    assert chosen.arm.tolist() == [0] * 20
    assert chosen.risk.tolist() == [0.0] * 20
    assert chosen.confidence.tolist() == [1.0] * 20  # that the runner-up would not do better
    assert np.all(chosen.runner_up > 0)


def test_an_arm_that_is_not_eligible_has_no_chance() -> None:
    scorer = Scorer(policy(), ARMS, 0.5)
    eligible = np.random.default_rng(1).random((500, len(ARMS))) < 0.5
    chosen = scorer.choose(people(500), eligible, seeds(500))
    eligible[:, 0] = True
    assert not np.any(chosen.probabilities[~eligible])
    assert np.all(eligible[np.arange(500), chosen.arm])
    assert np.all(eligible[np.arange(500), chosen.runner_up][chosen.runner_up >= 0])
    assert np.allclose(chosen.probabilities.sum(axis=1), 1.0)


def test_with_no_eligible_arm_nothing_is_done_for_certain() -> None:
    chosen = Scorer(policy(), ARMS, 0.25).choose(people(1), ~ALL, seeds(1))
    assert (chosen.arm[0], chosen.probabilities[0, 0], chosen.confidence[0], chosen.runner_up[0]) == (0, 1.0, 1.0, -1)


def test_each_eligible_arm_gets_its_share_of_the_exploration() -> None:
    scorer = Scorer(policy(reward=sure({"bias × message": 0.1, "bias × email": 0.2})), ARMS, 0.2)
    eligible = np.array([[True, True, True, False, True]])
    chosen = scorer.choose(people(1), eligible, seeds(1))
    assert np.allclose(chosen.probabilities, [[0.05, 0.85, 0.05, 0.0, 0.05]])


def test_a_strategys_own_floor_counts_where_it_is_higher() -> None:
    assert Scorer(policy(Genes(floor=0.3)), ARMS, 0.1).floor == 0.3
    assert Scorer(policy(Genes(floor=0.05)), ARMS, 0.1).floor == 0.1


def test_arms_are_drawn_as_often_as_their_logged_chances_say() -> None:
    numbers = np.repeat(people(1), 20_000, axis=0)
    scorer = Scorer(policy(), ARMS, 0.1)
    chosen = scorer.choose(numbers, np.ones((20_000, len(ARMS)), dtype=np.bool_), seeds(20_000))
    often = np.bincount(chosen.arm, minlength=len(ARMS)) / 20_000
    assert np.allclose(often, chosen.probabilities[0], atol=0.012)


def test_the_chances_are_the_shares_of_draws_in_which_an_arm_is_best() -> None:
    belief = policy()
    x = design(people(3), ARMS)
    chosen = Scorer(belief, ARMS, 0.0).choose(people(3), np.ones((3, len(ARMS)), dtype=np.bool_), seeds(3))
    best = np.argmax(x @ draws(belief.reward, belief.draws_seed, CHOOSING), axis=1)
    for row in range(3):
        shares = np.bincount(best[row], minlength=len(ARMS)) / CHOOSING
        assert np.allclose(chosen.probabilities[row], shares, atol=1.5 / CHOOSING)  # the grid may turn a near tie


def test_arms_that_are_alike_have_the_same_chance() -> None:
    twins = Arms((*ARMS.arms, msgspec.structs.replace(ARMS[1], key="twin/email/now")))
    chosen = Scorer(policy(), twins, 0.0).choose(people(8), np.ones((8, len(twins)), dtype=np.bool_), seeds(8))
    assert np.array_equal(chosen.probabilities[:, 1], chosen.probabilities[:, -1])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 9), data=st.data())
def test_company_order_and_repetition_never_change_a_decision(seed: int, count: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    numbers = people(count, seed)
    eligible = rng.random((count, len(ARMS))) < 0.7
    own = rng.integers(0, 2**63, count, dtype=np.uint64)
    learned = learn(
        prior(Genes()), design(people(40, seed + 1), ARMS).reshape(-1, len(FEATURE_NAMES)), rng.random(40 * len(ARMS))
    )
    scorer = Scorer(policy(reward=learned, seed=seed % 1000), ARMS, 0.05)
    together = scorer.choose(numbers, eligible, own)
    order = np.array(data.draw(st.permutations(range(count))))
    shuffled = scorer.choose(numbers[order], eligible[order], own[order])
    for field in ("arm", "runner_up", "probabilities", "raw", "confidence", "means", "risks", "risk"):
        assert np.array_equal(getattr(shuffled, field), getattr(together, field)[order])
    for row in range(count):
        alone = scorer.choose(numbers[row : row + 1], eligible[row : row + 1], own[row : row + 1])
        for field in ("arm", "probabilities", "raw", "confidence", "means", "risks"):
            assert np.array_equal(getattr(alone, field)[0], getattr(together, field)[row])


def test_scores_are_exact_to_the_last_bit() -> None:
    scorer = Scorer(policy(seed=11), ARMS, 0.05)
    x = design(people(2), ARMS)
    means = scorer.choose(people(2), np.ones((2, len(ARMS)), dtype=np.bool_), seeds(2)).means
    for row in range(2):
        for arm in range(len(ARMS)):
            pairs = zip(x[row, arm].tolist(), scorer.weights.tolist(), strict=True)
            exact = sum((Fraction(a) * Fraction(b) for a, b in pairs), Fraction(0))
            assert Fraction(float(means[row, arm])) == exact


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), margin=st.floats(0, 0.1), outcomes=st.integers(0, 3000))
def test_confidence_is_the_share_of_draws_that_beat_nothing_by_the_margin(
    seed: int, margin: float, outcomes: int
) -> None:
    rng, genes = np.random.default_rng(seed), Genes(margin=margin)
    x = rows(people(outcomes, seed), ARMS, rng.integers(0, len(ARMS), outcomes))
    belief = policy(genes, reward=learn(prior(genes), x, (rng.random(outcomes) < 0.1).astype(float)))
    chosen = Scorer(belief, ARMS, 1.0).choose(people(4, seed), np.ones((4, len(ARMS)), dtype=np.bool_), seeds(4) + 6)
    x, many = design(people(4, seed), ARMS), draws(belief.reward, 7, 4096)
    for row in range(4):
        judged = chosen.arm[row] or chosen.runner_up[row]
        share = np.mean((x[row, judged] - x[row, 0]) @ many > margin)
        raw = chosen.raw[row] if chosen.arm[row] else 1 - chosen.raw[row]
        assert raw == pytest.approx(share, abs=5 * max(raw * (1 - raw), 0.001) ** 0.5 / 64)


@pytest.mark.parametrize("scale", [0.02, 1.0, 30.0])
def test_chances_come_of_exact_sums_however_wild_the_belief(scale: float) -> None:
    wild = msgspec.structs.replace(prior(Genes()), noise=0.05 * scale**2)
    scorer = Scorer(policy(reward=wild), ARMS, 0.0)
    numbers = quantise(np.random.default_rng(3).uniform(-8, 8, (30, len(CUSTOMER_NUMBERS))))
    chosen = scorer.choose(numbers, np.ones((30, len(ARMS)), dtype=np.bool_), seeds(30))
    drawn = folded(draws(wild, 1, CHOOSING), ARMS)
    gains = np.round((drawn - drawn[0]) / GAIN_STEP).astype(np.int64)  # whole numbers, which no order of sums changes
    sums = np.matmul(np.round(weighed(numbers) / STEP).astype(np.int64), gains)
    wins = (sums == sums.max(axis=0)).sum(axis=2).T
    assert np.array_equal(chosen.probabilities, wins * (1.0 / wins.sum(axis=1))[:, None])


def test_without_a_margin_nothing_is_chosen_for_certain_where_nothing_else_may_be() -> None:
    chosen = Scorer(policy(Genes(margin=0.0)), ARMS, 0.25).choose(people(1), ~ALL, seeds(1))
    assert (chosen.arm[0], chosen.confidence[0]) == (0, 1.0)


def test_confidence_is_calibrated() -> None:
    line = Calibration(x=(0.0, 1.0), y=(0.2, 0.7))
    sent = sure({"bias × message": 0.1})
    chosen = Scorer(policy(reward=sent, calibration=line), ARMS, 0.0).choose(people(1), ALL, seeds(1))
    assert (chosen.raw[0], chosen.confidence[0]) == (1.0, 0.7)
    unsent = sure({"bias × message": -0.1})
    chosen = Scorer(policy(reward=unsent, calibration=line), ARMS, 0.0).choose(people(1), ALL, seeds(1))
    assert (chosen.raw[0], chosen.confidence[0]) == (1.0, 0.8)  # 0.2 that the runner-up would have done better


def test_risk_is_predicted_and_never_less_than_the_system_file_says() -> None:
    harm = sure({"bias × message": 0.01, "bias × email": 0.03, "engagement × always": 0.5})
    scorer = Scorer(policy(harm=harm), ARMS, 0.0)
    risks = scorer.risks(people(1))[0]
    assert np.allclose(risks, [0.0, 0.04, 0.01, 0.02, 0.02], atol=1e-5)  # sale: at least 0.02
    assert not np.any(scorer.harm[EFFECTS == 0])
    careful = Scorer(policy(Genes(harm_weight=2.0), harm=harm), ARMS, 0.0)
    assert careful.risks(people(1))[0, 1] == pytest.approx(0.08, abs=1e-5)
    careless = Scorer(policy(Genes(harm_weight=0.0), harm=harm), ARMS, 0.0)
    assert np.array_equal(careless.risks(people(1))[0], risks)


def test_a_policy_of_other_features_is_refused() -> None:
    with pytest.raises(UnknownPolicy, match="policy-1"):
        Scorer(msgspec.structs.replace(policy(), features=("bias",)), ARMS, 0.05)


def test_a_number_that_is_none_is_refused() -> None:
    numbers = people(2)
    numbers[1, 2] = np.nan
    with pytest.raises(BadFeature):
        Scorer(policy(), ARMS, 0.05).choose(numbers, np.ones((2, len(ARMS)), dtype=np.bool_), seeds(2))


def test_seeds_that_follow_each_other_give_even_numbers() -> None:
    drawn = uniforms(seeds(100_000))
    assert 0 <= drawn.min() < drawn.max() < 1
    assert np.allclose(np.histogram(drawn, 20, (0, 1))[0] / 5000, 1.0, atol=0.06)
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.02


def test_a_strategys_costs_make_no_other_arms() -> None:
    assert Arms.of(OPTIONS, Genes(cost_email=0.4)).keys == ARMS.keys
