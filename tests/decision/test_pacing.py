"""The slow policy: how many messages a week, and how far apart."""

from datetime import timedelta

import msgspec
import pytest

from frontdesk.decision.objectives import objective_of
from frontdesk.decision.pacing import Pacing, pace_of, plan_of
from frontdesk.decision.policies import share_of
from frontdesk.decision.together import policy_of
from frontdesk.engagement import STAGES, Genes, Plan, Signals
from frontdesk.store.customers import Customers
from frontdesk.store.database import Database
from frontdesk.testing.clock import FakeClock
from tests.decision.deciding import START, customer, options, policy, served

GENES = Genes()
CALM = Signals(
    recency_days=1,
    frequency=3,
    engagement=0.5,
    churn_risk=0.1,
    fatigue=0.0,
    value=0,
    stage="active",
    best_channel="",
    best_hour=9,
)


@pytest.mark.parametrize(("engagement", "tier", "weekly"), [(0.1, "low", 1), (0.3, "middle", 2), (0.9, "high", 4)])
def test_who_is_more_engaged_hears_more(engagement: float, tier: str, weekly: int) -> None:
    plan = plan_of(msgspec.structs.replace(CALM, engagement=engagement), GENES, START)
    assert (plan.tier, plan.weekly, plan.gap_hours) == (tier, weekly, 24)


def test_who_is_tired_is_left_alone_for_longer_at_once_whatever_the_plan_says() -> None:
    tired = msgspec.structs.replace(CALM, fatigue=0.6)
    assert plan_of(tired, GENES, START).gap_hours == 72
    plan = Plan(weekly=3, gap_hours=12, tier="high", made_at=START - timedelta(hours=5))
    assert pace_of(plan, CALM, GENES, START) == (3, 24 * 3600, False)
    assert pace_of(plan, tired, GENES, START) == (3, 72 * 3600, True)
    assert pace_of(None, CALM, GENES, START) == (2, 24 * 3600, False)


async def test_at_night_everybody_gets_a_plan(database: Database, clock: FakeClock) -> None:
    customers = Customers(database, clock)
    await customers.put_many([customer(f"cus_{number}") for number in range(12)])
    assert await Pacing(customers, clock).run(lambda _: GENES) == 12
    plans = [each.plan for each in await customers.page()]
    assert {plan and (plan.tier, plan.made_at) for plan in plans} == {("low", clock.now())}


async def test_whom_a_challenger_decides_about_has_its_pace(database: Database, clock: FakeClock) -> None:
    customers = Customers(database, clock)
    await customers.put_many([customer(f"cus_{number}") for number in range(30)])
    rarer = policy("pol_2", genes=msgspec.structs.replace(GENES, weekly_low=0))
    now = served(policy(genes=GENES), challenger=rarer, share=0.5)
    await Pacing(customers, clock).run(lambda each: policy_of(now, options(), each, clock.now()).genes)
    weekly = {each.id: each.plan and each.plan.weekly for each in await customers.page()}
    assert weekly == {name: 0 if share_of(name, "pol_2") < 0.5 else 1 for name in weekly}
    assert set(weekly.values()) == {0, 1}


def test_the_objective_is_the_events_or_else_the_stages() -> None:
    assert objective_of(CALM, "payment_failed") == "support"
    of_stages = {stage: objective_of(msgspec.structs.replace(CALM, stage=stage), "page_viewed") for stage in STAGES}
    assert of_stages == {
        "new": "onboard",
        "active": "activate",
        "loyal": "upsell",
        "at_risk": "retain",
        "lapsed": "win_back",
    }
