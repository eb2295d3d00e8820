"""`frontdesk simulate`"""

import asyncio
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Group

if TYPE_CHECKING:
    from frontdesk.decision.options import EngagementOptions
    from frontdesk.decision.simulation.against import Account
    from frontdesk.decision.simulation.runner import Report

EXAMPLES = """\
frontdesk simulate engagement                                       in memory: how well would a policy learn?
frontdesk simulate engagement --people 5000 --days 30 --seed 7
frontdesk simulate engagement --url http://127.0.0.1:8085 --minutes 5   feed a running desk, answer its messages"""
KEY_VARIABLE = "FRONTDESK_API_KEY"

Watch = Callable[[float], None]


@click.group(cls=Group, examples=EXAMPLES)
def simulate() -> None:
    """Let customers who do not exist, and whose tastes are known, live with the desk."""


@simulate.command(examples=EXAMPLES)
@placed
@click.option("--people", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="How many.")
@click.option("--days", type=click.IntRange(1, 3650), default=28, show_default=True, help="How long they live.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed is the same world.")
@click.option("--url", help="A running desk, which gets their events; without it all is in memory.")
@click.option("--key", envvar=KEY_VARIABLE, help=f"An API key of that desk.  [{KEY_VARIABLE}]")
@click.option("--minutes", type=click.FloatRange(0.01), default=2.0, show_default=True, help="How long, with --url.")
@json_option
def engagement(
    place: Place,
    people: int,
    days: int,
    seed: int,
    url: str | None,
    key: str | None,
    minutes: float,
    as_json: bool,
) -> None:
    """Customers of several kinds come by, buy, tire of messages and answer some. The truth about them is known.

    In memory it is the desk's own profiles, features, beliefs and learning that live with them, under the messages of
    the system file where it has any, and the report says how much of the oracle's uplift over chance was found. With
    --url they live on the clock of a running desk: their events go in by its API, and its messages are answered.
    """
    options = _options(place)
    if url is None:
        from frontdesk.decision.simulation.memory import simulate as live

        with _progress(as_json) as watch:
            report = live(options, people=people, days=days, seed=seed, watch=watch)
        print_json(_document(report)) if as_json else _show(report)
        return
    from frontdesk.decision.simulation.against import Desk, against

    with _progress(as_json) as watch:
        account = asyncio.run(
            against(Desk(url, key), options, people=people, seed=seed, seconds=minutes * 60, watch=watch)
        )
    print_json(account) if as_json else _tell(account)


def _options(place: Place) -> "EngagementOptions":
    from frontdesk.decision.options import EngagementOptions
    from frontdesk.decision.simulation.messages import simulated_options

    given = place.load().section(EngagementOptions) if place.file else None
    return given if given is not None and given.messages else simulated_options()


@contextmanager
def _progress(quiet: bool) -> Generator[Watch | None]:
    if quiet or os.environ.get("TERM") == "dumb":
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("people live"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _document(report: "Report") -> dict[str, object]:
    import msgspec

    return {**msgspec.structs.asdict(report), "share_of_oracle": round(report.standings[-1].share, 4)}


def _show(report: "Report") -> None:
    shown = report.standings[:: max(1, len(report.standings) // 14)]
    values = [(each, *(f"{value:.4f}" for value in (each.value, each.oracle, each.random))) for each in shown]
    print_table(
        [(f"{each.day:g}", each.settled, *rest, f"{each.share:.0%}") for each, *rest in values],
        ("day", "outcomes", "policy", "oracle", "random", "of the oracle's uplift"),
    )
    click.echo()
    outcomes = ", ".join(f"{number} {kind}" for kind, number in report.outcomes.items() if number)
    click.echo(
        f"{report.people} people, {report.events} events, {report.decisions} decisions, {report.messages} messages"
    )
    click.echo(f"{report.messages} messages: {outcomes}; {report.reward:.4f} reward a decision")
    note("Values are expected rewards of a decision by the known truth, in units of one conversion.")


def _tell(account: "Account") -> None:
    rows = [(name.replace("_", " "), number) for name, number in account.counts().items()]
    print_table(rows, ("what", "how many"))
    note("Next: the console shows the decisions; `frontdesk decisions list` does so here.")
