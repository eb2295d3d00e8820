"""`frontdesk down`"""

import sys

import click

from frontdesk.cli.output import note
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Verb

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
    from frontdesk.operate.errors import NotRunning
    from frontdesk.operate.running.ending import end
    from frontdesk.operate.running.state import folder_of, instances

    found = [instance for instance in instances(place.folder) if only in (None, instance.name)]
    if not found:
        raise NotRunning("Nothing runs as processes of its own here", where=str(place.folder), hint="")
    names = [process.name for instance in found for process in instance.alive()]
    if not yes:
        if not sys.stdin.isatty():
            raise Usage(f"This ends {len(names)} processes", where="--yes", hint="Say `frontdesk down --yes`.")
        click.confirm(f"End {', '.join(names)}?", abort=True, err=True)
    ended = True
    for instance in found:
        ended = end(instance, folder_of(place.folder, instance.name), note) and ended
    click.echo("All has ended. Next: frontdesk up --processes")
    return 0 if ended else 1
