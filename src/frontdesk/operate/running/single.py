"""A desk in one process, told by a file in the home while it runs: `run/alone/PROCESS.json`. No supervisor keeps it."""

import contextlib
import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import msgspec

from frontdesk.operate.running.identity import Identity, identity_of, is_alive
from frontdesk.operate.running.state import FOLDER

ALONE = "alone"  # in the folder of what runs


class Single(msgspec.Struct, frozen=True, kw_only=True):
    """A process that a person started by itself, what it does there, and the addresses that it answers at."""

    process: Identity
    role: str
    addresses: tuple[str, ...]


@contextlib.contextmanager
def told(home: Path, role: str, addresses: Sequence[str]) -> Generator[None]:
    """Let other commands of this home know meanwhile where this process listens. A home that refuses stops nothing."""
    me = identity_of(os.getpid()) if os.name == "posix" else None
    file = home / FOLDER / ALONE / f"{os.getpid()}.json"
    if me is None or not addresses:
        yield
        return
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for found, left in _kept(home):
            if found is None:
                left.unlink(missing_ok=True)
        file.write_bytes(msgspec.json.encode(Single(process=me, role=role, addresses=tuple(addresses))))
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def singles(home: Path) -> list[Single]:
    """Those of this home that run now and listen, the first one first."""
    return [found for found, _ in _kept(home) if found is not None]


def _kept(home: Path) -> Iterator[tuple[Single | None, Path]]:
    """Each file, and whom it speaks of; None for one that has gone, or that cannot be read."""
    for file in sorted((home / FOLDER / ALONE).glob("*.json")):
        try:
            found = msgspec.json.decode(file.read_bytes(), type=Single)
        except (OSError, msgspec.MsgspecError):
            found = None
        yield found if found is not None and is_alive(found.process) else None, file
