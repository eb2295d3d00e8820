"""Confidence that can be taken at its word: of what is decided with 0.8, four in five truly beat doing nothing.

Whether a message beats nothing is never seen for one decision: each has one outcome, of the one arm that was chosen. A
policy's own draws know what it has not learned yet, but not what it cannot express: people who look alike to it and
differ, and bends where it is straight. Both make it too sure of itself. So `fit` looks at people whose outcomes taught
the policy nothing (the holdout), and asks of the residuals of what it predicted for them:

- *Is it off?* Decisions are grouped by how sure the policy was, messages apart from nothing. A group's mean residual is
  shrunk towards none, as a normal mean whose prior deviation is `OFF`, or what the groups differ by beyond luck, so
  that a few lucky outcomes move nothing. A message's correction less nothing's corrects the uplift: the difference of
  two direct estimates, each with the model as its control variate, as in a doubly robust estimate, and without weights
  that explode where nothing was rarely done.
- *How much do people differ whom it takes for alike?* By the covariance of residuals of decisions about one person by
  one message, which noise has no part in. It starts at `SCATTER` and leaves that as pairs come in. A tenth of the
  people have too few pairs, so those of all are taken: what the policy learned from its outcomes is some dozens of
  weights, too few to hide how thousands of people differ.

Then each decision of the holdout has a probability that its uplift exceeds the margin: the normal tail of the corrected
mean, over the policy's own spread and the scatter. The rising line through these, by isotonic regression on what the
policy had said, is the calibration.

Limits: a confidence is calibrated over what the policy has not learned yet, so over many desks or many months, not over
one snapshot, all of whose decisions share its errors. What differs between people and shows in no pair of decisions
cannot be seen. Outcomes are taken as they were drawn under the rules of the time.
"""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from frontdesk.decision.features import Floats
from frontdesk.engagement import Calibration

SCATTER = 0.03  # standard deviation, in conversions, of the uplift among people who look alike: that of a usual weight
OFF = 0.005  # standard deviation, in conversions, of what the policy is off by in a group
GROUPS = 8  # of decisions that were about as sure
LEAST = 200  # decisions of the holdout, below which what the policy says stands as it is
POINTS = 101  # of the line

Bools = NDArray[np.bool_]
Places = NDArray[np.intp]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """N decisions about people of the holdout, as the policy to be calibrated sees them now.

    `sent` says whether a message went out. `residual` is the reward less what the policy expected of what was done, and
    `noise` the variance of one. `gain` and `spread` are the mean and the standard deviation of the uplift over nothing,
    as the policy believes it, of the arm that is judged: the one sent, or else the best it might have sent. `person`
    numbers the customers. `scatter` is the variance of the uplift among people who look alike.
    """

    sent: Bools
    residual: Floats
    gain: Floats
    spread: Floats
    person: Places
    noise: float
    scatter: float


def fit(held: Held, margin: float) -> Calibration:
    """The calibration of a policy whose confidence is the chance that the uplift exceeds `margin`.

    Its `error` is what calibrating by half of the people gets wrong about the other half, as far as outcomes can tell.
    """
    raw, truth = judged(held, margin)
    if len(raw) < LEAST:
        return Calibration(n=len(raw))
    x, y = _line(raw, truth)
    people, person = np.unique(held.person, return_inverse=True)
    halves = [_half(held, raw, margin, person % 2 == part) for part in (0, 1)] if len(people) > 1 else []
    error = float(np.mean(halves)) if halves else None
    return Calibration(x=tuple(x.tolist()), y=tuple(y.tolist()), error=error, n=len(raw))


def judged(held: Held, margin: float) -> tuple[Floats, Floats]:
    """How sure the policy was of each decision [N], and how probable it is, after all that came, that it was right."""
    raw = exceeds(held.gain, held.spread, margin)
    return raw, _truth(held, raw, margin)


def _half(held: Held, raw: Floats, margin: float, own: Bools) -> float:
    x, y = _line(raw[own], _truth(_part(held, own), raw[own], margin))
    return expected_error(np.interp(raw[~own], x, y), _truth(_part(held, ~own), raw[~own], margin))


def _part(held: Held, which: Bools) -> Held:
    return msgspec.structs.replace(
        held,
        sent=held.sent[which],
        residual=held.residual[which],
        gain=held.gain[which],
        spread=held.spread[which],
        person=held.person[which],
    )


def _line(raw: Floats, truth: Floats) -> tuple[Floats, Floats]:
    x, y = isotonic(raw, truth, np.ones(len(raw)))
    places = np.unique(np.round(np.quantile(x, np.linspace(0, 1, POINTS)), 6))
    return places, np.round(np.interp(places, x, y), 6)


def _truth(held: Held, raw: Floats, margin: float) -> Floats:
    """How probable it is of each decision that its uplift exceeds the margin, given what came of all."""
    sure = np.minimum((raw * GROUPS).astype(np.intp), GROUPS - 1)
    group = np.where(held.sent, sure, GROUPS)  # nothing is a group of its own
    more, doubt = _shrunken(held.residual, group, held.noise)
    gain = held.gain + more[sure] - more[GROUPS]
    variance = held.spread**2 + doubt[sure] + doubt[GROUPS] + held.scatter
    return exceeds(gain, np.sqrt(variance), margin)


def _shrunken(residual: Floats, group: Places, noise: float) -> tuple[Floats, Floats]:
    """What each group's residuals say of its error, and the variance that is left of it."""
    count = np.bincount(group, minlength=GROUPS + 1)
    mean = np.bincount(group, residual, GROUPS + 1) / np.maximum(count, 1)
    own = noise / np.maximum(count, 1)
    total = max(1, len(residual))
    luck = 2 * noise * math.sqrt(2 * len(count)) / total  # two deviations of what follows, were there no error
    among = max(OFF**2, float(np.sum(count * (mean**2 - own))) / total - luck)
    share = np.where(count > 0, among / (among + own), 0.0)
    return share * mean, (1.0 - share) * among


def scatter(residual: Floats, alike: Places, noise: float) -> float:
    """The variance of the uplift among people who look alike, from N residuals of variance `noise`. Those with the same
    number in `alike` are about the same person by the same message. What all N have in common is no difference.

    Where v is the variance, the mean product of two that are alike is normal about v. Before, v is exponential with
    mean `SCATTER`²; the mean of what it is afterwards, a normal distribution cut off at 0, is given.
    """
    _, group = np.unique(alike, return_inverse=True)
    residual = residual - residual.sum() / max(1, len(residual))
    sums, squares, count = (np.bincount(group, each) for each in (residual, residual**2, np.ones(len(group))))
    pairs = float(np.sum(count * (count - 1))) / 2
    if not pairs:
        return SCATTER**2
    common, own = float(np.sum(sums**2 - squares)) / 2 / pairs, noise / math.sqrt(pairs)
    return own * _mean_above(own / SCATTER**2 - common / own)


def _mean_above(low: float) -> float:
    """The mean of a standard normal number beyond `low`, less `low`."""
    if low > 30:
        return 1 / low  # what follows goes to this, and both its parts to nothing
    density = math.exp(-(low**2) / 2) / math.sqrt(2 * math.pi)
    return density / (0.5 * math.erfc(low / math.sqrt(2))) - low


def exceeds(gain: Floats, spread: Floats, margin: float) -> Floats:
    """How probable it is that a normal uplift of this mean and standard deviation, which is not 0, is more than
    `margin`."""
    below = (margin - gain) / (spread * math.sqrt(2))
    return np.array([0.5 * math.erfc(each) for each in below.tolist()])


def apply(calibration: Calibration, raw: Floats) -> Floats:
    """Calibrated confidence of raw ones: straight between the points of the line, level beyond its ends. Rounded to a
    millionth, so that no machine's last bit moves a decision over a threshold."""
    if not calibration.x:
        return raw
    return np.round(np.interp(raw, calibration.x, calibration.y), 6)


def isotonic(x: Floats, y: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """The rising line through points that is nearest to them: its distinct `x`, in order, and the fitted `y`.

    Weighted least squares by pooling adjacent violators (Barlow et al. 1972).
    """
    places, inverse = np.unique(x, return_inverse=True)
    mass = np.bincount(inverse, weights)
    level = np.bincount(inverse, weights * y) / mass
    blocks: list[tuple[float, float, int]] = []  # level, mass, how many places
    for value, weight in zip(level.tolist(), mass.tolist(), strict=True):
        block = (value, weight, 1)
        while blocks and blocks[-1][0] >= block[0]:
            below = blocks.pop()
            total = below[1] + block[1]
            block = ((below[0] * below[1] + block[0] * block[1]) / total, total, below[2] + block[2])
        blocks.append(block)
    return places, np.repeat([block[0] for block in blocks], [block[2] for block in blocks])


def expected_error(confidence: Floats, truth: Floats, bins: int = 10) -> float:
    """Expected calibration error: the mean distance between what was said and what was true, over bins of equal width
    that count by how many fall into them (Naeini et al. 2015). 0 when there is nothing to judge."""
    if not len(confidence):
        return 0.0
    place = np.minimum((confidence * bins).astype(np.intp), bins - 1)
    gap = np.bincount(place, confidence, bins) - np.bincount(place, truth, bins)
    return float(np.abs(gap).sum() / len(confidence))
