"""`frontdesk load engagement`"""

import asyncio
from typing import TYPE_CHECKING

import click

from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.progress import progress_line
from frontdesk.cli.shape import Verb

if TYPE_CHECKING:
    from frontdesk.operate.load.deciding import Count, Orders, Report
    from frontdesk.operate.load.desk import Made
    from frontdesk.operate.load.verdict import Verdict

EXAMPLES = """\
frontdesk load engagement                                as fast as it can, 32 decisions a request, for 30 seconds
frontdesk load engagement --batch 1 --connections 64     the route of single decisions
frontdesk load engagement --rate 500 --seconds 300       500 decisions a second, and is it on time?
frontdesk load engagement --customers known --dry        about the desk's own customers, and nothing is kept
frontdesk load engagement --json > report.json           one JSON document; exit code 1 when a target is missed"""

KEY_VARIABLE = "FRONTDESK_API_KEY"
URL = "http://127.0.0.1:8085"
KNOWN = "known"
MOST_TOGETHER = 256  # that the desk takes in one request
BUSY = 0.85  # of a core: from there on it may be the asking that is slow


@click.command(cls=Verb, examples=EXAMPLES)
@click.option("--url", default=URL, show_default=True, help="The running desk.")
@click.option("--key", envvar=KEY_VARIABLE, help=f"An API key of that desk.  [{KEY_VARIABLE}]")
@click.option(
    "--seconds", type=click.FloatRange(0.1, 86_400), default=30.0, show_default=True, help="How long it counts."
)
@click.option(
    "--warm-up", type=click.FloatRange(0, 600), default=2.0, show_default=True, help="Seconds before, not counted."
)
@click.option(
    "--connections", type=click.IntRange(1, 10_000), default=12, show_default=True, help="Requests at one time."
)
@click.option(
    "--batch",
    "together",
    type=click.IntRange(1, MOST_TOGETHER),
    default=32,
    show_default=True,
    help="Decisions in a request; 1: the route of single ones.",
)
@click.option("--rate", type=click.FloatRange(0.1), help="Decisions a second.  [default: as fast as it can]")
@click.option(
    "--customers",
    default="load/1000",
    show_default=True,
    help=f"PREFIX/COUNT: made where missing; `{KNOWN}`: those whom the desk has.",
)
@click.option("--erase", is_flag=True, help="Erase the made customers afterwards, with all that was decided.")
@click.option("--dry", is_flag=True, help="The desk keeps nothing of the decisions, which takes it less.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed asks about the same customers.")
@click.option("--yes-i-own-this-server", "owned", is_flag=True, help="Needed for an address beyond this machine.")
@click.option("--yes-write-to-them", "written", is_flag=True, help=f"Needed for `{KNOWN}` customers without --dry.")
@json_option
def engagement(
    url: str,
    key: str | None,
    seconds: float,
    warm_up: float,
    connections: int,
    together: int,
    rate: float | None,
    customers: str,
    erase: bool,
    dry: bool,
    seed: int,
    owned: bool,
    written: bool,
    as_json: bool,
) -> int:
    """Ask a running desk for decisions, and hold their time, their number and their errors against its targets.

    The targets are the desk's own: decision_latency_target, throughput_target and error_rate_threshold, as they are in
    effect. With a lower --rate throughput is held against that rate. Exit code 0: all are met; 1: one is missed.
    """
    from frontdesk.errors import Usage
    from frontdesk.operate.load.deciding import Orders
    from frontdesk.operate.load.desk import Made
    from frontdesk.operate.load.orders import checked

    address = checked(url, owned=owned, option="--url")
    made = None if customers == KNOWN else Made.parsed(customers)
    if made is None and not dry and not written:
        hint = "Add `--dry`, or `--yes-write-to-them` if they may hear what comes of it."
        raise Usage("Decisions about your customers may become messages to them", where="--customers known", hint=hint)
    orders = Orders(
        seconds=seconds, connections=connections, together=together, rate=rate, warm_up=warm_up, dry=dry, seed=seed
    )
    report = asyncio.run(_run(address, key, orders, made, erase))
    if as_json:
        print_json(report)
    else:
        _show(report)
    return 0 if report.passed else 1


async def _run(address: str, key: str | None, orders: "Orders", made: "Made | None", erase: bool) -> "Report":
    from frontdesk.operate.load.deciding import Asking
    from frontdesk.operate.load.desk import DecidingDesk

    async with DecidingDesk(address, key) as desk:
        targets = await desk.targets()
        if made is None:
            ids = await desk.known()
        else:
            note(f"{made.number:,} customers {made.ids[0]} and on are made where they are missing.")
            await desk.make(made, orders.connections)
            ids = made.ids
        with progress_line() as show:

            def progress(share: float, count: "Count") -> None:
                counted = f"{count.decisions:,} decisions, {count.errors:,} errors"
                show(share, counted if count.begun else "warming up")

            report = await Asking(desk.decide, orders, ids).run(targets, progress)
        if erase and made is not None:
            note("The made customers are erased.")
            await desk.erase(made, orders.connections)
        return report


def _show(report: "Report") -> None:
    asking = "as fast as it can" if report.rate is None else f"{report.rate:,g}/s planned"
    route = "one a request" if report.together == 1 else f"{report.together} a request"
    print_table(
        [
            ("decisions", f"{report.decisions:,}", f"{report.seconds:g} s, {route}, {asking}"),
            ("errors", f"{report.errors:,}", ", ".join(f"{kind}: {n:,}" for kind, n in report.error_kinds.items())),
            ("never asked", f"{report.unsent:,}", "planned, and every connection was still waiting"),
            *(
                (f"time, {name}", f"{value * 1000:,.1f} ms", "")
                for name, value in (("p50", report.latency.p50), ("p99", report.latency.p99))
            ),
        ],
        ("what", "found", ""),
    )
    click.echo()
    print_table([_row(each) for each in report.verdicts], ("what", "found", "target", "verdict", "held against"))
    click.echo()
    if report.dry:
        note("Dry decisions: the desk kept nothing of them, which costs it less than real ones.")
    if report.generator_share >= BUSY:
        note(f"Asking took {report.generator_share:.0%} of a core: the desk may be quicker than is seen here.")
    if report.passed:
        click.echo("pass: every target is met")
    else:
        missed = ", ".join(each.what for each in report.verdicts if each.verdict == "fail")
        click.echo(f"fail: {missed}")


def _row(verdict: "Verdict") -> tuple[object, ...]:
    sign = "≤" if verdict.holding == "at most" else "≥"
    found = "nothing" if verdict.value is None else _figure(verdict.value, verdict.unit)
    return verdict.what, found, f"{sign} {_figure(verdict.target, verdict.unit)}", verdict.verdict, verdict.against


def _figure(value: float, unit: str) -> str:
    if unit == "":
        return f"{value:.3%}"
    return f"{value:,.1f} {unit}" if unit == "ms" else f"{value:,.0f}{unit}"
