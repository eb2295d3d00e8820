"""Confidence that can be taken at its word: of what is decided with 0.8, four in five truly beat doing nothing."""

import numpy as np

from frontdesk.decision.features import Floats
from frontdesk.engagement import Calibration


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
