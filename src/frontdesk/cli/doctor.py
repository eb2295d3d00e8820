"""`frontdesk doctor`"""

import asyncio

import click
import msgspec

from frontdesk.cli.output import json_option, note, print_json
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Verb

MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("fail", "red")}


@click.command(cls=Verb, examples="frontdesk doctor\nfrontdesk doctor --json")
@placed
@json_option
def doctor(place: Place, as_json: bool) -> int:
    """Find out what keeps the desk from working: stores, models, tools, ports, space. Ends with 1 if it must fail."""
    from frontdesk.app.checks import CHECKS
    from frontdesk.operate.doctor import examine

    findings = asyncio.run(examine(place.load(), CHECKS))
    failed = any(finding.result == "fail" for finding in findings)
    if as_json:
        print_json({"ok": not failed, "checks": [msgspec.structs.asdict(finding) for finding in findings]})
        return 1 if failed else 0
    for finding in findings:
        mark, colour = MARKS[finding.result]
        click.echo(f"{click.style(mark, fg=colour)}  {finding.check:<14} {finding.cause}")
        if finding.remedy:
            click.echo(f"      {'':<14} → {finding.remedy}")
    if not failed:
        note("Nothing keeps the desk from working. Next: frontdesk up")
    return 1 if failed else 0
