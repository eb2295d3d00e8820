"""Which backups go."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from frontdesk.operate.backup.retention import outdated
from frontdesk.system.backup import BackupOptions, Keep

NOW = datetime(2026, 11, 21, 2, 0, 10, tzinfo=UTC)
DAILY = {f"day_{days:03}": NOW - timedelta(days=days, seconds=10) for days in range(200)}


def test_backups_of_more_than_so_many_days_go() -> None:
    gone = outdated(DAILY, BackupOptions(keep_days=30), NOW)
    assert gone == [f"day_{days:03}" for days in reversed(range(30, 200))]


def test_the_newest_of_so_many_days_weeks_and_months_stay() -> None:
    gone = outdated(DAILY, BackupOptions(keep=Keep(daily=7, weekly=4, monthly=3)), NOW)
    kept = [DAILY[name].date().isoformat() for name in sorted(DAILY.keys() - set(gone))]
    days = [f"2026-11-{day}" for day in (21, 20, 19, 18, 17, 16, 15)]
    sundays, ends_of_months = ["2026-11-08", "2026-11-01"], ["2026-10-31", "2026-09-30"]
    assert kept == [*days, *sundays, *ends_of_months]


@given(st.dictionaries(st.text(), st.datetimes(timezones=st.just(UTC)), min_size=1), st.booleans())
def test_the_newest_backup_always_stays(made: dict[str, datetime], generations: bool) -> None:
    options = BackupOptions(keep=Keep()) if generations else BackupOptions()
    assert max(made, key=lambda name: (made[name], name)) not in outdated(made, options, NOW)
