"""How people were treated, and the gaps that were found, on both databases."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from frontdesk.engagement import NOTHING, Customer, Outcome, OutcomeKind
from frontdesk.errors import NotFound
from frontdesk.store import outcomes
from frontdesk.store.database import Database
from frontdesk.store.gaps import Gap, Gaps
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.decision.logged import Desk

WIDE = Gap(
    measure="selection",
    trait="gender",
    group="f",
    reference="m",
    rate=0.3,
    reference_rate=0.5,
    ratio=0.6,
    low=0.5,
    high=0.7,
    people=1000,
    reference_people=1000,
)
NARROW = msgspec.structs.replace(WIDE, measure="offer", ratio=0.95, high=None)


@pytest.fixture
def gaps(database: Database, clock: FakeClock, ids: CountingIds) -> Gaps:
    return Gaps(database, clock, ids)


@pytest.fixture
def desk(database: Database, clock: FakeClock, ids: CountingIds) -> Desk:
    return Desk(database, clock, ids)


async def happened(desk: Desk, decision_id: str, kind: OutcomeKind, customer_id: str = "ann") -> None:
    outcome = Outcome(id=f"{kind}:{decision_id}", decision_id=decision_id, kind=kind, at=desk.clock.now())
    await desk.database.act(
        lambda connection: outcomes.put(connection, outcome, customer_id, desk.clock.now(), counted=True)
    )


async def test_what_was_decided_about_customers_is_summed_up_by_arm(gaps: Gaps, desk: Desk) -> None:
    await desk.customer("ann")
    await desk.customers.put(Customer(id="bob", segment="smb", traits={"gender": "m"}))
    start = desk.clock.now()
    await desk.decide("d0")
    desk.clock.advance(60)
    await desk.decide("d1")
    await desk.decide("d2", state="hold")
    await desk.decide("d3", state="shadow")
    await desk.decide("d4", NOTHING)
    await happened(desk, "d1", "click")
    await happened(desk, "d1", "conversion")
    await happened(desk, "d0", "open")

    rows = await gaps.treated(start + timedelta(seconds=1))
    told = {(row.customer_id, row.arm): (row.decisions, row.messages, row.successes) for row in rows}
    assert told == {
        ("ann", "welcome/email/now"): (2, 1, 1),
        ("ann", NOTHING): (1, 0, 0),
        ("bob", NOTHING): (0, 0, 0),
    }
    [bob] = await gaps.treated(start, after="ann")
    assert (bob.segment, bob.traits) == ("smb", {"gender": "m"})
    assert {row.customer_id for row in await gaps.treated(start, customers_at_once=1)} == {"ann"}


async def test_a_finding_is_new_once_and_closes_when_the_gap_does(gaps: Gaps, clock: FakeClock) -> None:
    [finding] = await gaps.keep([WIDE, NARROW], 0.8)
    assert (finding.state, finding.measure) == ("open", "selection")
    clock.advance(60)
    assert await gaps.keep([WIDE, NARROW], 0.8) == []
    [again, other] = await gaps.all()
    assert (again.id, again.since) == (finding.id, finding.since)
    assert again.seen_at > finding.seen_at
    assert (other.state, other.high) == ("fair", None)
    await gaps.keep([msgspec.structs.replace(WIDE, ratio=0.9)], 0.8)
    assert [(row.state, row.ratio) for row in await gaps.all()] == [("fair", 0.9)]
    assert len(await gaps.keep([WIDE], 0.8)) == 1


async def test_what_somebody_accepted_stays_so_while_it_is_there(gaps: Gaps) -> None:
    [finding] = await gaps.keep([WIDE], 0.8)
    accepted = await gaps.accept(finding.id, "per_1", "The offer is for new mothers.")
    assert (accepted.state, accepted.settled_by) == ("accepted", "per_1")
    assert await gaps.keep([WIDE], 0.8) == []
    assert (await gaps.all())[0].note == "The offer is for new mothers."
    with pytest.raises(NotFound):
        await gaps.accept(finding.id, "per_2", "")
    await gaps.keep([msgspec.structs.replace(WIDE, ratio=0.9)], 0.8)
    assert [row.state for row in await gaps.keep([WIDE], 0.8)] == ["open"]


async def test_two_looks_at_once_leave_one_finding(gaps: Gaps) -> None:
    await asyncio.gather(*(gaps.keep([WIDE], 0.8) for _ in range(2)), return_exceptions=True)
    assert len(await gaps.all()) == 1
