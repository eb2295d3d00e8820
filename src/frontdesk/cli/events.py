"""`frontdesk events`"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from frontdesk.cli.imports import FILE, Taken, import_file, tell
from frontdesk.cli.local import Local, open_local
from frontdesk.cli.output import json_option, note, print_json
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Group

if TYPE_CHECKING:
    from frontdesk.decision.intake import Intake
    from frontdesk.system.system import System

EXAMPLES = """\
frontdesk events import history.jsonl     take in what customers did, an event a line
frontdesk events rebuild                  build every profile anew from the log"""
BATCH = 500


@click.group(cls=Group, examples=EXAMPLES)
def events() -> None:
    """Take in what customers did, and build their profiles anew."""


@events.command(
    "import", examples="frontdesk events import history.jsonl\nzcat big.jsonl.gz | frontdesk events import -"
)
@placed
@click.argument("file", type=FILE, metavar="FILE.jsonl|FILE.json|-")
@json_option
def take_in(place: Place, file: Path, as_json: bool) -> None:
    """Take in the events of FILE: a line each, or a JSON document with a list of them.

    An event looks like {"id": "1", "customer_id": "ann", "type": "visit", "at": "2026-01-05T12:00:00Z",
    "properties": {"page": "prices"}}. The same id again counts once, so an import that broke off is simply repeated. A
    running desk decides about those of the last 24 hours within seconds; older ones tell of the customers alone.
    """
    system = place.load()

    async def work(desk: Local) -> None:
        from frontdesk.channels.engagement.event_lines import read_event
        from frontdesk.clock import SystemClock
        from frontdesk.decision.intake import Accepted
        from frontdesk.engagement import CustomerEvent

        intake, now = _intake(system, desk), SystemClock().now()

        async def take(batch: Sequence[bytes]) -> list[Taken]:
            read = [read_event(each, now, where="event") for each in batch]
            taken = iter(await intake.accept([each for each in read if isinstance(each, CustomerEvent)]))
            results = [
                next(taken) if isinstance(each, CustomerEvent) else Accepted(id="", state="refused", problem=each)
                for each in read
            ]
            return [Taken(result.state, result.problem) for result in results]

        tally = await import_file(file, "events", take, size=BATCH, quiet=as_json)
        await desk.note_act("event.import", "")
        tell(tally, "events", as_json=as_json)

    asyncio.run(open_local(system, work))


@events.command(examples="frontdesk events rebuild\nfrontdesk events rebuild ann ben --json")
@placed
@click.argument("customer_ids", nargs=-1, metavar="[CUSTOMER…]")
@json_option
def rebuild(place: Place, customer_ids: tuple[str, ...], as_json: bool) -> None:
    """Build profiles anew from all that customers did: of these CUSTOMERs, or of all."""
    system = place.load()

    async def work(desk: Local) -> None:
        from frontdesk.clock import SystemClock
        from frontdesk.store.customers import Customers

        intake, customers = _intake(system, desk), Customers(desk.store.database, SystemClock())
        built = changed = 0
        after: str | None = None
        while batch := (
            [await customers.get(each) for each in customer_ids]
            if customer_ids
            else await customers.page(after=after, limit=BATCH)
        ):
            for customer in batch:
                changed += await intake.rebuild(customer.id) != customer.profile
            built, after = built + len(batch), batch[-1].id
            if customer_ids:
                break
        if as_json:
            print_json({"built": built, "changed": changed})
        else:
            note(f"{built} profiles are built anew; {changed} are other than before.")

    asyncio.run(open_local(system, work))


class _Elsewhere:
    """Tells nobody: a running desk finds what waits within seconds."""

    backlog = 0

    async def ready(self, kind: str, row_id: str) -> None: ...


def _intake(system: "System", desk: Local) -> "Intake":
    from frontdesk.clock import SystemClock
    from frontdesk.decision.feedback import Feedback
    from frontdesk.decision.intake import Intake
    from frontdesk.decision.options import EngagementOptions

    database, clock, options = desk.store.database, SystemClock(), system.section(EngagementOptions)
    return Intake(database, clock, _Elsewhere(), lambda: options, feedback=Feedback(database, clock))
