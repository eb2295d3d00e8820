"""When something is due again."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from frontdesk.work.when import next_after

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rhythm", "expected"),
    [
        ("every 30s", NOON + timedelta(seconds=30)),
        ("every 5m", NOON + timedelta(minutes=5)),
        ("every 2h", NOON + timedelta(hours=2)),
        ("every 1d", NOON + timedelta(days=1)),
        ("daily 13:30", datetime(2026, 1, 5, 13, 30, tzinfo=UTC)),
        ("daily 12:00", datetime(2026, 1, 6, 12, tzinfo=UTC)),
        ("daily 02:00 Europe/Berlin", datetime(2026, 1, 6, 1, tzinfo=UTC)),
        ("daily 20:30 Asia/Kolkata", datetime(2026, 1, 5, 15, tzinfo=UTC)),
    ],
)
def test_the_next_time_lies_after_the_moment(rhythm: str, expected: datetime) -> None:
    assert next_after(rhythm, NOON) == expected


def test_a_daily_time_comes_once_each_day_also_when_clocks_change() -> None:
    for month, day in ((3, 28), (10, 24)):  # Berlin's clocks change on the next night, forward and back
        moment = datetime(2026, month, day, 12, tzinfo=UTC)
        times = [moment := next_after("daily 02:30 Europe/Berlin", moment) for _ in range(3)]
        gaps = [(later - earlier).total_seconds() / 3600 for earlier, later in pairwise(times)]
        assert len(set(times)) == 3
        assert all(23 <= gap <= 25 for gap in gaps)


@pytest.mark.parametrize(
    "rhythm", ["", "hourly", "every 0m", "every -5m", "daily 24:00", "daily 2:00", "daily 02:00 Mars/Base"]
)
def test_a_rhythm_that_makes_no_sense_is_refused(rhythm: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        next_after(rhythm, NOON)
