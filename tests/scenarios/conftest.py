from collections.abc import Generator

import pytest
import structlog

from frontdesk.telemetry import logs


@pytest.fixture(autouse=True)
def _log_as_in_production() -> Generator[None]:
    logs.set_up("WARNING", as_json=True, details=False)
    yield
    structlog.reset_defaults()
