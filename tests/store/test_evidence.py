"""What champion and challenger have brought, summed up on both databases."""

from datetime import timedelta

import pytest

from frontdesk.decision.policies import born
from frontdesk.engagement import NOTHING, Genes, Outcome, OutcomeKind
from frontdesk.store import outcomes
from frontdesk.store.database import Database
from frontdesk.store.evidence import Brought, EvidenceRows
from frontdesk.store.logged import DecisionLog
from frontdesk.store.policies import Policies
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.decision.logged import WINDOW, Desk


@pytest.fixture
def desk(database: Database, clock: FakeClock, ids: CountingIds) -> Desk:
    return Desk(database, clock, ids)


@pytest.fixture
def evidence(database: Database) -> EvidenceRows:
    return EvidenceRows(database)


async def settle(desk: Desk) -> None:
    desk.clock.advance(WINDOW.total_seconds() + 1)
    await DecisionLog(desk.database).settle(desk.clock.now(), lambda rows: [0.0] * len(rows))


async def happened(desk: Desk, decision_id: str, kind: OutcomeKind, customer_id: str = "ann") -> None:
    outcome = Outcome(id=f"{kind}:{decision_id}", decision_id=decision_id, kind=kind, at=desk.clock.now())
    await desk.database.act(
        lambda connection: outcomes.put(connection, outcome, customer_id, desk.clock.now(), counted=True)
    )


async def test_successes_are_counted_by_role_and_person_once_they_are_settled(
    desk: Desk, evidence: EvidenceRows
) -> None:
    await desk.customer("ann")
    await desk.customer("bob")
    start = desk.clock.now()
    await desk.decide("before")
    desk.clock.advance(10)
    since = desk.clock.now()
    for number in range(3):
        await desk.decide(f"ann{number}")
    await desk.decide("bob0", customer_id="bob")
    await desk.decide("chosen", human=True)
    await desk.decide("shadowed", state="shadow")
    await desk.decide("other", NOTHING, customer_id="bob", role="challenger")
    await happened(desk, "ann0", "click")
    await happened(desk, "ann0", "conversion")
    await happened(desk, "ann1", "reply")
    await happened(desk, "bob0", "open", "bob")
    await happened(desk, "chosen", "click")
    waiting = await evidence.brought(since)
    assert waiting["champion"] == Brought(messaged=2)
    await settle(desk)
    assert await evidence.brought(since) == {
        "champion": Brought(people=2, trials=4, total=2, squares=4, cross=6, sizes=10, messaged=2),
        "challenger": Brought(people=1, trials=1, total=0, squares=0, cross=0, sizes=1),
    }
    assert (await evidence.brought(start))["champion"].trials == 5


async def test_whoever_writes_later_is_not_held_against_who_does_nothing_at_once(
    desk: Desk, evidence: EvidenceRows
) -> None:
    for name in ("ann", "bob", "cleo"):
        await desk.customer(name)
    since = desk.clock.now()
    await desk.decide("first", NOTHING)
    desk.clock.advance(3600)
    await desk.decide("late", customer_id="bob", role="challenger", send_at=desk.clock.now() + timedelta(hours=20))
    await desk.decide("soon", NOTHING, customer_id="cleo", role="challenger")
    desk.clock.advance(3600)
    await desk.decide("later", NOTHING)
    await settle(desk)
    assert {role: each.trials for role, each in (await evidence.brought(since)).items()} == {
        "champion": 1,
        "challenger": 0,
    }
    await settle(desk)
    assert {role: each.trials for role, each in (await evidence.brought(since)).items()} == {
        "champion": 2,
        "challenger": 2,
    }


async def test_segments_in_which_both_do_not_have_the_same_share_are_not_compared(
    desk: Desk, evidence: EvidenceRows
) -> None:
    await desk.customer("ann")
    since = desk.clock.now()
    await desk.decide("d1")
    await desk.decide("d2", segment="enterprise")
    await settle(desk)
    assert (await evidence.brought(since, but=["enterprise"]))["champion"].trials == 1
    assert (await evidence.brought(since, but=["enterprise"]))["champion"].messaged == 1


async def test_people_who_were_driven_away_count_at_once(desk: Desk, evidence: EvidenceRows) -> None:
    await desk.customer("ann")
    since = desk.clock.now()
    await desk.decide("d1", role="challenger")
    await desk.decide("d2", role="challenger")
    for decision_id in ("d1", "d2"):
        await happened(desk, decision_id, "unsubscribe")
    await happened(desk, "d1", "complaint")
    assert await evidence.brought(since) == {"challenger": Brought(messaged=1, unsubscribed=1, complained=1)}
    assert await evidence.brought(since + timedelta(seconds=1)) == {}


async def test_a_shadow_is_held_beside_what_was_decided_meanwhile(
    desk: Desk, evidence: EvidenceRows, clock: FakeClock, ids: CountingIds
) -> None:
    policies = Policies(desk.database, clock, ids)
    await policies.add(born("bold", Genes(), clock.now(), origin="evolved"))
    await desk.customer("ann")
    since = clock.now()
    await desk.decide("d1", policy_id="bold", state="shadow", risk=0.25)
    await desk.decide("d2", policy_id="bold", state="shadow", risk=0.75)
    await desk.decide("d3", NOTHING, risk=0.0)
    await desk.decide("d4", policy_id="else", state="shadow")
    shadow, served = await evidence.shadow("bold", since)
    assert (shadow.count, shadow.load, shadow.risk) == (2, 1.0, 0.5)
    assert (served.count, served.load, served.risk) == (1, 0.0, 0.0)
