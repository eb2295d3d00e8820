"""When what a turn says is stored."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from frontdesk.conversation.feed import Feeds
from frontdesk.conversation.log import BEAT, Scribe, TurnLog
from frontdesk.events import Inbound, Numbered, TextAdded, TurnEvent, Working
from frontdesk.store.turns import Lease, LostLease, Turns
from frontdesk.testing.clock import FakeClock

HOUR = 3600.0


class Shelf:
    """Keeps the transactions that a scribe makes: who said what in each."""

    def __init__(self) -> None:
        self.transactions: list[dict[str, list[TurnEvent]]] = []
        self.lost: set[str] = set()
        self.open = asyncio.Event()
        self.open.set()
        self._written = asyncio.Event()

    async def append_all(self, batch: Sequence[tuple[Lease, list[Numbered]]]) -> list[bool | LostLease]:
        await self.open.wait()
        self.transactions.append({lease.turn_id: [item.event for item in events] for lease, events in batch})
        self._written.set()
        return [LostLease() if lease.turn_id in self.lost else False for lease, _ in batch]

    async def holds(self, count: int) -> None:
        """Return when so many have been made."""
        async with asyncio.timeout(30):
            while len(self.transactions) < count:
                self._written.clear()
                await self._written.wait()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def scribe(shelf: Shelf, clock: FakeClock) -> Scribe:
    return Scribe(cast(Turns, shelf), Feeds(), clock)


def a_log(scribe: Scribe, clock: FakeClock, turn_id: str, pace: float = HOUR, **more: Any) -> TurnLog:
    inbound = Inbound(channel="web", external_id=turn_id, person_id="person", text="")
    lease = Lease(
        turn_id=turn_id,
        conversation_id="conversation",
        person_id="person",
        message_id="message",
        reply_id="reply",
        inbound=inbound,
        fence=1,
        last_seq=0,
        claims=1,
        created_at=clock.now(),
        until=clock.now(),
    )
    return TurnLog(lease, scribe, clock, pace=lambda: pace, **more)


def said(text: str) -> TextAdded:
    return TextAdded(text=text)


async def test_the_first_words_are_stored_at_once_with_what_came_before_them(
    scribe: Scribe, shelf: Shelf, clock: FakeClock
) -> None:
    log = a_log(scribe, clock, "a")
    log.put(Working(activity="thinking"))
    log.put(said("Good "))
    await shelf.holds(1)
    assert shelf.transactions == [{"a": [Working(activity="thinking"), said("Good ")]}]


async def test_text_that_follows_is_stored_together_when_its_pace_has_passed(
    scribe: Scribe, shelf: Shelf, clock: FakeClock
) -> None:
    log = a_log(scribe, clock, "a", pace=BEAT)
    log.put(said("Good "))
    await shelf.holds(1)
    log.put(said("day "))
    log.put(said("to you."))
    await shelf.holds(2)
    assert shelf.transactions == [{"a": [said("Good ")]}, {"a": [said("day to you.")]}]


async def test_first_words_do_not_take_along_the_running_text_of_others(
    scribe: Scribe, shelf: Shelf, clock: FakeClock
) -> None:
    running, fresh = a_log(scribe, clock, "running"), a_log(scribe, clock, "fresh")
    running.put(said("Once upon "))
    await shelf.holds(1)
    running.put(said("a time"))
    fresh.put(said("Hello"))
    await shelf.holds(2)
    assert shelf.transactions[1:] == [{"fresh": [said("Hello")]}]


async def test_a_log_that_may_wait_long_keeps_no_other_waiting(scribe: Scribe, shelf: Shelf, clock: FakeClock) -> None:
    quiet, log = a_log(scribe, clock, "quiet", quiet=True), a_log(scribe, clock, "a", pace=BEAT)
    log.put(said("Good "))
    await shelf.holds(1)
    quiet.put(said("A letter"))
    await asyncio.sleep(0)
    log.put(said("day"))
    await shelf.holds(2)
    assert shelf.transactions == [{"a": [said("Good ")]}, {"a": [said("day")]}]


async def test_what_all_turns_say_meanwhile_is_one_transaction(scribe: Scribe, shelf: Shelf, clock: FakeClock) -> None:
    shelf.open.clear()
    first = a_log(scribe, clock, "first")
    first.put(said("1"))
    await asyncio.sleep(0)
    others = [a_log(scribe, clock, str(number)) for number in range(20)]
    for log in others:
        log.put(said("Hello"))
    shelf.open.set()
    await asyncio.gather(first.flushed(), *(log.flushed() for log in others))
    assert [len(transaction) for transaction in shelf.transactions] == [1, 20]


async def test_a_flush_stores_what_would_have_waited(scribe: Scribe, shelf: Shelf, clock: FakeClock) -> None:
    log = a_log(scribe, clock, "a", quiet=True)
    log.put(said("Good day."))
    await asyncio.wait_for(log.flushed(), 30)
    assert shelf.transactions == [{"a": [said("Good day.")]}]


async def test_what_is_being_done_is_not_written_where_nobody_watches(
    scribe: Scribe, shelf: Shelf, clock: FakeClock
) -> None:
    log = a_log(scribe, clock, "a", quiet=True)
    for event in (Working(activity="searching"), said("Good "), Working(activity="thinking"), said("day.")):
        log.put(event)
    await asyncio.wait_for(log.flushed(), 30)
    assert shelf.transactions == [{"a": [said("Good day.")]}]


async def test_a_lost_lease_ends_its_turn_and_no_other(scribe: Scribe, shelf: Shelf, clock: FakeClock) -> None:
    shelf.lost = {"lost"}
    lost, held = a_log(scribe, clock, "lost"), a_log(scribe, clock, "held")
    lost.put(said("Hello"))
    held.put(said("Hello"))
    await asyncio.wait_for(held.flushed(), 30)
    with pytest.raises(LostLease):
        await lost.flushed()
    with pytest.raises(LostLease):
        lost.put(said("more"))
    assert lost.stop.is_set()
    assert not held.stop.is_set()
