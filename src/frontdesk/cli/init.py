"""`frontdesk init`"""

from pathlib import Path

import click

from frontdesk.cli.output import note
from frontdesk.cli.place import FOLDER
from frontdesk.cli.shape import Verb
from frontdesk.errors import Conflict, NotFound
from frontdesk.system.home import SYSTEM_FILE, blueprint_file, blueprints, home_folder

EXAMPLES = """\
frontdesk init                     the blueprint assistant, into the desk's home
frontdesk init assistant .         the same, into this folder"""


@click.command(cls=Verb, examples=EXAMPLES)
@click.argument("blueprint", default="assistant")
@click.argument("folder", type=FOLDER, required=False)
@click.option("--force", is_flag=True, help="Replace a system file that stands there.")
def init(blueprint: str, folder: Path | None, force: bool) -> None:
    """Write a system file to start from: a copy of BLUEPRINT, with every part explained, into FOLDER."""
    if blueprint not in blueprints():
        raise NotFound(f"There is no blueprint `{blueprint}`", hint=f"There are: {', '.join(blueprints())}.")
    file = (folder or home_folder()) / SYSTEM_FILE
    if file.exists() and not force:
        raise Conflict(
            "A system file stands there already", where=str(file), hint="frontdesk init --force replaces it."
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(blueprint_file(blueprint).read_text())
    click.echo(file)
    note("Next: frontdesk check, then frontdesk up" + (f" --system {file}" if folder else ""))
