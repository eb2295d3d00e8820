"""Why a decision came out as it did: exact shares of the difference in score, and the same in words.

The score is linear, so what a feature contributed is its weight times the difference of its values: nothing is
approximated, and the contributions of a decision add up to the difference of the two scores to the last bit.
"""

import numpy as np

from frontdesk.decision.features import FEATURE_NAMES, Floats, rows
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.scoring import Chosen, Places, Scorer
from frontdesk.engagement import NOTHING, Contribution, Decision

REST = "everything else"
_NAMES = (*FEATURE_NAMES, REST)

_WORDS = {
    "bias × message": "what a message does to anybody",
    "fatigue × message": "how many messages they had lately",
    "intent × message": "what they are doing right now",
    "bias × email": "what e-mail does",
    "bias × sms": "what SMS does",
    "bias × push": "what push messages do",
    "engagement × in_app": "a message in the app for somebody so engaged",
    "frequency × in_app": "a message in the app for somebody who comes so often",
    "likes_email × email": "they answer by e-mail",
    "likes_in_app × in_app": "they answer in the app",
    "bias × morning": "what writing in the morning does",
    "bias × evening": "what writing in the evening does",
    "fits_now × now": "how near now is to their best hour",
    "fits_morning × morning": "how near the morning is to their best hour",
    "fits_midday × midday": "how near midday is to their best hour",
    "fits_evening × evening": "how near the evening is to their best hour",
    "bias × offer": "what an offer does",
    "churn_risk × offer": "an offer to somebody who may leave",
    "bias × onboard": "what first steps do",
    "bias × activate": "what next steps do",
    "bias × retain": "what a reason to stay does",
    "bias × upsell": "what more of it does",
    "bias × win_back": "what a reason to return does",
    "bias × support": "what help does",
    "new × onboard": "first steps for somebody new",
    "frequency × activate": "next steps for somebody who comes so often",
    "churn_risk × retain": "a reason to stay for somebody who may leave",
    "frequency × upsell": "more of it for somebody who comes so often",
    "churn_risk × win_back": "a reason to return for somebody who may leave",
    "bias × mark": "how this message does among its like",
    REST: REST,
}


def contributions(scorer: Scorer, numbers: Floats, chosen: Chosen, most: int = 6) -> list[tuple[Contribution, ...]]:
    """For each of the B decisions, what spoke for the chosen arm and against it, strongest first.

    At most `most` features by name and the sum of the others as `REST`. Against the runner-up they add up to the
    difference of the two means, against nothing likewise.
    """
    others = np.where(chosen.runner_up >= 0, chosen.runner_up, chosen.arm)
    own, other, nothing = (rows(numbers, scorer.arms, arm) for arm in (chosen.arm, others, np.zeros_like(others)))
    both = np.stack([own - other, own - nothing], axis=2) * scorer.weights[None, :, None]  # [B, D, 2]
    order: Places = np.argsort(-np.abs(both).max(axis=2), axis=1, kind="stable")[:, :most]
    named = np.take_along_axis(both, order[:, :, None], axis=1)
    rest = both.sum(axis=1) - named.sum(axis=1)
    return [
        tuple(
            [
                Contribution(feature=_NAMES[place], against_runner_up=runner_up, against_nothing=nothing)
                for place, (runner_up, nothing) in zip((*places, -1), (*pairs, others), strict=True)
                if runner_up or nothing
            ]
        )
        for places, pairs, others in zip(order.tolist(), named.tolist(), rest.tolist(), strict=True)
    ]


def reasons(decision: Decision, most: int = 3) -> tuple[str, ...]:
    """A decision in sentences: what was chosen, how sure, what spoke for and against it, what the rules took away."""
    against = decision.runner_up if decision.arm == NOTHING else NOTHING
    return (*_verdict(decision), *_why(decision, against, most), *(mask.words for mask in decision.masks))


def why_held(decision: Decision, options: EngagementOptions) -> tuple[str, ...]:
    """Why a decision was held back, in a sentence, by the limits that are in effect now; nothing where it was not, or
    where these would let it pass."""
    if decision.state != "hold":
        return ()
    tolerance = min(options.risk_tolerance, options.segment(decision.segment).risk_tolerance)
    if decision.risk > tolerance:
        return (f"Held back: the predicted harm is above {tolerance:g}, whatever else speaks for it.",)
    if decision.confidence < options.minimum_confidence:
        return (f"Held back: the confidence is below {options.minimum_confidence:g}.",)
    return ()


def _verdict(decision: Decision) -> tuple[str, ...]:
    if decision.arm != NOTHING:
        sure = f"`{decision.arm}` does better than nothing with a confidence of {decision.confidence:.2f}"
        return (f"{sure}; predicted harm {decision.risk:.3f}.",)
    if decision.runner_up is None:
        return ("Nothing, because the rules leave no message.",)
    return (f"Nothing: that `{decision.runner_up}` would not do better has a confidence of {decision.confidence:.2f}.",)


def _why(decision: Decision, against: str | None, most: int) -> tuple[str, ...]:
    if against is None:
        return ()
    weighed = [
        (
            one.against_runner_up if decision.arm == NOTHING else one.against_nothing,
            _WORDS.get(one.feature, one.feature),
        )
        for one in decision.contributions
    ]
    strongest = sorted((pair for pair in weighed if pair[0]), key=lambda pair: -abs(pair[0]))[:most]
    return tuple(f"{'For' if share > 0 else 'Against'} it: {words} ({share:+.3f})." for share, words in strongest)
