"""How a person sees an instance open, change and close: a table that stays in its place, or plain lines."""

import contextlib
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from frontdesk.cli.output import note

if TYPE_CHECKING:
    from rich.table import Table

    from frontdesk.operate.running.state import ProcessState
    from frontdesk.operate.running.unit import Unit

MARKS = {"starting": "…", "ready": "●", "replacing": "↻", "waiting": "!", "ending": "·"}
COLOURS = {"starting": "dim", "ready": "green", "replacing": "yellow", "waiting": "red", "ending": "dim"}


class Lines:
    """A line for each thing that happens, on stderr."""

    def __init__(self, units: Iterable["Unit"]) -> None:
        self._width = max((len(unit.name) for unit in units), default=0)

    def stage(self, number: int, names: Sequence[str]) -> None:
        """These begin now."""
        self.say(f"Stage {number}: {', '.join(names)}")

    def process(self, name: str, service: str, what: "ProcessState", seconds: float) -> None:
        """Only what a person waits for is told."""
        if what == "ready":
            self.say(f"  {name:<{self._width}}  ready after {seconds:.1f} s")
        elif what in ("replacing", "ending"):
            self.say(f"  {name:<{self._width}}  {what}")

    def say(self, text: str) -> None:
        """Anything else. A terminal that has gone keeps nobody from working, or from ending well."""
        with contextlib.suppress(OSError):
            note(text)

    def end(self) -> None:
        """All is open: what follows are lines anyway."""


class LiveTable:
    """All processes in their stages, with state and seconds, until all is open; then lines."""

    def __init__(self, units: Iterable["Unit"]) -> None:
        from rich.console import Console
        from rich.live import Live

        self._units = list(units)
        self._states: dict[str, tuple[ProcessState, float]] = {}
        self._began: dict[int, float] = {}
        self._lines = Lines(self._units)
        self._live: Live | None = Live(
            console=Console(stderr=True), get_renderable=self._table, refresh_per_second=8, transient=False
        )
        self._live.start()

    def stage(self, number: int, names: Sequence[str]) -> None:
        """These begin now."""
        self._began[number] = time.monotonic()

    def process(self, name: str, service: str, what: "ProcessState", seconds: float) -> None:
        """One has come so far."""
        self._states[name] = (what, seconds)
        if self._live is None:
            self._lines.process(name, service, what, seconds)

    def say(self, text: str) -> None:
        """A line above the table."""
        if self._live is None:
            self._lines.say(text)
        else:
            with contextlib.suppress(OSError):
                self._live.console.print(text, highlight=False, markup=False)

    def end(self) -> None:
        """The table stands as it is now."""
        if self._live is not None:
            with contextlib.suppress(OSError):
                self._live.stop()
            self._live = None

    def _table(self) -> "Table":
        from rich.table import Table

        table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
        for heading in ("stage", "process", "state", "seconds"):
            table.add_column(heading, justify="right" if heading in ("stage", "seconds") else "left", no_wrap=True)
        now = time.monotonic()
        for unit in self._units:
            what, seconds = self._states.get(unit.name, (None, 0.0))
            shown = now - self._began.get(unit.stage, now) if what in (None, "starting", "waiting") else seconds
            begun = unit.stage in self._began
            state = "" if what is None else f"[{COLOURS[what]}]{MARKS[what]} {what}[/]"
            table.add_row(str(unit.stage), unit.name, state, f"{shown:.1f}" if begun else "")
        return table


def show(units: Iterable["Unit"]) -> Lines | LiveTable:
    """The table on a terminal, lines elsewhere."""
    return LiveTable(units) if sys.stderr.isatty() else Lines(units)


def panel(name: str, lines: dict[str, str]) -> str:
    """What a person is told once the desk is open."""
    head = click.style(f"{name} is open", bold=True)
    return "\n".join(["", f"  {head}", "", *(f"  {heading:<8} {text}" for heading, text in lines.items()), ""])
