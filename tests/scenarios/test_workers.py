"""A scaled desk on one machine, as `frontdesk up --scaled` starts it: servers, web processes and workers."""

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import Generator
from pathlib import Path

import httpx2
import pytest

from frontdesk.testing.upstream import OpenAIWire, Reply, Upstream
from tests.cli.conftest import LEAN, desk, panel
from tests.servers import PostgresServer

PATIENCE = 120.0  # seconds: a whole desk starts, and a busy machine is slow
PIECES = tuple(f"word{number} " for number in range(20))


@pytest.fixture
def home(postgres: PostgresServer) -> Generator[Path]:
    """A home that PostgreSQL's user may reach where tests run as root; `postgres` opened the way to its programs."""
    with tempfile.TemporaryDirectory(prefix="frontdesk-scaled-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        home.mkdir()
        lean = LEAN.replace("[quote]", "[openai]") + "conversation:\n  lease_seconds: 5\n"
        (home / "system.yaml").write_text(lean)
        yield home


@pytest.mark.proves("conversation-8")
async def test_a_scaled_desk_answers_outlives_its_workers_and_stops_cleanly(home: Path) -> None:
    async with Upstream(OpenAIWire(), [Reply(pieces=PIECES, delay=0.1)] * 8) as upstream:
        with desk(home, "--scaled", OPENAI_API_KEY="sk-test-of-workers", OPENAI_BASE_URL=upstream.url) as process:
            async with asyncio.timeout(PATIENCE):
                told = await asyncio.to_thread(panel, process)
            assert told["Parts"] == "2 web, 2 workers"
            token = told["Sign in"].partition("#token=")[2]
            async with httpx2.AsyncClient(
                base_url=told["Open"], headers={"X-Frontdesk": "1"}, timeout=PATIENCE, trust_env=False
            ) as owner:
                (await owner.post("/api/v1/auth/link", json={"token": token})).raise_for_status()
                checks = (await owner.get("/ready")).json()["checks"]
                assert checks == {"database": "ok", "process": "ok", "redis": "ok", "queue": "ok"}
                workers = await _workers(owner, 2)
                said = await _ask_and_kill(owner, workers)
                assert "".join(said).split() == "".join(PIECES).split()
                await _workers(owner, 2, but=workers)
                work = (await owner.get("/api/v1/console/work")).json()
                assert [row["length"] for row in work["queues"]] == [0, 0, 0, 0]
                assert work["dead"] == []
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, PATIENCE) == 0


async def _workers(owner: httpx2.AsyncClient, number: int, but: frozenset[int] = frozenset()) -> frozenset[int]:
    """The process ids of the workers once so many are up that are not among `but`."""
    async with asyncio.timeout(PATIENCE):
        while True:
            listed = (await owner.get("/api/v1/console/work")).raise_for_status().json()["workers"]
            found = frozenset(int(each["name"].rpartition("-")[2]) for each in listed if each["state"] == "up") - but
            if len(found) == number:
                return found
            await asyncio.sleep(0.2)


async def _ask_and_kill(owner: httpx2.AsyncClient, workers: frozenset[int]) -> list[str]:
    """Ask, kill every worker in the middle of the reply, and read the reply to its end: what it says."""
    said: list[str] = []
    tag, killed = "", False
    headers = {"Accept": "text/event-stream"}
    async with owner.stream("POST", "/api/v1/chat", json={"text": "Say twenty words"}, headers=headers) as answer:
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                tag = value
            elif name == "data" and tag == "text.added":
                said.append(str(json.loads(value)["text"]))
                if not killed:
                    killed = True
                    for pid in workers:
                        os.kill(pid, signal.SIGKILL)
    assert tag == "turn.finished"
    return said
