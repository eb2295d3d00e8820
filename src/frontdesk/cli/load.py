"""`frontdesk load`"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from frontdesk.cli.load_engagement import engagement
from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.progress import progress_line
from frontdesk.cli.shape import Group

if TYPE_CHECKING:
    from frontdesk.operate.load.orders import Orders, Script
    from frontdesk.operate.load.tally import Percentiles, Report

EXAMPLES = """\
frontdesk load conversation --people 50 --minutes 1               web chat of the desk on this machine
frontdesk load conversation --shape ramp --people 500             from nobody to everybody
frontdesk load conversation --channel telegram --address http://127.0.0.1:8081   by the stand-in for Telegram
frontdesk load conversation --pid 4242 --json                     weigh a process too; one JSON document
frontdesk load conversation --locust locustfile.py                the same load for Locust, not run now
frontdesk load engagement --seconds 30                            decisions about customers, against the targets"""

SHAPES = ("steady", "ramp", "spike", "burst", "sine")
ADDRESSES = {"web": "http://127.0.0.1:8000", "telegram": "http://127.0.0.1:8081"}


@click.group(cls=Group, examples=EXAMPLES)
def load() -> None:
    """Let people who do not exist write to a desk, or ask it for decisions, and see whether it keeps up.

    For messages, the model `scripted` costs nothing; with `script: {echo: 'n:\\d+'}` it repeats the number that each of
    them bears, which a run on Telegram needs to tell replies apart. Tell its delays here, and the report says what the
    desk adds.
    """


load.add_command(engagement)


@load.command(examples=EXAMPLES)
@click.option("--people", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many there are.")
@click.option("--every", default="10-30", show_default=True, help="Seconds between two messages of one person.")
@click.option(
    "--minutes", type=click.FloatRange(0.01, 1440), default=1.0, show_default=True, help="How long they write."
)
@click.option(
    "--shape", type=click.Choice(SHAPES), default="steady", show_default=True, help="How many write, over time."
)
@click.option(
    "--channel", type=click.Choice(["web", "telegram"]), default="web", show_default=True, help="How they write."
)
@click.option("--address", help="The desk (web), or the stand-in for Telegram.  [default: this machine]")
@click.option(
    "--first-delay", type=click.FloatRange(0), default=0.0, help="Seconds to the scripted model's first word."
)
@click.option("--words-per-second", type=click.FloatRange(0.1), help="How fast it goes on.")
@click.option("--typing/--no-typing", default=True, show_default=True, help="Whether typing is played (Telegram).")
@click.option("--patience", type=click.FloatRange(0), default=60.0, show_default=True, help="Seconds for late replies.")
@click.option("--pid", "pids", type=int, multiple=True, help="Weigh this process; may be given several times.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed writes at the same moments.")
@click.option("--locust", type=click.Path(path_type=Path), help="Write a Locust file, and run nothing.")
@click.option("--yes-i-own-this-server", "owned", is_flag=True, help="Needed for an address beyond this machine.")
@json_option
def conversation(
    people: int,
    every: str,
    minutes: float,
    shape: str,
    channel: Literal["web", "telegram"],
    address: str | None,
    first_delay: float,
    words_per_second: float | None,
    typing: bool,
    patience: float,
    pids: tuple[int, ...],
    seed: int,
    locust: Path | None,
    owned: bool,
    as_json: bool,
) -> int:
    """People write to the desk, and each message is followed to its reply.

    Exit code 0: nothing was lost, nothing doubled, and fewer than 1 % refused.
    """
    from frontdesk.operate.load.orders import Orders, Script, checked, span
    from frontdesk.outgoing import Rhythm

    least, most = span(every)
    target = checked(address or ADDRESSES[channel], owned=owned)
    orders = Orders(
        people=people, least=least, most=most, seconds=minutes * 60, shape=shape, patience=patience, seed=seed
    )
    if locust is not None:
        return _write_locustfile(orders, channel, target, locust)
    rhythm = Rhythm() if typing and channel == "telegram" else None
    script = Script(first_delay=first_delay, words_per_second=words_per_second, rhythm=rhythm)
    report = asyncio.run(_run(orders, script, channel, target, pids))
    if as_json:
        print_json(report)
    else:
        _show(report)
    if not report.is_good:
        note("Next: the console's page Work shows what waits or was given up; `frontdesk doctor` names what is broken.")
    return 0 if report.is_good else 1


async def _run(orders: "Orders", script: "Script", channel: str, address: str, pids: tuple[int, ...]) -> "Report":
    from frontdesk.operate.load.people import Crowd
    from frontdesk.operate.load.tally import Tally
    from frontdesk.operate.load.telegram import TelegramPeople
    from frontdesk.operate.load.web import WebPeople

    tally = Tally(script)
    people = TelegramPeople(address, tally) if channel == "telegram" else WebPeople(address, tally)
    with progress_line() as show:

        def progress(share: float) -> None:
            show(share, f"{tally.messages} messages, {tally.open} wait for their reply")

        return await Crowd(orders, people, tally, pids).run(progress)


def _write_locustfile(orders: "Orders", channel: str, address: str, file: Path) -> int:
    from frontdesk.operate.load.locust import locustfile

    file.write_text(locustfile(orders, channel, address, str(file)))
    note(f"Written: {file}. Its first lines say how to run it.")
    return 0


def _show(report: "Report") -> None:
    rows: list[tuple[object, ...]] = [
        ("messages", report.messages, f"{report.people} people, {report.seconds:g} s"),
        ("answered", report.answered, f"at most {report.most_open} at one time"),
        ("errors", report.errors, ", ".join(f"{kind}: {number}" for kind, number in report.error_kinds.items())),
        ("lost", report.lost, "no reply came"),
        ("doubled", report.doubled, "more than one reply came"),
    ]
    print_table(rows, ("what", "how many", ""))
    times: dict[str, Percentiles] = {
        "to the whole reply": report.latency,
        "of that, the desk's own": report.added,
        "to the first words": report.first,
        "of that, the desk's own ": report.added_first,
        "webhook's answer": report.webhook,
    }
    click.echo()
    print_table(
        [
            (name, *(f"{value * 1000:,.0f} ms" for value in (each.p50, each.p95, each.p99, each.most)))
            for name, each in times.items()
            if each.most
        ],
        ("time", "p50", "p95", "p99", "most"),
    )
    if report.memory:
        click.echo()
        print_table(
            [(each.pid, *(f"{size:,.0f} MB" for size in (each.start, each.most, each.end))) for each in report.memory],
            ("process", "start", "most", "end"),
        )
