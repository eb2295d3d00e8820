"""One process that is to run: its command, what it is handed, how it is asked whether it is ready, how it ends."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from frontdesk.operate.running import logfiles
from frontdesk.operate.running.asking import is_ready
from frontdesk.operate.running.identity import Identity, identity_of

LISTENERS = "FRONTDESK_LISTENERS"  # the sockets that a process is handed: `desk=5,6 own=7`
PANEL = "FRONTDESK_PANEL"  # the pipe into which a process writes what a person is told when the desk is open
LOOK = 0.1  # seconds between two looks at whether a process is ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A process of a service, `NAME` or `NAME-2`. `variables` are its whole environment.

    `listeners` are shared by all processes of a service, so what arrives while one ends goes to the next. A server says
    by `answers` whether it is ready; anything else is handed a socket of its own and asked there.
    """

    name: str
    service: str
    role: str
    stage: int
    command: tuple[str, ...]
    variables: Mapping[str, str]
    log: Path
    listeners: Mapping[str, Sequence[socket.socket]] = field(default_factory=dict[str, Sequence[socket.socket]])
    addresses: tuple[str, ...] = ()
    answers: Callable[[], bool] | None = None
    end: signal.Signals = signal.SIGTERM
    grace: float = 75.0
    user: int | None = None
    group: int | None = None
    folder: Path | None = None
    greets: bool = False
    release: int | None = None


@dataclass(slots=True)
class Living:
    """A unit's process while it runs, and `leaving` once it is meant to end."""

    unit: Unit
    process: asyncio.subprocess.Process
    ended: asyncio.Task[int]
    identity: Identity | None
    own_port: int | None
    since: str
    began: float
    leaving: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether only its exit code is left."""
        return self.process.returncode is not None

    async def ready(self, patience: float, stopping: asyncio.Event) -> bool:
        """Wait until it can work. False: it has ended, or the stop came, or `patience` seconds were not enough."""
        asks: Callable[[], Awaitable[bool]] = self._server_answers if self.unit.answers else self._says_ready
        until = time.monotonic() + patience
        while not self.has_ended and not stopping.is_set() and time.monotonic() < until:
            if await asks():
                return not self.has_ended
            await asyncio.wait([self.ended], timeout=LOOK)
        return False

    async def end(self, seconds: float | None = None) -> int:
        """Ask it to end, once, and after its grace (or so many seconds) insist. The exit code."""
        if not self.leaving:
            self.leaving = True
            self._signal(self.unit.end)
        try:
            async with asyncio.timeout(self.unit.grace if seconds is None else seconds):
                return await asyncio.shield(self.ended)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            return await self.ended

    def kill(self) -> None:
        """End it at once."""
        self.leaving = True
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if not self.has_ended:
            self.process.send_signal(number)

    async def _server_answers(self) -> bool:
        assert self.unit.answers is not None
        return await asyncio.to_thread(self.unit.answers)

    async def _says_ready(self) -> bool:
        return self.own_port is not None and await is_ready(self.own_port)


async def begin(unit: Unit, panel: int | None = None) -> Living:
    """Start a process of the unit, in a process group of its own so that Ctrl+C reaches its supervisor alone.

    `panel` is a pipe's end that it may tell a person by. Raises `OSError` when the program cannot be started.
    """
    handed = {name: [each.fileno() for each in sockets] for name, sockets in unit.listeners.items() if sockets}
    own = None if unit.answers else _own_socket()
    if own is not None:
        handed["own"] = [own.fileno()]
    variables = dict(unit.variables)
    if handed:
        variables[LISTENERS] = " ".join(f"{name}={','.join(map(str, numbers))}" for name, numbers in handed.items())
    if panel is not None:
        variables[PANEL] = str(panel)
    log = logfiles.opened(unit.log)
    passed = [number for numbers in handed.values() for number in numbers] + ([] if panel is None else [panel])
    try:
        process = await asyncio.create_subprocess_exec(
            *unit.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=variables,
            cwd=unit.folder,
            pass_fds=passed,
            process_group=0,
            user=unit.user,
            group=unit.group,
            extra_groups=None if unit.user is None else [],
        )
        own_port: int | None = own.getsockname()[1] if own is not None else None
    finally:
        os.close(log)
        if own is not None:
            own.close()
    return Living(
        unit=unit,
        process=process,
        ended=asyncio.create_task(process.wait(), name=unit.name),
        identity=identity_of(process.pid),
        own_port=own_port,
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        began=time.monotonic(),
    )


def _own_socket() -> socket.socket:
    own = socket.socket()
    own.bind(("127.0.0.1", 0))
    own.listen(64)
    return own
