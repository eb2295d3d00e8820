"""PostgreSQL and Redis from within: what they say of themselves to the desk's own user."""

import asyncio
import importlib
import re
from importlib.util import find_spec
from typing import Any

from frontdesk.operate.diagnosis.seen import DatabaseSeen, RedisSeen, Statement
from frontdesk.system.options import RedisOptions
from frontdesk.system.system import System

LONG_IDLE = 60  # seconds that a transaction may stand open
SHOWN = 160  # characters of a statement
# Of the statistics view (postgresql.org/docs/current/monitoring-stats.html); other users' statements are hidden.
_ACTIVITY = f"""
SELECT pid, state, query, pg_blocking_pids(pid) AS blockers,
       EXTRACT(epoch FROM clock_timestamp() - query_start) AS seconds,
       state LIKE 'idle in transaction%'
         AND clock_timestamp() - state_change > interval '{LONG_IDLE} seconds' AS stands_open
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""  # noqa: S608 — nothing from outside is put in
_SLOWEST = """
SELECT query, calls, mean_exec_time / 1000 AS seconds FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY mean_exec_time DESC LIMIT 10
"""


async def database_within(url: str, seconds: float) -> DatabaseSeen | None:
    """What PostgreSQL says; None for another database, and where it cannot be asked (its probe says why)."""
    if not url.startswith("postgresql") or find_spec("asyncpg") is None:
        return None
    asyncpg: Any = importlib.import_module("asyncpg")  # an extra, and without types
    try:
        async with asyncio.timeout(seconds):
            connection = await asyncpg.connect("postgresql" + url[url.index(":") :], timeout=seconds)
            try:
                return await _asked(connection)
            finally:
                connection.terminate()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError):
        return None


async def _asked(connection: Any) -> DatabaseSeen:
    rows = await connection.fetch(_ACTIVITY)
    most = await connection.fetchval("SELECT current_setting('max_connections')::int")
    reserved = await connection.fetchval("SELECT current_setting('superuser_reserved_connections')::int")
    installed = await connection.fetchval("SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements'")
    slowest: Any = await connection.fetch(_SLOWEST) if installed else ()
    active = [row for row in rows if row["state"] == "active"]
    return DatabaseSeen(
        connections=len(rows) + 1,
        most=most - reserved,
        waiting=tuple(_statement(row) for row in active if row["blockers"]),
        running=tuple(_statement(row) for row in active if not row["blockers"]),
        idle_in_transaction=sum(bool(row["stands_open"]) for row in rows),
        slowest=tuple(
            Statement(text=plain(row["query"]), seconds=float(row["seconds"]), calls=row["calls"]) for row in slowest
        ),
        statistics=bool(installed),
    )


def _statement(row: Any) -> Statement:
    return Statement(
        text=plain(row["query"]), seconds=float(row["seconds"] or 0), waits_for=tuple(row["blockers"] or ())
    )


def plain(query: str) -> str:
    """A statement in one line, without the values in it, which may be somebody's words."""
    text = re.sub(r"'(?:[^']|'')*'", "?", query)
    text = re.sub(r"\$(\w*)\$.*?\$\1\$", "?", text, flags=re.DOTALL)
    text = " ".join(re.sub(r"(?<![\w$])\d+(?:\.\d+)?\b", "?", text).split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


async def redis_within(system: System, seconds: float) -> RedisSeen | None:
    """What Redis says; None without one, and where it cannot be asked (its probe says why)."""
    address = system.section(RedisOptions).address
    if not address or find_spec("redis") is None:
        return None
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    client: Any = Redis.from_url(address, decode_responses=True)  # pyright: ignore[reportUnknownMemberType] — its keywords have no types
    try:
        async with asyncio.timeout(seconds):
            info = {str(name): str(value) for name, value in (await client.info()).items()}
            if info.get("cluster_enabled") != "1":
                return RedisSeen(info=info)
            return RedisSeen(
                info=info,
                cluster=await _of_cluster(client),
                nodes=tuple(_lines(await client.execute_command("CLUSTER NODES"))),
            )
    except (RedisError, OSError):
        return None
    finally:
        await client.aclose()


async def _of_cluster(client: Any) -> dict[str, str]:
    said = await client.execute_command("CLUSTER INFO")
    if isinstance(said, dict):
        return {str(name): str(value) for name, value in said.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return dict(line.split(":", 1) for line in str(said).split() if ":" in line)


def _lines(said: Any) -> list[str]:
    """CLUSTER NODES as the lines that Redis sends; its client takes them apart."""
    if not isinstance(said, dict):
        return [line for line in str(said).splitlines() if line]
    return [
        f"{node['node_id']} {place} {node['flags']} {node['master_id']}"
        for place, node in said.items()  # pyright: ignore[reportUnknownVariableType]
    ]
