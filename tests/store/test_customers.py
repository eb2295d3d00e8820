"""Customers and the log of what they did, on both databases, also when two want the same at once."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from frontdesk.engagement import CHANNELS, Contact, Customer, CustomerEvent, Plan, Profile
from frontdesk.errors import UnknownCustomer
from frontdesk.store.customer_events import CustomerEvents, NewEvent, known, log, read, take, write
from frontdesk.store.customers import (
    ALWAYS,
    Customers,
    customers,
    ensure,
    locked,
    reserve,
    set_profiles,
    withdraw_consent,
)
from frontdesk.store.database import Database
from frontdesk.store.prepared import Connection
from frontdesk.testing.clock import FakeClock

MOMENT = datetime(2026, 1, 5, 12, tzinfo=UTC)
EMAIL, SMS = 1 << CHANNELS.index("email"), 1 << CHANNELS.index("sms")
ANN = Customer(
    id="ann",
    segment="smb",
    name="Ann Example",
    time_zone="Europe/Berlin",
    consents=EMAIL | SMS,
    addresses={"email": "ann@example.com"},
    traits={"plan": "pro", "seats": 3},
)


@pytest.fixture
def store(database: Database, clock: FakeClock) -> Customers:
    return Customers(database, clock)


@pytest.fixture
def events(database: Database, clock: FakeClock) -> CustomerEvents:
    return CustomerEvents(database, clock)


def event(name: str, customer_id: str = "ann", *, at: datetime = MOMENT) -> CustomerEvent:
    return CustomerEvent(id=name, customer_id=customer_id, type="visit", at=at, properties={"page": "prices", "n": 2})


def new(*names: str, customer_id: str = "ann", decided: bool = False) -> list[NewEvent]:
    return [NewEvent(event=event(name, customer_id), received_at=MOMENT, decided=decided) for name in names]


async def test_what_the_owner_says_of_a_customer_is_kept_and_may_be_said_anew(store: Customers) -> None:
    stored = await store.put(ANN)
    assert stored == await store.get("ann")
    assert stored.addresses == ANN.addresses
    assert stored.traits == ANN.traits
    assert stored.allows("email"), "there is an address"
    assert not stored.allows("sms"), "there is none"
    assert stored.reachable == EMAIL | ALWAYS
    later = await store.put(Customer(id="ann", segment="enterprise", name="Ann"))
    assert (later.segment, later.name, later.consents) == ("enterprise", "Ann", 0)


async def test_a_consent_that_was_withdrawn_stays_so_when_the_owner_tells_of_other_things(
    database: Database, store: Customers
) -> None:
    await store.put(ANN)
    await database.act(lambda connection: withdraw_consent(connection, "ann", "email"))
    assert (await store.put(ANN, keep_consents=True)).consents == SMS
    await database.act(lambda connection: withdraw_consent(connection, "ann", None))
    assert (await store.get("ann")).consents == 0
    assert (await store.put(ANN)).consents == EMAIL | SMS, "the owner says so anew"


async def test_who_is_unknown_is_told_so(store: Customers) -> None:
    for ask in (store.get, store.erase, store.export):
        with pytest.raises(UnknownCustomer):
            await ask("nobody")


async def test_decisions_read_customers_without_their_sealed_words(database: Database, store: Customers) -> None:
    await store.put_many([ANN, Customer(id="ben", segment="default", name="Ben")])
    found = await database.act(lambda connection: locked(connection, ["ben", "ann", "nobody"]))
    assert list(found) == ["ann", "ben"]
    assert (found["ann"].name, found["ann"].addresses) == ("", {})
    assert found["ann"].allows("email")
    assert found["ann"].traits == ANN.traits
    whole = await database.act(lambda connection: locked(connection, ["ann"], whole=True))
    assert whole["ann"].addresses == ANN.addresses


async def test_contacts_profiles_and_plans_are_kept(database: Database, store: Customers) -> None:
    await store.put(ANN)
    contacts = (Contact(at=1.5, channel="email", outreach_id="out_1"),)
    profile = Profile(last_at=MOMENT, events=3, hours=(1.0, 2.0), sums=(b"\x01",))
    plan = Plan(weekly=2, gap_hours=24, tier="middle", made_at=MOMENT)

    async def work(connection: Connection) -> None:
        await reserve(connection, [("ann", contacts)])
        await set_profiles(connection, [("ann", profile)])

    await database.act(work)
    await store.set_plans({"ann": plan})
    found = await store.put(ANN)
    assert (found.contacts, found.profile, found.plan) == (contacts, profile, plan)


async def test_of_many_who_reserve_at_once_each_sees_what_was_reserved_before(
    database: Database, store: Customers
) -> None:
    await store.put(ANN)

    async def add(number: int) -> None:
        async def work(connection: Connection) -> None:
            customer = (await locked(connection, ["ann"]))["ann"]
            mine = Contact(at=float(number), channel="email", outreach_id=f"out_{number}")
            await reserve(connection, [("ann", (*customer.contacts, mine))])

        await database.act(work)

    await asyncio.gather(*(add(number) for number in range(20)))
    assert len((await store.get("ann")).contacts) == 20


async def test_two_who_lock_the_same_customers_in_other_orders_both_get_them(
    database: Database, store: Customers
) -> None:
    names = [f"c{number}" for number in range(8)]
    await store.put_many([Customer(id=name, segment="default") for name in names])

    async def lock(wanted: list[str]) -> int:
        return len(await database.act(lambda connection: locked(connection, wanted)))

    orders = [names if turn % 2 else names[::-1] for turn in range(20)]
    assert await asyncio.wait_for(asyncio.gather(*map(lock, orders)), 20) == [8] * 20


async def test_pages_go_in_order_of_the_ids(store: Customers) -> None:
    await store.put_many([Customer(id=f"c{number}", segment="smb" if number % 2 else "default") for number in range(6)])
    await store.put(Customer(id="d_1", segment="smb"))
    first = await store.page(segment="smb", limit=2)
    assert [each.id for each in first] == ["c1", "c3"]
    assert [each.id for each in await store.page(segment="smb", after="c3")] == ["c5", "d_1"]
    assert [each.id for each in await store.page(prefix="d_")] == ["d_1"]
    assert await store.count() == 7


async def test_an_event_is_stored_once_and_read_as_it_came(database: Database, store: Customers) -> None:
    await store.put(ANN)
    await database.act(lambda connection: write(connection, new("e1", "e2")))
    assert await database.act(lambda connection: known(connection, ["e1", "e3"])) == {"e1": "ann"}
    assert await database.act(lambda connection: read(connection, ["e1"])) == {"e1": event("e1")}
    with pytest.raises(IntegrityError):
        await database.act(lambda connection: write(connection, new("e3", "e1")))
    assert await database.act(lambda connection: known(connection, ["e3"])) == {}, "all or nothing"


async def test_the_log_is_in_order_of_time_whatever_came_late(database: Database, store: Customers) -> None:
    await store.put(ANN)
    for name, days in (("now", 0), ("late", -3), ("between", -1)):
        happened = event(name, at=MOMENT + timedelta(days=days))
        late = [NewEvent(event=happened, received_at=MOMENT, decided=True)]
        await database.act(lambda connection, late=late: write(connection, late))
    found = await database.act(lambda connection: log(connection, "ann"))
    assert [each.id for each in found] == ["late", "between", "now"]


async def test_of_many_who_take_an_event_one_gets_it(
    database: Database, store: Customers, events: CustomerEvents
) -> None:
    await store.put(ANN)
    await database.act(lambda connection: write(connection, new("e1")))
    await database.act(lambda connection: write(connection, new("old", decided=True)))
    taken = await asyncio.gather(*(database.act(lambda connection: take(connection, ["e1", "old"])) for _ in range(10)))
    assert sorted(map(len, taken)) == [0] * 9 + [1]
    assert await events.count() == 2


async def test_an_event_whose_bell_was_lost_is_found(
    database: Database, store: Customers, events: CustomerEvents, clock: FakeClock
) -> None:
    await store.put(ANN)
    waiting = [NewEvent(event=event("e1"), received_at=clock.now(), decided=False)]
    await database.act(lambda connection: write(connection, waiting))
    assert await events.due() == []
    clock.advance(6)
    assert await events.due() == ["e1"]
    await database.act(lambda connection: take(connection, ["e1"]))
    assert await events.due() == []
    assert await events.get("e1") == event("e1")
    assert await events.get("e2") is None


async def test_a_customer_who_is_erased_stands_nowhere_any_more(database: Database, store: Customers) -> None:
    await store.put_many([ANN, Customer(id="ben", segment="default", name="Ben")])
    await database.act(lambda connection: write(connection, new("e1") + new("e2", customer_id="ben")))
    told = await store.export("ann")
    assert told["customers"][0]["name"] == "Ann Example"
    assert told["customers"][0]["addresses"] == {"email": "ann@example.com"}
    assert [each["id"] for each in told["customer_events"]] == ["e1"]
    await store.erase("ann")
    assert await store.count() == 1
    assert await database.act(lambda connection: known(connection, ["e1", "e2"])) == {"e2": "ben"}


async def test_names_addresses_and_properties_are_sealed(database: Database, store: Customers) -> None:
    await store.put(ANN)
    await database.act(lambda connection: write(connection, new("e1")))
    async with database.read() as connection:
        row = (await connection.execute(sa.text("SELECT name, addresses FROM customers"))).one()
        properties = (await connection.execute(sa.text("SELECT properties FROM customer_events"))).scalar_one()
    assert not any("Ann" in stored or "example.com" in stored for stored in row)
    assert "prices" not in properties


async def test_a_customer_of_whom_nothing_is_known_agreed_to_nothing(database: Database, store: Customers) -> None:
    await database.act(lambda connection: ensure(connection, MOMENT, ["new", "new2"], "default"))
    await database.act(lambda connection: ensure(connection, MOMENT, ["new"], "smb"))
    found = await store.get("new")
    assert (found.segment, found.consents, found.profile) == ("default", 0, Profile())
    assert not any(found.allows(channel) for channel in CHANNELS)
    assert customers.c.profile.nullable is False
