"""What the doctor finds out about the stores themselves."""

from datetime import UTC, datetime, timedelta

import pytest

from frontdesk.clock import SystemClock
from frontdesk.operate.doctor import clocks
from frontdesk.store.database import Database
from frontdesk.testing.clock import FakeClock

pytestmark = pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)


@pytest.mark.parametrize(("seconds", "words"), [(3600, "ahead of"), (-3600, "behind")])
async def test_a_machine_whose_clock_goes_wrong_is_told(database: Database, seconds: int, words: str) -> None:
    found = await clocks(database, FakeClock(datetime.now(UTC) + timedelta(seconds=seconds)))
    assert found.result == "fail"
    assert f"s {words} the database's" in found.cause
    assert "NTP" in found.remedy


async def test_a_machine_that_keeps_time_is_well(database: Database) -> None:
    assert (await clocks(database, SystemClock())).result == "ok"
