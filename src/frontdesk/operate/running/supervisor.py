"""Keeps the processes of an instance running: begins them stage by stage, begins those anew that end by themselves,
replaces them one by one, and ends the last stage first. What it knows stands in the instance's state file.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from frontdesk.operate.errors import OrderFailed
from frontdesk.operate.running import logfiles, state
from frontdesk.operate.running.state import Instance, Process, ProcessState
from frontdesk.operate.running.unit import Living, Unit, begin

RESTARTS = 5  # of one process, before an opening desk gives up
LONG = 60.0  # seconds that a process must have lived for its end to count as a first one again
FIRST_WAIT, LONGEST_WAIT = 0.25, 30.0  # seconds before a process is begun anew; each further end doubles it
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
    """Where a unit's process is kept running. `now` is None while none runs; `beside` it others take over, or leave.

    `since` is when its stage, or its last end, made it begin; `ends` counts ends in a row, none after a long life.
    """

    unit: Unit
    now: Living | None = None
    beside: list[Living] = field(default_factory=list[Living])
    what: ProcessState = "starting"
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    since: float = 0.0
    restarts: int = 0
    ends: int = 0
    keeping: asyncio.Task[None] | None = None
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def living(self) -> list[Living]:
        """Every process of it that may run."""
        return [*self.beside, *([] if self.now is None else [self.now])]


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
        self._unwritten = False
        self._closed = False
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
        """Open, keep, close. `opened` is called once all are ready. The exit code: 0 when all ended well.

        Raises `OSError` when its state cannot be kept, before anything begins.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        loop.add_signal_handler(signal.SIGHUP, self._stopping.set)  # shells send it twice, and nobody insists by it
        self._panel = panel
        state.write(self._folder, self.instance)
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
            self._closed = True
            state.forget(self._folder)
        if self._why:
            self.show.say(f"The desk gives up: {self._why}.")
        return 1 if self._why else worst

    def stop(self) -> None:
        """End all in reverse order."""
        self._stopping.set()

    def told(self, **changes: object) -> None:
        """Note in the state file what has changed of the instance, and how each process is."""
        if self._closed:
            return
        places = self._in_order()
        self.instance = msgspec.structs.replace(
            self.instance,
            **changes,
            processes=tuple(_process(place, place.now) for place in places),
            beside=tuple(_process(place, each) for place in places for each in place.beside),
        )
        try:
            state.write(self._folder, self.instance)
        except OSError as error:  # a full disk ends nothing that runs
            if not self._unwritten:
                self.show.say(f"The state file cannot be written: {error.strerror}. What runs goes on.")
            self._unwritten = True
        else:
            self._unwritten = False

    async def _open(self) -> bool:
        for stage in self._stages():
            places = [place for place in self._in_order() if place.unit.stage == stage]
            self.show.stage(stage, [place.unit.name for place in places])
            for place in places:
                self._keep_from_now_on(place)
            begun = [place for place in self._in_order() if place.keeping is not None]
            await self._unless_stopping(asyncio.gather(*(place.ready.wait() for place in begun)))
            if self._stopping.is_set():
                return False
        self._opening = False
        return True

    def _keep_from_now_on(self, place: Place) -> None:
        place.since = time.monotonic()
        place.keeping = asyncio.create_task(self._keep(place), name=f"keep {place.unit.name}")

    async def _keep(self, place: Place) -> None:
        """Have a process of it run: see it become ready, and begin it anew whenever it ends by itself."""
        while not self._stopping.is_set():
            living = place.now
            if living is None:
                async with place.changing:
                    if place.now is None:
                        await self._begin(place)
            elif living.has_ended:
                async with place.changing:
                    if place.now is living:
                        self._has_ended(place, await living.ended, time.monotonic() - living.began)
            elif place.what == "starting":
                await self._see_ready(place, living)
            else:
                await asyncio.wait([living.ended])
            if place.what == "waiting":
                await self._unless_stopping(asyncio.sleep(_pause(place.ends)))

    async def _see_ready(self, place: Place, living: Living) -> None:
        if await living.ready(READY_SECONDS, self._stopping):
            async with place.changing:
                if place.now is living:
                    self._is(place, "ready", time.monotonic() - place.since)
        elif self._opening and not self._stopping.is_set() and not living.has_ended:
            self._give_up(place, f"{place.unit.name} did not get ready within {READY_SECONDS:g} seconds")

    async def _begin(self, place: Place) -> None:
        panel, self._panel = (self._panel, None) if place.unit.greets else (None, self._panel)
        try:
            place.now = await begin(place.unit, panel)
        except OSError as error:
            self._ended(place, f"cannot be started: {error.strerror}", for_good=True)
            return
        finally:
            if panel is not None:
                os.close(panel)
        self._is(place, "starting")

    def _has_ended(self, place: Place, code: int, lived: float) -> None:
        place.now = None
        place.ends = 0 if lived >= LONG else place.ends
        self._ended(place, f"has ended by itself ({_how(code)})", for_good=code in MISTAKES)

    def _ended(self, place: Place, words: str, *, for_good: bool) -> None:
        """It is begun anew after a while; or, while all opens, given up."""
        place.restarts += 1
        place.ends += 1
        place.since = time.monotonic()
        place.ready.clear()
        self.show.say(f"{place.unit.name} {words}.")
        if self._opening and (for_good or place.ends > RESTARTS):
            self._give_up(place, f"{place.unit.name} does not start")
        self._is(place, "waiting")

    async def _close(self) -> int:
        worst = 0
        keeping = [place.keeping for place in self._places.values() if place.keeping is not None]
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
        for stage in reversed(self._stages()):
            codes = await asyncio.gather(*(self._end(place) for place in self._in_order() if place.unit.stage == stage))
            worst = max(worst, *codes)
        return worst

    async def _end(self, place: Place) -> int:
        """End every process of it. 0 when they ended well."""
        if not place.living:
            return 0
        self._is(place, "ending")
        codes = await asyncio.gather(*(each.end() for each in place.living))
        place.now = None
        self.told()
        return max(int(code not in ENDED_WELL) for code in codes)

    # --- orders ---

    async def replace(self, unit: Unit) -> None:
        """Have a fresh process take a unit's place: it begins, and only when it is ready does the old one end.

        Raises `OrderFailed` when it does not get ready; the old one then goes on as if nothing had been.
        """
        place = self._places.get(unit.name) or Place(unit)
        async with place.changing:
            if self._stopping.is_set():
                raise OrderFailed("The desk is being stopped", where=unit.name)
            self._places[unit.name] = place
            try:
                await self._replace(place, unit)
            except OrderFailed:
                if place.keeping is None:  # there was none before
                    del self._places[unit.name]
                raise
        if place.keeping is None:
            self._keep_from_now_on(place)

    async def _replace(self, place: Place, unit: Unit) -> None:
        began, old, before = time.monotonic(), place.now, place.what
        self._is(place, "replacing")
        if unit.answers is not None and old is not None:  # two servers cannot share a port or their data
            await old.end()
            old = place.now = None
        fresh = await self._fresh(place, unit, before)
        place.unit, place.now = unit, fresh
        place.beside = [] if old is None else [old]
        self.told()
        if old is not None:
            await old.end()
        place.beside, place.ends = [], 0
        self._is(place, "ready", time.monotonic() - began)

    async def _fresh(self, place: Place, unit: Unit, before: ProcessState) -> Living:
        """A process of the unit that is ready. Raises `OrderFailed`; the place is as `before` then."""
        try:
            fresh = await begin(unit)
        except OSError as error:
            place.what = before
            self.told()
            raise OrderFailed(f"{unit.name} cannot be started: {error.strerror}", where=unit.command[0]) from error
        place.beside = [fresh]
        self.told()
        if await fresh.ready(READY_SECONDS, self._stopping):
            return fresh
        why = _how(await fresh.ended) if fresh.has_ended else f"within {READY_SECONDS:g} seconds"
        await fresh.end(10)
        place.beside, place.what = [], before
        self.told()
        if self._stopping.is_set():
            raise OrderFailed("The desk is being stopped", where=unit.name)
        lines = "\n       ".join(logfiles.last_lines(unit.log, LAST_LINES))
        raise OrderFailed(f"A fresh process of {unit.name} did not get ready ({why})", where=str(unit.log), hint=lines)

    async def remove(self, name: str) -> None:
        """End a unit's process for good."""
        place = self._places.get(name)
        if place is None:
            return
        if place.keeping is not None:
            place.keeping.cancel()
            await asyncio.gather(place.keeping, return_exceptions=True)
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
                for living in place.living if place.unit.answers is None else ():
                    living.kill()
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
        if what == "ready":
            place.ready.set()
        self.show.process(place.unit.name, place.unit.service, what, seconds)
        self.told()

    async def _unless_stopping(self, waiting: Awaitable[object]) -> None:
        """Wait for it, or until the stop."""
        waited, stopped = asyncio.ensure_future(waiting), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([waited, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waited.cancel()
            stopped.cancel()
            await asyncio.gather(waited, stopped, return_exceptions=True)

    async def _upkeep(self) -> None:
        while True:
            await asyncio.sleep(UPKEEP)
            self.told()  # whatever has become of the file meanwhile
            for path in sorted((self._folder / "logs").glob("*.log")):
                await asyncio.to_thread(logfiles.bound, path)

    def _stages(self) -> list[int]:
        return sorted({place.unit.stage for place in self._places.values()})

    def _in_order(self) -> list[Place]:
        return sorted(self._places.values(), key=lambda place: place.unit.stage)


def _process(place: Place, living: Living | None) -> Process:
    unit = place.unit if living is None else living.unit
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


def _pause(ends: int) -> float:
    """Seconds before a process is begun anew that has ended so often in a row."""
    return min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(ends - 1, 10))


def _how(code: int) -> str:
    try:
        return f"by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    except ValueError:
        return f"by signal {-code}"
