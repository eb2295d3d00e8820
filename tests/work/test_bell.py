"""The bell that tells workers of ready rows, on a real Valkey."""

from contextlib import aclosing

from redis.asyncio import Redis

from frontdesk.clock import SystemClock
from frontdesk.work.celery import CeleryBell, celery_app
from frontdesk.work.options import WorkOptions


async def test_a_row_of_a_kind_that_only_another_version_knows_is_not_handed_round(valkey_url: str) -> None:
    async def none() -> int:
        return 0

    bell = CeleryBell(celery_app(valkey_url, WorkOptions()), {"echo": "ml"}, none, SystemClock())
    await bell.start()
    await bell.ready("of another version", "row")
    await bell.ready("echo", "row")
    await bell.close()
    async with aclosing(Redis.from_url(valkey_url)) as client:
        assert [await client.llen(queue) for queue in ("general", "ml")] == [0, 1]
