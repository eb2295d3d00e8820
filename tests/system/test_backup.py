"""The section `backup`."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from frontdesk.system.backup import BackupOptions

MOMENT = datetime(2026, 1, 5, 2, 0, 9, tzinfo=UTC)


def test_a_backup_is_called_after_the_desk_unless_the_file_says_how() -> None:
    assert BackupOptions().name_of(MOMENT, "AI Assistant") == "ai_assistant_20260105_020009"
    assert BackupOptions().name_of(MOMENT, "問い合わせ") == "desk_20260105_020009"
    assert BackupOptions(name="ai-database-backup-%Y%m%d").name_of(MOMENT, "x") == "ai-database-backup-20260105"


def test_the_desk_makes_backups_by_itself_where_a_place_is_named_and_a_time_of_day() -> None:
    assert not BackupOptions().by_itself
    assert BackupOptions(folder="/backups").by_itself
    assert BackupOptions(remote="s3://bucket").by_itself
    assert not BackupOptions(remote="s3://bucket", at="never").by_itself


@pytest.mark.parametrize(
    "values",
    [{"at": "25:00"}, {"at": "2am"}, {"name": "the same"}, {"name": "../%Y"}, {"name": "same"}, {"remote": "ftp://x"}],
    ids=str,
)
def test_what_cannot_be_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        BackupOptions.model_validate(values)
