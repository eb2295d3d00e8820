"""Keeps the processes of an instance running: begins them stage by stage, begins those anew that end by themselves,
replaces them one by one, and ends the last stage first. What it knows stands in the instance's state file.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from frontdesk.operate.errors import OrderFailed
from frontdesk.operate.running import logfiles, state
from frontdesk.operate.running.state import Instance, Process, ProcessState
from frontdesk.operate.running.unit import Living, Unit, begin

RESTARTS = 5  # of one process within a minute, before an opening desk gives up
MINUTE = 60.0
FIRST_WAIT, LONGEST_WAIT = 0.25, 30.0  # seconds before a process is begun anew; each death within a minute doubles it
READY_SECONDS = 120.0
UPKEEP = 10.0  # seconds between two looks at the sizes of logs
LAST_LINES = 8  # of the log of what did not start, told with it
ENDED_WELL = (0, -signal.SIGTERM, -signal.SIGINT)  # by our signal, if it came before the process could listen for it
MISTAKES = (2, 3, 4, 5)  # exit codes that no other try mends: settings, packages, ports, a newer database


class Show(Protocol):
    """Tells a person how it goes."""

    def stage(self, number: int, names: Sequence[str]) -> None:
        """These begin now."""
        ...

    def process(self, name: str, service: str, what: ProcessState, seconds: float) -> None:
        """One has come so far, so many seconds after its stage or its order began."""
        ...

    def say(self, text: str) -> None:
        """Anything else."""
        ...


@dataclass(slots=True)
class Place:
    """Where a unit's process is kept running. `now` is None while it waits to be begun anew."""

    unit: Unit
    now: Living | None = None
    what: ProcessState = "starting"
    restarts: int = 0
    deaths: list[float] = field(default_factory=list[float])
    keeping: asyncio.Task[None] | None = None
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Supervisor:
    """Runs `units` as `instance` until SIGTERM, SIGINT or an order to stop. Only one at a time has an instance."""

    def __init__(self, instance: Instance, units: Sequence[Unit], folder: Path, show: Show) -> None:
        self.instance = instance
        self.show = show
        self._folder = folder
        self._places = {unit.name: Place(unit) for unit in units}
        self._stopping = asyncio.Event()
        self._opening = True
        self._why = ""
        self._panel: int | None = None

    # --- what others read ---

    @property
    def units(self) -> tuple[Unit, ...]:
        """What is meant to run, in the order of starting."""
        return tuple(place.unit for place in self._in_order())

    @property
    def is_stopping(self) -> bool:
        """Whether it has been asked to end."""
        return self._stopping.is_set()

    def living(self, name: str) -> Living | None:
        """The process of a unit, while one runs."""
        place = self._places.get(name)
        return place.now if place and place.now and not place.now.has_ended else None

    def restarts(self, name: str) -> int:
        """How often it ended by itself and was begun anew."""
        return self._places[name].restarts

    # --- its life ---

    async def run(self, opened: Callable[[], None], panel: int | None = None) -> int:
        """Open, keep, close. `opened` is called once all are ready. The exit code: 0 when all ended well."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._signalled)
        self._panel = panel
        upkeep = asyncio.create_task(self._upkeep(), name="upkeep")
        try:
            if await self._open():
                self._close_panel()  # where nothing greets, whoever reads it would wait
                self.told(state="open")
                opened()
                await self._stopping.wait()
        finally:
            self._stopping.set()
            self.told(state="stopping")
            worst = await self._close()
            upkeep.cancel()
            await asyncio.gather(upkeep, return_exceptions=True)
            state.forget(self._folder)
        if self._why:
            self.show.say(f"The desk gives up: {self._why}.")
        return 1 if self._why else worst

    def stop(self) -> None:
        """End all in reverse order."""
        self._stopping.set()

    def told(self, **changes: object) -> None:
        """Note in the state file what has changed of the instance, and how each process is."""
        self.instance = msgspec.structs.replace(
            self.instance, **changes, processes=tuple(_process(place) for place in self._in_order())
        )
        state.write(self._folder, self.instance)

    async def _open(self) -> bool:
        for stage in self._stages():
            self.show.stage(stage, [place.unit.name for place in self._in_order() if place.unit.stage == stage])
            began = time.monotonic()
            places = [place for place in self._in_order() if place.unit.stage == stage]
            await asyncio.gather(*(self._start(place, began) for place in places))
            if self._stopping.is_set():
                return False
        self._opening = False
        return True

    async def _start(self, place: Place, began: float) -> None:
        """Begin a place's first process and wait until it is ready, or the opening has failed."""
        await self._begin(place)
        place.keeping = asyncio.create_task(self._keep(place), name=f"keep {place.unit.name}")
        while not self._stopping.is_set():
            living = place.now
            if living is not None and await living.ready(READY_SECONDS):
                self._is(place, "ready", time.monotonic() - began)
                return
            if time.monotonic() - began > READY_SECONDS:
                self._give_up(place, f"{place.unit.name} did not get ready within {READY_SECONDS:g} seconds")
            await self._or_stopping(0.1)

    async def _begin(self, place: Place) -> Living | None:
        panel, self._panel = (self._panel, None) if place.unit.greets else (None, self._panel)
        try:
            place.now = await begin(place.unit, panel)
        except OSError as error:
            self._give_up(place, f"{place.unit.name} cannot be started: {error.strerror}")
            return None
        finally:
            if panel is not None:
                os.close(panel)
        self._is(place, "starting")
        return place.now

    async def _keep(self, place: Place) -> None:
        """Begin the place's process anew whenever it ends by itself."""
        while not self._stopping.is_set():
            living = place.now
            if living is None:
                await self._or_stopping(0.1)
                continue
            code = await asyncio.shield(living.ended)
            async with place.changing:
                if not self._stopping.is_set() and not living.leaving and place.now is living:
                    await self._again(place, code)
                    continue
            await self._or_stopping(0.1)

    async def _again(self, place: Place, code: int) -> None:
        now = time.monotonic()
        place.restarts += 1
        place.deaths = [death for death in place.deaths if now - death < MINUTE] + [now]
        self.show.say(f"{place.unit.name} has ended by itself ({_how(code)}).")
        place.now = None
        if self._opening and (code in MISTAKES or len(place.deaths) > RESTARTS):
            self._give_up(place, f"{place.unit.name} does not start")
            return
        self._is(place, "waiting")
        await self._or_stopping(min(LONGEST_WAIT, FIRST_WAIT * 2 ** (len(place.deaths) - 1)))
        if self._stopping.is_set():
            return
        fresh = await self._begin(place)
        if not self._opening and fresh is not None and await fresh.ready(READY_SECONDS):
            self._is(place, "ready", time.monotonic() - now)

    async def _close(self) -> int:
        worst = 0
        keeping = [place.keeping for place in self._places.values() if place.keeping is not None]
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
        for stage in reversed(self._stages()):
            living = [place for place in self._in_order() if place.unit.stage == stage and place.now is not None]
            codes = await asyncio.gather(*(self._end(place) for place in living))
            worst = max(worst, *(int(code not in ENDED_WELL) for code in codes), 0)
        return worst

    async def _end(self, place: Place) -> int:
        living = place.now
        if living is None:
            return 0
        self._is(place, "ending")
        code = await living.end()
        place.now = None
        self.told()
        return code

    # --- orders ---

    async def replace(self, unit: Unit) -> None:
        """Have a fresh process take a unit's place: it begins, and only when it is ready does the old one end.

        Raises `OrderFailed` when it does not get ready; the old one then goes on as if nothing had been.
        """
        place = self._places.get(unit.name)
        if place is None:
            self._places[unit.name] = place = Place(unit)
        async with place.changing:
            await self._replace(place, unit)

    async def _replace(self, place: Place, unit: Unit) -> None:
        began, old = time.monotonic(), place.now
        self._is(place, "replacing")
        if unit.answers is not None and old is not None:  # two servers cannot share a port or their data
            await old.end()
        try:
            fresh = await begin(unit)
        except OSError as error:
            self._is(place, "ready")
            raise OrderFailed(f"{unit.name} cannot be started: {error.strerror}", where=unit.command[0]) from error
        if not await fresh.ready(READY_SECONDS) or self._stopping.is_set():
            code = await fresh.end(0 if fresh.has_ended else 10)
            self._is(place, "ready" if old is not None and not old.has_ended else "waiting")
            if old is not None and old.leaving and not self._stopping.is_set():
                await self._begin(place)
            lines = "\n       ".join(logfiles.last_lines(unit.log, LAST_LINES))
            raise OrderFailed(
                f"A fresh process of {unit.name} did not get ready ({_how(code)})", where=str(unit.log), hint=lines
            )
        place.unit, place.now = unit, fresh
        if place.keeping is None:
            place.keeping = asyncio.create_task(self._keep(place), name=f"keep {unit.name}")
        self.told()
        if old is not None and not old.has_ended:
            await old.end()
        self._is(place, "ready", time.monotonic() - began)

    async def remove(self, name: str) -> None:
        """End a unit's process for good."""
        place = self._places.get(name)
        if place is None:
            return
        if place.keeping is not None:
            place.keeping.cancel()
        await self._end(place)
        del self._places[name]
        self.told()

    # --- within ---

    def _close_panel(self) -> None:
        if self._panel is not None:
            os.close(self._panel)
            self._panel = None

    def _signalled(self) -> None:
        if self._stopping.is_set():  # the second time: nothing is waited for but servers, which others rest on
            for place in self._places.values():
                if place.now is not None and place.unit.answers is None:
                    place.now.kill()
        self._stopping.set()

    def _give_up(self, place: Place, why: str) -> None:
        if not self._why:
            self._why = why
            self.show.say(f"The end of {place.unit.log}:")
            for line in logfiles.last_lines(place.unit.log, LAST_LINES):
                self.show.say(f"    {line}")
        self._stopping.set()

    def _is(self, place: Place, what: ProcessState, seconds: float = 0) -> None:
        place.what = what
        self.show.process(place.unit.name, place.unit.service, what, seconds)
        self.told()

    async def _or_stopping(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    async def _upkeep(self) -> None:
        while True:
            await asyncio.sleep(UPKEEP)
            for path in {place.unit.log for place in self._places.values()}:
                await asyncio.to_thread(logfiles.bound, path)

    def _stages(self) -> list[int]:
        return sorted({place.unit.stage for place in self._places.values()})

    def _in_order(self) -> list[Place]:
        return sorted(self._places.values(), key=lambda place: place.unit.stage)


def _process(place: Place) -> Process:
    unit, living = place.unit, place.now
    return Process(
        name=unit.name,
        service=unit.service,
        role=unit.role,
        stage=unit.stage,
        state=place.what,
        process=None if living is None else living.identity,
        since=datetime.now(UTC).isoformat(timespec="seconds") if living is None else living.since,
        restarts=place.restarts,
        log=str(unit.log),
        end_signal=int(unit.end),
        grace=unit.grace,
        release=unit.release,
        own_port=None if living is None else living.own_port,
        addresses=unit.addresses,
    )


def _how(code: int) -> str:
    try:
        return f"by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    except ValueError:
        return f"by signal {-code}"
