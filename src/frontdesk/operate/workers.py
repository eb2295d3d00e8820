"""The processes of a desk, looked after by one: begun in order, replaced when they die, ended in reverse order."""

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType

RESTARTS = 5  # of one part within a minute, before the whole desk gives up
MINUTE = 60.0
FIRST_WAIT = 0.25  # seconds before a part is begun again; each further death within a minute doubles it
LOOK = 0.2  # seconds between two looks at whether a part is ready
READY_SECONDS = 60.0
ENDED_WELL = (0, -signal.SIGTERM, -signal.SIGINT)  # by our signal, if it came before the process could listen for it
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


@dataclass(slots=True)
class Part:
    """A process that runs `run` until `end` is sent to it; the next parts begin once `ready` says so.

    Parts of the same `row` begin and end together. `run` and what it holds must be picklable; sockets are.
    """

    name: str
    run: Callable[[], int]
    row: int = 0
    end: signal.Signals = signal.SIGTERM
    ready: Callable[[], bool] | None = None
    process: SpawnProcess | None = field(default=None, init=False)
    deaths: list[float] = field(default_factory=list[float], init=False)
    again_at: float = field(default=0.0, init=False)

    def begin(self) -> None:
        """Start its process."""
        self.process = multiprocessing.get_context("spawn").Process(target=_live, args=(self.run,), name=self.name)
        self.process.start()

    def died(self) -> bool:
        """Plan its next beginning; False when it has died too often."""
        now = time.monotonic()
        self.deaths = [death for death in self.deaths if now - death < MINUTE] + [now]
        self.again_at = now + FIRST_WAIT * 2 ** (len(self.deaths) - 1)
        return len(self.deaths) <= RESTARTS


class Supervisor:
    """Begins the parts row by row, replaces those that die, and ends the last row first. `say` tells a person of it."""

    def __init__(self, parts: Sequence[Part], say: Callable[[str], None]) -> None:
        self._parts = list(parts)
        self._say = say
        self._rows = sorted({part.row for part in parts})
        self._stopping = False
        self._gave_up = False

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; a second one ends at once. The exit code: 0 when all ended well."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for row in self._rows:
            self._begin(row)
        while not self._stopping:
            self._look_after()
        worst = 1 if self._gave_up else 0
        for row in reversed(self._rows):
            worst = max(worst, self._end(row))
        return worst

    def _begin(self, row: int) -> None:
        parts = [part for part in self._parts if part.row == row]
        for part in parts:
            if not self._stopping:
                part.begin()
        patience = time.monotonic() + READY_SECONDS
        while not self._stopping and not all(part.ready is None or part.ready() for part in parts):
            if time.monotonic() > patience:
                self._give_up(f"{' or '.join(part.name for part in parts)} did not get ready in time")
            self._look_after(LOOK)

    def _look_after(self, seconds: float = 1.0) -> None:
        running = [part.process.sentinel for part in self._parts if part.process is not None]
        planned = [part.again_at for part in self._parts if part.process is None and part.deaths]
        soon = min([seconds, *(max(at - time.monotonic(), 0.01) for at in planned)])
        wait(running, timeout=soon)
        for part in self._parts:
            if part.process is not None and part.process.exitcode is not None and not self._stopping:
                self._say(f"{part.name} has ended by itself (exit code {part.process.exitcode}).")
                part.process = None
                if not part.died():
                    self._give_up(f"{part.name} keeps ending")
            if part.process is None and part.deaths and time.monotonic() >= part.again_at and not self._stopping:
                part.begin()

    def _end(self, row: int) -> int:
        processes = [(part, part.process) for part in self._parts if part.row == row and part.process is not None]
        for part, process in processes:
            if process.exitcode is None and process.pid is not None:
                os.kill(process.pid, part.end)
        for _, process in processes:
            process.join()
        return int(any(process.exitcode not in ENDED_WELL for _, process in processes))

    def _give_up(self, why: str) -> None:
        self._say(f"The desk gives up: {why}.")
        self._gave_up = self._stopping = True

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        if self._stopping:  # the second time: nothing is waited for but servers, which others rest on
            for part in self._parts:
                if part.process is not None and part.ready is None:
                    part.process.kill()
        self._stopping = True


def _live(run: Callable[[], int]) -> None:
    """Run in a process group of its own, so that Ctrl+C reaches the supervisor alone, which ends all in order."""
    if os.name == "posix":
        os.setpgrp()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGTERM)
    sys.exit(run())
