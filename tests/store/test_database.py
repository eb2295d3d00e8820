"""The database's promises, on SQLite and PostgreSQL alike."""

import sqlalchemy as sa

from frontdesk.store.database import Database


async def test_a_query_answers(database: Database) -> None:
    async with database.read() as connection:
        assert await connection.scalar(sa.text("SELECT 41 + 1")) == 42


async def test_valkey(valkey_url):
    import redis.asyncio as redis

    r = redis.from_url(valkey_url)
    assert await r.ping()
    await r.aclose()
