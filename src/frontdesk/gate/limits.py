"""Exact sliding windows: at most `limit` requests of a key in any stretch of `seconds`, counted in this process.

Where several processes share one count, see `gate.shared_limits`.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from frontdesk.errors import RateLimited
from frontdesk.ports import Clock
from frontdesk.telemetry import metrics

MOST_KEYS = 100_000  # in one process; beyond it the key that was quiet longest is forgotten


class Window(NamedTuple):
    """At most `limit` requests in any `seconds`."""

    limit: int
    seconds: int


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A `ports.LimitState`: the window with least left, and the seconds until its oldest request leaves it."""

    limit: int
    remaining: int
    reset: float
    seconds: int


class WindowFull(RateLimited):
    """A window has no room; `state` says which, and when it has again."""

    def __init__(self, state: State) -> None:
        super().__init__(
            f"More than {state.limit} requests in this stretch of time", retry_after=max(0.001, state.reset)
        )
        self.state = msgspec.structs.replace(state, remaining=0)


class LocalLimiter:
    """A `ports.Limiter` that counts in this process's memory. `name` stands in the metric of what it refuses."""

    def __init__(self, windows: Sequence[Window], clock: Clock, *, name: str = "") -> None:
        self.windows = shortest_first(windows)
        self._clock = clock
        self._name = name
        self._hits: OrderedDict[str, tuple[deque[float], ...]] = OrderedDict()

    async def hit(self, key: str, *, cost: int = 1) -> State:
        """Count `cost` requests of `key`, or raise `WindowFull` without counting any."""
        now = self._clock.monotonic()
        hits = self._of(key)
        states: list[State] = []
        for window, times in zip(self.windows, hits, strict=True):
            while times and times[0] <= now - window.seconds:
                times.popleft()
            states.append(state_of(window, len(times) + cost, (times[0] if times else now) - now))
        state = within(states, self._name)
        for times in hits:
            times.extend([now] * cost)
        return state

    def _of(self, key: str) -> tuple[deque[float], ...]:
        hits = self._hits.get(key)
        if hits is None:
            hits = self._hits[key] = tuple(deque[float]() for _ in self.windows)
            if len(self._hits) > MOST_KEYS:
                self._hits.popitem(last=False)
        else:
            self._hits.move_to_end(key)
        return hits


def shortest_first(windows: Sequence[Window]) -> tuple[Window, ...]:
    """The windows in the order of their length. Raises `ValueError` where there is none."""
    if not windows:
        raise ValueError("A limiter needs at least one window")
    return tuple(sorted(windows, key=lambda window: window.seconds))


def state_of(window: Window, wanted: int, oldest: float) -> State:
    """The window once `wanted` requests are in it; `remaining` is negative when they do not fit.

    `oldest` is when the oldest of them came, in seconds from now: never above 0.
    """
    return State(
        limit=window.limit,
        remaining=window.limit - wanted,
        reset=max(0.0, oldest + window.seconds),
        seconds=window.seconds,
    )


def within(states: Iterable[State], name: str) -> State:
    """The tightest of the states. Raises `WindowFull` when it is full; of several that are, the last to free up."""
    full = [state for state in states if state.remaining < 0]
    if full:
        if name:
            metrics.limited.labels(name).inc()
        raise WindowFull(max(full, key=lambda state: state.reset))
    return min(states, key=lambda state: state.remaining)
