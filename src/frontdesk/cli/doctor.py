"""`frontdesk doctor`"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from frontdesk.cli.output import beside, json_option, note, print_json
from frontdesk.cli.place import FILE, Place, placed
from frontdesk.cli.shape import Verb

if TYPE_CHECKING:
    from frontdesk.operate.diagnosis.observe import Wanted
    from frontdesk.operate.diagnosis.report import Part
    from frontdesk.operate.doctor import Finding
    from frontdesk.system.system import System

EXAMPLES = """\
frontdesk doctor                                    this desk, as it is
frontdesk doctor --over 30                          and how it does within the next 30 seconds
frontdesk doctor --address http://desk.internal:8000    another one, from here
frontdesk doctor --service orchestrator             whom it cannot reach, and at which hop
frontdesk doctor --context prod                     and what Kubernetes says of its pods
frontdesk doctor --report                           six parts: replicas, endpoints, use, errors, health, decisions"""

MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("fail", "red"), "bad": ("bad ", "red")}


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@json_option
@click.option("--address", default="", help="Where the desk answers, if not where the system file says.")
@click.option("--over", type=click.FloatRange(0, 600), default=0.0, help="Look at figures again after these seconds.")
@click.option("--service", default="", help="Ask the neighbours of this service of the system file, from here.")
@click.option("--context", default="", help="Ask Kubernetes too, by this context of kubectl.")
@click.option("--namespace", default="", help="The namespace there; else the system file's.")
@click.option("--log", type=FILE, help="A log of the desk, besides those that are known.")
@click.option(
    "--report", "as_report", is_flag=True, help="Print the health report instead: six parts, 1 if one is bad."
)
def doctor(
    place: Place,
    as_json: bool,
    address: str,
    over: float,
    service: str,
    context: str,
    namespace: str,
    log: Path | None,
    as_report: bool,
) -> int:
    """Find out what keeps the desk from working, or from working well, and what mends it.

    It looks at the machine, the stores, the models and tools, and at the desk itself if it runs: its processes, queues
    and figures. Ends with 1 if something must be mended.
    """
    from frontdesk.operate.diagnosis.observe import Wanted

    system, problems = place.examine()
    if system is None:
        from frontdesk.system.load import together

        raise together(problems)
    wanted = Wanted(
        address=address, service=service, seconds=over, log=log, settings=tuple(str(problem) for problem in problems)
    )
    if as_report:
        return asyncio.run(_report(system, wanted, context, namespace, as_json=as_json))
    findings = asyncio.run(_examine(system, wanted, context, namespace))
    failed = any(finding.result == "fail" for finding in findings)
    if as_json:
        print_json({"ok": not failed, "checks": [msgspec.structs.asdict(finding) for finding in findings]})
        return 1 if failed else 0
    _tell(findings)
    if not failed:
        runs = any(finding.check == "port" and "a desk answers" in finding.cause for finding in findings)
        note(f"Nothing keeps the desk from working.{'' if runs else ' Next: frontdesk up'}")
    return 1 if failed else 0


async def _examine(system: "System", wanted: "Wanted", context: str, namespace: str) -> "list[Finding]":
    from frontdesk.app.checks import CHECKS
    from frontdesk.operate.diagnosis.diagnose import diagnose
    from frontdesk.operate.diagnosis.observe import observe
    from frontdesk.operate.doctor import examine

    wanted = await _with_cluster(system, wanted, context, namespace)
    checks, seen = await asyncio.gather(examine(system, CHECKS), observe(system, wanted))
    return [*checks, *diagnose(seen)]


async def _report(system: "System", wanted: "Wanted", context: str, namespace: str, *, as_json: bool) -> int:
    from frontdesk.operate.diagnosis.observe import observe
    from frontdesk.operate.diagnosis.report import report

    parts = report(await observe(system, await _with_cluster(system, wanted, context, namespace)))
    bad = [part for part in parts if part.result == "bad"]
    if as_json:
        print_json({"ok": not bad, "parts": [msgspec.structs.asdict(part) for part in parts]})
    else:
        _print(parts)
        note(f"{len(bad)} of {len(parts)} parts are bad. Next: frontdesk doctor" if bad else "All six parts are well.")
    return 1 if bad else 0


async def _with_cluster(system: "System", wanted: "Wanted", context: str, namespace: str) -> "Wanted":
    if not context:
        return wanted
    from dataclasses import replace

    from frontdesk.operate.diagnosis.cluster import cluster_seen
    from frontdesk.system.layout.plan import Plan

    return replace(wanted, cluster=await cluster_seen(context, namespace or Plan(system).deployment.namespace))


def _tell(findings: "Sequence[Finding]") -> None:
    width = max(14, *(len(finding.check) for finding in findings))
    for finding in findings:
        mark, colour = MARKS[finding.result]
        click.echo(beside(f"{click.style(mark, fg=colour)}  {finding.check:<{width}} ", width + 7, finding.cause))
        if finding.remedy:
            click.echo(beside(f"      {'':<{width}} → ", width + 9, finding.remedy))


def _print(parts: "Sequence[Part]") -> None:
    for number, part in enumerate(parts, start=1):
        mark, colour = MARKS[part.result]
        click.echo(f"{click.style(mark, fg=colour)}  {number}. {part.name}")
        for line in part.lines:
            click.echo(f"         {line}")
