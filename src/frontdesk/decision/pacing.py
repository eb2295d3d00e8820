"""The slow policy: how many messages a customer gets a week and how far apart. Planned each night for everybody.

The fast policy chooses message, channel and time of day within the plan. Plans only ever tighten the rules.
"""

from collections.abc import Callable
from datetime import datetime

from frontdesk.decision.masks import Pace
from frontdesk.decision.profiles import signals
from frontdesk.engagement import Customer, Genes, Plan, Signals
from frontdesk.ports import Clock
from frontdesk.store.customers import Customers

TIRED = 0.5  # fatigue from which a customer is left alone for longer: four messages of late without an answer
BATCH = 1000  # customers who are planned for together


def plan_of(signals: Signals, genes: Genes, now: datetime) -> Plan:
    """The plan of a customer, whose tier follows from engagement and whose gap from fatigue."""
    gap = genes.gap_hours_tired if signals.fatigue >= TIRED else genes.gap_hours
    if signals.engagement < genes.tier_low:
        tier, weekly = "low", genes.weekly_low
    elif signals.engagement < genes.tier_high:
        tier, weekly = "middle", genes.weekly_middle
    else:
        tier, weekly = "high", genes.weekly_high
    return Plan(weekly=weekly, gap_hours=gap, tier=tier, made_at=now)


def pace_of(plan: Plan | None, signals: Signals, genes: Genes, now: datetime) -> Pace:
    """What holds now: the plan, or that which would be made now where there is none yet; and the longer gap."""
    fresh = plan_of(signals, genes, now)
    standing = plan or fresh
    gap = max(standing.gap_hours, fresh.gap_hours)
    return Pace(standing.weekly, gap * 3600, signals.fatigue >= TIRED)


class Pacing:
    """Plans for everybody."""

    def __init__(self, customers: Customers, clock: Clock) -> None:
        self._customers = customers
        self._clock = clock

    async def run(self, genes_of: Callable[[Customer], Genes]) -> int:
        """Make everybody's plan anew under the strategy that serves them: how many were made. May be cut off."""
        now, made, after = self._clock.now(), 0, None
        while batch := await self._customers.page(after=after, limit=BATCH):
            plans = {
                each.id: plan_of(signals(each.profile, now, each.time_zone), genes_of(each), now) for each in batch
            }
            await self._customers.set_plans(plans)
            made, after = made + len(batch), batch[-1].id
        return made
