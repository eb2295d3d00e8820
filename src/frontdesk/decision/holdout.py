"""What the holdout says of a policy's confidence: people whose outcomes have taught it nothing."""

import msgspec
import numpy as np

from frontdesk.decision.arms import Arms
from frontdesk.decision.calibration import Held, apply, fit, judged
from frontdesk.decision.logs import Log
from frontdesk.decision.scoring import Scorer
from frontdesk.engagement import Calibration, Policy

BINS = 10


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions whose calibrated confidence lies from `low` to `high`: how sure the policy was of them on average, and
    what share of them beats doing nothing as far as outcomes can tell."""

    low: float
    high: float
    said: float
    true: float
    count: int


def held(policy: Policy, log: Log, arms: Arms) -> Held:
    """The log's holdout as the policy sees it. `arms` are those of its strategy."""
    earned = log.rewards(arms, policy.genes)
    return Scorer(policy, arms, 0.0).held(log.numbers, log.eligible, log.done, earned, log.customer, log.held_out)


def calibrated(policy: Policy, log: Log, arms: Arms) -> Calibration:
    """The policy's calibration by the log's holdout; without one its confidence stands as it is."""
    seen = held(policy, log, arms)
    return fit(seen, policy.genes.margin) if len(seen.gain) else Calibration()


def bins(policy: Policy, seen: Held) -> list[Bin]:
    """Confidence and truth side by side; bins that nothing fell into are left out."""
    if not len(seen.gain):
        return []
    raw, truth = judged(seen, policy.genes.margin)
    said = apply(policy.calibration, raw)
    place = np.minimum((said * BINS).astype(np.intp), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    means = (np.bincount(place, each, BINS) / np.maximum(counts, 1) for each in (said, truth))
    return [
        Bin(low=number / BINS, high=(number + 1) / BINS, said=sure, true=right, count=count)
        for number, (sure, right, count) in enumerate(
            zip(*(mean.tolist() for mean in means), counts.tolist(), strict=True)
        )
        if count
    ]
