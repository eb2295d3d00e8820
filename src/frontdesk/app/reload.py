"""What changes while the desk runs: the section `engagement` of the system file, without a restart."""

from collections.abc import Callable

import structlog

from frontdesk.decision.options import EngagementOptions
from frontdesk.store.audit import Act, Audit
from frontdesk.system.system import System

log = structlog.get_logger("frontdesk.app")

SECONDS = 2.0  # between two looks at the file


class Reload:
    """Looks whether the system file has changed, and hands its section on if it is sound.

    A file with a mistake changes nothing: the desk goes on as before and says what is wrong. Other sections wait for a
    restart.
    """

    def __init__(self, system: System, take: Callable[[EngagementOptions], None], audit: Audit) -> None:
        self._system = system
        self._take = take
        self._audit = audit
        self._stamp = self._look()

    async def look(self) -> None:
        """Take the file as it is now, if it is another one than at the last look."""
        stamp = self._look()
        if stamp == self._stamp or self._system.again is None:
            return
        self._stamp = stamp
        fresh, problems = self._system.again()
        if fresh is None or problems:
            log.error("reload_refused", problems=[f"{problem.what} ({problem.where})" for problem in problems])
            return
        before, after = self._system.section(EngagementOptions), fresh.section(EngagementOptions)
        self._system = fresh
        if before != after:
            self._take(after)
            changed = _changes(before.model_dump(mode="json"), after.model_dump(mode="json"))
            log.info("reloaded", settings=changed)
            await self._audit.append(
                Act(act="settings.reload", credential="system file", subject=",".join(changed)[:200], outcome=200)
            )

    def _look(self) -> tuple[int, int]:
        try:
            found = self._system.file.stat() if self._system.file else None
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_size) if found else (0, 0)


def _changes(before: dict[str, object], after: dict[str, object]) -> list[str]:
    """The names of the settings that differ."""
    return [name for name in after if before.get(name) != after[name]]
