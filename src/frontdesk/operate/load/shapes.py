"""How many of the people write, over the time of a run."""

import math
from collections.abc import Callable

Shape = Callable[[float], float]  # how far the run is (0 to 1) → which share of the people writes then (0 to 1)

BASE = 0.1  # what writes before and after a spike, and between bursts
BURSTS = 5


def steady(_: float) -> float:
    """All of them, all the time."""
    return 1.0


def ramp(passed: float) -> float:
    """More and more, evenly."""
    return passed


def spike(passed: float) -> float:
    """A few, and all in the middle fifth."""
    return 1.0 if 0.4 <= passed < 0.6 else BASE


def burst(passed: float) -> float:
    """All and a few in turn."""
    return 1.0 if (passed * 2 * BURSTS) % 2 < 1 else BASE


def sine(passed: float) -> float:
    """Up and down twice, as days go."""
    return 0.5 - 0.5 * math.cos(4 * math.pi * passed)


SHAPES: dict[str, Shape] = {"steady": steady, "ramp": ramp, "spike": spike, "burst": burst, "sine": sine}
