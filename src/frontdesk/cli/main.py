"""The command `frontdesk`. Each verb is a module of this package, imported only when it is asked for.

Data go to stdout, messages to stderr. Exit codes: 0 done; 1 failed, or a problem was found; 2 wrong words, a wrong
system file or setting; 3 a package is missing; 4 the port is taken; 130 interrupted.
"""

import os
import sys

import click

from frontdesk import __version__
from frontdesk.cli.collector import look_seldom
from frontdesk.cli.shape import LazyGroup

VERBS = {
    "Run": {
        "up": "Run the desk until it is stopped.",
        "chat": "Ask the desk a question here in the terminal.",
        "ps": "List what runs as processes of its own.",
        "logs": "Read what the services write.",
        "restart": "Replace a service's processes by fresh ones; no call is lost.",
        "down": "End what runs in the background.",
    },
    "Set up": {
        "init": "Write a system file to start from.",
        "check": "Tell every mistake in the system file and the environment at once.",
        "config": "Show each setting in effect and where it came from.",
        "knowledge": "Add, list, remove and test what the desk knows.",
        "render": "Write files for other tools from the system file.",
        "build": "Build the images of a system with Docker.",
    },
    "Write to customers": {
        "customers": "List, import, export and erase those whom the desk may write to.",
        "events": "Take in what customers did, and build their profiles anew.",
        "decisions": "See what was decided about customers, why, and make it again.",
        "policies": "List, read and compare the policies by which customers are decided about.",
        "evolution": "Have strategies evolve, watch their trials, take them back.",
        "approvals": "Read messages that wait for a person, and approve or reject them.",
    },
    "Let people in": {
        "people": "List and invite people, make sign-in links.",
        "keys": "Create, list and revoke API keys.",
        "telegram": "Look after the bot, or try the desk without one.",
    },
    "Look after it": {
        "status": "Say whether the desk is up, and each of its parts.",
        "release": "Roll out a release, watch it, undo it.",
        "doctor": "Find out what keeps the desk from working.",
        "probe": "Ask whether the desk and its stores answer.",
        "checklist": "Evaluate what must be true before a release, and around it.",
        "verify": "Check after a release that all is there.",
        "secrets": "Make, list, renew and delete secrets.",
        "backup": "Copy the desk, sealed, and look after its copies.",
        "restore": "Bring a backup back into empty stores.",
        "encryption": "See and change the keys that seal people's words.",
        "load": "Let simulated people write, or ask for decisions, and see whether the desk keeps up.",
        "simulate": "Let customers who do not exist live with the desk, and see what it learns.",
        "completion": "Print the completion of a shell.",
        "version": "Print the version.",
    },
}
EXAMPLES = """\
frontdesk up                           run the desk
frontdesk chat "What can you do?"      ask it something
frontdesk knowledge add docs/          let it know your documents
frontdesk keys create my-script        a key for the API"""


@click.group(cls=LazyGroup, verbs=VERBS, examples=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="%(version)s")
@click.pass_context
def frontdesk(context: click.Context) -> None:
    """A self-hosted AI front desk: one file describes it, one command runs it."""
    if os.environ.get("NO_COLOR"):
        context.color = False


def main() -> None:
    """The entry point: runs the command and ends the process with its exit code."""
    look_seldom()
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Run the command and tell errors on stderr. The exit code."""
    try:
        code = frontdesk.main(words, prog_name="frontdesk", standalone_mode=False)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo(err=True)
        return 130
    except Exception as error:
        from frontdesk.cli.trouble import tell

        return tell(error)
    return code if isinstance(code, int) else 0
