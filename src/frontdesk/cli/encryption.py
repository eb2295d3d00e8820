"""`frontdesk encryption`"""

import asyncio
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
import msgspec

from frontdesk.cli.local import Local, open_local
from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Group

if TYPE_CHECKING:
    from collections.abc import Callable

    from frontdesk.store.rotation import Step

    Watcher = Callable[[Step], None]

EXAMPLES = """\
frontdesk encryption status               which text is sealed with which key
frontdesk encryption rotate --new-key     make a new key and move everything to it
frontdesk encryption rotate               go on, or move to ENCRYPTION_KEY"""


@click.group(cls=Group, examples=EXAMPLES)
def encryption() -> None:
    """See and change the keys that seal people's words in the database."""


@encryption.command(examples="frontdesk encryption status --json")
@placed
@json_option
def status(place: Place, as_json: bool) -> None:
    """Count what is sealed with the newest key, with older ones, and not at all. Reads whole tables."""
    from frontdesk.store.rotation import status as counted

    async def work(desk: Local) -> None:
        counts = await counted(desk.store.database)
        if as_json:
            print_json([msgspec.structs.asdict(count) for count in counts])
            return
        shown = [(each.column, each.newest, each.older, each.open) for each in counts]
        print_table(shown, ("column", "newest key", "older keys", "open"))
        behind = sum(each.older + each.open for each in counts)
        state = "Everything is sealed with it." if not behind else "Next: frontdesk encryption rotate"
        note(f"The newest key is {desk.store.database.ring.name}. {state}")

    asyncio.run(open_local(place.load(), work))


@encryption.command(examples="frontdesk encryption rotate --new-key")
@placed
@click.option("--new-key", is_flag=True, help="Make a new key first, where the desk keeps its own.")
@json_option
def rotate(place: Place, new_key: bool, as_json: bool) -> None:
    """Seal everything with the newest key. The desk may work meanwhile; what was cut off goes on when called again."""
    from frontdesk.app.sealing import renew_key
    from frontdesk.errors import WrongKey
    from frontdesk.store.rotation import rotate as rotating

    system = place.load()
    if new_key:
        note(f"The new key is {renew_key(system)}. The ones before it stay, to read with.")

    async def work(desk: Local) -> None:
        last: dict[str, Step] = {}
        with _progress(quiet=as_json) as watch:
            async for step in rotating(desk.store.database):
                last[step.column] = step
                watch(step)
        await desk.note_act("encryption.rotate", desk.store.database.ring.name)
        sealed = sum(step.done - step.unreadable for step in last.values())
        unreadable = sum(step.unreadable for step in last.values())
        if as_json:
            print_json({"sealed": sealed, "unreadable": unreadable})
        else:
            note(f"{sealed} values moved to the newest key. Keep the older keys until a backup is as new as this.")
        if unreadable:
            raise WrongKey(f"{unreadable} values could not be read, and were left as they are")

    asyncio.run(open_local(system, work))


@contextmanager
def _progress(*, quiet: bool) -> "Generator[Watcher]":
    """Bars on a terminal's stderr, one for each column that has something to do; nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda step: None  # noqa: ARG005 nobody watches
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bars: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as shown:

        def watch(step: "Step") -> None:
            if step.total and step.column not in bars:
                bars[step.column] = shown.add_task(step.column)
            if step.total:
                shown.update(bars[step.column], completed=step.done, total=step.total)

        yield watch
