"""`frontdesk checklist`"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click
import msgspec

from frontdesk.cli.output import beside, json_option, note, print_json
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Verb

if TYPE_CHECKING:
    from frontdesk.operate.checklist.item import Checked, Items

EXAMPLES = """\
frontdesk checklist                                    the 37 items before a release
frontdesk checklist https://desk.example.com           the same, held against a running desk
frontdesk checklist --when before                      before a roll-out; also: during, after
frontdesk checklist --environment staging --json"""

MARKS = {"pass": ("pass  ", "green"), "fail": ("fail  ", "red"), "manual": ("manual", "yellow")}
When = Literal["release", "before", "during", "after"]


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@json_option
@click.argument("address", required=False, default="")
@click.option(
    "--when",
    type=click.Choice(["release", "before", "during", "after"]),
    default="release",
    show_default=True,
    help="Which list: before a release, or around its roll-out.",
)
@click.option(
    "--environment",
    type=click.Choice(["development", "staging", "production"]),
    default="production",
    show_default=True,
    help="What the system file says of this environment counts.",
)
@click.option("--context", default="", help="Ask Kubernetes too, by this context of kubectl.")
def checklist(place: Place, as_json: bool, address: str, when: When, environment: str, context: str) -> int:
    """Evaluate each item of a checklist: pass, fail, or manual, with the reason.

    It looks at the system file, this machine's settings and stores, and at the desk at ADDRESS. Ends with 1 if an item
    fails.
    """
    from frontdesk.operate.checklist.item import checked
    from frontdesk.operate.checklist.sight import look
    from frontdesk.operate.diagnosis.cluster import cluster_seen
    from frontdesk.system.layout.plan import Plan
    from frontdesk.system.load import together

    system, problems = place.examine({"desk.environment": environment})
    if system is None:
        raise together(problems)

    async def evaluated() -> "list[Checked]":
        seen = await cluster_seen(context, Plan(system).deployment.namespace) if context else None
        return checked(_items(when), await look(system, problems, address=address, cluster=seen))

    found = asyncio.run(evaluated())
    counts = {state: sum(each.state == state for each in found) for state in MARKS}
    if as_json:
        items = [msgspec.structs.asdict(each) for each in found]
        print_json({"ok": not counts["fail"], "environment": environment, **counts, "items": items})
    else:
        _tell(found)
        note(f"{counts['pass']} pass, {counts['fail']} fail, {counts['manual']} are for a person to look at.")
    return 1 if counts["fail"] else 0


def _items(when: When) -> "Items":
    from frontdesk.operate.checklist import release, rollout

    return {
        "release": release.ITEMS,
        "before": rollout.BEFORE,
        "during": rollout.DURING,
        "after": rollout.AFTER,
    }[when]


def _tell(found: "Sequence[Checked]") -> None:
    width = max(len(each.name) for each in found)
    group = ""
    for each in found:
        if each.group != group:
            group = each.group
            click.echo(click.style(f"{'' if each.number == 1 else chr(10)}{group}", bold=True))
        mark, colour = MARKS[each.state]
        head = f"{each.number:>3}  {click.style(mark, fg=colour)}  {each.name:<{width}}  "
        click.echo(beside(head, width + 15, each.reason))
