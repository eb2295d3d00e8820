"""Several processes behind the same sockets, looked after by one."""

import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType

RESTARTS = 5  # of one place within a minute, before the whole desk gives up
MINUTE = 60.0
ENDED_WELL = (0, -signal.SIGTERM, -signal.SIGINT)  # by our signal, if it came before the process could listen for it


class Supervisor:
    """Starts `count` processes that run `work(number)`, replaces those that die, and ends with them.

    `work` and what it holds must be picklable; sockets are.
    """

    def __init__(self, work: Callable[[int], int], count: int) -> None:
        self._work = work
        self._processes: dict[int, SpawnProcess] = {}
        self._count = count
        self._stopping = False
        self._deaths: list[float] = []

    def run(self) -> int:
        """Run until SIGTERM or SIGINT. The exit code: 0 when all ended well."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for number in range(self._count):
            self._start(number)
        worst = 0
        while self._processes:
            wait([process.sentinel for process in self._processes.values()], timeout=1)
            for number, process in list(self._processes.items()):
                if process.exitcode is not None:
                    worst = max(worst, self._ended(number, process.exitcode))
        return worst

    def _ended(self, number: int, code: int) -> int:
        del self._processes[number]
        if self._stopping:
            return 0 if code in ENDED_WELL else 1
        now = time.monotonic()
        self._deaths = [death for death in self._deaths if now - death < MINUTE] + [now]
        if len(self._deaths) > RESTARTS * self._count:
            self._stop(signal.SIGTERM, None)
            return 1
        self._start(number)
        return 0

    def _start(self, number: int) -> None:
        process = multiprocessing.get_context("spawn").Process(target=self._work, args=(number,), name=f"desk-{number}")
        process.start()
        self._processes[number] = process

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True
        for process in self._processes.values():
            process.terminate()
