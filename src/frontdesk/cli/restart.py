"""`frontdesk restart`"""

from collections.abc import Sequence
from pathlib import Path

import click

from frontdesk.cli.output import note
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Verb

EXAMPLES = """\
frontdesk restart orchestrator
frontdesk restart web worker"""


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@click.argument("services", nargs=-1, required=True)
def restart(place: Place, services: tuple[str, ...]) -> None:
    """Replace the processes of SERVICES by fresh ones, one after the other: no call is lost."""
    restarted(place.folder, services)
    click.echo(f"Restarted: {', '.join(services)}. What runs: frontdesk ps")


def restarted(home: Path, services: Sequence[str]) -> None:
    """Have the services of this home restarted by whoever looks after them.

    Raises `NotRunning`, `UnknownService`, `NotLookedAfter`, `OrderFailed`.
    """
    from frontdesk.operate.errors import NotRunning, UnknownService
    from frontdesk.operate.running.control import order
    from frontdesk.operate.running.state import instances
    from frontdesk.system.load import near

    found = list(instances(home))
    if not found:
        raise NotRunning("Nothing runs as processes of its own here", where=str(home))
    known = [{name for each in instance.processes for name in (each.service, each.name)} for instance in found]
    everything = sorted({name for names in known for name in names})
    for service in services:
        if service not in everything:
            hint = near(service, everything) or "`frontdesk ps` lists what runs."
            raise UnknownService(f"No service `{service}` runs here", where=service, hint=hint)
    for instance, own in zip(found, known, strict=True):
        names = [service for service in services if service in own]
        if names:
            order(instance, {"act": "restart", "services": names}, note)
