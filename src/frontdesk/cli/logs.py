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
    from frontdesk.operate.running.logfiles import followed, last_lines, sizes

    files = _chosen(place.folder, service)
    begun, names = sizes(files), set(files.values())

    def tell(name: str, line: str) -> None:
        names.add(name)
        width = max(map(len, names))
        click.echo(f"{name:<{width}}  {line}" if len(names) > 1 or service is None else line)

    for file, name in files.items():
        for line in last_lines(file, lines, begun[file]):
            tell(name, line)
    if follow:
        for name, line in followed(lambda: _of(_files(place.folder), service), begun):
            tell(name, line)


def _chosen(home: Path, service: str | None) -> dict[Path, str]:
    """The log files of a service, or of all. Raises `NotRunning`, `UnknownService`."""
    from frontdesk.operate.errors import NotRunning, UnknownService
    from frontdesk.operate.running.state import FOLDER
    from frontdesk.system.load import near

    found = _files(home)
    if not found:
        hint = "Services write logs from `frontdesk up --processes` on; a desk in one process tells its terminal."
        raise NotRunning("No service has written a log here", where=str(home / FOLDER), hint=hint)
    chosen = _of(found, service)
    if service is not None and not chosen:
        names = sorted(found.values())
        hint = near(service, names) or f"There are: {', '.join(names)}."
        raise UnknownService(f"No service `{service}` has written a log", where=str(home / FOLDER), hint=hint)
    return chosen


def _files(home: Path) -> dict[Path, str]:
    """The log files there are now with their services, and the instance's name where two have one of the same."""
    from frontdesk.operate.running.state import FOLDER

    files = sorted((home / FOLDER).glob("*/logs/*.log"))
    services = [file.stem for file in files]
    several = {name for name in services if services.count(name) > 1}
    return {file: f"{file.parents[1].name}/{file.stem}" if file.stem in several else file.stem for file in files}


def _of(files: dict[Path, str], service: str | None) -> dict[Path, str]:
    return {file: name for file, name in files.items() if service in (None, name, file.stem)}
