"""Identities become one person's by a code from the other channel, and by nothing else."""

import asyncio
import re

import pytest
import sqlalchemy as sa

from frontdesk.clock import RandomIds
from frontdesk.errors import Conflict, FrontdeskError, NotFound, RateLimited, Unprocessable
from frontdesk.events import Inbound
from frontdesk.messages import Role
from frontdesk.store.audit import Audit
from frontdesk.store.conversations import Conversations
from frontdesk.store.database import Database
from frontdesk.store.inbox import Inbox
from frontdesk.store.links import LETTERS, Links, columns_of_people
from frontdesk.store.memories import Memories
from frontdesk.store.people import People, people
from frontdesk.testing.clock import FakeClock
from tests.store.everything import fill, holding, owned

TELEGRAM = ("telegram", "4711")


@pytest.fixture
def audit(database: Database, clock: FakeClock) -> Audit:
    return Audit(database, clock, b"k")


@pytest.fixture
def links(database: Database, clock: FakeClock, audit: Audit) -> Links:
    return Links(database, clock, RandomIds(), audit)


@pytest.fixture
def everybody(database: Database, clock: FakeClock) -> People:
    return People(database, clock, RandomIds())


async def test_a_code_from_the_web_shown_on_telegram_makes_memory_and_history_one(
    database: Database, clock: FakeClock, links: Links, everybody: People, audit: Audit
) -> None:
    ids = RandomIds()
    ann = await everybody.add(name="Ann", role=Role.MEMBER)
    stranger = await everybody.add(name="Annie", role=Role.VISITOR, identity=TELEGRAM)
    inbox, memories = Inbox(database, clock, ids), Memories(database, clock, ids)
    for number, person in enumerate((ann, stranger)):
        channel = "web" if person is ann else "telegram"
        await inbox.accept(Inbound(channel=channel, external_id=str(number), person_id=person.id, text=f"{number}"))
        await memories.add(person.id, "I like tea")
        await memories.add(person.id, f"Fact {number}")
    code, expires_at = await links.offer(ann.id, "web")
    assert re.fullmatch(f"[{LETTERS}]{{4}}-[{LETTERS}]{{4}}", code)
    assert (expires_at - clock.now()).total_seconds() == 600
    assert await links.redeem(f" /link {code.lower()} ", person_id=stranger.id, channel="telegram") == ann.id
    found = await everybody.by_identity(*TELEGRAM)
    assert found is not None
    assert found.id == ann.id
    conversations, _ = await Conversations(database, clock).page(ann.id)
    assert {conversation.channel for conversation in conversations} == {"web", "telegram"}
    assert {memory.text for memory in await memories.of(ann.id)} == {"I like tea", "Fact 0", "Fact 1"}
    assert [link.channel for link in await links.of(ann.id)] == ["telegram"]
    acts = [(row.act, row.actor, row.subject) for row in await audit.page()]
    assert ("person.link", ann.id, stranger.id) in acts
    assert (await everybody.get(stranger.id)).state == "absorbed"


async def test_a_code_works_once_for_ten_minutes_and_not_on_its_own_channel(
    clock: FakeClock, links: Links, everybody: People
) -> None:
    ann = await everybody.add(name="Ann", role=Role.MEMBER)
    guests = [await everybody.add(name="A", role=Role.VISITOR, identity=("telegram", str(n))) for n in range(4)]
    first, _ = await links.offer(ann.id, "web")
    second, _ = await links.offer(ann.id, "web")
    for code, channel in ((first, "telegram"), (second, "web"), ("", "telegram"), ("22222222", "telegram")):
        with pytest.raises(Unprocessable):
            await links.redeem(code, person_id=guests[0].id, channel=channel)
    tries = (links.redeem(second, person_id=guest.id, channel="telegram") for guest in guests)
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(outcome == ann.id for outcome in outcomes) == 1
    late, _ = await links.offer(ann.id, "web")
    clock.advance(601)
    with pytest.raises(Unprocessable):
        await links.redeem(late, person_id=guests[0].id, channel="telegram")


async def test_after_five_wrong_codes_even_the_right_one_waits(
    clock: FakeClock, links: Links, everybody: People
) -> None:
    ann = await everybody.add(name="Ann", role=Role.MEMBER)
    guest = await everybody.add(name="A", role=Role.VISITOR, identity=TELEGRAM)
    wrong = (links.redeem(f"2222222{n}", person_id=guest.id, channel="telegram") for n in range(9))
    outcomes = await asyncio.gather(*wrong, return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["RateLimited"] * 4 + ["Unprocessable"] * 5
    clock.advance(14 * 60)
    code, _ = await links.offer(ann.id, "web")
    with pytest.raises(RateLimited) as told:
        await links.redeem(code, person_id=guest.id, channel="telegram")
    assert told.value.retry_after == 60
    clock.advance(61)
    assert await links.redeem(code, person_id=guest.id, channel="telegram") == ann.id


async def test_nobody_who_has_rights_is_absorbed(links: Links, everybody: People) -> None:
    ann = await everybody.add(name="Ann", role=Role.MEMBER)
    ben = await everybody.add(name="Ben", role=Role.OPERATOR, identity=TELEGRAM)
    by_cookie = await everybody.add(name="Visitor", role=Role.VISITOR)
    blocked = await everybody.add(name="Bad", role=Role.VISITOR, identity=("telegram", "1"))
    await everybody.change(blocked.id, state="blocked")
    for offering, redeeming in ((ann, ben), (ben, ann), (ben, by_cookie), (ann, blocked)):
        code, _ = await links.offer(offering.id, "web")
        with pytest.raises(Conflict):
            await links.redeem(code, person_id=redeeming.id, channel="telegram")
    for row in (ann, ben, by_cookie):
        assert (await everybody.get(row.id)).state == "active"


async def test_a_code_that_the_bot_gave_connects_a_visitor_of_the_web(links: Links, everybody: People) -> None:
    visitor = await everybody.add(name="Visitor", role=Role.VISITOR)
    chatting = await everybody.add(name="Ann", role=Role.VISITOR, identity=TELEGRAM)
    code, _ = await links.offer(chatting.id, "telegram")
    assert await links.redeem(code, person_id=visitor.id, channel="web") == visitor.id
    assert [link.channel for link in await links.of(visitor.id)] == ["telegram"]
    again, _ = await links.offer(visitor.id, "telegram")
    assert await links.redeem(again, person_id=visitor.id, channel="web") == visitor.id, "they are one already"


async def test_who_parts_with_a_channel_begins_anew_there_and_keeps_what_was_said(
    database: Database, clock: FakeClock, links: Links, everybody: People
) -> None:
    inbox = Inbox(database, clock, RandomIds())
    ann = await everybody.add(name="Ann", role=Role.MEMBER, identity=("https://id.example", "1"))
    guest = await everybody.add(name="Ann", role=Role.VISITOR, identity=TELEGRAM)

    def said(person_id: str, key: str) -> Inbound:
        return Inbound(channel="telegram", external_id=key, person_id=person_id, text="Hi", place=TELEGRAM[1])

    before = await inbox.accept(said(guest.id, "1"))
    code, _ = await links.offer(ann.id, "web")
    await links.redeem(code, person_id=guest.id, channel="telegram")
    same = await inbox.accept(said(ann.id, "2"))
    assert same.conversation_id == before.conversation_id
    await links.remove(ann.id, "telegram")
    fresh = await everybody.by_identity(*TELEGRAM)
    assert fresh is not None
    assert fresh.role is Role.VISITOR
    assert fresh.id not in (ann.id, guest.id)
    anew = await inbox.accept(said(fresh.id, "3"))
    assert anew.conversation_id != before.conversation_id
    assert (await Conversations(database, clock).get(before.conversation_id, ann.id)).place is None
    assert await links.of(ann.id) == []
    with pytest.raises(NotFound):
        await links.remove(ann.id, "telegram")
    signs_in_still = await everybody.by_identity("https://id.example", "1")
    assert signs_in_still is not None
    assert signs_in_still.id == ann.id


async def test_everything_that_a_visitor_has_in_any_table_becomes_the_members(
    database: Database, links: Links, everybody: People
) -> None:
    ann = await everybody.add(name="Ann", role=Role.MEMBER)
    visitor = await database.commit(lambda connection: fill(connection, "zoe"))
    await links.keep(visitor, ann.id)
    async with database.read() as connection:
        for column in columns_of_people():
            assert await _count(connection, column, visitor) == 0, column
            assert await _count(connection, column, ann.id) == 1, column
        moved = {column.table.name for column in columns_of_people()}
        to_people = {table.name for table in owned() if any(key.column is people.c.id for key in table.foreign_keys)}
        stay = {"people", "sessions", "sign_in_links", "api_keys", "link_codes", "link_tries"}
        assert to_people - moved == stay, "a table that names people is moved with them, unless it lets somebody in"


async def _count(connection: sa.ext.asyncio.AsyncConnection, column: sa.Column[str], person_id: str) -> int:
    query = sa.select(sa.func.count()).select_from(column.table).where(column == person_id)
    return (await connection.execute(query)).scalar_one()


async def test_where_one_row_may_stand_the_members_own_stands(database: Database, links: Links) -> None:
    async def both(connection: sa.ext.asyncio.AsyncConnection) -> tuple[str, str]:
        return await fill(connection, "ann", role="member"), await fill(connection, "zoe")

    member, visitor = await database.commit(both)
    await links.keep(visitor, member)
    async with database.read() as connection:
        for column in columns_of_people():
            assert await _count(connection, column, visitor) == 0, column
            assert await _count(connection, column, member) in (1, 2), column


async def test_erasing_the_member_erases_whom_they_absorbed(
    database: Database, links: Links, everybody: People
) -> None:
    ann = await everybody.add(name="Ann", role=Role.MEMBER)
    visitor = await database.commit(lambda connection: fill(connection, "zoe"))
    await links.keep(visitor, ann.id)
    await everybody.erase(ann.id)
    async with database.read() as connection:
        left = await holding(connection, ["of-zoe"])
    assert left == []


async def test_of_two_links_at_once_each_ends_well(links: Links, everybody: People) -> None:
    ann, ben = [await everybody.add(name=name, role=Role.MEMBER) for name in ("Ann", "Ben")]
    guest = await everybody.add(name="A", role=Role.VISITOR, identity=TELEGRAM)
    codes = [(await links.offer(row.id, "web"))[0] for row in (ann, ben)]
    tries = (links.redeem(code, person_id=guest.id, channel="telegram") for code in codes)
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, FrontdeskError) for outcome in outcomes) == 1
