"""Taking events in: each once, whoever sends it and however often, and what it changes."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from frontdesk.decision.intake import MOST_BYTES, Accepted, Intake, note
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.profiles import fold
from frontdesk.engagement import Customer, CustomerEvent, Outcome
from frontdesk.errors import NotFound, StoreUnavailable, UnknownCustomer
from frontdesk.store.customer_events import CustomerEvents
from frontdesk.store.customers import Customers
from frontdesk.store.database import Database
from frontdesk.testing.clock import FakeClock

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)  # the test clock's


class Bells:
    """Notes which rows it was told of."""

    def __init__(self) -> None:
        self.rung: list[tuple[str, str]] = []
        self.backlog = 0

    async def ready(self, kind: str, row_id: str) -> None:
        self.rung.append((kind, row_id))


class Joined:
    """Feedback that knows one decision."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.attributed: list[str] = []

    async def accept(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.decision_id == "away":
                raise StoreUnavailable("The database is away")
            if outcome.decision_id != "dec_1":
                raise NotFound("There is no such decision", where=outcome.decision_id)
        self.outcomes += outcomes

    async def attribute(self, event: CustomerEvent) -> None:
        self.attributed.append(event.id)


@pytest.fixture
def bells() -> Bells:
    return Bells()


@pytest.fixture
def feedback() -> Joined:
    return Joined()


@pytest.fixture
def intake(database: Database, clock: FakeClock, bells: Bells, feedback: Joined) -> Intake:
    return Intake(database, clock, bells, EngagementOptions, feedback=feedback)


@pytest.fixture
def customers(database: Database, clock: FakeClock) -> Customers:
    return Customers(database, clock)


def event(
    name: str, customer_id: str = "ann", kind: str = "visit", ago: float = 0.0, **properties: str | float
) -> CustomerEvent:
    at = NOW - timedelta(hours=ago)
    return CustomerEvent(id=name, customer_id=customer_id, type=kind, at=at, properties={**properties})


def states(results: list[Accepted]) -> list[str]:
    return [result.problem.code if result.problem else result.state for result in results]


@pytest.mark.proves("engagement-1", "engagement-2")
async def test_an_event_is_accepted_once_and_asks_for_one_decision(
    intake: Intake, customers: Customers, bells: Bells
) -> None:
    first = await intake.accept([event("e1")])
    again = await intake.accept([event("e1")])
    assert [first[0].state, again[0].state] == ["accepted", "known"]
    assert first[0].decides
    assert not again[0].decides
    assert bells.rung == [("event", "e1")]
    assert (await customers.get("ann")).profile.events == 1


@pytest.mark.proves("engagement-2")
async def test_an_event_that_many_send_at_once_counts_once(intake: Intake, customers: Customers, bells: Bells) -> None:
    results = await asyncio.gather(*(intake.accept([event("e1"), event("e2", "ben")]) for _ in range(12)))
    assert sorted(result[0].state for result in results) == ["accepted"] + ["known"] * 11
    assert sorted(bells.rung) == [("event", "e1"), ("event", "e2")]
    assert (await customers.get("ann")).profile.events == 1
    assert (await customers.get("ben")).profile.events == 1


@pytest.mark.proves("promise-10")
async def test_of_many_calls_with_one_id_one_has_an_effect_and_a_changed_body_is_refused(
    database: Database,
    customers: Customers,
    clock: FakeClock,
    bells: Bells,
    size: Callable[[int, int], int],
    chance: random.Random,
) -> None:
    keys = size(40, 1000)
    processes = [Intake(database, clock, bells, EngagementOptions) for _ in range(3)]
    calls = [event(f"e{key}", f"c{key % 7}") for key in range(keys) for _ in range(20)]
    chance.shuffle(calls)
    for start in range(0, len(calls), 400):
        await asyncio.gather(*(chance.choice(processes).accept([call]) for call in calls[start : start + 400]))
    assert sorted(bells.rung) == sorted(("event", f"e{key}") for key in range(keys))
    assert sum(customer.profile.events for customer in await customers.page()) == keys
    changed = [
        event("e0", "c0", page="other"),
        event("e0", "c0", kind="purchase"),
        event("e0", "c1"),
        event("e0", "c0"),
    ]
    assert states(await processes[0].accept(changed)) == ["conflict", "conflict", "conflict", "known"]
    assert states(await processes[0].accept([event("new"), event("new", page="other")])) == ["accepted", "conflict"]


async def test_a_customer_who_comes_with_an_event_agreed_to_nothing(intake: Intake, customers: Customers) -> None:
    await intake.accept([event("e1")])
    ann = await customers.get("ann")
    assert (ann.segment, ann.consents) == ("default", 0)
    await customers.put(Customer(id="ann", segment="smb", name="Ann", consents=1, addresses={"email": "a@example.com"}))
    await intake.accept([event("e2")])
    ann = await customers.get("ann")
    assert (ann.segment, ann.name, ann.consents, ann.profile.events) == ("smb", "Ann", 1, 2)


async def test_of_a_batch_each_event_has_its_own_end(intake: Intake, bells: Bells) -> None:
    await intake.accept([event("taken", "ben")])
    bells.rung.clear()
    batch = [
        event("good"),
        event("soon", ago=-4.9 / 60),
        event("future", ago=-6 / 60),
        event("huge", text="x" * MOST_BYTES),
        event("dear", "cleo", amount=1.7e308),
        event("taken"),
        event("good"),
    ]
    assert states(await intake.accept(batch)) == [
        *("accepted", "accepted", "event_in_the_future", "too_large", "unprocessable", "conflict", "known")
    ]
    assert sorted(bells.rung) == [("event", "good"), ("event", "soon")]


async def test_old_events_and_outcomes_tell_of_the_customer_and_ask_for_no_decision(
    intake: Intake, customers: Customers, bells: Bells, database: Database, clock: FakeClock
) -> None:
    results = await intake.accept([event("old", ago=25), event("sent", kind="message"), event("seen", kind="open")])
    assert [(result.state, result.decides) for result in results] == [("accepted", False)] * 3
    assert bells.rung == []
    clock.advance(60)
    assert await CustomerEvents(database, clock).due() == []
    profile = (await customers.get("ann")).profile
    assert (profile.events, profile.messages > 0, profile.answers > 0) == (2, True, True)


async def test_an_event_that_names_its_decision_is_feedback(
    intake: Intake, customers: Customers, feedback: Joined
) -> None:
    results = await intake.accept(
        [
            event("o1", kind="click", decision_id="dec_1"),
            event("o2", kind="click", decision_id="dec_2"),
            event("v1", kind="visit", decision_id="dec_2"),
            event("p1", kind="purchase"),
        ]
    )
    assert states(results) == ["accepted", "not_found", "accepted", "accepted"]
    assert [(each.id, each.kind) for each in feedback.outcomes] == [("o1", "click")]
    assert feedback.attributed == ["p1"]
    assert (await customers.get("ann")).profile.events == 2, "feedback notes its own"


async def test_an_outcome_that_the_desk_cannot_keep_now_is_not_refused_for_good(intake: Intake) -> None:
    with pytest.raises(StoreUnavailable):
        await intake.accept([event("o1", kind="click", decision_id="away")])


@pytest.mark.proves("engagement-10")
async def test_profiles_can_be_built_anew_from_the_log_to_the_same_values(
    intake: Intake, customers: Customers, chance: random.Random
) -> None:
    kinds = ["visit", "purchase", "open", "message", "reply", "unsubscribe"]
    happened = [
        event(f"e{n}", kind=chance.choice(kinds), ago=chance.random() * 5000, channel=chance.choice(["email", "sms"]))
        for n in range(60)
    ]
    for start in range(0, 60, 7):
        await intake.accept(happened[start : start + 7])
    kept = (await customers.get("ann")).profile
    assert kept == fold(happened)
    assert await intake.rebuild("ann") == kept
    assert (await customers.get("ann")).profile == kept
    with pytest.raises(UnknownCustomer):
        await intake.rebuild("nobody")


async def test_what_the_desk_did_is_noted_in_the_transaction_that_did_it(
    database: Database, intake: Intake, customers: Customers
) -> None:
    sent = event("out_1", kind="message", channel="email")
    with pytest.raises(UnknownCustomer):
        await database.act(lambda connection: note(connection, [sent], NOW))
    await customers.put(Customer(id="ann", segment="default"))
    assert await database.act(lambda connection: note(connection, [sent], NOW)) == {"out_1"}
    assert await database.act(lambda connection: note(connection, [sent], NOW)) == frozenset()
    kept = (await customers.get("ann")).profile
    assert kept.messages == 1
    assert await intake.rebuild("ann") == kept


async def test_no_events_are_no_work(intake: Intake) -> None:
    assert await intake.accept([]) == []
