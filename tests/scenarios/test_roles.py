"""Web processes and workers apart, and Redis away: what is accepted is answered all the same."""

import asyncio
import signal
from pathlib import Path

import httpx2
import pytest

from frontdesk.operate.ports import free_port
from tests.cli.conftest import LEAN, Command, desk, frontdesk, panel

PATIENCE = 90.0

__all__ = ["frontdesk"]  # a fixture


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "system.yaml").write_text(LEAN.replace("order: [quote]", "list: [{name: scripted, wire: scripted}]"))
    monkeypatch.setenv("FRONTDESK_HOME", str(folder))
    return folder


@pytest.mark.proves("promise-8")
async def test_with_redis_away_from_the_start_web_accepts_and_a_worker_answers(home: Path) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    with desk(home, "--role", "web", REDIS_URL=nowhere) as web:
        async with asyncio.timeout(PATIENCE):
            told = await asyncio.to_thread(panel, web)
        async with httpx2.AsyncClient(
            base_url=told["Open"], headers={"X-Frontdesk": "1"}, timeout=PATIENCE, trust_env=False
        ) as owner:
            token = told["Sign in"].partition("#token=")[2]
            (await owner.post("/api/v1/auth/link", json={"token": token})).raise_for_status()
            ready = await owner.get("/ready")
            assert ready.status_code == 503
            assert (ready.json()["checks"]["database"], ready.json()["checks"]["queue"]) == ("ok", "queue_unavailable")
            stream = {"Accept": "text/event-stream"}
            async with owner.stream("POST", "/api/v1/chat", json={"text": "Hello"}, headers=stream) as answer:
                assert answer.status_code == 200
                with desk(home, "--role", "worker", REDIS_URL=nowhere) as worker:
                    async with asyncio.timeout(PATIENCE):
                        tags = [line async for line in answer.aiter_lines() if line.startswith("event: ")]
                    worker.send_signal(signal.SIGTERM)
                    assert await asyncio.to_thread(worker.wait, PATIENCE) == 0
            assert tags[-1] == "event: turn.finished"
        web.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(web.wait, PATIENCE) == 0


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_role_without_a_broker_is_refused_with_what_to_set(frontdesk: Command, role: str) -> None:
    ended = frontdesk("up", "--role", role, "--port", "0")
    assert ended.code == 2
    assert "A desk of several roles needs a broker" in ended.err
    assert "REDIS_URL" in ended.err


def test_a_queue_that_does_not_exist_is_refused(frontdesk: Command) -> None:
    ended = frontdesk("up", "--role", "worker", "--queues", "general,gpu")
    assert ended.code == 2
    assert "There is no queue 'gpu'" in ended.err


def test_a_database_that_is_away_at_the_start_is_told(frontdesk: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://desk:secret-of-a-test@127.0.0.1:{free_port()}/desk")
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    ended = frontdesk("up", "--role", "worker")
    assert ended.code != 0
    assert "store_unavailable" in ended.err
    assert "secret-of-a-test" not in ended.err
