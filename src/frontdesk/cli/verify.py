"""`frontdesk verify`"""

import asyncio

import click
import msgspec

from frontdesk.cli.output import beside, json_option, note, print_json
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Verb

EXAMPLES = """\
frontdesk verify                                                   the desk of this system file
frontdesk verify https://api.example.com --pages https://example.com    two public hosts
frontdesk verify https://api.example.com --context prod            and its pods, asked by kubectl"""


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@json_option
@click.argument("address", required=False, default="")
@click.option("--pages", default="", help="Where the pages answer, if not where the API does.")
@click.option("--context", default="", help="Ask Kubernetes by this context of kubectl; stores are asked in a pod.")
@click.option("--namespace", default="", help="The namespace there; else the system file's.")
def verify(place: Place, as_json: bool, address: str, pages: str, context: str, namespace: str) -> int:
    """Check after a release that all is there: replicas, endpoints, health, metrics, database, Redis.

    Ends with 1 if one of the six is not.
    """
    from frontdesk.operate.verify import verify as verified
    from frontdesk.system.load import together

    system, problems = place.examine()
    if system is None:
        raise together(problems)
    checks = asyncio.run(verified(system, address=address, pages=pages, context=context, namespace=namespace))
    bad = [check for check in checks if not check.ok]
    if as_json:
        print_json({"ok": not bad, "checks": [msgspec.structs.asdict(check) for check in checks]})
        return 1 if bad else 0
    for number, check in enumerate(checks, start=1):
        mark, colour = ("ok  ", "green") if check.ok else ("fail", "red")
        click.echo(beside(f"{number}  {click.style(mark, fg=colour)}  {check.name:<10} ", 20, check.reason))
    note(f"{len(bad)} of {len(checks)} failed. Next: frontdesk doctor" if bad else "The release is there, whole.")
    return 1 if bad else 0
