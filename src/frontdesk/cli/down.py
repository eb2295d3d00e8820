"""`frontdesk down`"""

import sys
from typing import TYPE_CHECKING

import click

from frontdesk.cli.output import note
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Verb

if TYPE_CHECKING:
    from frontdesk.operate.running.state import Instance

EXAMPLES = """\
frontdesk down
frontdesk down --yes
frontdesk down --only pc2"""


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@click.option("--only", metavar="INSTANCE", help="Only this instance: `desk`, or the name of a host.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def down(place: Place, only: str | None, yes: bool) -> int:
    """End what `frontdesk up` keeps running for this home, the last stage first. Running answers finish before."""
    from frontdesk.errors import Usage
    from frontdesk.operate.running.ending import end
    from frontdesk.operate.running.state import folder_of

    found, others = _meant(place, only)
    names = [process.name for instance in found for process in instance.alive()]
    if not yes:
        if not sys.stdin.isatty():
            raise Usage(f"This ends {len(names)} processes", where="--yes", hint="Say `frontdesk down --yes`.")
        click.confirm(f"End {', '.join(names)}?", abort=True, err=True)
    if others and any(_has_stores(instance) for instance in found):
        note(f"{', '.join(others)} may use its stores, which end with it")
    ended = True
    for instance in found:
        ended = end(instance, folder_of(place.folder, instance.name), note) and ended
    click.echo("All has ended. Next: frontdesk up --processes")
    return 0 if ended else 1


def _meant(place: Place, only: str | None) -> "tuple[list[Instance], list[str]]":
    """The instances to end, those last whose stores others may use; and the names of the others.

    Raises `NotRunning`, `Usage`.
    """
    from frontdesk.errors import Usage
    from frontdesk.operate.errors import NotRunning
    from frontdesk.operate.running.state import instances
    from frontdesk.system.load import near

    every = sorted(instances(place.folder), key=_has_stores)
    if not every:
        hint = "A desk in one process ends by Ctrl+C where it was started."
        raise NotRunning("Nothing runs as processes of its own here", where=str(place.folder), hint=hint)
    names = [instance.name for instance in every]
    if only is not None and only not in names:
        hint = near(only, names) or f"There are: {', '.join(names)}."
        raise Usage(f"No instance `{only}` runs here", where="--only", hint=hint)
    return [each for each in every if only in (None, each.name)], [name for name in names if only not in (None, name)]


def _has_stores(instance: "Instance") -> bool:
    return any(process.role == "store" for process in instance.alive())
