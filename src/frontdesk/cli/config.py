"""`frontdesk config`"""

from dataclasses import asdict

import click

from frontdesk.cli.output import json_option, print_json, print_table
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Group

EXAMPLES = """\
frontdesk config show                          each setting in effect, and where it came from
frontdesk config show --set                    only what differs from the defaults
frontdesk config schema > system.schema.json   lets an editor complete the system file"""


@click.group(cls=Group, examples=EXAMPLES)
def config() -> None:
    """Show each setting in effect and where it came from."""


@config.command(examples="frontdesk config show http")
@placed
@json_option
@click.argument("section", required=False)
@click.option("--set", "only_set", is_flag=True, help="Only settings that do not have their default.")
def show(place: Place, as_json: bool, section: str | None, only_set: bool) -> None:
    """Show the settings in effect, of SECTION or of all. Secrets are not shown."""
    settings = [
        setting
        for setting in place.load().settings()
        if (section is None or setting.path.split(".")[0] == section)
        and not (only_set and setting.origin.kind == "default")
    ]
    if as_json:
        print_json([asdict(setting) for setting in settings])
        return
    rows = [(each.path, _short(each.value), each.variable or "", each.origin) for each in settings]
    print_table(rows, ("setting", "value", "variable", "from"))


@config.command(examples="frontdesk config schema > system.schema.json")
def schema() -> None:
    """Print the JSON Schema of the system file."""
    from frontdesk.system.schema import schema as whole

    print_json(whole())


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)  # pyright: ignore[reportUnknownArgumentType] — any list is shown by its items
    return text if len(text) <= 50 else f"{text[:49]}…"
