"""A person takes a conversation over while the desk answers in it: whatever the moment, the person wins."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa

from frontdesk.clock import SystemClock
from frontdesk.delivery.delivery import Delivery, NotSent
from frontdesk.delivery.options import DeliveryOptions
from frontdesk.events import Inbound, Numbered, TextAdded
from frontdesk.messages import Person, Role
from frontdesk.outgoing import Reply, Rhythm
from frontdesk.store.conversations import Conversations
from frontdesk.store.database import Database
from frontdesk.store.inbox import Inbox
from frontdesk.store.outbox import Letter, NewLetter, Outbox, outbox
from frontdesk.store.people import People
from frontdesk.store.takeover import Takeover
from frontdesk.store.turns import LostLease, Outcome, Turns
from frontdesk.testing.clock import CountingIds

CHANNEL = "chat"
AT_ONCE = 20  # races that run side by side
STEPS = ("accept", "claim", "write", "finish", "send", "sent")


class Paper:
    """A channel whose letters are their text."""

    rhythm: Rhythm | None = None

    def letters(self, reply: Reply) -> tuple[str, ...]:
        return (f"{reply.author}: {reply.text}",)

    async def typing(self, place: str) -> None:
        return None

    async def preview(self, place: str, turn_id: str, text: str) -> None:
        return None


@dataclass
class Race:
    """One conversation. The takeover starts when the desk comes to `step`, `late` turns of the loop after it.

    A letter that is on its way then arrives after the takeover has been wished for, some of them a good while later.
    """

    place: str
    step: str
    late: int
    started: asyncio.Event = field(default_factory=asyncio.Event)
    wished: asyncio.Event = field(default_factory=asyncio.Event)
    taken: bool = False
    arrived: list[str] = field(default_factory=list)
    too_late: list[str] = field(default_factory=list)

    async def at(self, step: str) -> None:
        if step == self.step:
            self.started.set()
            await asyncio.sleep(0)


class Channel:
    """Accepts letters, some at the second try, and knows which came after their conversation was taken over."""

    def __init__(self, races: dict[str, Race], chance: random.Random) -> None:
        self._races = races
        self._chance = chance

    async def send(self, letter: Letter) -> str:
        race = self._races[letter.place or ""]
        await race.at("send")
        if race.step == "send":
            await race.wished.wait()
        for _ in range(self._chance.randrange(20)):
            await asyncio.sleep(0)
        if letter.attempts == 1 and self._chance.random() < 0.2:
            raise NotSent("busy", retry_after=0.01)
        race.arrived.append(letter.body)
        if race.taken and letter.body.startswith("desk"):
            race.too_late.append(letter.body)
        await race.at("sent")
        return f"ext-{letter.id}"


@dataclass
class House:
    """The parts of a desk that meet in a race."""

    inbox: Inbox
    turns: Turns
    outbox: Outbox
    conversations: Conversations
    takeover: Takeover
    delivery: Delivery
    ada: Person
    olga: Person

    async def desk_answers(self, turn_id: str, race: Race) -> None:
        """What a worker does with a turn, up to the sending of its two letters."""
        try:
            lease = await self.turns.claim("worker", 30, turn_id)
            await race.at("claim")
            if lease is None:
                return
            said = Numbered(seq=1, event=TextAdded(text="We open"), at=lease.until)
            await self.turns.append(lease, [said])
            await race.at("write")
            letters = [
                NewLetter(
                    key=f"reply:{lease.turn_id}:{number}",
                    channel=CHANNEL,
                    person_id=self.ada.id,
                    body=f"desk: {number}",
                    place=race.place,
                    conversation_id=lease.conversation_id,
                    message_id=lease.reply_id,
                )
                for number in range(2)
            ]
            last = Numbered(seq=2, event=TextAdded(text=" at nine."), at=lease.until)
            outcome = Outcome(text="We open at nine.", state="complete")
            written = (await self.turns.finish(lease, [last], outcome, letters)).letters
            await race.at("finish")
            await asyncio.gather(*(self.delivery.deliver(letter) for letter in written))
        except LostLease:
            return


async def house(database: Database, races: dict[str, Race], chance: random.Random) -> House:
    clock, ids = SystemClock(), CountingIds()
    people, letters = People(database, clock, ids), Outbox(database, clock)
    sender = Channel(races, chance)
    return House(
        inbox=Inbox(database, clock, ids),
        turns=Turns(database, clock, ids),
        outbox=letters,
        conversations=Conversations(database, clock),
        takeover=Takeover(database, clock, ids, {CHANNEL: Paper()}, pages=()),
        delivery=Delivery(letters, {CHANNEL: sender}, DeliveryOptions(), clock),
        ada=(await people.add(name="Ada", role=Role.MEMBER)).person,
        olga=(await people.add(name="Olga", role=Role.OPERATOR)).person,
    )


async def run(house: House, race: Race) -> str:
    """One race, to the operator's answer, and back to the desk; returns the conversation's id."""
    said = Inbound(channel=CHANNEL, external_id=race.place, person_id=house.ada.id, text="When?", place=race.place)
    accepted = await house.inbox.accept(said)
    desk = asyncio.create_task(house.desk_answers(accepted.turn_id, race))
    await race.at("accept")
    started = asyncio.create_task(race.started.wait())
    await asyncio.wait({started, desk}, return_when=asyncio.FIRST_COMPLETED)  # some steps never come: it lost before
    started.cancel()
    for _ in range(race.late):
        await asyncio.sleep(0)
    taking = asyncio.create_task(take(house, race, accepted.conversation_id))
    if race.late % 2:  # as long as a letter is on its way, the takeover must not be made
        await asyncio.wait({taking}, timeout=0.3 if race.step == "send" else 0)
    race.wished.set()
    await taking
    done = await house.takeover.reply(accepted.conversation_id, house.olga, "At nine, says Olga.")
    await desk
    assert done.message_id is not None
    return accepted.conversation_id


@pytest.mark.proves("promise-15")
async def test_no_word_of_the_desk_arrives_once_a_person_has_taken_over(
    database: Database, chance: random.Random, size: Callable[[int, int], int]
) -> None:
    races: dict[str, Race] = {}
    desk = await house(database, races, chance)
    total = size(100, 2000)
    for first in range(0, total, AT_ONCE):
        batch = [
            Race(place=f"place-{number}", step=chance.choice(STEPS), late=chance.randrange(40))
            for number in range(first, min(total, first + AT_ONCE))
        ]
        races.update({race.place: race for race in batch})
        found = await asyncio.gather(*(run(desk, race) for race in batch))
        await deliver_the_rest(desk)
        for race, conversation in zip(batch, found, strict=True):
            await look(desk, race, conversation)
    assert len(races) == total
    async with database.read() as connection:
        query = sa.select(outbox.c.state).where(outbox.c.machine).distinct()
        ended = {row.state for row in await connection.execute(query)}
    assert ended == {"sent", "withdrawn"}, "races that all end one way prove nothing"


async def take(house: House, race: Race, conversation_id: str) -> None:
    await house.takeover.take(conversation_id, house.olga)
    race.taken = True


async def deliver_the_rest(house: House) -> None:
    """What a sweeper does with letters that were put off."""
    async with asyncio.timeout(30):
        while await house.outbox.count("waiting"):
            await asyncio.gather(*(house.delivery.deliver(letter) for letter in await house.outbox.due()))


async def look(desk: House, race: Race, conversation_id: str) -> None:
    """Nothing came too late, what came is in order, and the conversation is one chain."""
    assert race.too_late == []
    assert race.arrived[-2:] == ["notice: Olga has joined", "person: At nine, says Olga."]
    assert race.arrived[:-2] in ([], ["desk: 0"], ["desk: 0", "desk: 1"])
    conversation = await desk.conversations.get(conversation_id, None)
    path = await desk.conversations.path(conversation.head_id or "", 100)
    answered = [message.text for message in path if message.role == "assistant"]
    assert answered in (["At nine, says Olga."], ["We open at nine.", "At nine, says Olga."])
    roles = [message.role for message in path]
    assert (roles[0], roles[-2:]) == ("user", ["notice", "assistant"])
    assert {message.state for message in path} == {"complete"}
