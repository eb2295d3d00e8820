"""What runs on this machine, told by files in the home: `run/INSTANCE/state.json`, written by the supervisor alone.

The file outlives its supervisor, so that what it started can still be found and ended.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from frontdesk.operate.errors import StateDamaged
from frontdesk.operate.running.identity import Identity, is_alive

FOLDER = "run"  # in the home
FILE = "state.json"

ProcessState = Literal["starting", "ready", "replacing", "waiting", "ending"]
InstanceState = Literal["starting", "open", "rolling", "stopping"]


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A process of a service. `own_port` answers for it alone: /health, /ready and /metrics, on loopback.

    `since` is when it began, in UTC. `waiting`: it has ended by itself, and is begun again after a pause.
    """

    name: str
    service: str
    role: str
    stage: int
    state: ProcessState
    process: Identity | None
    since: str
    restarts: int
    log: str
    end_signal: int
    grace: float
    release: int | None = None
    own_port: int | None = None
    addresses: tuple[str, ...] = ()


class Control(msgspec.Struct, frozen=True):
    """Where the supervisor takes orders, and the word that they must bring."""

    port: int
    token: str


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """A running system, or a part of one: what `frontdesk up --processes` has started.

    `version` is that of its release, `supervisor_version` that of whoever began it and looks after it since.
    """

    name: str
    desk: str
    version: str
    state: InstanceState
    since: str
    home: str
    system_file: str | None
    environment: str
    offset: int
    supervisor: Identity
    control: Control
    supervisor_version: str = ""
    release: int | None = None
    address: str = ""
    stores: dict[str, str] = {}  # what each store is, without passwords
    processes: tuple[Process, ...] = ()
    beside: tuple[Process, ...] = ()  # those that take over from them just now, or leave
    missing: dict[str, str] = {}  # services that are not started, and why

    @property
    def is_looked_after(self) -> bool:
        """Whether its supervisor lives."""
        return is_alive(self.supervisor)

    @property
    def lags(self) -> bool:
        """Whether its supervisor is of another version than the processes, which a release has replaced meanwhile."""
        return self.supervisor_version not in ("", self.version)

    def alive(self) -> tuple[Process, ...]:
        """Its processes that still run, those that take over or leave included."""
        everyone = (*self.processes, *self.beside)
        return tuple(each for each in everyone if each.process is not None and is_alive(each.process))


def folder_of(home: Path, instance: str) -> Path:
    """Where an instance keeps its state and logs."""
    return home / FOLDER / instance


def read(folder: Path) -> Instance | None:
    """What the folder's state file says; None when there is none. Raises `StateDamaged`."""
    try:
        data = (folder / FILE).read_bytes()
        # Nothing but zeros is what a file may be after the whole machine fell: nothing of it can still run.
        return msgspec.json.decode(data, type=Instance) if data.strip(b"\0") else None
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise StateDamaged("What runs here cannot be read", where=str(folder / FILE)) from error


def write(folder: Path, instance: Instance) -> None:
    """Put it in the place of what was there, at once. Only this user may read it: it holds the word of control."""
    partial = folder / f"{FILE}.{os.getpid()}"
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(instance)))
    partial.replace(folder / FILE)


def forget(folder: Path) -> None:
    """Nothing of this instance runs any more."""
    (folder / FILE).unlink(missing_ok=True)


def instances(home: Path) -> Iterator[Instance]:
    """Every instance of this home of which something may still run. Raises `StateDamaged`."""
    for file in sorted((home / FOLDER).glob(f"*/{FILE}")):
        found = read(file.parent)
        if found is not None and (found.is_looked_after or found.alive()):
            yield found
