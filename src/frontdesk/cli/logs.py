"""`frontdesk logs`"""

from pathlib import Path

import click

from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Verb

EXAMPLES = """\
frontdesk logs                         the last lines of every service
frontdesk logs orchestrator -n 200     more of one
frontdesk logs -f                      all of them, as they are written"""


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@click.argument("service", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@click.option("-n", "--lines", type=click.IntRange(0), default=20, show_default=True, help="How many of each service.")
def logs(place: Place, service: str | None, follow: bool, lines: int) -> None:
    """Read what the services that run as processes of their own have written; also after their end."""
    from frontdesk.operate.running.logfiles import followed, last_lines

    files = _files(place.folder, service)
    width = max(map(len, files))
    for name, file in files.items():
        for line in last_lines(file, lines):
            click.echo(line if service else f"{name:<{width}}  {line}")
    if follow:
        for name, line in followed(files):
            click.echo(line if service else f"{name:<{width}}  {line}")


def _files(home: Path, service: str | None) -> dict[str, Path]:
    """The log files by their services. Raises `NotRunning`, `UnknownService`."""
    from frontdesk.operate.errors import NotRunning, UnknownService
    from frontdesk.operate.running.state import FOLDER
    from frontdesk.system.load import near

    found = {file.stem: file for file in sorted((home / FOLDER).glob("*/logs/*.log"))}
    if not found:
        raise NotRunning("No service has written a log here", where=str(home / FOLDER))
    if service is None:
        return found
    if service not in found:
        hint = near(service, found) or f"There are: {', '.join(found)}."
        raise UnknownService(f"No service `{service}` has written a log", where=str(home / FOLDER), hint=hint)
    return {service: found[service]}
