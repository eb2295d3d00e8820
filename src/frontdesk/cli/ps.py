"""`frontdesk ps`"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frontdesk.operate.running.state import Instance, Process

EXAMPLES = """\
frontdesk ps
frontdesk ps --json"""


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@json_option
def ps(place: Place, as_json: bool) -> int:
    """List the processes that `frontdesk up` keeps running for this home. Ends with 1 when there are none."""
    from frontdesk.operate.running.single import singles
    from frontdesk.operate.running.state import instances

    found = list(instances(place.folder))
    if as_json:
        print_json([described(instance) for instance in found])
    elif found:
        for instance in found:
            _print(instance)
    elif singles(place.folder):
        note("A desk in one process runs here, and nothing beside it. How it is: frontdesk status")
    else:
        note("Nothing runs as processes of its own here. Next: frontdesk up --processes")
    return 0 if found else 1


def described(instance: "Instance") -> dict[str, object]:
    """The instance for programs, without the word by which its supervisor is ordered about."""
    return {
        "name": instance.name,
        "desk": instance.desk,
        "version": instance.version,
        "supervisor_version": instance.supervisor_version,
        "state": instance.state if instance.is_looked_after else "not looked after",
        "since": instance.since,
        "address": instance.address,
        "environment": instance.environment,
        "offset": instance.offset,
        "release": instance.release,
        "supervisor": instance.supervisor.pid if instance.is_looked_after else None,
        "stores": instance.stores,
        "missing": instance.missing,
        "processes": [
            {
                "name": process.name,
                "service": process.service,
                "role": process.role,
                "stage": process.stage,
                "state": state_of(process, instance.alive()),
                "pid": process.process.pid if process.process else None,
                "since": process.since,
                "restarts": process.restarts,
                "release": process.release,
                "addresses": process.addresses,
                "own_port": process.own_port,
                "log": process.log,
            }
            for process in instance.processes
        ],
    }


def state_of(process: "Process", alive: "Sequence[Process]") -> str:
    """The state that is told, unless the process has gone meanwhile."""
    return process.state if process in alive or process.process is None else "gone"


def _print(instance: "Instance") -> None:
    head = f"{instance.desk} ({instance.name}), {instance.state}, {ago(instance.since)}"
    if not instance.is_looked_after:
        head = f"{instance.desk} ({instance.name}), not looked after: its supervisor has gone. End it: frontdesk down"
    click.echo(click.style(head, bold=True))
    alive = instance.alive()
    print_table(
        [
            (
                process.stage,
                process.name,
                state_of(process, alive),
                process.process.pid if process.process else None,
                ago(process.since),
                process.restarts,
                process.release,
                ", ".join(process.addresses),
            )
            for process in instance.processes
        ],
        ("stage", "process", "state", "pid", "since", "restarts", "release", "address"),
    )
    for name, why in instance.missing.items():
        click.echo(f"not started: {name}: {why}")
    if instance.lags:
        note(lagging(instance))


def lagging(instance: "Instance") -> str:
    """What to do about a supervisor that is of an older version than what it looks after."""
    return (
        f"The processes are of version {instance.version}, their supervisor is of {instance.supervisor_version}. "
        "It is renewed by: frontdesk down, then `up` of the other version as it was begun"
    )


def ago(moment: str) -> str:
    """How long ago something began, in its two largest units."""
    seconds = int((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
    days, rest = divmod(max(seconds, 0), 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
