"""Worker processes on real Celery, Valkey and PostgreSQL: what they bear, and that each job has one effect."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis.asyncio
import sqlalchemy as sa

from frontdesk.clock import RandomIds, SystemClock
from frontdesk.errors import QueueUnavailable
from frontdesk.operate.ports import free_port
from frontdesk.operate.scaled import Valkey
from frontdesk.store.database import Database
from frontdesk.store.jobs import Jobs
from frontdesk.store.jobs import jobs as job_table
from frontdesk.testing.keys import key_ring
from frontdesk.work.celery import CeleryBell, celery_app
from frontdesk.work.consumer import STALLED
from frontdesk.work.options import WorkOptions

PATIENCE = 60.0  # seconds for anything on a busy machine
CONSUMING_AGAIN = 30.0  # promise 8

pytestmark = pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)


class Broker:
    """A Valkey of its own, that can be stopped and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self._valkey = Valkey(folder=folder, port=free_port(), password="of-a-test")
        self._valkey.prepare()
        self.url = self._valkey.url
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._valkey.command)
        deadline = time.monotonic() + PATIENCE
        while not self._valkey.answers():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None


class Told:
    """Lines that workers told."""

    def __init__(self) -> None:
        self.lines: Counter[str] = Counter()
        self._news = asyncio.Condition()

    async def add(self, line: str) -> None:
        async with self._news:
            self.lines[line] += 1
            self._news.notify_all()

    async def hears(self, line: str, *, seconds: float = PATIENCE) -> None:
        """Return when this line has been told."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: self.lines[line] > 0)

    async def count(self, word: str, number: int, *, seconds: float = PATIENCE) -> None:
        """Return when so many lines have been told that begin with the word."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: self._number(word) >= number)

    def _number(self, word: str) -> int:
        return sum(times for line, times in self.lines.items() if line.startswith(word))


class Worker:
    """A worker process and what it tells, perhaps together with others."""

    def __init__(self, told: Told, settings: dict[str, object]) -> None:
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.told = told

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.work.worker"),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "WORKER": json.dumps(self._settings)},
        )
        self._reading = asyncio.create_task(self._read())
        await self.told.hears(f"ready {self._settings.get('name', 'worker')}")

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self) -> int:
        assert self._process is not None
        async with asyncio.timeout(PATIENCE):
            code = await self._process.wait()
            if self._reading is not None:
                await self._reading
            return code

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self.send(signal.SIGKILL)
            await self.ended()

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            await self.told.add(line.decode().strip())


@pytest.fixture
def broker(tmp_path: Path) -> Generator[Broker]:
    broker = Broker(tmp_path / "valkey")
    broker.start()
    yield broker
    broker.stop()


@contextlib.asynccontextmanager
async def worker(told: Told | None = None, **settings: object) -> AsyncGenerator[Worker]:
    started = Worker(told or Told(), settings)
    try:
        await started.start()
        yield started
    finally:
        await started.close()


@pytest.fixture
async def bell(broker: Broker) -> AsyncGenerator[CeleryBell]:
    async def none() -> int:
        return 0

    app = celery_app(broker.url, WorkOptions())
    bell = CeleryBell(app, {"echo": "ml", "job": "general"}, none, SystemClock())
    await bell.start()
    yield bell
    await bell.close()


@pytest.fixture
async def jobs(database_url: str) -> AsyncGenerator[Jobs]:
    database = await Database.open(database_url, pool_size=5, max_overflow=30, ring=key_ring())
    yield Jobs(database, SystemClock(), RandomIds())
    await database.close()


async def ring_until_heard(bell: CeleryBell, heard: Worker, word: str) -> float:
    """Ring for the same echo until a message of it gets through; how long that took."""
    begun = time.monotonic()
    while heard.told.lines[f"echo {word}"] == 0:
        await bell.ready("echo", word)
        with contextlib.suppress(TimeoutError):
            await heard.told.hears(f"echo {word}", seconds=0.5)
        assert time.monotonic() - begun < CONSUMING_AGAIN
    return time.monotonic() - begun


@pytest.mark.proves("promise-8")
async def test_redis_is_disposable(
    broker: Broker, bell: CeleryBell, jobs: Jobs, database_url: str, size: Callable[[int, int], int]
) -> None:
    added: list[str] = []
    waits: list[float] = []

    async def flush() -> None:
        async with redis.asyncio.from_url(broker.url) as client:
            await client.flushall()

    async def restart() -> None:
        await asyncio.to_thread(broker.stop)
        await asyncio.to_thread(broker.start)

    async def reset() -> None:
        async with redis.asyncio.from_url(broker.url) as client:
            await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    async with worker(broker=broker.url, database=database_url) as working:
        await ring_until_heard(bell, working, "first")
        for number in range(size(1, 20)):
            for act in (flush, restart, reset):
                for _ in range(10):
                    added.append(await jobs.add("sleep", "0.05"))
                    await bell.ready("job", added[-1])
                await act()
                for _ in range(10):
                    added.append(await jobs.add("sleep", "0.05"))
                    await bell.ready("job", added[-1])
                waits.append(await ring_until_heard(bell, working, f"{act.__name__}-{number}"))
        await working.told.count("done", len(added))
        assert {line: times for line, times in working.told.lines.items() if line.startswith("done")} == {
            f"done {job_id}": 1 for job_id in added
        }
        working.send(signal.SIGTERM)
        assert await working.ended() == 0
    assert max(waits) < CONSUMING_AGAIN


@pytest.mark.proves("promise-9")
async def test_tasks_longer_than_the_visibility_timeout_and_late_jobs_run_once(
    broker: Broker, bell: CeleryBell, jobs: Jobs, database_url: str, size: Callable[[int, int], int]
) -> None:
    number, seconds, visibility = size(20, 1000), size(8, 30), 5
    settings = {"broker": broker.url, "database": database_url, "visibility_timeout": visibility, "parallel": 256}
    told = Told()
    async with worker(told, **settings, name="a"), worker(told, **settings, name="b"):
        ready = [await jobs.add("sleep", str(seconds)) for _ in range(number)]
        soon = await jobs.add("sleep", "0", due_at=datetime.now(UTC) + timedelta(seconds=visibility + 1))
        later = await jobs.add("sleep", "0", due_at=datetime.now(UTC) + timedelta(hours=2))
        for job_id in [*ready, soon, later]:
            await bell.ready("job", job_id)
        await told.count("done", number + 1, seconds=PATIENCE + number * seconds / 256)
        assert await jobs.state(later) == "waiting"
        async with jobs._database.engine.begin() as connection:  # two hours pass
            now = datetime.now(UTC)
            await connection.execute(sa.update(job_table).where(job_table.c.id == later).values(due_at=now))
        await told.hears(f"done {later}")
        await asyncio.sleep(visibility + 1)  # in which a broker that hands out again would have done so
    for job_id in [*ready, soon, later]:
        assert (told.lines[f"begun {job_id}"], told.lines[f"done {job_id}"]) == (1, 1)


@pytest.mark.proves("promise-8")
async def test_a_consumer_that_no_longer_consumes_is_noticed_and_ends(
    broker: Broker, bell: CeleryBell, database_url: str
) -> None:
    async with worker(broker=broker.url, silent_seconds=2) as working:
        await ring_until_heard(bell, working, "first")
        await bell.ready("echo", "deafen")
        assert await working.ended() == STALLED


async def test_a_consumer_that_consumes_or_whose_broker_is_away_is_left_alone(
    broker: Broker, bell: CeleryBell, database_url: str
) -> None:
    async with worker(broker=broker.url, silent_seconds=4) as working:
        await ring_until_heard(bell, working, "first")
        await asyncio.sleep(5)
        await ring_until_heard(bell, working, "second")
        broker.stop()
        await asyncio.sleep(5)
        broker.start()
        await ring_until_heard(bell, working, "third")


async def test_a_worker_that_is_asked_to_stop_ends_its_rows_and_takes_no_new_ones(
    broker: Broker, bell: CeleryBell, jobs: Jobs, database_url: str
) -> None:
    async with worker(broker=broker.url, database=database_url) as working:
        running = await jobs.add("sleep", "1")
        await bell.ready("job", running)
        await working.told.hears(f"begun {running}")
        working.send(signal.SIGTERM)
        late = await jobs.add("sleep", "0")
        await bell.ready("job", late)
        assert await working.ended() == 0
        assert working.told.lines[f"done {running}"] == 1
    assert await jobs.state(running) == "done"
    async with worker(broker=broker.url, database=database_url) as following:
        await following.told.hears(f"done {late}")


async def test_a_bell_never_waits_and_says_when_the_broker_is_away(
    broker: Broker, bell: CeleryBell, database_url: str
) -> None:
    await bell.check()
    broker.stop()
    async with asyncio.timeout(PATIENCE):  # one that waited for the broker each time would need hours
        for number in range(20_000):
            await bell.ready("echo", str(number))
    with pytest.raises(QueueUnavailable):
        await bell.check()
    broker.start()
    await bell.check()
