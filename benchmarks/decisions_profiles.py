"""What a million customers take: their profiles in memory, their rows on disk, and the time to add and to read one."""

import asyncio
import os
import random
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from benchmarks.figures import Figure, below, seen
from frontdesk.decision.profiles import ANSWERS, MESSAGE, add, signals
from frontdesk.engagement import CHANNELS, Customer, CustomerEvent, Profile
from frontdesk.operate.load.tally import memory_mb
from frontdesk.store.customers import Customers, set_profiles
from frontdesk.store.database import Database
from frontdesk.store.migrations import migrate
from frontdesk.testing.clock import FakeClock
from frontdesk.testing.keys import key_ring

PEOPLE = 1_000_000
MOST_MIB = 2048
MEAN_EVENTS = 10
TYPES = (*["visit"] * 6, "purchase", *[MESSAGE] * 3, *ANSWERS)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")
BATCH = 2_000
SAMPLE = 10_000

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Profile)


def run(quick: bool) -> list[Figure]:
    """The figures; `quick` takes a tenth of the people and holds them against a tenth of the memory."""
    people = PEOPLE // 10 if quick else PEOPLE
    bound = MOST_MIB * people / PEOPLE
    chance = random.Random(7)
    before = _resident()
    added, began = 0, time.perf_counter()
    held: dict[str, bytes] = {}
    for number in range(people):
        profile = Profile()
        for event in _life(chance):
            profile = add(profile, event)
            added += 1
        held[f"cus_{number:012d}"] = _encode(profile)
    adding = (time.perf_counter() - began) / added
    in_memory = _resident() - before
    sample = list(held.values())[:SAMPLE]
    began = time.perf_counter()
    for place, packed in enumerate(sample):
        signals(_decoder.decode(packed), NOW, ZONES[place % len(ZONES)])
    reading = (time.perf_counter() - began) / len(sample)
    on_disk, working = asyncio.run(_stored(held))
    return [
        below(f"{people:,} profiles in memory, as they are stored", in_memory, "MiB", bound),
        below(f"{people:,} customers on disk (SQLite), all columns", on_disk, "MiB", bound),
        below("memory of the process that writes and reads them all", working, "MiB", MOST_MIB / 4),
        seen("a stored profile", sum(map(len, held.values())) / people, "bytes"),
        seen("an event added to a profile (making it included)", adding * 1e6, "µs"),
        seen("a stored profile read as signals", reading * 1e6, "µs"),
    ]


def _life(chance: random.Random) -> Iterator[CustomerEvent]:
    """What one customer did in a year: ten events on average, of some hundreds, in no order."""
    for _ in range(1 + int(chance.expovariate(1 / (MEAN_EVENTS - 1)))):
        yield CustomerEvent(
            id="e",
            customer_id="c",
            type=chance.choice(TYPES),
            at=NOW - timedelta(seconds=chance.random() * 365 * 86_400),
            properties={"channel": chance.choice(CHANNELS), "amount": 9.99},
        )


async def _stored(held: dict[str, bytes]) -> tuple[float, float]:
    """MiB of the database's file with them all, and by how much this process grew while it wrote and read them."""
    before = _resident()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "desk.db"
        database = await Database.open(f"sqlite:///{file}", ring=key_ring())
        await migrate(database)
        customers = Customers(database, FakeClock())
        names = list(held)
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            await customers.put_many([_customer(name) for name in batch])
            profiles = [(name, _decoder.decode(held[name])) for name in batch]
            await database.act(lambda connection, profiles=profiles: set_profiles(connection, profiles))
        after: str | None = None
        read = 0
        while page := await customers.page(after=after, limit=BATCH):
            read, after = read + len(page), page[-1].id
        assert read == len(names)
        grown = _resident() - before
        await database.close()
        return file.stat().st_size / 2**20, grown


def _customer(name: str) -> Customer:
    return Customer(
        id=name,
        segment="default",
        name=f"Somebody {name}",
        time_zone="Europe/Berlin",
        consents=1,
        addresses={"email": f"{name}@example.com"},
        traits={"plan": "pro", "gender": "x"},
    )


def _resident() -> float:
    return memory_mb(os.getpid()) or 0.0
