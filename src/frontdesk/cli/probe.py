"""`frontdesk probe`"""

from typing import TYPE_CHECKING

import click

from frontdesk.cli.output import beside, json_option, note, print_json
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frontdesk.operate.probe.run import Result
    from frontdesk.operate.probe.target import Target

EXAMPLES = """\
frontdesk probe                                          everything that the system file names
frontdesk probe http://127.0.0.1:8000/ready              one address; 0 healthy, 1 not, 2 no answer in time
frontdesk probe tcp://db:5432 redis://cache:6379/0       several, side by side
frontdesk probe --json --time-out 1 process:nginx        a process, for a program
frontdesk probe --push http://pushgateway:9091           and tell Prometheus"""

MARKS = {"healthy": ("ok  ", "green"), "unhealthy": ("fail", "red"), "time-out": ("late", "red")}


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@json_option
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option(
    "--time-out",
    "seconds",
    type=click.FloatRange(0.05, 600),
    default=3.0,
    show_default=True,
    help="Seconds for each, all at the same time.",
)
@click.option("--replica", is_flag=True, help="A database that takes no writes is right.")
@click.option("--quiet", is_flag=True, help="Tell only what is not well.")
@click.option("--push", metavar="URL", help="Put the results into Prometheus' push gateway here.")
@click.option("--otlp", metavar="URL", help="Send the results to an OTLP collector here (port 4318).")
@click.option("--job", default="frontdesk_probe", show_default=True, help="The label `job` of what is pushed.")
@click.option("--instance", help="The label `instance` of what is pushed; else this machine's name.")
def probe(
    place: Place,
    as_json: bool,
    addresses: tuple[str, ...],
    seconds: float,
    replica: bool,
    quiet: bool,
    push: str | None,
    otlp: str | None,
    job: str,
    instance: str | None,
) -> int:
    """Ask whether each ADDRESS answers, or all that the system file names: HTTP, TCP, Redis, SQL, processes.

    Ends with 0 when all are healthy, 1 when one is not, 2 when one did not answer in time. Passwords come from the
    address or, without one, from the system's own variables, and are never shown.
    """
    from frontdesk.operate.probe.run import exit_code
    from frontdesk.operate.probe.run import probe as look

    targets = _targets(place, addresses, replica)
    results = look(targets, seconds=seconds)
    code = exit_code(results)
    if as_json:
        print_json({"ok": code == 0, "exit_code": code, "probes": [result.plain() for result in results]})
    else:
        _tell(results, quiet=quiet)
    _push(results, push, otlp, job, instance)
    return code


def _targets(place: Place, addresses: "Sequence[str]", replica: bool) -> "list[Target]":
    from frontdesk.operate.probe.target import target

    if not addresses:
        from frontdesk.operate.probe.known import targets

        return targets(place.load())
    return [_with_password(place, target(address, replica=replica)) for address in addresses]


def _with_password(place: Place, target: "Target") -> "Target":
    """The system's own password, for the very store that the address names without one."""
    if target.password or target.kind not in ("redis", "postgresql"):
        return target
    from dataclasses import replace

    from frontdesk.operate.probe.known import stores

    system, _ = place.examine()
    for known in stores(system) if system else ():
        if (known.kind, known.place) == (target.kind, target.place) and target.user in ("", known.user):
            return replace(known, name=target.name, replica=target.replica)
    return target


def _tell(results: "Sequence[Result]", *, quiet: bool) -> None:
    width = max((len(result.name) for result in results), default=0)
    for result in results:
        if quiet and result.state == "healthy":
            continue
        mark, colour = MARKS[result.state] if result.well == (result.state == "healthy") else ("away", "yellow")
        time = f"{result.seconds * 1000:>7,.0f} ms"
        click.echo(
            beside(f"{click.style(mark, fg=colour)}  {result.name:<{width}}  {time}  ", width + 20, result.cause)
        )
        if result.remedy:
            click.echo(beside(f"      {'':<{width}}  {'':>10}  → ", width + 22, result.remedy))


def _push(results: "Sequence[Result]", push: str | None, otlp: str | None, job: str, instance: str | None) -> None:
    if push is None and otlp is None:
        return
    import socket

    from frontdesk.operate.probe.push import to_collector, to_gateway

    instance = instance or socket.gethostname()
    if push is not None:
        to_gateway(push, results, instance=instance, job=job)
    if otlp is not None:
        to_collector(otlp, results, instance=instance, job=job)
    note("Pushed.")
