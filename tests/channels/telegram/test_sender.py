"""Letters reach Telegram once, in order and at its pace; what may have arrived is shown as unknown."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.channels.telegram.client import TelegramClient
from frontdesk.channels.telegram.options import TelegramOptions
from frontdesk.channels.telegram.outlet import TelegramOutlet
from frontdesk.channels.telegram.sender import TelegramSender
from frontdesk.delivery.delivery import Delivery
from frontdesk.delivery.options import DeliveryOptions
from frontdesk.gate.limits import LocalLimiter, Window
from frontdesk.messages import Role
from frontdesk.outgoing import Reply
from frontdesk.store.database import Database
from frontdesk.store.outbox import NewLetter, Outbox, outbox, put
from frontdesk.store.people import People
from frontdesk.telemetry import metrics
from frontdesk.testing.clock import CountingIds, FakeClock
from frontdesk.testing.telegram import FakeTelegram, Fault, running_telegram

ANN, BOB, TEAM = 7, 8, -1009
LEASE = 60.0


@dataclass
class Office:
    """The desk's outbox and what sends from it to Telegram."""

    telegram: FakeTelegram
    clock: FakeClock
    database: Database
    ids: CountingIds
    outbox: Outbox
    outlet: TelegramOutlet
    delivery: Delivery
    person_id: str
    replies: int = 0

    async def write(self, chat: int, text: str, *, proactive: bool = False, apology: bool = False) -> list[str]:
        """Put a reply into the outbox."""
        self.replies += 1
        now = self.clock.now()
        reply = Reply(place=str(chat), text=text, asked_at=now, apology=apology, message_id=f"msg_{self.replies}")
        letters = [
            NewLetter(
                key=f"{self.replies}:{number}",
                channel="telegram",
                person_id=self.person_id,
                body=body,
                place=reply.place,
                proactive=proactive,
            )
            for number, body in enumerate(self.outlet.letters(reply))
        ]

        async def work(connection: AsyncConnection) -> list[str]:
            return [await put(connection, self.ids, now, letter) for letter in letters]

        return await self.database.commit(work)

    async def sweep(self) -> None:
        """Send what is due, as a worker does; time passes while a sender waits for room."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.delivery.deliver(letter)) for letter in await self.outbox.due()]
            await self.pass_time(lambda: all(task.done() for task in tasks))

    async def pass_time(self, over: Callable[[], bool]) -> None:
        """Let sleepers sleep until `over`."""
        async with asyncio.timeout(20):
            while not over():
                await asyncio.sleep(0.002)
                self.clock.advance(0.02)

    async def states(self) -> list[str]:
        """What has become of the letters, in their order."""
        async with self.database.read() as connection:
            return list((await connection.execute(sa.select(outbox.c.state).order_by(outbox.c.id))).scalars())


@pytest.fixture
async def telegram(clock: FakeClock) -> AsyncGenerator[FakeTelegram]:
    async with running_telegram(clock=clock) as telegram:
        for chat in (ANN, BOB, TEAM):
            telegram.chat(chat)
        yield telegram


@pytest.fixture
def patience() -> float:
    """Seconds that a call may take; a test of a server that never answers asks for fewer."""
    return 30


@pytest.fixture
async def office(
    telegram: FakeTelegram, database: Database, clock: FakeClock, ids: CountingIds, patience: float
) -> AsyncGenerator[Office]:
    client = TelegramClient(telegram.token, telegram.url, seconds=patience)
    sender = TelegramSender(
        client,
        chats=LocalLimiter([Window(1, 1)], clock),
        groups=LocalLimiter([Window(20, 60)], clock),
        everyone=LocalLimiter([Window(30, 1)], clock),
        clock=clock,
    )
    store = Outbox(database, clock)
    person = (await People(database, clock, ids).add(name="Ann", role=Role.MEMBER)).person
    yield Office(
        telegram,
        clock,
        database,
        ids,
        store,
        TelegramOutlet(client, TelegramOptions(), clock),
        Delivery(store, {"telegram": sender}, DeliveryOptions(tries=3), clock),
        person.id,
    )
    await client.close()


@pytest.mark.proves("conversation-7")
async def test_a_long_reply_arrives_whole_in_order_and_at_telegrams_pace(office: Office) -> None:
    office.telegram.limit()
    text = " ".join(str(number) for number in range(2000))[:9000]
    await office.write(ANN, text)
    await office.sweep()
    assert await office.states() == ["sent"] * 3
    assert " ".join(office.telegram.texts(ANN)) == text
    assert all(call.status == 200 for call in office.telegram.calls)


@pytest.mark.proves("conversation-7")
async def test_a_429_delays_for_as_long_as_it_says_and_loses_nothing(office: Office) -> None:
    office.telegram.fail(Fault(status=429, retry_after=9))
    await office.write(ANN, "one")
    await office.sweep()
    office.clock.advance(8.5)
    await office.sweep()
    assert [call.status for call in office.telegram.calls] == [429], "nothing is tried before its time"
    office.clock.advance(1)
    await office.sweep()
    assert office.telegram.texts(ANN) == ["one"]
    async with office.database.read() as connection:
        assert (await connection.execute(sa.select(outbox.c.attempts))).scalar_one() == 1


async def test_one_chats_429_holds_up_that_chat_and_two_hold_up_the_bot(office: Office) -> None:
    office.telegram.fail(Fault(status=429, retry_after=9, chat=ANN))
    await office.write(ANN, "to Ann")
    await office.write(BOB, "to Bob")
    await office.sweep()
    assert office.telegram.texts(BOB) == ["to Bob"]
    office.telegram.fail(Fault(status=429, retry_after=9, chat=BOB))
    office.clock.advance(1)
    await office.write(BOB, "again")
    await office.sweep()
    await office.write(TEAM, "to the team")
    await office.sweep()
    assert office.telegram.texts(TEAM) == []
    office.clock.advance(10)
    await office.sweep()
    assert [len(office.telegram.texts(chat)) for chat in (ANN, BOB, TEAM)] == [1, 2, 1]


async def test_a_groups_minute_is_kept(office: Office) -> None:
    office.telegram.limit()
    for number in range(25):
        await office.write(TEAM, str(number))
    for _ in range(6):
        await office.sweep()
        office.clock.advance(15)
    assert office.telegram.texts(TEAM) == [str(number) for number in range(25)]
    assert all(call.status == 200 for call in office.telegram.calls)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_thirty_a_second_leave_in_all(office: Office) -> None:
    office.telegram.limit()
    for number in range(70):
        office.telegram.chat(100 + number)
        await office.write(100 + number, "Hello")
    for _ in range(6):
        await office.sweep()
        office.clock.advance(0.5)
    assert set(await office.states()) == {"sent"}
    assert all(call.status == 200 for call in office.telegram.calls)
    times = sorted(sent.at for sent in office.telegram.sent)
    assert all(later - earlier >= 0.95 for earlier, later in zip(times, times[30:], strict=False))


async def test_a_chat_that_blocked_the_bot_ends_its_letters_and_no_others(office: Office) -> None:
    office.telegram.block(ANN)
    await office.write(ANN, "to Ann")
    await office.write(BOB, "to Bob")
    await office.sweep()
    assert await office.states() == ["failed", "sent"]
    async with office.database.read() as connection:
        problems = (await connection.execute(sa.select(outbox.c.problem).order_by(outbox.c.id))).scalars()
        assert list(problems) == ["blocked", None]


async def test_a_refused_formatting_is_sent_as_plain_text_at_once(office: Office) -> None:
    office.telegram.fail(Fault(status=400, description="Bad Request: can't parse entities: odd"))
    await office.write(ANN, "**bold**")
    await office.sweep()
    (sent,) = office.telegram.sent
    assert (sent.text, sent.entities) == ("bold", [])
    assert await office.states() == ["sent"]


async def test_a_group_that_moved_gets_its_reply_at_its_new_address(office: Office) -> None:
    office.telegram.migrate(-5, -1005)
    await office.write(-5, "Hello team")
    await office.sweep()
    assert office.telegram.texts(-1005) == ["Hello team"]


async def test_letters_wait_while_telegram_cannot_be_reached_or_does_not_know_the_token(office: Office) -> None:
    token, office.telegram.token = office.telegram.token, "1:other"
    await office.write(ANN, "Hello")
    for _ in range(10):
        await office.sweep()
        office.clock.advance(61)
    assert await office.states() == ["waiting"]
    office.telegram.token = token
    await office.sweep()
    assert office.telegram.texts(ANN) == ["Hello"]


@pytest.mark.proves("conversation-14")
async def test_replies_are_counted_once_each_and_timed_from_the_question(office: Office) -> None:
    def counted() -> list[float]:
        return [metrics.replies.labels(outcome)._value.get() for outcome in ("sent", "fallback", "failed")]

    before, seconds = counted(), metrics.reply_latency._sum.get()
    office.telegram.block(BOB)
    await office.write(ANN, "word " * 1000)
    office.clock.advance(3)
    await office.sweep()
    await office.write(TEAM, "Sorry", apology=True)
    await office.write(BOB, "lost")
    await office.sweep()
    assert [after - earlier for after, earlier in zip(counted(), before, strict=True)] == [1, 1, 1]
    assert metrics.reply_latency._sum.get() - seconds >= 3


# --- what may have arrived ----------------------------------------------------------


@pytest.mark.proves("promise-11")
@pytest.mark.parametrize("patience", [1])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(hang=True, taken=True),
        Fault(hang=True),
        Fault(cut=True, taken=True),
        Fault(cut=True),
        Fault(status=500, taken=True),
        Fault(status=502),
    ],
    ids=lambda fault: f"{fault.status or ('hang' if fault.hang else 'cut')}{' taken' if fault.taken else ''}",
)
async def test_a_send_without_a_clear_answer_is_unknown_and_never_repeated(office: Office, fault: Fault) -> None:
    office.telegram.fail(fault)
    await office.write(ANN, "perhaps", proactive=True)
    await office.write(ANN, "after it")
    for _ in range(4):
        await office.sweep()
        office.clock.advance(3600)
    assert await office.states() == ["unknown", "sent"]
    assert office.telegram.texts(ANN) == (["perhaps", "after it"] if fault.taken else ["after it"])
    assert len([call for call in office.telegram.calls if call.parameters["text"] == "perhaps"]) <= 1


@pytest.mark.proves("promise-11")
@pytest.mark.parametrize("patience", [1])
async def test_a_sender_that_dies_anywhere_never_sends_twice(
    office: Office, chance: random.Random, size: Callable[[int, int], int]
) -> None:
    """The process ends after any number of its steps; the database then says `sent`, `unknown`, or sends it later."""
    office.telegram.fail(Fault(times=10_000, hang=True, taken=True, chat=BOB))
    for number in range(size(10, 50)):
        chat = chance.choice((ANN, BOB))
        (letter,) = await office.write(chat, f"{number} hello", proactive=True)
        dying = asyncio.create_task(office.delivery.deliver(letter))
        await _let_run(dying, steps=chance.randrange(60))
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        office.clock.advance(LEASE + 1)
    for _ in range(3):
        await office.sweep()
        office.clock.advance(LEASE + 1)
    texts = [sent.text for sent in office.telegram.sent]
    assert len(texts) == len(set(texts)), "nothing arrived twice"
    states = await office.states()
    assert set(states) <= {"sent", "unknown"}
    assert len(texts) >= states.count("sent"), "what counts as sent has arrived"


@pytest.mark.proves("conversation-8")
async def test_a_sender_that_dies_while_a_letter_waits_for_its_pace_loses_no_part_of_the_reply(office: Office) -> None:
    text = " ".join(str(number) for number in range(2000))[:9000]
    first, *_ = await office.write(ANN, text)
    dying = asyncio.create_task(office.delivery.deliver(first))
    async with asyncio.timeout(20):
        while not office.clock.sleeping:  # noqa: ASYNC110 a sleeper tells nobody
            await asyncio.sleep(0.002)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert await office.states() == ["sent", "waiting", "waiting"]
    office.clock.advance(LEASE + 1)
    await office.sweep()
    assert await office.states() == ["sent"] * 3
    assert " ".join(office.telegram.texts(ANN)) == text


async def test_a_place_in_a_groups_minute_is_taken_once_by_each_letter(office: Office) -> None:
    """Those that wait for the bot's own rate meanwhile take no second one."""
    for number in range(30):
        await office.write(100 + number, "Hello")
    for number in range(3):
        await office.write(TEAM, str(number))
    await office.sweep()
    for _ in range(17):
        await office.write(TEAM, "more")
    await office.sweep()
    assert office.clock.monotonic() < 40, "twenty fit into the first minute"
    assert len(office.telegram.texts(TEAM)) == 20


async def _let_run(task: asyncio.Task[None], steps: int) -> None:
    for _ in range(steps):
        if task.done():
            return
        await asyncio.sleep(0.001 if steps > 40 else 0)
