"""How a customer stops a letter is part of the letter: people approve it with the text, and it leaves as approved."""

import msgspec
import pytest

from frontdesk.decision.content.templates import Draft
from frontdesk.delivery.options import DeliveryOptions
from frontdesk.delivery.unsubscribe import StopLinks
from frontdesk.engagement import Envelope
from frontdesk.store.database import Database
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.decision.outreaching import ANN, Room, options, writing

DESK = "https://desk.test"
GOOD = "Subject: Welcome, Cleo\n\nHi Cleo,\n\nhere is how to begin."
BODY = "Hi Cleo,\n\nhere is how to begin."


def by_mail(footer: str = "Stop: {unsubscribe}") -> DeliveryOptions:
    smtp = {"host": "mail.test", "sender": "Desk <desk@shop.test>", "footer": footer}
    channels = {"email": "smtp", "sms": "webhook"}
    return DeliveryOptions.model_validate({"channels": channels, "messages_url": "https://shop.test", "smtp": smtp})


def link(room: Room, decision_id: str = "dec_0") -> str:
    return StopLinks(room.public_url, b"key").of(decision_id)


@pytest.fixture
async def room(database: Database, clock: FakeClock, ids: CountingIds) -> Room:
    room = Room(database, clock, ids, options(), writing(clock, GOOD), public_url=DESK, delivery=by_mail())
    await room.customer()
    return room


async def left(room: Room) -> Envelope:
    """The only letter that is ready to leave."""
    [letter] = await room.letters()
    return msgspec.json.decode(letter.body, type=Envelope)


@pytest.mark.proves("promise-16")
async def test_what_is_approved_is_the_whole_letter_with_its_footer(room: Room) -> None:
    row = await room.run(await room.propose(needs=1))
    assert room.approvals.footer(row) == f"Stop: {link(room)}"
    await room.say(row)
    done = await room.run(row.id)
    envelope = await left(room)
    assert (done.state, done.digest) == ("released", row.digest)
    assert envelope.body == f"{BODY}\n\n-- \nStop: {link(room)}"
    assert envelope.unsubscribe_url == link(room)
    assert room.approvals.footer(done) == "", "what has left is read in the letter"


@pytest.mark.proves("promise-16")
@pytest.mark.parametrize("change", ["footer", "address of the desk"])
async def test_a_footer_that_changed_needs_another_word(room: Room, change: str) -> None:
    row = await room.run(await room.propose(needs=1))
    await room.say(row)
    if change == "footer":
        room.delivery = by_mail("No more: {unsubscribe}")
    else:
        room.public_url = "https://other.test"
    asked = await room.run(row.id)
    assert (asked.state, asked.problem) == ("approval", "must_be_approved")
    assert asked.digest != row.digest
    assert await room.letters() == []
    await room.say(asked, ANN)
    await room.run(row.id)
    assert (await left(room)).body.endswith(room.approvals.footer(asked))


async def test_a_person_changes_the_text_and_not_the_footer(room: Room) -> None:
    row = await room.run(await room.propose(needs=1))
    await room.say(row, kind="edit", draft=Draft(subject="Hi", body="Hi Cleo, do begin."))
    await room.run(row.id)
    assert (await left(room)).body == f"Hi Cleo, do begin.\n\n-- \nStop: {link(room)}"


async def test_a_footer_that_the_owner_empties_leaves_the_text_alone(room: Room) -> None:
    room.delivery = by_mail("")
    await room.run(await room.propose())
    envelope = await left(room)
    assert (envelope.body, envelope.unsubscribe_url) == (BODY, link(room))


async def test_a_gateway_gets_the_link_beside_the_text(room: Room) -> None:
    await room.run(await room.propose(channel="sms", arm="hello/sms/now"))
    envelope = await left(room)
    assert "unsubscribe" not in envelope.body
    assert envelope.unsubscribe_url == link(room)


async def test_a_desk_that_does_not_know_its_address_promises_no_link(room: Room) -> None:
    room.public_url = ""
    await room.run(await room.propose())
    envelope = await left(room)
    assert (envelope.body, envelope.unsubscribe_url) == (BODY, "")


def test_a_chat_has_its_own_way_to_stop_a_bot(room: Room) -> None:
    assert room.exits("telegram", "dec_0").url == ""
