"""What the widget keeps, on both databases."""

import asyncio
from datetime import timedelta

import pytest

from frontdesk.messages import Role
from frontdesk.store.conversations import Conversations
from frontdesk.store.database import Database
from frontdesk.store.people import People
from frontdesk.store.widget import Told, WidgetVisitors
from frontdesk.testing.clock import CountingIds, FakeClock


@pytest.fixture
def visitors(database: Database, clock: FakeClock, ids: CountingIds) -> WidgetVisitors:
    return WidgetVisitors(database, clock, ids)


async def person(database: Database, clock: FakeClock, ids: CountingIds) -> str:
    return (await People(database, clock, ids).add(name="Visitor", role=Role.VISITOR)).id


@pytest.mark.proves("abuse-11")
async def test_of_many_at_once_one_spends_a_token(visitors: WidgetVisitors, clock: FakeClock) -> None:
    until = clock.now() + timedelta(minutes=5)
    taken = await asyncio.gather(*(visitors.spend("main", "token-1", until) for _ in range(20)))
    assert sum(taken) == 1
    assert await visitors.spend("other", "token-1", until)
    clock.advance(301)
    assert await visitors.spend("main", "token-2", clock.now() + timedelta(minutes=5))


async def test_what_was_told_last_is_kept(
    visitors: WidgetVisitors, database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    one = await person(database, clock, ids)
    assert await visitors.told(one) is None
    said = [
        Told(person_id=one, site="main", email=f"{n}@example.org", answers={"name": "Ann"}, told_at=clock.now())
        for n in range(5)
    ]
    await asyncio.gather(*(visitors.tell(each) for each in said))
    assert await visitors.told(one) in said


async def test_what_began_in_the_visit_is_carried_over_and_no_more(
    visitors: WidgetVisitors, database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    visitor, known = await person(database, clock, ids), await person(database, clock, ids)
    conversations = Conversations(database, clock)
    old = await visitors.begin(visitor, "Ann", "Your name: Ann")
    clock.advance(60)
    since = clock.now()
    new = await visitors.begin(visitor, "Ann", "Your name: Ann")
    await visitors.tell(Told(person_id=visitor, site="main", email="", answers={"name": "Ann"}, told_at=clock.now()))
    await visitors.carry(visitor, known, since)
    assert (await conversations.get(new, known)).person_id == known
    assert (await conversations.get(old, visitor)).person_id == visitor
    assert await visitors.conversation(known) == new
    [line] = await conversations.messages(new)
    assert (await conversations.message(line.id, known)).text == "Your name: Ann"
    told = await visitors.told(known)
    assert told is not None
    assert told.answers == {"name": "Ann"}
    assert await visitors.told(visitor) is None
