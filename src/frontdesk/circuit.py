"""A circuit breaker: what keeps failing is left alone for a while (M. Nygard, Release It!, 2nd ed., 5.2)."""

from collections import deque
from collections.abc import Callable
from typing import Literal

from frontdesk.ports import Clock

State = Literal["closed", "open", "half_open"]


class Circuit:
    """Closed while all is well; open after `failures` within `window` seconds; after `pause` seconds half open: one
    call may try, and its outcome closes or opens the circuit. `on_change` hears whether it has opened or closed.

    Each call asks `admits` once and then reports `succeeded`, `failed` or `abandoned`, once.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        failures: int,
        window: float,
        pause: float,
        on_change: Callable[[bool], None] | None = None,
    ) -> None:
        self._clock = clock
        self._window = window
        self._pause = pause
        self._on_change = on_change
        self._failures: deque[float] = deque(maxlen=failures)
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
        return max(0.0, self._opened + self._pause - self._clock.monotonic())

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
            self._tell(is_open=False)

    def failed(self) -> None:
        now = self._clock.monotonic()
        self._failures.append(now)
        full = len(self._failures) == self._failures.maxlen
        if self._trying or (full and now - self._failures[0] <= self._window):
            self._opened = now
            self._tell(is_open=True)
        self._trying = False

    def abandoned(self) -> None:
        """The call ended without telling anything about what was called."""
        self._trying = False

    def _tell(self, *, is_open: bool) -> None:
        if self._on_change is not None:
            self._on_change(is_open)
