"""A person may have a held message written after all: once, by the rules, and outside what policies are judged by."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from frontdesk.decision.explain import why_held
from frontdesk.decision.overruling import Overruling
from frontdesk.decision.replay import replay
from frontdesk.engagement import Calibration, Decision
from frontdesk.errors import Conflict, NotFound
from frontdesk.store.database import Database
from frontdesk.store.outreach import OutreachRow
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.decision.deciding import Desk, customer, options, policy, served

UNSURE = Calibration(x=(0.0, 1.0), y=(0.6, 0.6))  # whatever it thinks, it is right six times of ten


class Room:
    """A desk that would write to anybody and is never sure enough, and the word of a person."""

    def __init__(self, database: Database, clock: FakeClock, ids: CountingIds) -> None:
        self.desk = Desk(database, clock, ids)
        self.desk.options = options(exploration_rate=0.0)
        self.desk.policies.now = served(policy(calibration=UNSURE))
        self.clock = clock
        self.overruling = Overruling(
            database, self.desk.decisions, self.desk.policies, lambda: self.desk.options, clock, ids
        )

    async def held(self, customer_id: str = "ann", **values: object) -> Decision:
        """A decision that was held back."""
        await self.desk.customers.put(customer(customer_id, **values))
        decision = await self.desk.decide(customer_id)
        assert decision.state == "hold"
        return decision

    async def written(self, decision: Decision) -> OutreachRow:
        """Its message, after a person's word."""
        return await self.desk.outreach.get(await self.overruling.overrule(decision.id))


@pytest.fixture
async def room(database: Database, clock: FakeClock, ids: CountingIds) -> Room:
    return Room(database, clock, ids)


@pytest.mark.proves("engagement-3")
async def test_what_was_held_is_written_after_all_and_waits_for_people(room: Room) -> None:
    decision = await room.held()
    row = await room.written(decision)
    assert (row.state, row.needs, row.decision_id, row.arm) == ("writing", 1, decision.id, decision.arm)
    (contact,) = (await room.desk.customers.get("ann")).contacts
    assert (contact.outreach_id, contact.at) == (row.id, row.send_at.timestamp())
    logged = await room.desk.decisions.get(decision.id)
    assert (logged.state, logged.human) == ("hold", True), (
        "what the policy did stays, and is not judged by what follows"
    )
    assert replay(logged, await room.desk.policies.policy(logged.policy_id), room.desk.options).same


async def test_of_many_who_overrule_a_decision_one_does(room: Room) -> None:
    decision = await room.held()
    told = await asyncio.gather(*(room.overruling.overrule(decision.id) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(each, str) for each in told) == 1
    assert all(isinstance(each, str | Conflict) for each in told)
    assert await room.desk.count() == 1


async def test_from_a_risk_on_two_people_must_approve_it(room: Room) -> None:
    room.desk.options = options(exploration_rate=0.0, four_eyes_risk=0.0)
    assert (await room.written(await room.held())).needs == 2


async def test_what_was_held_for_its_harm_stays_held(room: Room) -> None:
    room.desk.options = options(exploration_rate=0.0, risk_tolerance=0.0)
    decision = await room.held()
    with pytest.raises(Conflict, match="harm"):
        await room.overruling.overrule(decision.id)
    assert why_held(decision, room.desk.options) == (
        "Held back: the predicted harm is above 0, whatever else speaks for it.",
    )


@pytest.mark.parametrize(
    ("change", "rule"),
    [({"consents": 0}, "consent"), ({"addresses": {}}, "address"), ({"time_zone": "?"}, "time_zone")],
)
async def test_rules_are_asked_before_it_is_written(room: Room, change: dict[str, object], rule: str) -> None:
    decision = await room.held()
    await room.desk.customers.put(replace(customer(), **change))
    with pytest.raises(Conflict) as refused:
        await room.overruling.overrule(decision.id)
    assert refused.value.where == rule
    assert await room.desk.count() == 0
    assert not (await room.desk.decisions.get(decision.id)).human


async def test_the_limit_of_messages_holds_for_people_too(room: Room) -> None:
    for _ in range(3):
        decision = await room.held(segment="enterprise")
        await room.overruling.overrule(decision.id)
        room.clock.advance(3600)
    fourth = await room.desk.decide()
    assert fourth.arm == "nothing"
    with pytest.raises(Conflict, match="not held"):
        await room.overruling.overrule(fourth.id)


async def test_it_leaves_when_the_hours_of_the_segment_open(room: Room) -> None:
    decision = await room.held(segment="enterprise")
    room.clock.advance(timedelta(hours=8).total_seconds())  # eight in the evening
    row = await room.written(decision)
    assert (row.send_at.hour, row.send_at.date()) == (9, room.clock.now().date() + timedelta(days=1))


async def test_what_is_out_of_date_unknown_or_of_somebody_erased_is_refused(room: Room) -> None:
    decision = await room.held()
    with pytest.raises(NotFound):
        await room.overruling.overrule("dec_none")
    room.clock.advance(timedelta(hours=40).total_seconds())
    with pytest.raises(Conflict, match="out of date"):
        await room.overruling.overrule(decision.id)
    gone = await room.held("ben")
    await room.desk.customers.erase("ben")
    with pytest.raises(NotFound):
        await room.overruling.overrule(gone.id)


async def test_why_it_was_held_is_told(room: Room) -> None:
    decision = await room.held()
    assert why_held(decision, room.desk.options) == ("Held back: the confidence is below 0.75.",)
    assert why_held(replace(decision, state="act"), room.desk.options) == ()
    assert why_held(decision, options(minimum_confidence=0.0)) == ()
