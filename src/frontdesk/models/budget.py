"""What models may use up in a day: reserved before a call, settled after it, so parallel calls cannot overspend."""

from typing import Protocol

import msgspec

from frontdesk.errors import BudgetSpent
from frontdesk.messages import Usage
from frontdesk.models.options import BudgetOptions
from frontdesk.ports import Clock

SECONDS_A_DAY = 86_400


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens and cost (millionths) set aside for one call, on one day."""

    day: str
    tokens: int
    cost: int


class Budget(Protocol):
    """Keeps the spending of all calls under a cap."""

    async def reserve(self, tokens: int, cost: int) -> Reservation:
        """Set aside the most that a call can use. Raises `BudgetSpent` when that does not fit any more."""
        ...

    async def settle(self, reservation: Reservation, usage: Usage) -> None:
        """Replace what was set aside by what was used."""
        ...


class DailyBudget:
    """A budget of this process: days are UTC days, and a new day begins with nothing spent."""

    def __init__(self, options: BudgetOptions, clock: Clock) -> None:
        self._tokens_cap = options.tokens_per_day
        self._cost_cap = None if options.money_per_day is None else round(options.money_per_day * 1_000_000)
        self._clock = clock
        self._day = ""
        self._tokens = 0
        self._cost = 0

    async def reserve(self, tokens: int, cost: int) -> Reservation:
        now = self._clock.now()
        day = now.date().isoformat()
        if day != self._day:
            self._day, self._tokens, self._cost = day, 0, 0
        if _over(self._tokens + tokens, self._tokens_cap) or _over(self._cost + cost, self._cost_cap):
            midnight = SECONDS_A_DAY - (now.hour * 3600 + now.minute * 60 + now.second)
            raise BudgetSpent("The desk's budget for models is used up for today", retry_after=float(midnight))
        self._tokens += tokens
        self._cost += cost
        return Reservation(day=day, tokens=tokens, cost=cost)

    async def settle(self, reservation: Reservation, usage: Usage) -> None:
        if reservation.day == self._day:
            self._tokens += usage.prompt_tokens + usage.completion_tokens - reservation.tokens
            self._cost += usage.cost - reservation.cost


def _over(wanted: int, cap: int | None) -> bool:
    return cap is not None and wanted > cap
