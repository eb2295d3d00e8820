"""Opt-out, caps and quiet hours hold, whatever happens in whatever order: the promise, at random."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from frontdesk.decision.options import EngagementOptions
from frontdesk.engagement import CHANNELS, Ask, Channel, Customer
from frontdesk.store.customers import withdraw_consent
from frontdesk.store.database import Database
from frontdesk.store.outbox import Letter
from frontdesk.store.outreach import withdraw
from frontdesk.store.outreach_votes import votes_of
from frontdesk.store.prepared import Connection
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.decision.deciding import Desk
from tests.decision.outreaching import ANN, EVERYTHING, Room, options

SCHEDULERS = 3
STEPS = 50
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kathmandu")
STARTS = ("2026-03-27T06:00+00:00", "2026-10-23T18:00+00:00", "2026-06-11T12:00+00:00")  # before clocks change, and not
PASSED = (60, 600, 3600, 3600, 3 * 3600, 6 * 3600, 11 * 3600, 40 * 3600, -600, -7000)  # seconds
CAPS = {"default": 2, "enterprise": 3}


def rules() -> EngagementOptions:
    """Two segments, each with rules of its own, and templates alone."""
    message = {
        "key": "hello",
        "channels": ["email", "in_app", "sms"],
        "slots": ["now", "morning", "evening"],
        "templates": {"friendly": {"body": "Hi {name|there}"}},
    }
    strict = {"max_messages_per_week": 3, "business_hours_only": True, "approval_required": True}
    segments = {
        "default": {"engagement_rules": {"max_messages_per_week": 2}},
        "enterprise": {"engagement_rules": strict},
    }
    return options(segments=segments, messages=[message], exploration_rate=0.1)


@dataclass
class World:
    """A desk with customers of its own, and what reached them."""

    room: Room
    desk: Desk
    chance: random.Random
    name: str
    customers: dict[str, Customer] = field(default_factory=dict[str, Customer])
    consents: dict[str, int] = field(default_factory=dict[str, int])
    sent: dict[str, list[datetime]] = field(default_factory=dict[str, list[datetime]])

    async def begin(self) -> None:
        """Somebody in each zone, of some segment, who agreed to everything."""
        for number, zone in enumerate(ZONES):
            given = Customer(
                id=f"{self.name}-{number}",
                segment=self.chance.choice(list(CAPS)),
                time_zone=zone,
                consents=EVERYTHING,
                addresses={"email": "c@example.com", "sms": "+49 30 1234567"},
            )
            await self.room.customers.put(given)
            self.customers[given.id], self.consents[given.id], self.sent[given.id] = given, EVERYTHING, []

    async def step(self) -> None:
        """Something happens; then all that is ready leaves, and each letter is held against the rules."""
        chance, clock = self.chance, self.room.clock
        which = chance.choice(list(self.customers))
        match chance.choices(("ask", "time", "refuse", "agree", "approve"), (6, 8, 2, 2, 4))[0]:
            case "ask":
                asks = [Ask(customer_id=chance.choice(list(self.customers))) for _ in range(chance.randint(1, 6))]
                await asyncio.gather(*(self.desk.engine.decide([ask]) for ask in asks))
            case "time":
                clock.advance(
                    chance.choice([60, 600, 3600, 3600, 3 * 3600, 6 * 3600, 11 * 3600, 40 * 3600, -600, -7000])
                )
            case "refuse":
                waiting = set(await self.room.outbox.due())
                rows = [row for row in await self.room.rows.page(state="released") if row.letter_id in waiting]
                which, channel = (rows[0].customer_id, rows[0].channel) if rows else (which, "email")
                await self._refuse(which, chance.choice([channel, None]))
            case "agree":
                self.consents[which] = EVERYTHING
                await self.room.customers.put(self.customers[which])
            case _:
                for row in await self.room.rows.page(state="approval"):
                    await asyncio.gather(self.room.say(row, ANN), return_exceptions=True)
        due = await self.room.rows.due()
        await asyncio.gather(*(self.room.outreach.run(each) for each in due for _ in range(SCHEDULERS)))
        if chance.random() < 0.5:  # else the letters wait, and time goes on
            for letter in await self.room.letters():
                await self._leaves(letter)

    async def _refuse(self, customer_id: str, channel: Channel | None) -> None:
        """They unsubscribe, while schedulers are at work."""

        async def work(connection: Connection) -> None:
            await withdraw_consent(connection, customer_id, channel)
            await withdraw(connection, customer_id, channel, "unsubscribed", self.room.clock.now())

        due = await self.room.rows.due()
        await asyncio.gather(self.room.database.act(work), *(self.room.outreach.run(each) for each in due))
        self.consents[customer_id] &= ~(1 << CHANNELS.index(channel)) if channel else 0

    async def _leaves(self, letter: Letter) -> None:
        now = self.room.clock.now()
        assert letter.customer_id is not None
        assert letter.not_after is not None
        if now >= letter.not_after:
            await self.room.outbox.settle(letter, "failed", problem="too_late")
            return
        await self.room.outbox.settle(letter, "sent")
        customer, times = self.customers[letter.customer_id], self.sent[letter.customer_id]
        times.append(now)
        assert self.consents[customer.id] >> [*CHANNELS].index(_channel(letter)) & 1, "wrote to who had refused"
        local = now.astimezone(ZoneInfo(customer.time_zone))
        if customer.segment == "enterprise":
            assert local.weekday() < 5, local
            assert 9 <= local.hour < 17, local
            (row,) = [row for row in await self.room.rows.page(customer_id=customer.id) if row.letter_id == letter.id]
            assert row.digest in [vote.digest for vote in await votes_of(self.room.database, row.id)], "unapproved"
        else:
            assert 8 <= local.hour < 21, local
        week = [other for other in times if abs(other - now) < timedelta(days=7)]
        for first in week:
            within = [other for other in week if first <= other < first + timedelta(days=7)]
            assert len(within) <= CAPS[customer.segment], within


def _channel(letter: Letter) -> Channel:
    return next(channel for channel in CHANNELS if channel == letter.channel)


@pytest.mark.proves("promise-17", "engagement-4")
async def test_nobody_is_written_to_against_the_rules(
    database: Database, ids: CountingIds, chance: random.Random, size: Callable[[int, int], int]
) -> None:
    """Customers in three zones, three schedulers, clocks that are put on and back, refusals in the middle of it."""
    reached = 0
    for number in range(size(5, 1000)):  # on each database
        clock = FakeClock(datetime.fromisoformat(chance.choice(STARTS)))
        desk = Desk(database, clock, ids)
        room = Room(database, clock, ids, rules(), [])
        desk.options = room.options
        world = World(room, desk, chance, f"run{number}")
        await world.begin()
        for _ in range(STEPS):
            await world.step()
        reached += sum(map(len, world.sent.values()))
        for customer_id in world.customers:
            await room.customers.erase(customer_id)
    assert reached > 0
