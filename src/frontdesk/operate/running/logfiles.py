"""The log file of each service: bounded, read from its end, and followed.

A service writes to the end of its own file by itself, so that no supervisor's end can stop it. When the file has grown,
it is copied aside and cut: lines that are written within that moment can be lost, the file's bound holds.
"""

import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

LARGEST = 10 * 1024 * 1024  # bytes of a file, before it is put aside
KEPT = 3  # files put aside
LOOK = 0.2  # seconds between two looks of whoever follows


def opened(path: Path) -> int:
    """A handle that writes to the end of the file, whoever else does."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def bound(path: Path, largest: int = LARGEST) -> None:
    """Put the file aside as `NAME.log.1` (and that as `.2` …) when it has grown beyond `largest` bytes."""
    try:
        if path.stat().st_size <= largest:
            return
    except FileNotFoundError:
        return
    for number in range(KEPT - 1, 0, -1):
        older = _aside(path, number)
        if older.exists():
            older.replace(_aside(path, number + 1))
    shutil.copyfile(path, _aside(path, 1))
    _aside(path, 1).chmod(0o600)
    os.truncate(path, 0)


def last_lines(path: Path, number: int, until: int | None = None) -> list[str]:
    """The last lines, from the file put aside too where the present one is shorter; none from beyond byte `until`."""
    lines: deque[str] = deque(maxlen=max(number, 0))
    for file, most in ((_aside(path, 1), -1), (path, -1 if until is None else until)):
        try:
            with file.open("rb") as opened:
                text = opened.read(most).decode(errors="replace")
        except FileNotFoundError:
            continue
        if text:
            lines.extend(text.removesuffix("\n").split("\n"))
    return list(lines)


def sizes(paths: Iterable[Path]) -> dict[Path, int]:
    """How far each file goes now."""
    return {path: path.stat().st_size if path.exists() else 0 for path in paths}


def followed(files: Callable[[], Mapping[Path, str]], begun: Mapping[Path, int]) -> Iterator[tuple[str, str]]:
    """Each line that is written beyond the `sizes` with which it has begun, with the name of its file; never ends.

    `files` is asked at each look, so that whoever begins later is heard from its first line on.
    """
    places, rests = dict(begun), dict[Path, bytes]()
    while True:
        for path, name in files().items():
            text, places[path] = _written_since(path, places.get(path, 0))
            *lines, rests[path] = (rests.get(path, b"") + text).split(b"\n")
            yield from ((name, line.decode(errors="replace")) for line in lines)
        time.sleep(LOOK)


def _written_since(path: Path, place: int) -> tuple[bytes, int]:
    """What the file holds from `place` on, and where it ends now. If it was cut, its former end lies aside."""
    size = path.stat().st_size if path.exists() else 0
    rest = b""
    if size < place:
        rest, _ = _written_since(_aside(path, 1), place) if _aside(path, 1).exists() else (b"", 0)
        place = 0
    if size == place:
        return rest, place
    with path.open("rb") as file:
        file.seek(place)
        return rest + file.read(), file.tell()


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
