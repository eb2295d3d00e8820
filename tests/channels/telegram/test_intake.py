"""Updates are worked on in order, one at a time in a chat, and settled once, whatever ends in the middle."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa

from frontdesk.channels.telegram import words
from frontdesk.channels.telegram.client import TelegramClient
from frontdesk.channels.telegram.commands import Commands
from frontdesk.channels.telegram.groups import Bot
from frontdesk.channels.telegram.intake import IN_A_ROW, LEASE, MOST_CLAIMS, TRIES, Intake
from frontdesk.channels.telegram.media import Media
from frontdesk.channels.telegram.options import TelegramOptions
from frontdesk.channels.telegram.outlet import TelegramOutlet
from frontdesk.channels.telegram.presses import Presses
from frontdesk.channels.telegram.talk import Talk
from frontdesk.channels.telegram.updates import read
from frontdesk.channels.telegram.visitors import Visitors
from frontdesk.channels.telegram.webhook import Arrivals
from frontdesk.errors import Overloaded
from frontdesk.events import Accepted, Inbound
from frontdesk.gate.limits import LocalLimiter, Window
from frontdesk.store.audit import Audit
from frontdesk.store.conversations import conversations
from frontdesk.store.database import Database
from frontdesk.store.feedback import Feedback
from frontdesk.store.files import Files
from frontdesk.store.inbox import Inbox, inbox
from frontdesk.store.links import Links
from frontdesk.store.outbox import outbox
from frontdesk.store.people import People
from frontdesk.store.places import Places
from frontdesk.store.surveys import Surveys
from frontdesk.store.updates import LostUpdate, NewUpdate, Updates, updates
from frontdesk.testing.clock import CountingIds, FakeClock
from frontdesk.work.kinds import Kind
from frontdesk.work.local import LocalWork
from tests.channels.telegram.test_webhook import said


@dataclass
class Room:
    """Accepts messages as the conversation does, and can be told to fail, or to stop in the middle."""

    inbox: Inbox
    heard: list[Inbound] = field(default_factory=list)
    fails: list[Exception] = field(default_factory=list)
    hold: asyncio.Event | None = None
    holding: asyncio.Event = field(default_factory=asyncio.Event)

    async def accept(self, inbound: Inbound) -> Accepted:
        if self.fails:
            raise self.fails.pop(0)
        accepted = await self.inbox.accept(inbound)
        self.heard.append(inbound)
        if self.hold is not None:
            self.holding.set()
            await self.hold.wait()
        return accepted

    def follow(self, turn_id: str, *, after: int = 0) -> None:
        raise NotImplementedError

    async def stop(self, turn_id: str) -> None:
        raise NotImplementedError


@dataclass
class Desk:
    """The way in, and what stands behind it. `work` is one process; `process()` makes another."""

    database: Database
    clock: FakeClock
    ids: CountingIds
    room: Room
    updates: Updates
    client: TelegramClient
    options: TelegramOptions
    per_minute: int = 1000

    def process(self) -> LocalWork:
        """Another process that works on updates."""
        kind = Kind(name="update", queue="general", run=lambda lane: intake.run(lane), sweep=self.updates.due, every=1)
        letters = Kind(name="letter", queue="general", run=_nothing, sweep=_none)
        work = LocalWork([kind, letters], self.clock)
        places = Places(self.database, self.clock, self.ids)
        people = People(self.database, self.clock, self.ids)
        limits = [LocalLimiter([Window(many, 60)], self.clock) for many in (self.per_minute, 1)]
        visitors = Visitors(people, limits[0], limits[1], self.clock)
        audit = Audit(self.database, self.clock, b"key")
        links = Links(self.database, self.clock, self.ids, audit)
        commands = Commands(places, links, _export, self.client, self.clock, "Hello!")
        files = Files(self.database, self.clock, self.ids)
        media = Media(
            self.client,
            files.add,
            largest=1000,
            sees=lambda: True,
            reads=lambda name, kind: True,
            kinds=str,
            transcriber=None,
        )
        talk = Talk(self.room, visitors, commands, media, places, Bot(self.client), self.options)
        feedback, surveys = Feedback(self.database, self.clock), Surveys(self.database, self.clock)
        presses = Presses(self.client, visitors, feedback, surveys, people.erase, self.clock)
        outlet = TelegramOutlet(self.client, self.options, self.clock)
        intake = Intake(self.updates, talk, presses, visitors, places, outlet, work, self.clock)
        return work

    async def add(self, *bodies: bytes) -> None:
        """Store updates, and tell nobody."""
        await asyncio.gather(*(self.updates.add(read(body)) for body in bodies))

    async def count(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        async with self.database.read() as connection:
            query = sa.select(sa.func.count()).select_from(table).where(*where)
            return (await connection.execute(query)).scalar_one()


async def _nothing(row_id: str) -> None: ...


async def _none() -> list[str]:
    return []


async def _export(person_id: str) -> bytes:
    return b"{}"


@pytest.fixture
async def desk(database: Database, clock: FakeClock, ids: CountingIds) -> AsyncGenerator[Desk]:
    client = TelegramClient("1:x", "http://127.0.0.1:9")  # nobody is there
    room = Room(Inbox(database, clock, ids))
    yield Desk(database, clock, ids, room, Updates(database, clock, ids), client, TelegramOptions())
    await client.close()


async def test_messages_of_a_chat_are_heard_in_order_though_they_came_otherwise(desk: Desk) -> None:
    await desk.add(*(said(number, str(number)) for number in (3, 1, 2)))
    await desk.process().run("update", "telegram:7")
    assert [inbound.text for inbound in desk.room.heard] == ["1", "2", "3"]
    assert await desk.updates.count("done") == 3


@pytest.mark.proves("conversation-6")
async def test_two_chats_do_not_wait_for_each_other(desk: Desk) -> None:
    desk.room.hold = asyncio.Event()
    await desk.add(said(1, chat=7), said(2, chat=7), said(3, chat=8))
    work = desk.process()
    await work.ready("update", "telegram:7")
    await asyncio.wait_for(desk.room.holding.wait(), 30)
    desk.room.holding.clear()
    await work.ready("update", "telegram:8")
    await asyncio.wait_for(desk.room.holding.wait(), 30)
    assert [inbound.place for inbound in desk.room.heard] == ["7", "8"]
    desk.room.hold.set()
    await work.run("update", "telegram:7")
    assert [inbound.place for inbound in desk.room.heard] == ["7", "8", "7"]


async def test_a_long_lane_lets_others_have_their_turn(desk: Desk) -> None:
    await desk.add(*(said(number, chat=7) for number in range(1, 2 * IN_A_ROW + 2)))
    work = desk.process()
    await work.run("update", "telegram:7")
    assert len(desk.room.heard) == 2 * IN_A_ROW + 1


@pytest.mark.proves("conversation-8")
async def test_what_a_process_left_is_finished_by_another_once(desk: Desk) -> None:
    desk.room.hold = asyncio.Event()
    await desk.add(said(1, "Hello"))
    first = desk.process()
    await first.ready("update", "telegram:7")
    await asyncio.wait_for(desk.room.holding.wait(), 30)
    second = desk.process()
    await second.run("update", "telegram:7")
    assert len(desk.room.heard) == 1  # it is leased
    desk.clock.advance(LEASE + 1)  # the first one is paused beyond its lease
    assert await desk.updates.due() == ["telegram:7"]
    hold, desk.room.hold = desk.room.hold, None
    await second.run("update", "telegram:7")
    hold.set()
    await first.run("update", "telegram:7")
    assert await desk.count(inbox) == 1
    assert await desk.count(conversations) == 1
    assert await desk.updates.count("done") == 1


async def test_a_paused_process_settles_nothing(desk: Desk) -> None:
    await desk.add(said(1))
    stale = await desk.updates.claim("telegram:7", LEASE)
    assert stale is not None
    desk.clock.advance(LEASE + 1)
    fresh = await desk.updates.claim("telegram:7", LEASE)
    assert fresh is not None
    assert not await desk.updates.renew(stale, LEASE)
    with pytest.raises(LostUpdate):
        await desk.updates.settle(stale)
    await desk.updates.settle(fresh)
    assert await desk.updates.count("done") == 1


async def test_a_process_that_ends_leaves_its_update_to_another_at_once(desk: Desk) -> None:
    desk.room.hold = asyncio.Event()
    await desk.add(said(1))
    first = desk.process()
    await first.ready("update", "telegram:7")
    await asyncio.wait_for(desk.room.holding.wait(), 30)
    await first.drain(0)
    assert await desk.updates.due() == ["telegram:7"]


async def test_while_the_desk_is_full_updates_wait(desk: Desk) -> None:
    desk.room.fails = [Overloaded("Full", retry_after=5) for _ in range(2 * TRIES)]
    await desk.add(said(1, "one"), said(2, "two"))
    work = desk.process()
    for _ in range(2 * TRIES):
        await work.run("update", "telegram:7")
        assert await desk.updates.due() == []
        desk.clock.advance(5)
    await work.run("update", "telegram:7")
    assert [inbound.text for inbound in desk.room.heard] == ["one", "two"]


async def test_a_message_counts_once_in_its_writers_limit_however_often_the_desk_had_to_put_it_off(desk: Desk) -> None:
    desk.per_minute = 2
    desk.room.fails = [Overloaded("Full", retry_after=5) for _ in range(2 * TRIES)]
    await desk.add(said(1, "one"))
    work = desk.process()
    for _ in range(2 * TRIES + 1):
        await work.run("update", "telegram:7")
        desk.clock.advance(5)
    assert [inbound.text for inbound in desk.room.heard] == ["one"]
    assert await desk.count(outbox) == 0, "nobody is told that they write too fast"
    desk.clock.advance(60)
    await desk.add(*(said(number, "more") for number in (2, 3, 4)))
    await work.run("update", "telegram:7")
    assert len(desk.room.heard) == 3
    assert await desk.updates.count("refused") == 1


async def test_nobody_wrote_too_fast_because_the_desk_was_away(desk: Desk) -> None:
    desk.per_minute = 2
    now = int(desk.clock.now().timestamp())
    slow = [said(number, "slow", chat=7, date=now - 60 * number) for number in range(2, 30)]
    fast = [said(number, "fast", chat=8, date=now - 600) for number in range(30, 60)]
    await desk.add(*slow, *fast)
    work = desk.process()
    for lane in ("telegram:7", "telegram:8") * 2:
        await work.run("update", lane)
    assert Counter(inbound.text for inbound in desk.room.heard) == {"slow": 28, "fast": 2}


async def test_an_update_that_ends_its_processes_is_laid_with_the_dead(desk: Desk) -> None:
    await desk.add(said(1, "poison"), said(2, "after it"))
    for _ in range(MOST_CLAIMS):
        assert await desk.updates.claim("telegram:7", LEASE) is not None
        desk.clock.advance(LEASE + 1)
    await desk.process().run("update", "telegram:7")
    assert await desk.updates.count("dead") == 1
    assert [inbound.text for inbound in desk.room.heard] == ["after it"]


async def test_what_fails_again_and_again_is_given_up_and_the_person_told(desk: Desk) -> None:
    desk.room.fails = [ValueError("a mistake of the desk") for _ in range(TRIES)]
    await desk.add(said(1, "one"), said(2, "two"))
    work = desk.process()
    for _ in range(TRIES):
        await work.run("update", "telegram:7")
        desk.clock.advance(60)
    await work.run("update", "telegram:7")
    assert await desk.updates.count("dead") == 1
    assert [inbound.text for inbound in desk.room.heard] == ["two"]
    async with desk.database.read() as connection:
        (body,) = (await connection.execute(sa.select(outbox.c.body))).scalars()
    assert words.FAILED in body


async def test_notices_are_written_with_the_end_of_the_update(desk: Desk) -> None:
    await desk.add(said(1, "/help", entities=[{"type": "bot_command", "offset": 0, "length": 5}]))
    await desk.process().run("update", "telegram:7")
    assert await desk.count(outbox, outbox.c.key == "telegram:1:0", outbox.c.place == "7") == 1


@pytest.mark.parametrize("text", ["x" * 1_000_000, "\x00", "\u200b", "ﷺ" * 5000, "\\", "{", "/" * 100])
async def test_any_text_is_taken_or_refused_in_words(desk: Desk, text: str) -> None:
    await desk.add(said(1, text))
    await desk.process().run("update", "telegram:7")
    assert await desk.updates.count("done") == 1
    assert len(desk.room.heard) + await desk.count(outbox) == 1


@pytest.mark.proves("promise-3")
async def test_a_burst_makes_one_conversation(desk: Desk, size: Callable[[int, int], int]) -> None:
    """New people write ten messages each, all at once by two doors, and two processes take them in at once."""
    count = size(10, 500)
    processes = [desk.process(), desk.process()]
    shut = LocalWork([], desk.clock)  # nobody works before all have come: what comes late may be answered late
    doors = [Arrivals(Updates(desk.database, desk.clock, desk.ids), shut) for _ in processes]
    posts = [(person, message) for message in range(10) for person in range(1, count + 1)]
    await asyncio.gather(
        *(
            doors[message % 2].take(read(said(person * 100 + message, str(message), chat=person)))
            for person, message in posts
        )
    )
    await _drained(desk, processes)
    assert await desk.count(conversations) == count
    assert await desk.count(inbox) == count * 10
    for person in range(1, count + 1):
        texts = [inbound.text for inbound in desk.room.heard if inbound.place == str(person)]
        assert texts == sorted(texts)


@pytest.mark.proves("promise-12")
async def test_an_hour_of_updates_is_caught_up(
    desk: Desk, size: Callable[[int, int], int], chance: random.Random
) -> None:
    """An update a second came while nobody worked; each is worked on once, in its chat's order."""
    count = size(60, 3600)
    order = list(range(1, count + 1))
    chats = [chance.randint(1, 60) for _ in order]
    for number in order:
        await desk.updates.add(read(said(number, str(number), chat=chats[number - 1])))
        desk.clock.advance(1)
    processes = [desk.process(), desk.process(), desk.process()]
    await _drained(desk, processes)
    assert sorted(int(inbound.text) for inbound in desk.room.heard) == order
    for chat in set(chats):
        numbers = [int(inbound.text) for inbound in desk.room.heard if inbound.place == str(chat)]
        assert numbers == sorted(numbers)


async def _drained(desk: Desk, processes: list[LocalWork]) -> None:
    """Let the processes sweep until nothing is left."""
    while lanes := await desk.updates.due():
        await asyncio.gather(*(work.run("update", lane) for lane in lanes for work in processes))
    for work in processes:
        await work.drain(10)


async def test_kept_updates_are_forgotten_in_time(desk: Desk) -> None:
    await desk.updates.add(
        NewUpdate(channel="telegram", external_id="1", number=1, kind="poll", lane="", body="{}", keep=True)
    )
    await desk.add(said(2))
    await desk.process().run("update", "telegram:7")
    assert await desk.updates.tidy(desk.clock.now()) == 0
    desk.clock.advance(10)
    assert await desk.updates.tidy(desk.clock.now()) == 2
    with suppress(LostUpdate):
        assert await desk.count(updates) == 0
