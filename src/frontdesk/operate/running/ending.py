"""Ending an instance from outside: through its supervisor, or, where that has gone, process by process."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

from frontdesk.operate.running import state
from frontdesk.operate.running.identity import is_alive, send
from frontdesk.operate.running.state import Instance, Process

LOOK = 0.1  # seconds between two looks


def end(instance: Instance, folder: Path, say: Callable[[str], None]) -> bool:
    """Return when nothing of it runs. False: something had to be killed.

    A process is known by its id and by when it began, so nobody else's is ever meant.
    """
    grace = sum(max(each.grace for each in instance.processes if each.stage == stage) for stage in _stages(instance))
    if instance.is_looked_after:
        if instance.state != "stopping":  # a second signal would let nothing finish
            send(instance.supervisor, signal.SIGTERM)
        say(f"{instance.name}: its supervisor ends its processes")
        if not _until(lambda: not is_alive(instance.supervisor), grace + 30):
            say(f"{instance.name}: its supervisor does not end, and is killed")
            send(instance.supervisor, signal.SIGKILL)
    left = state.read(folder)  # a supervisor that did its work has taken its state with it; one that died has not
    if left is None:
        return True
    well = True
    for stage in reversed(_stages(left)):
        well = _end_stage([each for each in left.alive() if each.stage == stage], say) and well
    state.forget(folder)
    return well


def _stages(instance: Instance) -> list[int]:
    return sorted({each.stage for each in instance.processes})


def _end_stage(processes: list[Process], say: Callable[[str], None]) -> bool:
    for each in processes:
        if each.process is not None and send(each.process, signal.Signals(each.end_signal)):
            say(f"  {each.name} ends")
    known = [each.process for each in processes if each.process is not None]
    longest = max((each.grace for each in processes), default=0.0)
    if _until(lambda: not any(is_alive(each) for each in known), longest):
        return True
    for each in processes:
        if each.process is not None and send(each.process, signal.SIGKILL):
            say(f"  {each.name} did not end within {each.grace:g} s, and is killed")
    _until(lambda: not any(is_alive(each) for each in known), 10)
    return False


def _until(holds: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK)
    return True
