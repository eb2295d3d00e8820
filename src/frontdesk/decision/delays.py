"""How late outcomes come, so that what is still open can be learned from without waiting for its window to end.

A decision of some age has yielded, on average, the share F(age) of what it will. Counted as F(age) of an outcome with
its reward so far divided by F(age), it adds to the sums of least squares what it will add when settled, on average:
neither the answers that came early nor the silence of those who have not answered yet bends what is learned. This takes
delays to be alike for all arms (as exposure in rates of events; Chapelle 2014 lets them differ).
"""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from frontdesk.decision.features import Floats
from frontdesk.decision.rewards import STANDARD, worths
from frontdesk.engagement import OUTCOMES, OutcomeKind

LEAST_SHARE = 0.1  # below it a decision is too young: its reward, blown up so much, would be mostly noise
GUESSED = 20.0  # outcomes that the guess about delays is worth
USUAL = 1 / 6  # of the window: the mean delay before any was seen


class Delays:
    """The shares F, from what was seen: kinds of outcomes, and how long before the window's end they came."""

    def __init__(self, seen: Sequence[tuple[OutcomeKind, timedelta]], window: timedelta) -> None:
        self._window = window.total_seconds()
        worth = np.abs(worths(STANDARD))
        delays = np.array([self._window - left.total_seconds() for _, left in seen])
        order = np.argsort(delays)
        self._delays = np.clip(delays[order], 0.0, self._window)
        self._mass = np.cumsum(np.array([worth[OUTCOMES.index(kind)] for kind, _ in seen])[order])

    def share(self, ages: Floats) -> Floats:
        """F of each age in seconds; 1 from the window's end on."""
        within = np.clip(ages, 0.0, self._window)
        guess = np.expm1(-within / (USUAL * self._window)) / np.expm1(-1 / USUAL)
        if not len(self._delays):
            return guess
        mass = np.concatenate(([0.0], self._mass))
        seen = mass[np.searchsorted(self._delays, within, side="right")] / max(float(mass[-1]), 1e-12)
        count = len(self._delays)
        return (count * seen + GUESSED * guess) / (count + GUESSED)
