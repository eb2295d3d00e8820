"""A desk of two web processes and two workers on PostgreSQL and Valkey, with people on Telegram: what it promises."""

import asyncio
import contextlib
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa

from frontdesk.store.database import Database
from frontdesk.store.outbox import outbox
from frontdesk.store.turns import turns
from frontdesk.testing.keys import key_ring
from tests.scenarios.fleet import SECRET, Fleet, fleet
from tests.scenarios.processes import END_SECONDS
from tests.servers import PostgresServer, new_valkey

NUMBER = re.compile(r"n:\d+")
FIRST_CHAT = 1000


def says(**script: object) -> Mapping[str, object]:
    """Settings of a model that repeats the number of the message that it answers."""
    play = {"echo": NUMBER.pattern, "words": 12} | script
    return {
        "models.list": [{"name": "scripted", "wire": "scripted", "model": "scripted", "script": play}],
        "models.order": ["scripted"],
    }


async def unknown(database_url: str) -> set[str]:
    """The numbers in replies of which the desk says itself that it does not know whether they arrived."""
    database = await Database.open(database_url, ring=key_ring())
    try:
        async with database.read() as connection:
            rows = await connection.execute(sa.select(outbox.c.body).where(outbox.c.state == "unknown"))
            return {NUMBER.findall(body)[0] for body in rows.scalars()}
    finally:
        await database.close()


async def answered_once(people: Fleet, database_url: str, count: int, *, missing: int = 0) -> None:
    """Each of `count` messages has one reply in its chat. Of those of unknown fate `missing` may not have come."""

    def numbers() -> Counter[str]:
        return Counter(NUMBER.findall(sent.text)[0] for sent in people.telegram.sent if NUMBER.search(sent.text))

    async with asyncio.timeout(2 * END_SECONDS):  # a letter is of unknown fate when its lease has run out
        while len(set(numbers()) | await unknown(database_url)) < count:  # noqa: ASYNC110 — rows tell no event
            await asyncio.sleep(0.2)
    said = numbers()
    assert set(said.values()) == {1}, "a reply came twice"
    assert set(said) | await unknown(database_url) == {f"n:{number}" for number in range(count)}
    assert len(said) >= count - missing, "more are missing than were on their way when something died"
    for sent in people.telegram.sent:
        number = int(NUMBER.findall(sent.text)[0][2:])
        assert sent.chat == FIRST_CHAT + number % 20, "a reply came in another chat"


@pytest.mark.proves("conversation-1", "conversation-8", "promise-1", "promise-8")
@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_processes_that_are_killed_lose_no_message_and_answer_none_twice(
    empty_database_url: str,
    valkey_url: str,
    tmp_path: Path,
    chance: random.Random,
    size: Callable[[int, int], int],
) -> None:
    count, kills = size(40, 15_000), size(3, 150)
    pace = size(10, 50)
    async with fleet(tmp_path, empty_database_url, valkey_url, settings=says(first_delay=0.3)) as people:

        async def write() -> None:
            for number in range(count):
                people.telegram.say(FIRST_CHAT + number % 20, f"Message n:{number}")
                await asyncio.sleep(1 / pace)

        async def kill() -> None:
            for _ in range(kills):
                before = len(people.telegram.sent)
                with contextlib.suppress(TimeoutError):  # what is left may be of unknown fate, and that comes out late
                    await people.telegram.until(lambda: len(people.telegram.sent) > before, seconds=10)  # noqa: B023
                await people.replace(chance.choice(people.members))

        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            group.create_task(kill())
        await answered_once(people, empty_database_url, count, missing=3 * kills)


@pytest.mark.proves("conversation-8")
@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_a_worker_killed_in_the_middle_of_a_reply_is_followed_by_another(
    empty_database_url: str, valkey_url: str, tmp_path: Path
) -> None:
    slow = says(first_delay=1.0, words_per_second=10)
    async with fleet(tmp_path, empty_database_url, valkey_url, web=1, settings=slow) as people:
        people.telegram.say(FIRST_CHAT, "Message n:0")
        owner = await running(empty_database_url)
        [victim] = [worker for worker in people.workers if owner.endswith(f"-{worker.pid}")]
        await victim.kill()
        assert people.telegram.to(FIRST_CHAT) == []
        [text] = await people.telegram.replies(FIRST_CHAT, 1, seconds=40)
        assert "n:0" in text
        assert text.count("n:0") == 1


async def running(database_url: str) -> str:
    """The process that works on the one turn, as soon as one does."""
    database = await Database.open(database_url, ring=key_ring())
    query = sa.select(turns.c.lease_owner).where(turns.c.state == "running")
    try:
        async with asyncio.timeout(20):
            while True:
                async with database.read() as connection:
                    owner = (await connection.execute(query)).scalar_one_or_none()
                if owner is not None:
                    return str(owner)
                await asyncio.sleep(0.02)
    finally:
        await database.close()


@pytest.mark.proves("conversation-2", "conversation-3")
@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_the_same_update_at_two_instances_at_once_has_one_reply_and_one_without_the_secret_none(
    empty_database_url: str, valkey_url: str, tmp_path: Path, chance: random.Random, size: Callable[[int, int], int]
) -> None:
    count = size(20, 5_000)
    async with fleet(tmp_path, empty_database_url, valkey_url, settings=says()) as people:
        posting = people.telegram.posting
        posting.held = True
        for number in range(count):
            people.telegram.say(FIRST_CHAT + number % 20, f"Message n:{number}")
        copies = [body for _, body in posting.pending.values() for _ in range(chance.randint(2, 5))]
        chance.shuffle(copies)
        async with httpx2.AsyncClient(timeout=30) as http:

            async def post(body: bytes, secret: str) -> int:
                where = f"{chance.choice(people.web).address}/webhook"
                headers = {"X-Telegram-Bot-Api-Secret-Token": secret, "Content-Type": "application/json"}
                return (await http.post(where, content=body, headers=headers)).status_code

            assert set(await asyncio.gather(*(post(body, "a wrong one") for body in copies[:20]))) <= {401, 403}
            for at in range(0, len(copies), 50):
                assert set(await asyncio.gather(*(post(body, SECRET) for body in copies[at : at + 50]))) == {200}
        await answered_once(people, empty_database_url, count)


@pytest.mark.proves("promise-8")
@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_a_redis_that_forgets_everything_and_restarts_loses_no_message(
    empty_database_url: str, tmp_path: Path, size: Callable[[int, int], int]
) -> None:
    rounds, each = size(2, 20), 5
    with new_valkey() as valkey:
        async with fleet(tmp_path, empty_database_url, valkey.connection_url, web=1, settings=says()) as people:
            for number in range(rounds):
                for message in range(each):
                    at = number * each + message
                    people.telegram.say(FIRST_CHAT + at % 20, f"Message n:{at}")
                with valkey.client() as client:
                    client.flushall()
                    client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                    client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            await answered_once(people, empty_database_url, rounds * each)


@pytest.mark.proves("conversation-9", "promise-7")
async def test_a_database_that_goes_away_and_comes_back_loses_nothing_that_was_accepted(
    valkey_url: str, tmp_path: Path, size: Callable[[int, int], int]
) -> None:
    outages = size(1, 20)
    server = PostgresServer()
    server.start()
    try:
        url = server.url("postgres")
        async with fleet(tmp_path, url, valkey_url, web=1, settings=says(first_delay=0.2)) as people:
            for number in range(outages):
                for message in range(5):
                    at = number * 10 + message
                    people.telegram.say(FIRST_CHAT + at % 20, f"Message n:{at}")
                server.stop()
                for message in range(5, 10):
                    at = number * 10 + message
                    people.telegram.say(FIRST_CHAT + at % 20, f"Message n:{at}")
                await asyncio.sleep(1)
                server.start()
            await answered_once(people, url, outages * 10, missing=outages)
    finally:
        server.remove()
