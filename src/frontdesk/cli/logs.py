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

    def tell(name: str, line: str) -> None:
        click.echo(f"{name:<{width}}  {line}" if len(files) > 1 or service is None else line)

    for name, file in files.items():
        for line in last_lines(file, lines):
            tell(name, line)
    if follow:
        for name, line in followed(files):
            tell(name, line)


def _files(home: Path, service: str | None) -> dict[str, Path]:
    """The log files by their services, with the instance's name where two have one of the same.

    Raises `NotRunning`, `UnknownService`.
    """
    from frontdesk.operate.errors import NotRunning, UnknownService
    from frontdesk.operate.running.state import FOLDER
    from frontdesk.system.load import near

    files = sorted((home / FOLDER).glob("*/logs/*.log"))
    services = [file.stem for file in files]
    several = {name for name in services if services.count(name) > 1}
    found = {f"{file.parents[1].name}/{file.stem}" if file.stem in several else file.stem: file for file in files}
    if not found:
        raise NotRunning("No service has written a log here", where=str(home / FOLDER))
    if service is None:
        return found
    chosen = {name: file for name, file in found.items() if service in (name, file.stem)}
    if not chosen:
        hint = near(service, found) or f"There are: {', '.join(found)}."
        raise UnknownService(f"No service `{service}` has written a log", where=str(home / FOLDER), hint=hint)
    return chosen
