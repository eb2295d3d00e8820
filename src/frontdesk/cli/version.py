"""`frontdesk version`"""

import platform

import click

from frontdesk import __version__
from frontdesk.cli.output import json_option, print_json
from frontdesk.cli.shape import Verb


@click.command(cls=Verb)
@json_option
def version(as_json: bool) -> None:
    """Print the version."""
    if as_json:
        print_json({"frontdesk": __version__, "python": platform.python_version()})
    else:
        click.echo(__version__)
