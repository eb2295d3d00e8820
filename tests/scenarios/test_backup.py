"""Backups of desks at work: made under load and by themselves, kept in two places, and brought back into nothing."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from frontdesk.app.backups import listed, shelf_at
from frontdesk.messages import Role
from frontdesk.store.database import Database
from frontdesk.system.backup import BackupOptions
from frontdesk.testing.clock import FakeClock
from frontdesk.testing.desk import FROM_A_PAGE, served_desk
from frontdesk.testing.upstream import Reply
from tests.buckets import SECRET, USER, BucketServer
from tests.scenarios.processes import FRONTDESK, KEYS, process
from tests.scenarios.test_engagement import SETTINGS, post_events, until, with_customers
from tests.servers import PostgresServer

BACKUP_KEY = "0123456789abcdef" * 4
CANARY = "the canary in the customer's words"
DAY = 24 * 3600.0
TALK = 10  # messages of all, after which a conversation ends


async def command(*words: str | Path, **variables: str) -> tuple[int, str, str]:
    """Run `frontdesk`: its exit code, what it printed, and its messages."""
    running = await asyncio.create_subprocess_exec(
        *(FRONTDESK, *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "BACKUP_KEY": BACKUP_KEY, **variables},
    )
    said, told = await asyncio.wait_for(running.communicate(), 300)
    return await running.wait(), said.decode(), told.decode()


@asynccontextmanager
async def fresh_database(kind: str, server: PostgresServer | None) -> AsyncGenerator[dict[str, str]]:
    """The variables of a desk with a database of its own, without tables."""
    if kind == "sqlite" or server is None:
        yield {}
        return
    name = server.new_name()
    await server.run(f"CREATE DATABASE {name}")
    yield {"DATABASE_URL": server.url(name)}
    await server.run(f"DROP DATABASE {name} WITH (FORCE)")


class Talk:
    """People who talk all the time; `said` are the texts that were answered."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.said: list[str] = []
        self.conversations: list[str] = []
        self._client = client
        self._done = False

    @asynccontextmanager
    async def going_on(self, number: int) -> AsyncGenerator[None]:
        async with asyncio.TaskGroup() as group:
            for person in range(number):
                group.create_task(self._talk(person))
            try:
                yield
            finally:
                self._done = True

    async def more(self, count: int) -> None:
        """Return when so many more were answered."""
        wanted = len(self.said) + count
        async with asyncio.timeout(300):
            while len(self.said) < wanted:  # noqa: ASYNC110 an event for each number would be no simpler
                await asyncio.sleep(0.01)

    async def _talk(self, person: int) -> None:
        conversation: dict[str, str] = {}
        while not self._done:
            if len(self.said) % TALK == 0:  # whoever comes to it begins another one
                conversation = {}
            text = f"Question {len(self.said)} of {person}"
            answer = await self._client.post("/api/v1/chat", json={"text": text, **conversation})
            if not conversation:
                conversation = {"conversation_id": answer.raise_for_status().json()["conversation_id"]}
                self.conversations.append(conversation["conversation_id"])
            self.said.append(text)


@pytest.mark.proves("promise-19", "assistant-16", "conversation-16")
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_desk_that_was_backed_up_and_restored_under_load_goes_on_elsewhere(
    tmp_path: Path, kind: str, size: Callable[[int, int], int], request: pytest.FixtureRequest
) -> None:
    server: PostgresServer | None = request.getfixturevalue("postgres") if kind == "postgres" else None
    old, new, share = tmp_path / "old", tmp_path / "new", tmp_path / "share"
    async with fresh_database(kind, server) as there, fresh_database(kind, server) as elsewhere:
        variables = {**KEYS, **there, "BACKUP_FOLDER": str(share), "BACKUP_AT": "never"}
        async with process(old, variables=variables) as desk, desk.owner() as owner:
            asked = await owner.post("/api/v1/keys", json={"name": "test", "scopes": ["chat"]})
            key = str(asked.raise_for_status().json()["key"])
            talk = Talk(owner)
            async with talk.going_on(3):
                await talk.more(size(10, 500))
                before, conversations = list(talk.said), list(talk.conversations)
                code, said, told = await command("backup", "create", "--home", old, "--json", **variables)
                assert code == 0, told
                made = json.loads(said)
                code, said, told = await command(
                    *("restore", "latest", "--from", share, "--into", new, "--json"), **{**KEYS, **elsewhere}
                )
                assert code == 0, told
                restored = json.loads(said)
                await talk.more(5)
            cookies = dict(owner.cookies)
            await desk.kill()
        assert restored["database"] == made["database"]  # counts of every table, revision, head of the audit log
        assert restored["recovery_point_seconds"] > 0
        assert restored["recovery_time_seconds"] > 0
        async with process(new, variables={**KEYS, **elsewhere}) as desk, desk.program(key) as program:
            assert (await program.get("/api/v1/me")).status_code == 200
            async with httpx2.AsyncClient(base_url=desk.address, cookies=cookies, headers=FROM_A_PAGE) as browser:
                messages = [
                    message["text"]
                    for conversation in conversations
                    for message in (await browser.get(f"/api/v1/conversations/{conversation}")).json()["messages"]
                ]
                assert set(before) <= set(messages)
                body = {"text": "Do you still know me?", "conversation_id": conversations[0]}
                again = (await browser.post("/api/v1/chat", json=body)).raise_for_status().json()
                assert again["conversation_id"] == conversations[0]
                acts = (await browser.get("/api/v1/audit")).raise_for_status().json()["items"]
                assert "backup.restore" in {act["act"] for act in acts}


@pytest.fixture(scope="module")
def bucket_server() -> Generator[BucketServer]:
    server = BucketServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.mark.proves("assistant-15", "conversation-16")
async def test_at_two_in_the_morning_a_desk_backs_itself_up_in_two_places_and_forgets_after_thirty_days(
    tmp_path: Path, bucket_server: BucketServer
) -> None:
    bucket = "s3://ai-assistant-backups/postgres"
    options = BackupOptions.model_validate(
        {"endpoint": bucket_server.endpoint, "access_key_id": USER, "secret_access_key": SECRET}
    )
    variables = {"BACKUP_KEY": BACKUP_KEY, "AWS_ACCESS_KEY_ID": USER, "AWS_SECRET_ACCESS_KEY": SECRET}
    settings = {
        "desk.name": "AI Assistant",
        "backup.folder": str(tmp_path / "disk"),
        "backup.remote": bucket,
        "backup.endpoint": bucket_server.endpoint,
    }
    places = [shelf_at(str(tmp_path / "disk"), options), shelf_at(bucket, options)]
    clock = FakeClock()  # stands at noon

    async with served_desk(tmp_path / "home", settings=settings, variables=variables, clock=clock) as served:

        async def names(count: int) -> list[list[str]]:
            """What lies in both places, once so many backups were made."""

            async def made() -> bool:
                clock.advance(1)
                acts = await served.desk.store.audit.page(act="backup.create")
                assert all(act.outcome == 200 for act in acts), acts
                return len(acts) == count

            await until(made)
            return [list(await asyncio.to_thread(listed, place)) for place in places]

        clock.advance(14 * 3600)
        first = await names(1)
        assert first[0] == first[1]
        assert first[0][0].startswith("ai_assistant_20260106_0200")
        clock.advance(29 * DAY)
        assert [len(found) for found in await names(2)] == [2, 2]
        clock.advance(2 * DAY)
        for found in await names(3):
            assert len(found) == 2
            assert first[0][0] not in found
        owner = await served.client(Role.OWNER)
        shown = (await owner.get("/metrics")).text
        values = dict(line.rsplit(" ", 1) for line in shown.splitlines() if line.startswith("frontdesk_backup"))
        finished = float(values["frontdesk_backup_last_success_timestamp_seconds"])
        assert 0 <= clock.now().timestamp() - finished < 26 * 3600
        assert float(values["frontdesk_backup_size_bytes"]) > 1000


@pytest.mark.proves("promise-19")
async def test_a_backup_that_fails_by_itself_is_counted_and_written_down(tmp_path: Path) -> None:
    (tmp_path / "disk").write_text("a file, no folder")
    clock = FakeClock()
    settings = {"backup.folder": str(tmp_path / "disk")}
    async with served_desk(tmp_path / "home", settings=settings, clock=clock) as served:
        clock.advance(14 * 3600)

        async def failed() -> Any:
            clock.advance(1)
            return await served.desk.store.audit.page(act="backup.create")

        acts = await until(failed)
        assert {(act.outcome, act.subject) for act in acts} == {(500, "backup_failed")}
        owner = await served.client(Role.OWNER)
        assert "frontdesk_backup_failures_total 0.0" not in (await owner.get("/metrics")).text


@pytest.mark.proves("promise-19")
async def test_a_byte_that_is_flipped_in_a_backup_raises_the_alarm_within_a_week(tmp_path: Path) -> None:
    clock, disk = FakeClock(), tmp_path / "disk"
    async with served_desk(tmp_path / "home", settings={"backup.folder": str(disk)}, clock=clock) as served:
        owner = await served.client(Role.OWNER)

        async def acts(name: str, count: int) -> list[int]:
            """How the newest acts of this name ended, once so many have."""

            async def ended() -> bool:
                clock.advance(1)
                return len(await served.desk.store.audit.page(act=name)) >= count

            await until(ended)
            return [act.outcome for act in await served.desk.store.audit.page(act=name)]

        async def alarm() -> str:
            told = (await owner.get("/metrics")).text.splitlines()
            return next(line for line in told if line.startswith("frontdesk_backup_damaged "))

        clock.advance(14 * 3600)
        assert await acts("backup.create", 1) == [200]
        clock.advance(6 * DAY)
        await acts("backup.create", 2)
        clock.advance(1 * DAY)
        assert await acts("backup.verify", 1) == [200]
        assert await alarm() == "frontdesk_backup_damaged 0.0"
        oldest = min(each for each in disk.iterdir() if not each.name.startswith("."))  # those are being written
        piece = oldest / "files.sealed"
        whole = piece.read_bytes()
        piece.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        clock.advance(7 * DAY)
        assert await acts("backup.verify", 2) == [500, 200]
        assert await alarm() == "frontdesk_backup_damaged 1.0"
        assert (await served.desk.store.audit.page(act="backup.verify"))[0].subject == oldest.name
        piece.write_bytes(whole)
        clock.advance(7 * DAY)
        assert await acts("backup.verify", 3) == [200, 500, 200]
        assert await alarm() == "frontdesk_backup_damaged 0.0"


@pytest.mark.proves("promise-19")
async def test_a_folder_of_backups_that_vanishes_raises_the_alarm_at_the_next_night(tmp_path: Path) -> None:
    clock, disk, more = FakeClock(), tmp_path / "disk", tmp_path / "more"
    settings = {"backup.folder": str(disk), "backup.remote": str(more)}
    async with served_desk(tmp_path / "home", settings=settings, clock=clock) as served:
        audit = served.desk.store.audit

        async def night(seconds: float) -> tuple[str, list[tuple[str, int]]]:
            """The backup that is made so many seconds later, and the looks at those before it."""
            before = len(await audit.page(act="backup.create"))
            clock.advance(seconds)

            async def another() -> bool:
                clock.advance(1)
                return len(await audit.page(act="backup.create")) > before

            await until(another)
            looks = [(act.subject, act.outcome) for act in await audit.page(act="backup.verify")]
            return (await audit.page(act="backup.create"))[0].subject, looks

        first, _ = await night(14 * 3600)
        second, looks = await night(DAY)
        assert (looks, first != second) == ([], True)
        shutil.rmtree(more)
        third, looks = await night(DAY)
        assert looks == [(second, 500)]
        assert [each.name for each in more.iterdir()] == [third]
        owner = await served.client(Role.OWNER)
        assert "frontdesk_backup_damaged 1.0" in (await owner.get("/metrics")).text


@pytest.mark.proves("engagement-17")
async def test_decisions_strategies_and_what_was_learnt_come_back_and_no_secret_can_be_read(tmp_path: Path) -> None:
    old, new, share = tmp_path / "old", tmp_path / "new", tmp_path / "share"
    async with served_desk(old, model=[Reply(text="Hello")] * 99, settings=SETTINGS) as served:
        owner = await served.client(Role.OWNER)
        client = await served.program(owner, "engagement")
        names = await with_customers(client)
        await post_events(client, names)
        body = {
            "name": CANARY,
            "segment": "default",
            "consents": ["email"],
            "addresses": {"email": "canary@example.com"},
        }
        (await client.put("/api/v1/customers/canary", json=body)).raise_for_status()

        async def decided() -> Any:
            return (await client.get("/api/v1/decisions?limit=100")).raise_for_status().json()["items"]

        await until(decided)
    database = f"sqlite:///{old / 'desk.db'}"
    before = await rows_of(database)
    code, name, told = await command("backup", "create", "--home", old, BACKUP_FOLDER=str(share))
    assert code == 0, told
    secrets = [(old / file).read_text() for file in ("secret.key", "encryption.key", "jwt.key")]
    for file in (share / name.strip()).iterdir():
        content = file.read_bytes()
        for word in (*secrets, CANARY, "canary@example.com", BACKUP_KEY):
            assert word.encode() not in content, file.name
    for file in old.iterdir():
        file.unlink()
    code, _, told = await command("restore", name.strip(), "--from", share, "--home", old)
    assert code == 0, told
    after = await rows_of(database)
    assert after == before
    assert after["decisions"]
    assert after["policies"]
    async with served_desk(old, model=[Reply(text="Hello")], settings=SETTINGS) as served:
        client = await served.program(await served.client(Role.OWNER), "engagement")
        assert (await client.get("/api/v1/customers/canary")).json()["name"] == CANARY
    assert not new.exists()


LEARNT = (
    "decisions",
    "policies",
    "learners",
    "evidence",
    "customers",
    "profiles",
    "outcomes",
    "evolutions",
    "patterns",
)


async def rows_of(url: str) -> dict[str, list[tuple[object, ...]]]:
    """All rows of the tables of decisions and learning, as they lie there."""
    database = await Database.open(url)
    try:
        async with database.read() as connection:
            listing = sa.text("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = sorted(name for name in (await connection.execute(listing)).scalars() if name.startswith(LEARNT))
            return {
                name: [tuple(row) for row in await connection.execute(sa.text(f'SELECT * FROM "{name}" ORDER BY 1'))]
                for name in tables
            }
    finally:
        await database.close()
