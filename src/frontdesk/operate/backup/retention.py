"""Which backups go: by their age in days, or all but the newest of so many days, weeks and months."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from frontdesk.system.backup import BackupOptions, Keep


def outdated(made: Mapping[str, datetime], options: BackupOptions, now: datetime) -> list[str]:
    """The names of those that go, oldest first. `made` tells when each was made, in UTC. The newest always stays."""
    newest_first = sorted(made, key=lambda name: (made[name], name), reverse=True)
    if options.keep is None:
        oldest = now - timedelta(days=options.keep_days)
        kept = {name for name in newest_first if made[name] > oldest}
    else:
        kept = _generations(made, newest_first, options.keep)
    kept.update(newest_first[:1])
    return [name for name in reversed(newest_first) if name not in kept]


def _generations(made: Mapping[str, datetime], newest_first: list[str], keep: Keep) -> set[str]:
    kept: set[str] = set()
    for form, count in (("%Y-%m-%d", keep.daily), ("%G-%V", keep.weekly), ("%Y-%m", keep.monthly)):
        newest: dict[str, str] = {}
        for name in newest_first:
            newest.setdefault(made[name].strftime(form), name)
        kept.update(list(newest.values())[:count])
    return kept
