"""What a proof found."""

from dataclasses import dataclass
from typing import Literal

from frontdesk.errors import BadSystemFile
from frontdesk.system.layout.plan import Plan


@dataclass(frozen=True, slots=True)
class Found:
    """A mistake, or a warning: the system runs, but perhaps not as wished."""

    severity: Literal["error", "warning"]
    problem: BadSystemFile


def mistake(plan: Plan, path: str, what: str, hint: str) -> Found:
    """What stands at `path` (`services.web.replicas`) cannot run."""
    return Found("error", _problem(plan, path, what, hint))


def warning(plan: Plan, path: str, what: str, hint: str) -> Found:
    """What stands at `path` runs, but is worth knowing."""
    return Found("warning", _problem(plan, path, what, hint))


def _problem(plan: Plan, path: str, what: str, hint: str) -> BadSystemFile:
    return BadSystemFile(what, where=plan.system.source_of(path).place or path, hint=hint)
