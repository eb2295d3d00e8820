"""What people of the team do in conversations, on both databases: rows, letters, and the chain of messages."""

import asyncio

import pytest

from frontdesk.errors import Conflict, NotFound, NotHolder
from frontdesk.events import Inbound, Numbered, ToolCalled
from frontdesk.messages import Person, Role, ToolCall
from frontdesk.outgoing import Reply, Rhythm
from frontdesk.store.audit import Audit
from frontdesk.store.conversations import Conversations, Message
from frontdesk.store.database import Database
from frontdesk.store.inbox import Inbox
from frontdesk.store.links import Links
from frontdesk.store.outbox import NewLetter, Outbox, put
from frontdesk.store.people import People
from frontdesk.store.places import Places
from frontdesk.store.surveys import Surveys
from frontdesk.store.takeover import Takeover
from frontdesk.store.turns import Turns
from frontdesk.store.watch import Watch
from frontdesk.testing.clock import CountingIds, FakeClock

LEASE = 60.0


class Paper:
    """A channel whose letters show all that they were made of."""

    rhythm: Rhythm | None = None

    def letters(self, reply: Reply) -> tuple[str, ...]:
        buttons = "".join(f" [{button.label} {button.action}]" for button in reply.buttons)
        return (f"{reply.author} {reply.author_name}: {reply.text}{buttons} re {reply.reply_to}",)

    async def typing(self, place: str) -> None:
        return None

    async def preview(self, place: str, turn_id: str, text: str) -> None:
        return None


class Floor:
    """The parts that the tests look at, and Ada, who writes from a chat."""

    def __init__(self, database: Database, clock: FakeClock, ids: CountingIds, ada: Person, olga: Person) -> None:
        self.database, self.clock, self.ids = database, clock, ids
        self.inbox, self.turns = Inbox(database, clock, ids), Turns(database, clock, ids)
        self.outbox, self.conversations = Outbox(database, clock), Conversations(database, clock)
        self.takeover = Takeover(database, clock, ids, {"chat": Paper()}, pages=("web",))
        self.watch, self.surveys = Watch(database), Surveys(database, clock)
        self.ada, self.olga = ada, olga
        self._count = 0

    async def says(self, text: str, **more: object) -> str:
        """Ada says something at her place; returns the conversation's id."""
        self._count += 1
        self.clock.advance(1)
        said = Inbound(
            channel="chat",
            external_id=str(self._count),
            person_id=self.ada.id,
            text=text,
            place="12",
            **more,  # type: ignore[arg-type]
        )
        return (await self.inbox.accept(said)).conversation_id

    async def writes(self, conversation: str, text: str, *, machine: bool = True) -> str:
        """The desk has a letter to send."""

        async def work(connection: object) -> str:
            self.clock.advance(0.001)
            letter = NewLetter(
                key=self.ids.new("key"),
                channel="chat",
                person_id=self.ada.id,
                body=text,
                place="12",
                conversation_id=conversation,
                machine=machine,
            )
            return await put(connection, self.ids, self.clock.now(), letter)  # type: ignore[arg-type]

        return await self.database.commit(work)

    async def sent(self) -> list[str]:
        """Send whatever may leave, in order."""
        self.clock.advance(1)
        bodies: list[str] = []
        while due := await self.outbox.due():
            claimed = [letter for one in due if (letter := await self.outbox.claim(one, LEASE)) is not None]
            if not claimed:
                break
            for letter in claimed:
                bodies.append(letter.body)
                await self.outbox.settle(letter, "sent")
        return bodies

    async def chain(self, conversation: str) -> list[Message]:
        known = await self.conversations.get(conversation, None)
        return await self.conversations.path(known.head_id or "", 100)

    async def told(self, conversation: str) -> list[str]:
        return [f"{message.role}: {message.text}" for message in await self.chain(conversation)]


@pytest.fixture
async def floor(database: Database, clock: FakeClock, ids: CountingIds) -> Floor:
    people = People(database, clock, ids)
    ada = (await people.add(name="Ada", role=Role.MEMBER)).person
    olga = (await people.add(name="Olga", role=Role.OPERATOR)).person
    return Floor(database, clock, ids, ada, olga)


async def test_taking_over_ends_open_turns_and_leaves_a_chain(floor: Floor) -> None:
    conversation = await floor.says("One")
    lease = await floor.turns.claim("worker", LEASE)
    assert lease is not None
    await floor.says("Two")
    await floor.takeover.take(conversation, floor.olga)
    assert await floor.turns.unwanted({lease.turn_id: lease.fence}) == {lease.turn_id}
    assert await floor.turns.waiting() == []
    assert await floor.told(conversation) == ["user: One", "user: Two", "notice: Olga has joined"]
    line = await floor.watch.one(conversation)
    assert line.conversation.waiting_since is not None
    assert (line.held_by_name, line.running, line.last_text) == ("Olga", False, "Two")


async def test_words_of_a_person_leave_as_letters_and_those_of_the_desk_do_not(floor: Floor) -> None:
    conversation = await floor.says("Hello", reply_to="77")
    await floor.writes(conversation, "from the desk")
    await floor.takeover.take(conversation, floor.olga)
    late = await floor.writes(conversation, "late words of the desk")
    assert await floor.outbox.claim(late, LEASE) is None
    await floor.takeover.reply(conversation, floor.olga, "Here I am")
    await floor.takeover.hand_back(conversation, floor.olga, close=True, survey=True)
    [survey] = await floor.surveys.of(floor.ada.id)
    buttons = "".join(f" [{score} csat:{survey.id}:{score}]" for score in range(1, 6))
    assert await floor.sent() == [
        "notice Olga: Olga has joined re None",
        "person Olga: Here I am re 77",
        "notice Olga: Olga has closed the conversation re None",
        f"notice : How content were you with this conversation, from 1 (not at all) to 5 (very)?{buttons} re None",
    ]
    assert await floor.outbox.count("withdrawn") == 2


async def test_a_takeover_waits_for_the_letter_that_is_on_its_way(floor: Floor) -> None:
    conversation = await floor.says("Hello")
    letter = await floor.outbox.claim(await floor.writes(conversation, "on its way"), LEASE)
    assert letter is not None
    taking = asyncio.create_task(floor.takeover.take(conversation, floor.olga))
    await _glances(floor, taking, 5)
    assert not taking.done()
    replying = asyncio.create_task(floor.takeover.reply(conversation, floor.olga, "I wait too"))
    await _glances(floor, replying, 5)
    assert not replying.done()
    await floor.outbox.settle(letter, "sent")
    await _glances(floor, taking, 50)
    await _glances(floor, replying, 50)
    assert [len((await taking).letters) + len((await replying).letters)] == [2]
    assert await floor.sent() == ["notice Olga: Olga has joined re None", "person Olga: I wait too re None"]


async def test_who_has_not_taken_over_cannot_answer_or_give_back(floor: Floor) -> None:
    conversation = await floor.says("Hello")
    with pytest.raises(NotHolder):
        await floor.takeover.reply(conversation, floor.olga, "Hello")
    with pytest.raises(NotHolder):
        await floor.takeover.hand_back(conversation, floor.olga)


async def test_a_letter_whose_sender_is_gone_is_shown_as_unknown_and_holds_nobody_up(floor: Floor) -> None:
    conversation = await floor.says("Hello")
    letter = await floor.outbox.claim(await floor.writes(conversation, "lost"), LEASE)
    assert letter is not None
    floor.clock.advance(LEASE + 1)
    await floor.takeover.take(conversation, floor.olga)
    [unknown] = await floor.watch.unknown_letters(conversation)
    assert unknown.id == letter.id
    assert await floor.outbox.decide(letter.id, "send_again")
    assert "lost" in await floor.sent()


async def test_what_was_put_off_before_the_takeover_is_not_sent_after_it(floor: Floor) -> None:
    conversation = await floor.says("Hello")
    letter = await floor.outbox.claim(await floor.writes(conversation, "put off"), LEASE)
    assert letter is not None
    taking = asyncio.create_task(floor.takeover.take(conversation, floor.olga))
    await _glances(floor, taking, 2)
    await floor.outbox.again(letter, 5)
    await _glances(floor, taking, 50)
    await taking
    await floor.takeover.hand_back(conversation, floor.olga)
    floor.clock.advance(10)
    assert await floor.sent() == [
        "notice Olga: Olga has joined re None",
        "notice Olga: Olga has left; the desk answers again re None",
    ]


async def test_the_newest_unanswered_message_gets_a_turn_of_its_own_once(floor: Floor) -> None:
    conversation = await floor.says("One")
    await floor.takeover.take(conversation, floor.olga)
    await floor.says("Two")
    done = await floor.takeover.hand_back(conversation, floor.olga, answer=True)
    assert done.turn_id is not None
    lease = await floor.turns.claim("worker", LEASE)
    assert lease is not None
    path = await floor.chain(conversation)
    assert lease.turn_id == done.turn_id
    assert [message.text for message in path if message.id == lease.message_id] == ["Two"]
    assert (path[-1].id, path[-1].state) == (lease.reply_id, "running")
    assert await floor.turns.waiting() == []

    await floor.takeover.take(conversation, floor.olga)
    await floor.takeover.reply(conversation, floor.olga, "Both answered")
    again = await floor.takeover.hand_back(conversation, floor.olga, answer=True)
    assert again.turn_id is None


async def test_what_is_said_to_a_person_stays_in_order_whatever_branch_the_page_thought_of(floor: Floor) -> None:
    conversation = await floor.says("One")
    [first, *_] = await floor.chain(conversation)
    await floor.takeover.take(conversation, floor.olga)
    await floor.takeover.reply(conversation, floor.olga, "Yes?")
    await floor.says("Two", parent_id=first.id)
    await floor.says("Three", at_start=True)
    await floor.says("", regenerate=first.id)
    assert await floor.told(conversation) == [
        "user: One",
        "notice: Olga has joined",
        "assistant: Yes?",
        "user: Two",
        "user: Three",
    ]


async def test_a_new_message_opens_a_closed_conversation_again(floor: Floor) -> None:
    conversation = await floor.says("One")
    await floor.takeover.set_status(conversation, floor.olga, "closed")
    assert (await floor.watch.one(conversation)).conversation.status == "closed"
    await floor.says("Two")
    known = (await floor.watch.one(conversation)).conversation
    assert (known.status, known.closed_at) == ("open", None)


async def test_the_one_who_waits_longest_is_shown_first(
    floor: Floor, database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    asks = Inbox(database, clock, ids, wants_person=lambda text: "person" in text)
    waiting: list[str] = []
    for number in range(5):
        clock.advance(1)
        said = Inbound(channel="web", external_id=f"w{number}", person_id=floor.ada.id, text="A person, please")
        waiting.append((await asks.accept(said)).conversation_id)
    clock.advance(1)
    more = Inbound(
        channel="web", external_id="more", person_id=floor.ada.id, text="Please!", conversation_id=waiting[0]
    )
    await asks.accept(more)
    first, cursor = await floor.watch.page(floor.olga.id, "waiting", limit=3)
    rest, end = await floor.watch.page(floor.olga.id, "waiting", limit=3, before=cursor)
    assert [line.conversation.id for line in (*first, *rest)] == waiting
    assert end is None
    assert all(line.unhappy for line in first)


async def test_a_conversation_goes_back_to_the_desk_with_the_one_who_had_it(
    floor: Floor, database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    conversation = await floor.says("One")
    await floor.takeover.take(conversation, floor.olga)
    await floor.takeover.reply(conversation, floor.olga, "Hello")
    await People(database, clock, ids).erase(floor.olga.id)
    assert (await floor.watch.one(conversation)).conversation.held_by is None
    assert await floor.told(conversation) == ["user: One", "notice: Olga has joined", "assistant: Hello"]


async def test_erasing_a_person_takes_their_surveys_and_the_notes_about_them_along(
    floor: Floor, database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    conversation = await floor.says("One")
    await floor.takeover.set_status(conversation, floor.olga, "closed", survey=True)
    [survey] = await floor.surveys.of(floor.ada.id)
    await floor.surveys.answer(survey.id, floor.ada.id, 4, "Fine")
    assert (await floor.surveys.satisfaction(30)).average == 4
    await People(database, clock, ids).erase(floor.ada.id)
    assert await floor.surveys.of(floor.ada.id) == []
    assert (await floor.surveys.satisfaction(30)).asked == 0


async def test_only_the_one_who_was_asked_answers_and_may_think_again(floor: Floor) -> None:
    conversation = await floor.says("One")
    await floor.takeover.set_status(conversation, floor.olga, "closed", survey=True)
    await floor.takeover.set_status(conversation, floor.olga, "closed", survey=True)
    [survey] = await floor.surveys.of(floor.ada.id)
    with pytest.raises(NotFound):
        await floor.surveys.answer(survey.id, floor.olga.id, 5)
    await floor.surveys.answer(survey.id, floor.ada.id, 1, "Bad")
    changed = await floor.surveys.answer(survey.id, floor.ada.id, 5)
    assert (changed.score, changed.comment) == (5, "Bad")


async def test_where_a_program_reads_nobody_takes_over(floor: Floor) -> None:
    said = Inbound(channel="openai", external_id="o1", person_id=floor.ada.id, text="Hello")
    conversation = (await floor.inbox.accept(said)).conversation_id
    with pytest.raises(Conflict):
        await floor.takeover.take(conversation, floor.olga)
    assert (await floor.conversations.get(conversation, None)).held_by is None


async def test_nobody_speaks_where_no_word_would_arrive(
    floor: Floor, database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    places = Places(database, clock, ids)
    conversation = await floor.says("One")
    await floor.takeover.take(conversation, floor.olga)
    clock.advance(1)
    await places.shut("chat", "12", floor.ada.id)
    with pytest.raises(Conflict, match="takes nothing"):
        await floor.takeover.reply(conversation, floor.olga, "Into the void")
    await places.reopen("chat", "12")
    await floor.takeover.reply(conversation, floor.olga, "Welcome back")
    await places.shut("chat", "12", floor.ada.id)
    await floor.says("I am back")
    await floor.takeover.reply(conversation, floor.olga, "So I see")
    await floor.takeover.hand_back(conversation, floor.olga)

    await places.begin_anew("chat", "12", floor.ada.id, "Ada")
    with pytest.raises(Conflict, match="goes on in another conversation"):
        await floor.takeover.take(conversation, floor.olga)
    assert (await floor.conversations.get(conversation, None)).held_by is None
    assert "Into the void" not in "".join(await floor.told(conversation))


async def test_what_a_tool_has_done_is_told_although_the_chat_begins_anew(
    floor: Floor, database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    await floor.says("Book a table")
    lease = await floor.turns.claim("worker", LEASE)
    assert lease is not None
    called = ToolCalled(call=ToolCall(id="call-1", name="example__book", arguments="{}"), server="example")
    await floor.turns.append(lease, [Numbered(seq=1, event=called, at=clock.now())])
    await Places(database, clock, ids).begin_anew("chat", "12", floor.ada.id, "Ada")
    assert await floor.turns.state(lease.turn_id) == "running"


async def test_who_parts_with_a_channel_is_not_spoken_to_there_any_more(
    floor: Floor, database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    await People(database, clock, ids).link(floor.ada.id, "chat", "12")
    conversation = await floor.says("One")
    await floor.takeover.take(conversation, floor.olga)
    await Links(database, clock, ids, Audit(database, clock, b"key")).remove(floor.ada.id, "chat")
    with pytest.raises(Conflict, match="goes on in another conversation"):
        await floor.takeover.reply(conversation, floor.olga, "Into the void")
    await floor.takeover.hand_back(conversation, floor.olga, close=True)


async def _glances(floor: Floor, taking: "asyncio.Task[object]", most: int) -> None:
    """Let the takeover look again, at most so many times."""
    for _ in range(most):
        await asyncio.wait({taking}, timeout=0.01)
        if taking.done():
            return
        floor.clock.advance(0.1)
