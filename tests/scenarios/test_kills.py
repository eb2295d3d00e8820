"""Two real processes on one database, and what remains true when they are killed or paused."""

import asyncio
import contextlib
import itertools
import random
import signal
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa

from frontdesk.store.conversations import messages
from frontdesk.store.database import Database
from frontdesk.store.inbox import inbox
from frontdesk.store.turns import OPEN, turn_events, turns
from frontdesk.testing.desk import EVENTS, events
from frontdesk.testing.keys import key_ring
from frontdesk.testing.upstream import OpenAIWire, Received, Reply, Upstream
from tests.scenarios.processes import Process

ANSWER = "We open at nine and close at five."
SENDERS = 8
DRAIN_SECONDS = 60


@asynccontextmanager
async def two_processes(folder: Path, url: str, model: str) -> AsyncGenerator[tuple[Process, Process]]:
    """Both on the database at `url`, with leases of a second."""
    settings = {"conversation.lease_seconds": 1.0, "models.circuit.failures": 1_000_000}
    variables = {"DATABASE_URL": url}
    first, second = (Process(folder / name, model, settings, variables) for name in ("first", "second"))
    try:
        await asyncio.gather(first.start(), second.start())
        yield first, second
    finally:
        await asyncio.gather(first.close(), second.close())


async def key_of(processes: Sequence[Process]) -> str:
    """An API key of the owner, by the link that was shown last: it replaced the earlier one."""
    for desk in processes:
        with contextlib.suppress(httpx2.HTTPStatusError):
            return await desk.key()
    raise AssertionError("no link works")


async def acknowledged(number: int, processes: Sequence[Process], key: str, **more: str) -> str:
    """Send message `number`, as a client that tries again until somebody says that it has it; its conversation's id."""
    body, headers = {"text": f"Question {number}"} | more, EVENTS | {"Idempotency-Key": str(number)}
    for desk in itertools.cycle(processes):
        try:
            async with (
                desk.program(key, timeout=10) as client,
                client.stream("POST", "/api/v1/chat", json=body, headers=headers) as sent,
            ):
                if sent.status_code == 200:
                    async for event in events(sent):
                        return str(event.data["conversation_id"])
        except httpx2.TransportError:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError("unreachable: it tries for ever")


async def drained(database: Database) -> None:
    """Return when no turn is open."""
    query = sa.select(sa.func.count()).select_from(turns).where(turns.c.state.in_(OPEN))
    async with asyncio.timeout(DRAIN_SECONDS):
        while True:
            async with database.read() as connection:
                if (await connection.execute(query)).scalar_one() == 0:
                    return
            await asyncio.sleep(0.1)


async def each_answered_once(database: Database, count: int) -> None:
    """`count` messages came in, and each has one whole answer whose events are numbered without a gap."""
    async with database.read() as connection:
        assert (await connection.execute(sa.select(sa.func.count()).select_from(inbox))).scalar_one() == count
        rows = (await connection.execute(sa.select(messages.c.role, messages.c.state, messages.c.text))).all()
        numbers = sa.select(
            turn_events.c.turn_id, sa.func.count(), sa.func.min(turn_events.c.seq), sa.func.max(turn_events.c.seq)
        ).group_by(turn_events.c.turn_id)
        numbered = (await connection.execute(numbers)).all()
    replies = [(row.state, row.text) for row in rows if row.role == "assistant"]
    assert replies == [("complete", ANSWER)] * count
    assert sorted(row.text for row in rows if row.role == "user") == sorted(f"Question {n}" for n in range(count))
    assert len(numbered) == count
    assert all((least, most) == (1, number) for _, number, least, most in numbered)


@pytest.mark.proves("promise-1", "promise-2", "promise-20")
async def test_no_message_is_lost_or_doubled_when_processes_are_killed_and_copies_come(
    empty_database_url: str, tmp_path: Path, chance: random.Random, size: Callable[[int, int], int]
) -> None:
    count, between_kills = size(40, 15_000), size(20, 100)
    acks = asyncio.Semaphore(0)
    numbers = iter(range(count))
    async with (
        Upstream(OpenAIWire(), [Reply(text=ANSWER, delay=0.02)]) as upstream,
        two_processes(tmp_path, empty_database_url, upstream.url) as processes,
    ):
        key = await key_of(processes)

        async def send() -> None:
            for number in numbers:
                copies = chance.randint(1, 3)
                ways = [chance.sample(processes, 2) for _ in range(copies)]
                await asyncio.gather(*(acknowledged(number, way, key) for way in ways))
                acks.release()

        async def kill() -> None:
            for _ in range(count // between_kills):
                for _ in range(between_kills):
                    await acks.acquire()
                victim = chance.choice(processes)
                await victim.kill()
                await victim.start()

        async with asyncio.TaskGroup() as group:
            group.create_task(kill())
            for _ in range(SENDERS):
                group.create_task(send())
        database = await Database.open(empty_database_url, ring=key_ring())
        try:
            await drained(database)
            await each_answered_once(database, count)
            if database.is_sqlite:
                async with database.read() as connection:
                    assert (await connection.execute(sa.text("PRAGMA integrity_check"))).scalar_one() == "ok"
        finally:
            await database.close()


@pytest.mark.proof
@pytest.mark.proves("promise-4")
@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_messages_of_a_conversation_are_answered_in_order_one_at_a_time(
    empty_database_url: str, tmp_path: Path, chance: random.Random, size: Callable[[int, int], int]
) -> None:
    conversations, each = size(3, 200), size(5, 50)
    async with (
        Upstream(OpenAIWire(), [Reply(text=ANSWER, delay=0.01)]) as upstream,
        two_processes(tmp_path, empty_database_url, upstream.url) as processes,
    ):
        key = await key_of(processes)

        async def converse(number: int) -> None:
            name: str | None = None
            for message in range(each):
                more = {"conversation_id": name} if name else {}
                name = await acknowledged(number * each + message, chance.sample(processes, 2), key, **more)

        async with asyncio.TaskGroup() as group:
            for number in range(conversations):
                group.create_task(converse(number))
            await processes[0].kill()
            group.create_task(processes[0].start())
        database = await Database.open(empty_database_url, ring=key_ring())
        try:
            await drained(database)
            await each_answered_once(database, conversations * each)
            await in_order(database)
        finally:
            await database.close()


async def in_order(database: Database) -> None:
    """In each conversation a turn began after the one before it had ended."""
    began = sa.select(turn_events.c.turn_id, sa.func.min(turn_events.c.at).label("at")).group_by(turn_events.c.turn_id)
    first = began.subquery()
    query = (
        sa.select(turns.c.conversation_id, first.c.at, turns.c.finished_at)
        .join(first, first.c.turn_id == turns.c.id)
        .order_by(turns.c.conversation_id, turns.c.created_at, turns.c.id)
    )
    async with database.read() as connection:
        rows = (await connection.execute(query)).all()
    for before, after in itertools.pairwise(rows):
        assert before.conversation_id != after.conversation_id or before.finished_at <= after.at


@pytest.mark.proves("promise-5")
@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_a_process_that_was_paused_past_its_leases_writes_nothing(
    empty_database_url: str, tmp_path: Path, size: Callable[[int, int], int]
) -> None:
    count, go_on = size(3, 100), asyncio.Event()

    def provider(_: Received) -> Reply:
        asked = len(upstream.received)
        return Reply(pieces=("We open ", "at nine and close at five."), hold=go_on if asked <= count else None)

    async with (
        Upstream(OpenAIWire(), provider) as upstream,
        two_processes(tmp_path, empty_database_url, upstream.url) as (first, second),
    ):
        key = await key_of((first, second))
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(begun(first, key, number))
        first.send(signal.SIGSTOP)
        database = await Database.open(empty_database_url, ring=key_ring())
        try:
            await drained(database)
            go_on.set()
            first.send(signal.SIGCONT)
            async with asyncio.timeout(DRAIN_SECONDS):
                while first.log.read_text().count("lease_lost") < count:  # noqa: ASYNC110 a file
                    await asyncio.sleep(0.05)
            await each_answered_once(database, count)
        finally:
            await database.close()


async def begun(desk: Process, key: str, number: int) -> None:
    """Send message `number` and return when its answer has begun."""
    body = {"text": f"Question {number}"}
    async with desk.program(key) as client, client.stream("POST", "/api/v1/chat", json=body, headers=EVENTS) as sent:
        async for event in events(sent):
            if event.tag == "text.added":
                return
