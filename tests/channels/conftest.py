from collections.abc import AsyncGenerator

import httpx2
import pytest

from frontdesk.store.database import Database
from frontdesk.testing.clock import CountingIds, FakeClock
from frontdesk.testing.serve import serve
from tests.channels import desk


@pytest.fixture
async def converse(database: Database, clock: FakeClock, ids: CountingIds) -> AsyncGenerator[desk.ScriptedConversation]:
    """A scripted conversation on real rows."""
    await desk.add_people(database)
    converse = desk.ScriptedConversation(database, clock, ids)
    yield converse
    await converse.close()


@pytest.fixture
async def native(
    database: Database, clock: FakeClock, ids: CountingIds, converse: desk.ScriptedConversation
) -> AsyncGenerator[str]:
    """The native API on loopback."""
    async with serve(desk.native_app(database, clock, ids, converse)) as address:
        yield address


@pytest.fixture
async def ann(native: str) -> AsyncGenerator[httpx2.AsyncClient]:
    """Ann's client."""
    async with desk.client(native, "ann") as client:
        yield client


@pytest.fixture
async def ben(native: str) -> AsyncGenerator[httpx2.AsyncClient]:
    """Ben's client."""
    async with desk.client(native, "ben") as client:
        yield client
