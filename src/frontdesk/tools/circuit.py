"""A circuit breaker: a server that keeps failing is left alone for a while."""

from collections import deque

from frontdesk.ports import Clock


class Circuit:
    """Opens after `failures` within `seconds`; after `seconds` more one trial call decides whether it closes."""

    def __init__(self, clock: Clock, *, failures: int, seconds: float) -> None:
        self._clock = clock
        self._limit = failures
        self._seconds = seconds
        self._failed: deque[float] = deque(maxlen=failures)
        self._opened: float | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether calls are refused now."""
        return self.retry_after > 0

    @property
    def retry_after(self) -> float:
        """Seconds until a trial call is let through; 0 when calls may go."""
        if self._opened is None:
            return 0.0
        return max(0.0, self._opened + self._seconds - self._clock.monotonic())

    def admit(self) -> bool:
        """Whether this call may go. In a half-open circuit only the first one may."""
        if self._opened is None:
            return True
        if self.is_open or self._trying:
            return False
        self._trying = True
        return True

    def succeeded(self) -> None:
        """The server answered."""
        self._opened = None
        self._trying = False
        self._failed.clear()

    def failed(self) -> None:
        """The server did not answer, or its connection broke."""
        now = self._clock.monotonic()
        self._failed.append(now)
        full = len(self._failed) == self._limit and now - self._failed[0] <= self._seconds
        if self._trying or full:
            self._opened = now
            self._trying = False

    def undecided(self) -> None:
        """The call ended for a reason of ours; another trial may go."""
        self._trying = False
