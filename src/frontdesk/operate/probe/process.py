"""Probes of processes: by number, by a file that holds it, or by the name of the program."""

import os
from pathlib import Path

from frontdesk.operate.probe.fault import Fault, Faulty
from frontdesk.operate.probe.target import Target

TABLE = Path("/proc")


def process(target: Target, _seconds: float) -> str:
    """Whether it runs and is no zombie. Raises `Faulty`."""
    word = target.path
    if word.isdigit():
        numbers = [int(word)]
    elif word.startswith(("/", ".")):
        numbers = [_number_in(Path(word))]
    else:
        numbers = [int(entry.name) for entry in TABLE.glob("[0-9]*") if _name_of(entry) == word[:15]]
    running = [number for number in numbers if _runs(number)]
    if not running:
        raise Faulty(Fault("missing", f"No process {word} runs", "Start it; its own log says why it ended."))
    return f"runs as {running[0]}" if len(running) == 1 else f"{len(running)} of them run"


def _number_in(file: Path) -> int:
    try:
        return int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError) as error:
        raise Faulty(
            Fault("missing", f"{file} holds no process's number", "Start it; then the file is there.")
        ) from error


def _name_of(entry: Path) -> str:
    try:
        return (entry / "comm").read_text().strip()  # the kernel keeps 15 characters (man 5 proc_pid_comm)
    except OSError:
        return ""


def _runs(number: int) -> bool:
    try:
        return (TABLE / str(number) / "stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        if TABLE.is_dir():
            return False
    try:
        os.kill(number, 0)  # no Linux: the number alone says enough
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
