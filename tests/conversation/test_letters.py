"""Replies on channels with an outlet: one letter each, typed like a person, gone when something newer is said."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

import msgspec
import pytest
import sqlalchemy as sa

from frontdesk.conversation import words
from frontdesk.conversation.converse import LOOK_ROUND, MOST_CLAIMS
from frontdesk.conversation.feed import Feeds
from frontdesk.events import Accepted, Inbound, PersonAnswers
from frontdesk.messages import ModelDone, ModelEvent, ModelRequest, TextDelta, ToolCallDelta, ToolSpec
from frontdesk.outgoing import Reply, Rhythm
from frontdesk.store.conversations import conversations
from frontdesk.store.database import Database
from frontdesk.store.outbox import Letter, Outbox, outbox
from frontdesk.telemetry import metrics
from frontdesk.testing.clock import CountingIds, FakeClock
from frontdesk.work.bus import RedisBus, connect
from tests.conversation.conftest import Desk, Script, make_desk

BOOK = ToolSpec(name="example__book", description="Books a table", parameters=msgspec.Raw(b"{}"), server="example")


@dataclass
class Post:
    """A channel with chats: keeps what it was shown."""

    rhythm: Rhythm | None = None
    typed: list[tuple[str, float]] = field(default_factory=list)
    previews: list[str] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    def letters(self, reply: Reply) -> tuple[str, ...]:
        return tuple(f"{reply.author}|{part}" for part in reply.text.split("#") if part.strip())

    async def typing(self, place: str) -> None:
        self.typed.append((place, self.clock.monotonic()))
        self.begun.set()

    async def preview(self, place: str, turn_id: str, text: str) -> None:
        self.previews.append(text)


@dataclass
class Chat:
    """A desk with one such channel, and people who write to it."""

    desk: Desk
    post: Post
    outbox: Outbox
    database: Database
    clock: FakeClock

    def written(self, text: str, key: str, place: str = "chat-1", *, merge: bool = True) -> Inbound:
        person = self.desk.ada if place == "chat-1" else self.desk.bob
        return Inbound(channel="post", external_id=key, person_id=person.id, text=text, place=place, merge=merge)

    async def accept(self, text: str, key: str, place: str = "chat-1", *, merge: bool = True) -> Accepted:
        return await self.desk.parts.inbox.accept(self.written(text, key, place, merge=merge))

    async def run(self, accepted: Accepted) -> None:
        """Run the turn while time passes."""
        task = asyncio.create_task(self.desk.work.run("turn", accepted.turn_id))
        async with asyncio.timeout(20):
            while not (await asyncio.wait({task}, timeout=0.005))[0]:
                self.clock.advance(0.25)
        await task

    async def bodies(self) -> list[str]:
        async with self.database.read() as connection:
            rows = await connection.execute(sa.select(outbox.c.body).order_by(outbox.c.created_at))
            return list(rows.scalars())

    async def claim_next(self) -> Letter | None:
        for letter_id in await self.outbox.due():
            letter = await self.outbox.claim(letter_id, 60)
            if letter is not None:
                return letter
        return None


@pytest.fixture
async def chat(database: Database, clock: FakeClock, ids: CountingIds) -> AsyncGenerator[Chat]:
    post = Post(clock=clock)
    desk = await make_desk(database, clock, ids, "process-a", outlets={"post": post})
    desk.models.script = echoes
    yield Chat(desk, post, Outbox(database, clock), database, clock)
    await desk.work.drain(5)


async def echoes(request: ModelRequest) -> AsyncIterator[ModelEvent]:
    asked = [prompt.text for prompt in request.messages if prompt.role == "user"]
    yield TextDelta(text=f"You said {' and '.join(asked)}.")
    yield ModelDone(reason="stop", model="played")


def slowly(seconds: float, clock: FakeClock, begun: asyncio.Event | None = None) -> Script:
    async def script(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        if begun is not None:
            begun.set()
        await clock.sleep(seconds)
        async for event in echoes(request):
            yield event

    return script


async def test_a_place_has_one_conversation_however_many_write_at_once(chat: Chat) -> None:
    accepted = await asyncio.gather(*(chat.accept(f"Hello {n}", str(n), merge=False) for n in range(10)))
    assert len({answer.conversation_id for answer in accepted}) == 1
    path = await chat.desk.conversations.path(accepted[-1].message_id, 50)
    assert path[0].parent_id is None


async def test_a_reply_is_a_letter_of_the_same_transaction_and_in_the_order_of_its_parts(chat: Chat) -> None:
    await chat.run(await chat.accept("one#two#three", "1"))
    assert await chat.bodies() == ["desk|You said one", "desk|two", "desk|three."]
    first = await chat.claim_next()
    assert first is not None
    assert first.body == "desk|You said one"
    assert await chat.claim_next() is None, "the next part waits until the first has gone"
    await chat.run(await chat.accept("elsewhere#too", "2", place="99"))
    following = await chat.outbox.settle(first, "sent", external_id="77")
    second = await chat.outbox.claim(following or "", 60)
    assert second is not None
    assert second.body == "desk|two"


@pytest.mark.proves("conversation-6")
async def test_quick_messages_are_answered_in_order_and_two_chats_do_not_wait_for_each_other(chat: Chat) -> None:
    begun = asyncio.Event()
    chat.desk.models.script = slowly(5, chat.clock, begun)
    mine = [await chat.accept(f"Ada {n}", f"a{n}", merge=False) for n in range(5)]
    stuck = asyncio.create_task(chat.desk.converse.run(mine[0].turn_id))
    await begun.wait()
    await chat.desk.converse.run(mine[1].turn_id)
    assert await chat.bodies() == [], "the second waits for the first"
    chat.desk.models.script = echoes
    bob = await chat.accept("Bob", "b", "chat-2", merge=False)
    await chat.desk.converse.run(bob.turn_id)  # while no time passes
    assert [body.split()[-1] for body in await chat.bodies()] == ["Bob."]
    chat.clock.advance(5)
    await stuck
    for accepted in mine[1:]:
        await chat.run(accepted)
    said = [body.split("said ")[1] for body in await chat.bodies()][1:]
    assert [text.split(" and ")[-1] for text in said] == [f"Ada {n}." for n in range(5)]


@pytest.mark.proves("conversation-5")
async def test_typing_is_shown_before_a_reply_renewed_while_it_is_made_and_lasts_as_long_as_the_reply_is_long(
    chat: Chat,
) -> None:
    chat.post.rhythm = Rhythm(per_second=25, least=0.8, most=8, renew=4)
    finished = metrics.typing_simulations.labels("finished")
    before = finished._value.get()  # pyright: ignore[reportPrivateUsage]
    chat.desk.models.script = slowly(10, chat.clock)
    await chat.run(await chat.accept("short", "1"))
    moments = [moment for _, moment in chat.post.typed]
    assert len(moments) >= 3, "at 0, 4 and 8 seconds of the ten"
    assert all(4 <= later - earlier < 5 for earlier, later in pairwise(moments))

    took = []
    for key, length in (("2", 10), ("3", 100), ("4", 1000)):
        chat.desk.models.script = says("x" * length)
        begun = chat.clock.monotonic()
        await chat.run(await chat.accept("more", key))
        took.append(chat.clock.monotonic() - begun)
    assert all(seconds >= least for seconds, least in zip(took, (0.8, 4, 8), strict=True))
    assert took == sorted(took)
    assert [chat.post.rhythm.seconds(length) for length in (10, 100, 1000)] == [0.8, 4, 8]
    assert finished._value.get() == before + 4  # pyright: ignore[reportPrivateUsage]


def says(text: str) -> Script:
    async def script(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta(text=text)
        yield ModelDone(reason="stop", model="played")

    return script


async def test_a_person_who_does_not_want_typing_waits_for_none(chat: Chat) -> None:
    chat.post.rhythm = Rhythm()
    await chat.run(await chat.accept("hello", "1"))
    accepted = await chat.accept("again", "2")
    async with chat.database.engine.begin() as connection:
        await connection.execute(conversations.update().values(quick=True))
    shown, begun = len(chat.post.typed), chat.clock.monotonic()
    await chat.desk.converse.run(accepted.turn_id)
    assert (len(chat.post.typed), chat.clock.monotonic()) == (shown, begun)


async def test_a_new_message_while_typing_cancels_the_reply_and_the_next_one_answers_both(chat: Chat) -> None:
    chat.post.rhythm = Rhythm()
    cancelled = metrics.typing_simulations.labels("cancelled")
    before = cancelled._value.get()  # pyright: ignore[reportPrivateUsage]
    first = await chat.accept("The blue door", "1")
    running = asyncio.create_task(chat.desk.converse.run(first.turn_id))
    await chat.post.begun.wait()
    second = await chat.accept("the red one", "2")
    chat.clock.advance(LOOK_ROUND)  # after which it is seen, long before the reply would be typed
    await asyncio.wait_for(running, 20)
    assert await chat.bodies() == []
    await chat.run(second)
    assert await chat.bodies() == ["desk|You said The blue door and the red one."]
    assert await chat.desk.turns.state(first.turn_id) == "merged"
    assert cancelled._value.get() == before + 1  # pyright: ignore[reportPrivateUsage]


async def test_a_reply_for_which_a_tool_was_called_is_not_cancelled(chat: Chat) -> None:
    """What a tool has done stays done: were its turn ended, nobody would know, and the next might do it again."""
    chat.post.rhythm = Rhythm()
    chat.desk.tools.offered = (BOOK,)
    booked = asyncio.Event()

    async def books(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        if request.messages[-1].text == "Book a table":
            yield ToolCallDelta(index=0, id="call-1", name=BOOK.name, arguments="{}")
            yield ModelDone(reason="tool_calls", model="played")
            return
        if request.messages[-1].role == "tool":
            booked.set()
        yield TextDelta(text="Booked." if request.messages[-1].role == "tool" else "You are welcome.")
        yield ModelDone(reason="stop", model="played")

    chat.desk.models.script = books
    first = await chat.accept("Book a table", "1")
    running = asyncio.create_task(chat.desk.converse.run(first.turn_id))
    await asyncio.wait_for(booked.wait(), 20)
    second = await chat.accept("Thank you", "2")
    async with asyncio.timeout(20):
        while not (await asyncio.wait({running}, timeout=0.005))[0]:
            chat.clock.advance(0.25)
    await chat.run(second)
    assert await chat.bodies() == ["desk|Booked.", "desk|You are welcome."]
    assert len(chat.desk.tools.calls) == 1
    path = await chat.desk.conversations.path(second.reply_id, 50)
    assert [(message.role, len(message.tools)) for message in path][:2] == [("user", 0), ("assistant", 1)]


@pytest.mark.parametrize("text", ["", "\n \n"])
async def test_a_model_that_says_nothing_leaves_nobody_without_an_answer(chat: Chat, text: str) -> None:
    chat.desk.models.script = says(text)
    await chat.run(await chat.accept("Hello?", "1"))
    assert await chat.bodies() == [f"notice|{words.NOTHING_SAID}"]


async def test_what_has_been_answered_is_not_merged(chat: Chat) -> None:
    await chat.run(await chat.accept("One", "1"))
    await chat.run(await chat.accept("Two", "2"))
    assert len(await chat.bodies()) == 2


async def test_a_stop_ends_a_turn_of_another_process_within_a_second(
    database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    here = await make_desk(database, clock, ids, "process-a")
    elsewhere = await make_desk(database, clock, ids, "process-b")
    begun = asyncio.Event()
    here.models.script = slowly(60, clock, begun)
    accepted = await here.parts.inbox.accept(here.said("Go on for long"))
    running = asyncio.create_task(here.converse.run(accepted.turn_id))
    await begun.wait()
    await elsewhere.converse.stop(accepted.turn_id)
    asked = clock.monotonic()
    async with asyncio.timeout(20):
        while not (await asyncio.wait({running}, timeout=0.05))[0]:
            clock.advance(0.25)
    assert clock.monotonic() - asked <= 1
    assert (await here.conversations.message(accepted.reply_id, here.ada.id)).state == "stopped"


async def test_a_turn_that_ends_its_processes_is_given_up_with_an_apology(chat: Chat) -> None:
    accepted = await chat.accept("Break", "1")
    for _ in range(MOST_CLAIMS):
        assert await chat.desk.turns.claim("a process that dies", 15, accepted.turn_id)
        chat.clock.advance(16)
    await chat.run(accepted)
    assert await chat.desk.turns.state(accepted.turn_id) == "dead"
    assert (await chat.bodies())[0].startswith("notice|I could not answer this")


async def test_a_machine_letter_does_not_leave_while_a_person_holds_the_conversation(chat: Chat) -> None:
    accepted = await chat.accept("Hello", "1")
    await chat.run(accepted)
    async with chat.database.engine.begin() as connection:
        await connection.execute(conversations.update().values(held_by=chat.desk.bob.id))
    assert await chat.claim_next() is None
    held = await chat.accept("Are you there?", "2")
    await chat.run(held)
    assert len(await chat.bodies()) == 1
    [last] = [item async for item in chat.desk.converse.follow(held.turn_id)]
    assert last.event == PersonAnswers(name="Bob")


async def test_a_letter_whose_sender_died_in_the_middle_is_unknown_and_the_next_one_goes(chat: Chat) -> None:
    await chat.run(await chat.accept("one#two", "1"))
    first = await chat.claim_next()
    assert first is not None
    chat.clock.advance(61)
    assert await chat.claim_next() is None
    assert await chat.outbox.count("unknown") == 1
    second = await chat.claim_next()
    assert second is not None
    assert second.body == "desk|two."
    assert await chat.outbox.decide(first.id, "sent")
    assert await chat.outbox.count("unknown") == 0


async def test_a_branch_of_thousands_is_read_by_its_newest_part_alone(chat: Chat) -> None:
    accepted = await chat.accept("0", "0")
    await chat.run(accepted)
    for number in range(1, 6):
        accepted = await chat.accept(str(number), str(number))
        await chat.run(accepted)
        chat.clock.advance(timedelta(minutes=1).total_seconds())
    path = await chat.desk.conversations.path(accepted.message_id, 4)
    assert [message.text.split(" and ")[-1] for message in path if message.role == "user"] == ["4", "5"]
    assert len(path) == 4


@pytest.mark.proves("promise-14")
@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_a_stream_is_served_live_by_a_process_in_which_the_turn_does_not_run(
    database: Database, clock: FakeClock, ids: CountingIds, valkey_url: str
) -> None:
    here, there = RedisBus(connect(valkey_url)), RedisBus(connect(valkey_url))
    runner = await make_desk(database, clock, ids, "process-a", feeds=Feeds(here))
    reader = await make_desk(database, clock, ids, "process-b", feeds=Feeds(there))
    for bus in (here, there):
        await bus.start()
    runner.models.script = says("Nine o'clock.")
    accepted = await runner.parts.inbox.accept(runner.said("When?"))
    try:
        await there_is_a_listener(valkey_url, 2)
        following = asyncio.create_task(collect(reader, accepted.turn_id))
        await runner.converse.run(accepted.turn_id)
        async with asyncio.timeout(30):
            events = await following
        assert [item.seq for item in events] == list(range(1, len(events) + 1))
    finally:
        for bus in (here, there):
            await bus.close()


async def collect(desk: Desk, turn_id: str) -> list[object]:
    return [item async for item in desk.converse.follow(turn_id)]


async def there_is_a_listener(url: str, count: int) -> None:
    redis = connect(url)
    async with asyncio.timeout(30):
        while (await redis.pubsub_numsub("frontdesk:turns"))[0][1] < count:  # noqa: ASYNC110 — Redis tells no event
            await asyncio.sleep(0.01)
    await redis.aclose()
