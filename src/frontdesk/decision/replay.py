"""Making a decision again from what was logged of it: the same policy, features and seed give the same arm.

Two things are made again. The *draw*: from the logged probabilities and the seed. The *scores*: from the policy, the
logged features and the arms of the system file, bit for bit, as long as that still has all the arms of the decision.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from frontdesk.decision.arms import Arms
from frontdesk.decision.choosing import digest_of
from frontdesk.decision.features import FEATURE_NAMES, digest
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.scoring import Scorer, uniforms
from frontdesk.engagement import Decision, Policy


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What came out again. `scored` tells why the scores could not be made again, or nothing.

    `same_features`: the logged features have the logged digest. `same_probabilities` is None where nothing was scored.
    """

    decision_id: str
    arm: str
    same_arm: bool
    same_features: bool
    same_probabilities: bool | None = None
    same_confidence: bool | None = None
    not_scored: str = ""

    @property
    def same(self) -> bool:
        """Whether everything that could be made again is as it was."""
        return self.same_arm and self.same_features and self.same_probabilities is not False


def replay(decision: Decision, policy: Policy, options: EngagementOptions) -> Replay:
    """Make the decision again by its policy."""
    arm = decision.eligible[drawn(decision.probabilities, decision.seed)]
    same_features = digest(decision.features) == decision.features_digest
    arms = Arms.of(options, policy.genes)
    problem = _not_scored(decision, policy, arms)
    if problem:
        return Replay(
            decision_id=decision.id,
            arm=arm,
            same_arm=arm == decision.arm,
            same_features=same_features,
            not_scored=problem,
        )
    scorer = Scorer(policy, arms, decision.floor)
    places = [arms.index(key) for key in decision.eligible]
    eligible = np.zeros((1, len(arms)), dtype=np.bool_)
    eligible[0, places] = True
    chosen = scorer.choose(np.array([decision.features]), eligible, np.array([decision.seed], dtype=np.uint64))
    probabilities = tuple(float(chosen.probabilities[0, place]) for place in places)
    arm = arms[int(chosen.arm[0])].key
    return Replay(
        decision_id=decision.id,
        arm=arm,
        same_arm=arm == decision.arm,
        same_features=same_features,
        same_probabilities=probabilities == decision.probabilities,
        same_confidence=float(chosen.confidence[0]) == decision.confidence,
    )


def _not_scored(decision: Decision, policy: Policy, arms: Arms) -> str:
    """Why the scores cannot be made again, or nothing."""
    if decision.arms_digest and decision.arms_digest != digest_of(arms):
        return "The messages of the system file, or what they cost, have changed since."
    if policy.features != FEATURE_NAMES:
        return "The policy weighs other features than this version of Frontdesk makes."
    return ""


def drawn(probabilities: Sequence[float], seed: int) -> int:
    """The place that the seed draws."""
    reached = np.cumsum(probabilities)
    uniform = uniforms(np.array([seed], dtype=np.uint64))[0]
    return int(np.argmax(reached > uniform * reached[-1]))
