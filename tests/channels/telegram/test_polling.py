"""One process fetches updates, and confirms none before it is a row."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest

from frontdesk.channels.telegram.client import TelegramClient
from frontdesk.channels.telegram.polling import LEASE, LOOK_AGAIN, Poller
from frontdesk.channels.telegram.webhook import Arrivals
from frontdesk.errors import StoreUnavailable
from frontdesk.store.database import Database
from frontdesk.store.updates import NewUpdate, Updates
from frontdesk.testing.clock import CountingIds, FakeClock
from frontdesk.testing.telegram import FakeTelegram, Fault, running_telegram


@dataclass
class Bell:
    rung: list[str] = field(default_factory=list)
    backlog: int = 0

    async def ready(self, kind: str, row_id: str) -> None:
        self.rung.append(row_id)


@dataclass
class Polls:
    """A desk that polls; more of them may."""

    telegram: FakeTelegram
    client: TelegramClient
    updates: Updates
    clock: FakeClock
    bell: Bell
    running: list[Poller] = field(default_factory=list)

    async def start(self, owner: str) -> Poller:
        arrivals = Arrivals(self.updates, self.bell)
        poller = Poller(self.client, self.updates, arrivals, self.clock, owner)
        self.running.append(poller)
        await poller.start()
        return poller

    async def stored(self, count: int) -> None:
        """Return when so many updates wait."""
        async with asyncio.timeout(30):
            while await self.updates.count("waiting") < count:  # noqa: ASYNC110 rows tell nobody
                await asyncio.sleep(0.01)


@pytest.fixture
async def polls(database: Database, clock: FakeClock, ids: CountingIds) -> AsyncGenerator[Polls]:
    async with running_telegram() as telegram:
        client = TelegramClient(telegram.token, telegram.url)
        polls = Polls(telegram, client, Updates(database, clock, ids), clock, Bell())
        yield polls
        for poller in polls.running:
            await poller.close()
        await client.close()


async def test_updates_are_fetched_and_confirmed_once_they_are_rows(polls: Polls) -> None:
    polls.telegram.posting.url = "https://elsewhere.example"  # a webhook of former days
    polls.telegram.say(7, "one")
    polls.telegram.say(8, "two")
    await polls.start("a")
    await polls.stored(2)
    polls.telegram.say(7, "three")
    await polls.stored(3)
    await polls.telegram.until(lambda: len(polls.telegram.posting.delivered) >= 2)
    assert polls.telegram.posting.url == ""
    assert polls.bell.rung == ["telegram:7", "telegram:8", "telegram:7"]


async def test_what_could_not_be_stored_is_fetched_again(polls: Polls, monkeypatch: pytest.MonkeyPatch) -> None:
    add = polls.updates.add
    failed = asyncio.Event()

    async def away(update: NewUpdate) -> bool:
        failed.set()
        raise StoreUnavailable("The database is away")

    monkeypatch.setattr(polls.updates, "add", away)
    polls.telegram.say(7, "one")
    await polls.start("a")
    await asyncio.wait_for(failed.wait(), 30)
    assert polls.telegram.posting.delivered == {}
    monkeypatch.setattr(polls.updates, "add", add)
    await _until_asleep(polls.clock)
    polls.clock.advance(1)
    await polls.stored(1)


async def test_telegram_that_fails_is_asked_again_later_and_later(polls: Polls) -> None:
    polls.telegram.fail(Fault(method="getUpdates", status=502))
    polls.telegram.fail(Fault(method="getUpdates", status=429, retry_after=7))
    polls.telegram.say(7, "one")
    await polls.start("a")
    for seconds in (1, 7):
        await _until_asleep(polls.clock)
        polls.clock.advance(seconds)
    await polls.stored(1)


async def test_one_process_polls_and_another_takes_over(polls: Polls) -> None:
    first = await polls.start("a")
    await polls.telegram.until(lambda: polls.telegram.posting.polls == 1)
    await polls.start("b")
    await _until_asleep(polls.clock)
    assert polls.telegram.posting.polls == 1
    await first.close()
    polls.clock.advance(LOOK_AGAIN)
    await polls.telegram.until(lambda: polls.telegram.posting.polls == 2)
    polls.telegram.say(7, "one")
    await polls.stored(1)


async def test_a_process_that_died_is_followed_when_its_lease_is_over(polls: Polls) -> None:
    assert await polls.updates.hold_poll("telegram", "dead", LEASE)
    await polls.start("b")
    await _until_asleep(polls.clock)
    polls.clock.advance(LEASE)
    await polls.telegram.until(lambda: polls.telegram.posting.polls == 1)


async def _until_asleep(clock: FakeClock) -> None:
    """Return when somebody waits for the clock."""
    async with asyncio.timeout(30):
        while not clock.sleeping:  # noqa: ASYNC110 a clock tells nobody
            await asyncio.sleep(0.005)
