"""A clock that is set by hand and ids that bear its time, so that the desk's own rooms can live through a past."""

import time
from datetime import datetime

from frontdesk.ports import Ids


class PastClock:
    """Shows `moment`, and stands still until that is changed."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        raise RuntimeError("Nobody waits in the past")


class PastIds:
    """Ids as `ids` makes them, with the time of a clock in place of now, so that they sort where they belong."""

    def __init__(self, ids: Ids, clock: PastClock) -> None:
        self._ids = ids
        self._clock = clock

    def new(self, kind: str) -> str:
        name, _, rest = self._ids.new(kind).rpartition("_")
        return f"{name}_{int(self._clock.moment.timestamp() * 1000):012x}{rest[-20:]}"

    def secret(self, size: int = 32) -> str:
        return self._ids.secret(size)


class Unheard:
    """A dispatcher that hands nothing out: whoever lives through a past does all work at once."""

    backlog = 0

    async def ready(self, kind: str, row_id: str) -> None:
        """Nobody is told."""
