"""Sealed conversations are found by their words, and the index tells nobody which words these are."""

import pytest
import sqlalchemy as sa

from frontdesk.clock import RandomIds
from frontdesk.events import Finished, Inbound, Numbered
from frontdesk.messages import Grounding, Role, Usage
from frontdesk.store.conversations import Conversations
from frontdesk.store.database import Database
from frontdesk.store.inbox import Inbox
from frontdesk.store.people import People
from frontdesk.store.turns import Outcome, Turns
from frontdesk.store.words import MOST, MOST_TEXT, marks_of, wanted_of, words
from frontdesk.testing.clock import FakeClock

KEY = b"k" * 32
DONE = Finished(reply_id="r", grounding=Grounding.QUOTED, model="quote", usage=Usage(), reason="stop")


class Desk:
    """People who talk."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.database, self.clock, self.ids = database, clock, RandomIds()
        self.conversations = Conversations(database, clock)

    async def person(self) -> str:
        return (await People(self.database, self.clock, self.ids).add(name="Ann", role=Role.MEMBER)).id

    async def say(self, person_id: str, text: str, answer: str = "", conversation_id: str | None = None) -> str:
        inbound = Inbound(
            channel="web",
            external_id=self.ids.new("x"),
            person_id=person_id,
            text=text,
            conversation_id=conversation_id,
        )
        accepted = await Inbox(self.database, self.clock, self.ids).accept(inbound)
        if answer:
            turns = Turns(self.database, self.clock, self.ids)
            lease = await turns.claim("me", 60, accepted.turn_id)
            assert lease is not None
            last = [Numbered(seq=1, event=DONE, at=self.clock.now())]
            await turns.finish(lease, last, Outcome(text=answer, state="complete"))
        return accepted.conversation_id

    async def found(self, person_id: str, query: str) -> set[str]:
        page, _ = await self.conversations.page(person_id, query=query)
        return {conversation.id for conversation in page}


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return Desk(database, clock)


async def test_whole_words_and_their_beginnings_are_found_in_questions_answers_and_titles(desk: Desk) -> None:
    ann, ben = await desk.person(), await desk.person()
    first = await desk.say(ann, "Where is the invoice for Café Zürich?", "It was sent on Monday.")
    second = await desk.say(ann, "Order A-1002 5 is late")
    theirs = await desk.say(ben, "My invoice, please")
    assert await desk.found(ann, "invoice") == {first}
    assert await desk.found(ben, "invoice") == {theirs}
    for query in ("inv", "INVOICE", "cafe zurich", "Café", "monday", "where ZÜR", "is"):
        assert first in await desk.found(ann, query), query
    for query in ("in", "voice", "invoices", "monday invoice", "sunday", "A-1003"):
        assert await desk.found(ann, query) == set(), query
    assert await desk.found(ann, "a-1002") == {second}
    assert await desk.found(ann, "5") == {second}
    assert await desk.found(ann, "?!") == set()
    await desk.conversations.rename(second, ann, "Parcels")
    assert await desk.found(ann, "parcel") == {second}
    await desk.conversations.rename(second, ann, "Boxes")
    assert await desk.found(ann, "parcel") == set()
    assert await desk.found(ann, "late") == {second}
    await desk.conversations.delete(second, ann)
    assert await desk.found(ann, "late") == set()


async def test_scripts_without_spaces_are_found_by_any_part(desk: Desk) -> None:
    ann = await desk.person()
    said = await desk.say(ann, "明日の会議は何時ですか")
    thai = await desk.say(ann, "ขอใบเสร็จด้วย")
    for query in ("会議", "何時", "明", "会議は何時"):
        assert await desk.found(ann, query) == {said}, query
    assert await desk.found(ann, "ใบเสร็จ") == {thai}
    assert await desk.found(ann, "時会") == set()


async def test_a_search_reads_no_message_and_the_index_holds_no_word(desk: Desk, database: Database) -> None:
    ann = await desk.person()
    await desk.say(ann, "canary canary canary")
    async with database.read() as connection:
        [row] = (await connection.execute(sa.select(words))).all()
    assert "canary" not in str(row)
    assert marks_of("canary", KEY).isdisjoint(marks_of("canary", b"q" * 32)), "marks differ by key"
    assert len(marks_of("canary canary Canary", KEY)) == 4, "can, cana, canar, canary"


def test_huge_messages_leave_a_bounded_index() -> None:
    many = " ".join(f"word{number}" for number in range(50_000))
    assert MOST <= len(marks_of(many, KEY)) < MOST + 40
    assert marks_of("x" * 1_000_000, KEY)
    assert marks_of("a " * MOST_TEXT + "beyond", KEY) == marks_of("a", KEY)
    assert len(wanted_of("one two three " * 1_000, KEY)) == 3
    assert wanted_of("", KEY) == frozenset()
