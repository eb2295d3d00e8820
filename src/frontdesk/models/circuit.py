"""A circuit breaker: a model that keeps failing is left alone for a while (M. Nygard, Release It!, 2nd ed., 5.2)."""

from collections import deque
from collections.abc import Callable
from typing import Literal

from frontdesk.models.options import CircuitOptions
from frontdesk.ports import Clock

State = Literal["closed", "open", "half_open"]


class Circuit:
    """Closed while all is well; open after `failures` within `window` seconds; after `pause` seconds half open: one
    call may try, and its outcome closes or opens the circuit.

    Each call asks `admits` once and then reports `succeeded`, `failed` or `abandoned`, once.
    """

    def __init__(self, options: CircuitOptions, clock: Clock, on_open: Callable[[bool], None]) -> None:
        self._options = options
        self._clock = clock
        self._on_open = on_open
        self._failures: deque[float] = deque(maxlen=options.failures)
        self._opened: float | None = None
        self._trying = False

    @property
    def state(self) -> State:
        if self._opened is None:
            return "closed"
        return "open" if self.tries_in > 0 else "half_open"

    @property
    def tries_in(self) -> float:
        """Seconds until a call may try again; 0 when it may now."""
        if self._opened is None:
            return 0.0
        return max(0.0, self._opened + self._options.pause - self._clock.monotonic())

    def admits(self) -> bool:
        """Whether a call may be made now. In the half-open state the first asker gets the one try."""
        if self._opened is None:
            return True
        if self.tries_in > 0 or self._trying:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        self._failures.clear()
        self._trying = False
        if self._opened is not None:
            self._opened = None
            self._on_open(False)

    def failed(self) -> None:
        now = self._clock.monotonic()
        self._failures.append(now)
        full = len(self._failures) == self._options.failures
        if self._trying or (full and now - self._failures[0] <= self._options.window):
            self._opened = now
            self._on_open(True)
        self._trying = False

    def abandoned(self) -> None:
        """The call ended without telling anything about the model."""
        self._trying = False
