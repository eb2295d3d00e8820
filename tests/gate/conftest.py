"""The gate's fixtures."""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from frontdesk.gate.options import GateOptions
from frontdesk.store.database import Database, metadata
from frontdesk.testing.clock import FakeClock
from frontdesk.testing.keys import key_ring
from tests.gate.desk import GateDesk

Open = Callable[..., GateDesk]


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncGenerator[Database]:
    """The embedded database alone, for tests of what lies above the store."""
    database = await Database.open(f"sqlite:///{tmp_path / 'gate.db'}", ring=key_ring())
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield database
    await database.close()


@pytest.fixture
def open_gate(embedded: Database, clock: FakeClock) -> Open:
    """A desk with these options of the section `gate`."""

    def build(*, production: bool = False, providers: object = None, **options: object) -> GateDesk:
        section = GateOptions.model_validate(options)
        return GateDesk(embedded, clock, section, production=production, providers=providers)  # type: ignore[arg-type]

    return build


@pytest.fixture
def desk(open_gate: Open) -> GateDesk:
    """A desk with the options as they are by default."""
    return open_gate()
