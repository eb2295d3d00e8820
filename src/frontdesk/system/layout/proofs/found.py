"""What a proof found."""

from dataclasses import dataclass
from typing import Literal

from frontdesk.errors import BadSystemFile
from frontdesk.system.layout.plan import Plan


@dataclass(frozen=True, slots=True)
class Found:
    """A mistake, or a warning: the system runs, but perhaps not as wished. `path` is what it is about."""

    severity: Literal["error", "warning"]
    problem: BadSystemFile
    path: str


def mistake(plan: Plan, path: str, what: str, hint: str) -> Found:
    """What stands at `path` (`services.web.replicas`) cannot run."""
    return Found("error", _problem(plan, path, what, hint), path)


def warning(plan: Plan, path: str, what: str, hint: str) -> Found:
    """What stands at `path` runs, but is worth knowing."""
    return Found("warning", _problem(plan, path, what, hint), path)


def _problem(plan: Plan, path: str, what: str, hint: str) -> BadSystemFile:
    return BadSystemFile(what, where=_place(plan, path), hint=hint)


def _place(plan: Plan, path: str) -> str:
    """Where the file says it, or the first that it says of it or of its section; the path where it says nothing."""
    said = {".".join(map(str, at)): origin.place for at, origin in plan.system.origins.items()}
    parents = [".".join(path.split(".")[:count]) for count in range(path.count(".") + 1, 0, -1)]
    around = (place for parent in parents for at, place in said.items() if at.startswith(f"{parent}."))
    return plan.system.source_of(path).place or next(around, path)
