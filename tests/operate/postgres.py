"""A PostgreSQL of a test's own that checks passwords and has few connections."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from tests.servers import PostgresServer

FEW = 8  # connections, of which the server keeps three for superusers
HBA = """\
host all postgres 127.0.0.1/32 trust
host all stranger 127.0.0.1/32 reject
host all all 127.0.0.1/32 scram-sha-256
"""
PASSWORD = "pass-word-of-a-test"


@contextmanager
def strict_postgres() -> Generator[PostgresServer]:
    """Everybody but the superuser `postgres` needs a password; `desk` has one, and a database `desk`."""
    server = PostgresServer(connections=FEW)
    (server.data / "pg_hba.conf").write_text(HBA)
    with (server.data / "postgresql.auto.conf").open("a") as settings:
        settings.write("shared_preload_libraries = 'pg_stat_statements'\n")
    server.start()
    try:
        asyncio.run(_set_up(server))
        yield server
    finally:
        server.remove()


async def _set_up(server: PostgresServer) -> None:
    await server.run(f"CREATE ROLE desk LOGIN PASSWORD '{PASSWORD}'")
    await server.run("CREATE ROLE stranger LOGIN")
    await server.run("CREATE DATABASE desk OWNER desk")
    await server.run("CREATE EXTENSION pg_stat_statements", name="desk")


def desk_url(server: PostgresServer, password: str = PASSWORD, name: str = "desk", user: str = "desk") -> str:
    """The address as the desk's own user."""
    return f"postgresql://{user}:{password}@127.0.0.1:{server.port}/{name}"
