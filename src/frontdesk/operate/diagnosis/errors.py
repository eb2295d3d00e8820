"""The newest error lines of logs: of the desk's own JSON, or of the short lines that people read."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from frontdesk.operate.running.logfiles import last_lines

READ = 5000  # lines from the end of each log
NEWEST = 10
HOUR = timedelta(hours=1)
LEVELS = ("error", "critical", "exception")
_SHORT = re.compile(r"(\d\d:\d\d:\d\d) (error|critical)\b\s+(.*)", re.IGNORECASE)


def error_lines(logs: Sequence[Path], *, now: datetime | None = None, newest: int = NEWEST) -> list[str]:
    """The last lines of the last hour that tell an error, oldest first, each with its time and its log's name."""
    now = now or datetime.now(UTC)
    found: list[tuple[datetime, str]] = []
    for log in logs:
        for line in last_lines(log, READ):
            told = _json(line) or _plain(line, now)
            if told is not None and timedelta(0) <= now - told[0] <= HOUR:
                found.append((told[0], f"{told[0]:%H:%M:%S} {log.stem}: {told[1]}"))
    return [line for _, line in sorted(found)[-newest:]]


def _json(line: str) -> tuple[datetime, str] | None:
    """`{"at": …, "level": "error", "event": …}`, as telemetry writes it."""
    if not line.startswith("{"):
        return None
    try:
        said: dict[str, object] = json.loads(line)
        at = datetime.fromisoformat(str(said["at"]))
    except (ValueError, KeyError, TypeError):
        return None
    if said.get("level") not in LEVELS:
        return None
    shown = {name: value for name, value in said.items() if name not in ("at", "level", "logger", "event", "traceback")}
    words = " ".join(f"{name}={value}" for name, value in shown.items() if isinstance(value, (str, int, float)))
    return at if at.tzinfo else at.replace(tzinfo=UTC), f"{said.get('event')} {words}".strip()


def _plain(line: str, now: datetime) -> tuple[datetime, str] | None:
    """`12:34:56 error    event  words`, in UTC; one that would lie ahead is of yesterday."""
    told = _SHORT.match(line)
    if told is None:
        return None
    hour, minute, second = map(int, told[1].split(":"))
    at = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
    return at if at <= now else at - timedelta(days=1), told[3].strip()
