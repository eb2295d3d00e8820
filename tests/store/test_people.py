"""People, links and sessions as rows, on both databases, also when two do the same at once."""

import asyncio
from datetime import timedelta

import pytest

from frontdesk.clock import RandomIds
from frontdesk.errors import Conflict, FrontdeskError, NotFound, NotSignedIn
from frontdesk.messages import Role
from frontdesk.store.database import Database
from frontdesk.store.keys import Keys
from frontdesk.store.people import People
from frontdesk.store.sessions import Opened, Sessions
from frontdesk.testing.clock import FakeClock

DAY = timedelta(days=1)


@pytest.fixture
def people(database: Database, clock: FakeClock) -> People:
    return People(database, clock, RandomIds())


@pytest.fixture
def sessions(database: Database, clock: FakeClock) -> Sessions:
    return Sessions(database, clock, RandomIds())


async def test_an_address_belongs_to_one_person_however_it_is_written(people: People) -> None:
    ann = await people.add(name="Ann", role=Role.MEMBER, email=" Ann@Example.COM")
    with pytest.raises(Conflict):
        await people.add(name="Eve", role=Role.MEMBER, email="ann@example.com")
    found = await people.by_email("ANN@example.com")
    assert found is not None
    assert found.person == ann.person
    assert await people.by_email("%") is None


async def test_an_identity_is_linked_to_one_person(people: People) -> None:
    ann = await people.add(name="Ann", role=Role.MEMBER, identity=("https://id.example", "1"))
    ben = await people.add(name="Ben", role=Role.MEMBER)
    with pytest.raises(Conflict):
        await people.link(ben.id, "https://id.example", "1")
    await people.link(ben.id, "https://other.example", "1")
    found = await people.by_identity("https://id.example", "1")
    assert found is not None
    assert found.id == ann.id


async def test_of_two_owners_who_demote_each_other_at_once_one_stays(people: People) -> None:
    first, second = [await people.add(name=name, role=Role.OWNER) for name in ("Ann", "Ben")]
    outcomes = await asyncio.gather(
        people.change(first.id, role=Role.MEMBER), people.change(second.id, role=Role.MEMBER), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes].count(Conflict) == 1
    assert await people.owner() is not None


async def test_a_link_redeemed_by_many_at_once_lets_one_in(people: People) -> None:
    ann = await people.add(name="Ann", role=Role.MEMBER)
    token = await people.issue_link(ann.id, lifetime=DAY)
    outcomes = await asyncio.gather(*(people.redeem_link(token) for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(outcome, NotSignedIn) for outcome in outcomes) == 9


async def test_a_refresh_token_traded_by_many_at_once_is_traded_once(people: People, sessions: Sessions) -> None:
    ann = await people.add(name="Ann", role=Role.MEMBER)
    opened = await sessions.open(ann.id, lifetime=DAY)
    outcomes = await asyncio.gather(*(sessions.rotate(opened.refresh_token) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(outcome, Opened) for outcome in outcomes) == 1
    assert await sessions.holder(opened.id) is None, "two hold the token, so the session has ended"


async def test_a_session_ends_with_its_time_however_often_it_goes_on(
    people: People, sessions: Sessions, clock: FakeClock
) -> None:
    ann = await people.add(name="Ann", role=Role.MEMBER)
    opened = await sessions.open(ann.id, lifetime=DAY)
    clock.advance(86_000)
    later = await sessions.rotate(opened.refresh_token)
    assert later.expires_at == opened.expires_at
    clock.advance(400)
    assert await sessions.holder(opened.id) is None
    with pytest.raises(NotSignedIn):
        await sessions.rotate(later.refresh_token)


async def test_a_visitor_has_one_row_however_often_they_come(people: People) -> None:
    await asyncio.gather(*(people.ensure_visitor("per_visitor") for _ in range(5)))
    assert (await people.get("per_visitor")).role is Role.VISITOR
    assert await people.page() == []


async def test_erasing_a_person_leaves_nothing_of_their_sign_in(
    people: People, sessions: Sessions, database: Database, clock: FakeClock
) -> None:
    keys = Keys(database, clock, RandomIds())
    ann = await people.add(name="Ann", role=Role.MEMBER, identity=("https://id.example", "1"))
    opened = await sessions.open(ann.id, lifetime=DAY)
    token = await people.issue_link(ann.id, lifetime=DAY)
    key, secret = await keys.create(ann.id, name="k", scopes=("chat",))
    await people.erase(ann.id)
    assert await people.by_identity("https://id.example", "1") is None
    assert await sessions.holder(opened.id) is None
    assert await keys.caller(secret) is None
    for gone in (
        people.redeem_link(token),
        sessions.rotate(opened.refresh_token),
        keys.get(key.id),
        people.get(ann.id),
    ):
        with pytest.raises(FrontdeskError):
            await gone
    with pytest.raises(NotFound):
        await people.erase(ann.id)


async def test_a_key_names_its_holder_with_the_role_of_now(
    people: People, database: Database, clock: FakeClock
) -> None:
    keys = Keys(database, clock, RandomIds())
    ann = await people.add(name="Ann", role=Role.MEMBER)
    _, secret = await keys.create(ann.id, name="k", scopes=("chat", "keys"), lifetime=DAY)
    caller = await keys.caller(secret)
    assert caller is not None
    assert (caller.person, caller.scopes) == (ann.person, ("chat", "keys"))
    await people.change(ann.id, role=Role.OPERATOR)
    caller = await keys.caller(secret)
    assert caller is not None
    assert caller.person.role is Role.OPERATOR
    await people.change(ann.id, state="blocked")
    assert await keys.caller(secret) is None
