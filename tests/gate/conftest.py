"""The gate's fixtures."""

from collections.abc import Callable

import pytest

from frontdesk.gate.options import GateOptions
from frontdesk.store.database import Database
from frontdesk.testing.clock import FakeClock
from tests.gate.desk import GateDesk

Open = Callable[..., GateDesk]


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
