"""A person's word acts once, on exactly what they saw."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from msgspec.structs import replace

from frontdesk.decision.approvals import digest_of, needed
from frontdesk.decision.content.templates import Draft
from frontdesk.engagement import Customer, Exit
from frontdesk.errors import Conflict, FrontdeskError, NotFound, TextRefused
from frontdesk.store.database import Database
from frontdesk.store.decisions import Decisions, add
from frontdesk.store.outreach import OutreachRow
from frontdesk.store.outreach_votes import votes_of
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.decision.logged import decision
from tests.decision.outreaching import ANN, BEN, Room, options, writing

GOOD = "Subject: Welcome, Cleo\n\nHi Cleo,\n\nhere is how to begin."


@pytest.fixture
async def room(database: Database, clock: FakeClock, ids: CountingIds) -> Room:
    room = Room(database, clock, ids, options(), writing(clock, GOOD))
    await room.customer()
    return room


async def waiting(room: Room, needs: int = 1, **values: Any) -> OutreachRow:
    """A message that waits for people."""
    return await room.run(await room.propose(needs=needs, **values))


def test_who_must_approve_follows_from_the_state_and_the_risk() -> None:
    some = options(four_eyes_risk=0.04)
    assert [needed("act", 0.1, some), needed("approval", 0.01, some), needed("approval", 0.04, some)] == [0, 1, 2]


async def test_from_a_risk_on_two_people_must_approve(room: Room) -> None:
    row = await waiting(room, needs=2)
    for _ in range(2):
        assert (await room.say(row, ANN)).state == "approval"
    assert (await room.say(row, BEN)).state == "scheduled"
    assert [vote.person_id for vote in await votes_of(room.database, row.id)] == [ANN.id, BEN.id]


async def test_a_rejected_message_never_leaves_and_frees_its_place(room: Room) -> None:
    row = await waiting(room)
    assert (await room.say(row, kind="reject", note="too early")).state == "rejected"
    assert await room.contacts() == []
    with pytest.raises(Conflict):
        await room.say(row, BEN)
    assert await room.letters() == []
    [vote] = await votes_of(room.database, row.id)
    assert (vote.verdict, vote.note) == ("reject", "too early")


async def test_an_edited_text_is_what_leaves(room: Room) -> None:
    row = await waiting(room)
    done = await room.say(row, kind="edit", draft=Draft(subject="Hi", body="Hi Cleo, do begin."))
    assert (done.state, done.model, done.body) == ("scheduled", "person", "Hi Cleo, do begin.")
    assert done.digest != row.digest
    assert (await room.run(row.id)).state == "released"
    [letter] = await room.letters()
    assert "do begin" in letter.body


@pytest.mark.parametrize(
    ("kind", "more", "is_human"),
    [("approve", {}, False), ("edit", {"draft": Draft(subject="Hi", body="Hi Cleo.")}, True), ("reject", {}, True)],
)
async def test_what_a_person_changed_is_kept_out_of_what_policies_are_judged_by(
    room: Room, kind: str, more: dict[str, Any], is_human: bool
) -> None:
    row = await waiting(room)
    asked, other = (decision(name, room.clock.now()) for name in (row.decision_id, "dec_other"))
    await room.database.act(lambda connection: add(connection, [(asked, None), (other, None)]))
    await room.say(row, kind=kind, **more)
    log = Decisions(room.database)
    assert (await log.get(asked.id)).human == is_human
    assert not (await log.get(other.id)).human


async def test_an_edit_takes_the_votes_on_the_text_before(room: Room) -> None:
    row = await waiting(room, needs=2)
    await room.say(row, ANN)
    edited = await room.say(row, BEN, "edit", draft=Draft(subject="Hi", body="Hi Cleo."))
    assert edited.state == "approval"
    with pytest.raises(Conflict):
        await room.say(row, ANN)
    assert (await room.say(edited, ANN)).state == "scheduled"


async def test_an_edited_text_must_keep_to_the_rules(room: Room) -> None:
    row = await waiting(room)
    with pytest.raises(TextRefused, match="e-mail"):
        await room.say(row, kind="edit", draft=Draft(subject="Hi", body="Ask bob@example.com"))
    assert (await room.rows.get(row.id)).body == row.body


async def test_a_word_on_another_text_counts_for_nothing(room: Room) -> None:
    row = await waiting(room)
    with pytest.raises(Conflict):
        await room.say(replace(row, digest="0" * 64))
    with pytest.raises(NotFound):
        await room.say(replace(row, id="reach_none"))
    assert (await room.rows.get(row.id)).state == "approval"


async def test_what_nobody_decides_in_time_expires(room: Room) -> None:
    row = await waiting(room)
    room.pass_time(hours=24)
    with pytest.raises(Conflict):
        await room.say(row)
    assert await room.rows.due() == [row.id]
    done = await room.run(row.id)
    assert (done.state, done.problem) == ("expired", "nobody_decided")
    assert await room.contacts() == []


async def test_where_the_segment_says_so_others_get_another_day(room: Room) -> None:
    await room.customer(segment="enterprise")
    row = await waiting(room, segment="enterprise")
    room.pass_time(hours=24)
    done = await room.run(row.id)
    assert (done.state, done.escalated, done.problem) == ("approval", True, "escalated")
    assert done.deadline is not None
    assert done.deadline > room.clock.now()
    room.pass_time(hours=24)
    assert (await room.run(row.id)).state == "expired"


def test_a_digest_covers_all_that_leaves() -> None:
    cleo = Customer(id="c1", segment="default", addresses={"email": "c@example.com"})
    row = _row()
    draft = Draft(subject="a", body="b")
    other = Customer(id="c1", segment="default", addresses={"email": "d@example.com"})
    none = Exit()
    digests = {
        digest_of(row, cleo, draft, none),
        digest_of(row, other, draft, none),
        digest_of(row, cleo, Draft(subject="ab", body=""), none),
        digest_of(row, cleo, Draft(subject="a", body="b "), none),
        digest_of(_row(channel="sms"), cleo, draft, none),
        digest_of(_row(arm="hello/email/morning"), cleo, draft, none),
        digest_of(row, cleo, draft, Exit(footer="Stop")),
        digest_of(row, cleo, draft, Exit(url="https://desk.test/unsubscribe/1")),
    }
    assert len(digests) == 8
    assert digest_of(_row(send_at=row.due_at.replace(hour=20)), cleo, draft, none) in digests


# --- races ----------------------------------------------------------------------------------


@pytest.mark.proves("promise-16")
async def test_of_racing_words_one_acts_once_with_exactly_what_was_approved(
    room: Room, chance: random.Random, size: Callable[[int, int], int]
) -> None:
    """Approve, reject, edit, expiry, the sweep and a repeated word at once, some of them cancelled on the way."""
    for number in range(size(25, 2000)):
        customer_id = f"c{number}"
        await room.customer(customer_id)
        row = await room.run(await room.propose(customer_id, needs=1))
        room.pass_time(hours=chance.choice([1, 23, 24]))
        new = Draft(subject="Hi", body=f"Hi Cleo, {chance.choice(['do', 'please'])} begin.")
        tries: list[Callable[[], Coroutine[None, None, object]]] = [
            lambda row=row: room.say(row, ANN),
            lambda row=row: room.say(row, ANN),
            lambda row=row: room.say(row, BEN, "reject"),
            lambda row=row, new=new: room.say(row, BEN, "edit", draft=new),
            lambda row=row: room.outreach.run(row.id),
            lambda row=row: room.outreach.run(row.id),
        ]
        chance.shuffle(tries)
        tasks = [asyncio.create_task(act()) for act in tries]
        if chance.random() < 0.3:
            await asyncio.sleep(0)
            chance.choice(tasks).cancel()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(not isinstance(each, Exception) or isinstance(each, FrontdeskError) for each in told), told
        done = await room.run(row.id)
        letters = await room.letters()
        assert done.state in ("released", "rejected", "expired")
        assert len(letters) == (done.state == "released")
        votes = {vote.verdict: vote.digest for vote in await votes_of(room.database, row.id)}
        if done.state == "released":
            assert done.digest in (votes.get("approve"), votes.get("edit"))
            assert str(done.body).splitlines()[-1] in letters[0].body
        assert (await room.contacts(customer_id) == [row.id]) == (done.state == "released")


def _row(**values: Any) -> OutreachRow:
    moment = FakeClock().now()
    given: dict[str, object] = {
        "id": "reach_1",
        "decision_id": "dec_1",
        "customer_id": "c1",
        "channel": "email",
        "message": "hello",
        "arm": "hello/email/now",
        "segment": "default",
        "objective": "onboard",
        "tone": "friendly",
        "risk": 0.0,
        "confidence": 1.0,
        "needs": 0,
        "state": "scheduled",
        "send_at": moment,
        "escalated": False,
        "attempts": 0,
        "fence": 0,
        "due_at": moment,
        "created_at": moment,
        "updated_at": moment,
    }
    empty = dict.fromkeys(("deadline", "subject", "body", "digest", "checks", "model", "letter_id", "problem"))
    return OutreachRow(**(empty | given | values))  # pyright: ignore[reportArgumentType]
