"""Kinds of rows that processes work on, and the queue that each is handed out by."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from frontdesk.system.layout.services import Queue

Run = Callable[[str], Awaitable[None]]
Sweep = Callable[[], Awaitable[list[str]]]

QUEUES: tuple[Queue, ...] = ("general", "ml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Rows of one kind. `run` bears a row that is done or another's: claims in the database decide.

    `sweep` finds rows that were left lying; every `every` seconds they are handed out again. At most `parallel` rows
    are worked on at once in one process.
    """

    name: str
    queue: Queue
    run: Run
    sweep: Sweep
    parallel: int = 64
    every: float = 5
