"""Inbox, turns and leases, on both databases."""

import asyncio

import pytest

from frontdesk.errors import Conflict, NotFound
from frontdesk.events import Inbound, Numbered, TextAdded
from frontdesk.messages import Grounding, Person, Role
from frontdesk.store.conversations import Conversations
from frontdesk.store.database import Database
from frontdesk.store.inbox import Inbox
from frontdesk.store.people import People
from frontdesk.store.turns import LostLease, Outcome, Turns
from frontdesk.testing.clock import CountingIds, FakeClock


@pytest.fixture
async def ada(database: Database, clock: FakeClock, ids: CountingIds) -> Person:
    return (await People(database, clock, ids).add(name="Ada", role=Role.MEMBER)).person


@pytest.fixture
async def bob(database: Database, clock: FakeClock, ids: CountingIds) -> Person:
    return (await People(database, clock, ids).add(name="Bob", role=Role.MEMBER)).person


@pytest.fixture
def turns(database: Database, clock: FakeClock, ids: CountingIds) -> Turns:
    return Turns(database, clock, ids)


@pytest.fixture
def inbox(database: Database, clock: FakeClock, ids: CountingIds) -> Inbox:
    return Inbox(database, clock, ids)


@pytest.fixture
def conversations(database: Database, clock: FakeClock) -> Conversations:
    return Conversations(database, clock)


def said(person: Person, text: str = "Hello", external_id: str = "1", **more: object) -> Inbound:
    return Inbound(channel="web", external_id=external_id, person_id=person.id, text=text, **more)  # type: ignore[arg-type]


@pytest.mark.proves("promise-2")
async def test_the_same_message_many_times_at_once_is_one_turn(inbox: Inbox, turns: Turns, ada: Person) -> None:
    copies = [said(ada, external_id=str(number % 25)) for number in range(100)]
    accepted = await asyncio.gather(*(inbox.accept(copy) for copy in copies))
    assert len({answer.turn_id for answer in accepted}) == 25
    assert len(await turns.waiting()) == 25


@pytest.mark.proves("promise-10")
async def test_a_key_that_comes_with_another_message_is_refused(inbox: Inbox, turns: Turns, ada: Person) -> None:
    await inbox.accept(said(ada, "One"))
    with pytest.raises(Conflict):
        await inbox.accept(said(ada, "Two"))


async def test_a_conversation_of_somebody_else_is_not_found(
    inbox: Inbox, turns: Turns, ada: Person, bob: Person
) -> None:
    first = await inbox.accept(said(ada))
    with pytest.raises(NotFound):
        await inbox.accept(said(bob, external_id="2", conversation_id=first.conversation_id))
    with pytest.raises(NotFound):
        await turns.owner(first.turn_id, bob.id)


@pytest.mark.proves("promise-4")
async def test_turns_of_one_conversation_are_claimed_one_after_the_other(
    inbox: Inbox, turns: Turns, ada: Person, clock: FakeClock
) -> None:
    first = await inbox.accept(said(ada))
    clock.advance(1)
    second = await inbox.accept(said(ada, "And?", "2", conversation_id=first.conversation_id))
    assert await turns.claim("b", 10, second.turn_id) is None
    lease = await turns.claim("a", 10)
    assert lease is not None
    assert lease.turn_id == first.turn_id
    assert await turns.claim("b", 10) is None
    await turns.finish(lease, [_text(1)], Outcome(text="Hi", state="complete", grounding=Grounding.NOTICE))
    following = await turns.claim("b", 10)
    assert following is not None
    assert following.turn_id == second.turn_id


@pytest.mark.proves("promise-5")
async def test_a_process_that_was_taken_over_from_can_write_nothing(
    inbox: Inbox, turns: Turns, ada: Person, clock: FakeClock
) -> None:
    accepted = await inbox.accept(said(ada))
    stale = await turns.claim("slow", 10)
    assert stale is not None
    await turns.append(stale, [_text(1)])
    clock.advance(11)
    fresh = await turns.claim("fast", 10)
    assert fresh is not None
    assert (fresh.fence, fresh.last_seq) == (2, 1)
    with pytest.raises(LostLease):
        await turns.append(stale, [_text(2)])
    with pytest.raises(LostLease):
        await turns.finish(stale, [_text(2)], Outcome(text="old", state="complete"))
    await turns.keep({stale.turn_id: stale.fence}, 1000)
    assert await turns.unwanted({stale.turn_id: stale.fence}) == {stale.turn_id}
    assert await turns.unwanted({fresh.turn_id: fresh.fence}) == set()
    await turns.append(fresh, [_text(2)])
    assert [item.seq for item in await turns.events(accepted.turn_id)] == [1, 2]
    clock.advance(11)  # what the stale one kept was not the fresh one's lease
    assert await turns.claim("third", 10) is not None


async def test_a_lease_that_is_kept_is_nobody_elses(inbox: Inbox, turns: Turns, ada: Person, clock: FakeClock) -> None:
    await inbox.accept(said(ada))
    lease = await turns.claim("a", 10)
    assert lease is not None
    clock.advance(9)
    await turns.keep({lease.turn_id: lease.fence}, 10)
    clock.advance(9)
    assert await turns.claim("b", 10) is None
    clock.advance(2)
    assert await turns.claim("b", 10) is not None


async def test_two_processes_cannot_claim_the_same_turn(inbox: Inbox, turns: Turns, ada: Person) -> None:
    await inbox.accept(said(ada))
    claims = await asyncio.gather(*(turns.claim(f"process-{number}", 10) for number in range(8)))
    assert sum(claim is not None for claim in claims) == 1


async def test_a_wish_to_stop_is_told_with_the_next_write(inbox: Inbox, turns: Turns, ada: Person) -> None:
    accepted = await inbox.accept(said(ada))
    lease = await turns.claim("a", 10)
    assert lease is not None
    assert await turns.append(lease, [_text(1)]) is False
    assert await turns.request_stop(accepted.turn_id) is True
    assert await turns.append(lease, [_text(2)]) is True
    assert await turns.unwanted({lease.turn_id: lease.fence}) == {lease.turn_id}


async def test_regenerating_and_editing_make_branches(
    inbox: Inbox, turns: Turns, conversations: Conversations, ada: Person, clock: FakeClock
) -> None:
    first = await inbox.accept(said(ada, "Question"))
    await _finish(turns, "Answer")
    clock.advance(1)
    again = await inbox.accept(said(ada, "", "2", conversation_id=first.conversation_id, regenerate=first.message_id))
    await _finish(turns, "Another answer")
    clock.advance(1)
    edited = await inbox.accept(said(ada, "Better question", "3", conversation_id=first.conversation_id, at_start=True))
    await _finish(turns, "Third answer")

    async def texts(head: str) -> list[str]:
        return [message.text for message in await conversations.path(head, 100)]

    assert await texts(first.reply_id) == ["Question", "Answer"]
    assert await texts(again.reply_id) == ["Question", "Another answer"]
    assert await texts(edited.reply_id) == ["Better question", "Third answer"]
    assert (await conversations.get(first.conversation_id, ada.id)).head_id == edited.reply_id
    await conversations.choose_branch(first.conversation_id, ada.id, first.reply_id)
    assert (await conversations.get(first.conversation_id, ada.id)).head_id == first.reply_id


async def test_conversations_are_paged_newest_first_and_searched(
    inbox: Inbox, turns: Turns, conversations: Conversations, ada: Person, bob: Person, clock: FakeClock
) -> None:
    for number in range(5):
        clock.advance(1)
        await inbox.accept(said(ada, f"Question {number}", str(number)))
    await inbox.accept(said(bob, "Question of Bob", "b"))
    first, cursor = await conversations.page(ada.id, limit=3, channel="web")
    second, end = await conversations.page(ada.id, limit=3, before=cursor, channel="web")
    assert [each.title for each in first + second] == [f"Question {number}" for number in (4, 3, 2, 1, 0)]
    assert end is None
    found, _ = await conversations.page(ada.id, query="question 3", channel="web")
    assert [each.title for each in found] == ["Question 3"]
    everywhere, _ = await conversations.page(ada.id)
    assert len(everywhere) == 5


async def test_erasing_a_person_takes_their_conversations_along(
    inbox: Inbox, database: Database, turns: Turns, ada: Person, clock: FakeClock, ids: CountingIds
) -> None:
    accepted = await inbox.accept(said(ada))
    await _finish(turns, "Hi")
    await People(database, clock, ids).erase(ada.id)
    assert await turns.events(accepted.turn_id) == []
    with pytest.raises(NotFound):
        await turns.owner(accepted.turn_id)


async def _finish(turns: Turns, text: str) -> None:
    lease = await turns.claim("a", 10)
    assert lease is not None
    await turns.finish(lease, [_text(lease.last_seq + 1)], Outcome(text=text, state="complete"))


def _text(seq: int) -> Numbered:
    return Numbered(seq=seq, event=TextAdded(text="…"), at=FakeClock().now())


async def test_the_end_of_a_turn_tells_which_of_its_conversation_waited_for_it(
    inbox: Inbox, turns: Turns, ada: Person
) -> None:
    first = await inbox.accept(said(ada))
    second = await inbox.accept(said(ada, "And now?", "2", conversation_id=first.conversation_id))
    await inbox.accept(said(ada, "Elsewhere", "3"))
    done = Outcome(text="Hi", state="complete")
    lease = await turns.claim("a", 10, first.turn_id)
    assert lease is not None
    assert (await turns.finish(lease, [_text(1)], done)).following == second.turn_id
    lease = await turns.claim("a", 10, second.turn_id)
    assert lease is not None
    assert (await turns.finish(lease, [_text(1)], done)).following is None
