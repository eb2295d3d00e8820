"""`frontdesk render`"""

from pathlib import Path

import click

from frontdesk.cli.output import note
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Group

EXAMPLES = """\
frontdesk render alerts --blueprint conversation --out prometheus/
promtool check rules prometheus/alerts.yml"""


@click.group(cls=Group, examples=EXAMPLES)
def render() -> None:
    """Write files for other tools from the system file."""


@render.command(examples="frontdesk render alerts --out prometheus/")
@placed
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder to write to.")
def alerts(place: Place, out: Path) -> int:
    """Write the alerts of the section `alerts` as a rule file for Prometheus. Ends with 1 if there are none."""
    from frontdesk.render.prometheus import alert_rules
    from frontdesk.system.alerts import AlertsOptions

    options = place.load().section(AlertsOptions)
    if not options.rules:
        note("The system file has no section `alerts`. The blueprint `conversation` shows one.")
        return 1
    _write(alert_rules(options), out)
    return 0


def _write(files: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        click.echo(folder / name)
