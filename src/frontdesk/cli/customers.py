"""`frontdesk customers`"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from frontdesk.cli.imports import FILE, Taken, import_file, tell
from frontdesk.cli.local import Local, open_local
from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Group

if TYPE_CHECKING:
    from frontdesk.engagement import Customer
    from frontdesk.store.customers import Customers

EXAMPLES = """\
frontdesk customers import customers.jsonl     tell the desk of them, a customer a line
frontdesk customers list --segment enterprise
frontdesk customers show ann                   what the desk makes of somebody
frontdesk customers export ann > ann.json      all that the desk keeps of somebody
frontdesk customers erase ann"""
BATCH = 500


@click.group(cls=Group, examples=EXAMPLES)
def customers() -> None:
    """List, import, export and erase those whom the desk may write to."""


@customers.command("import", examples="frontdesk customers import customers.jsonl")
@placed
@click.argument("file", type=FILE, metavar="FILE.jsonl|FILE.json|-")
@json_option
def take_in(place: Place, file: Path, as_json: bool) -> None:
    """Tell the desk of the customers in FILE: a line each, or a JSON document with a list of them.

    A customer looks like {"id": "ann", "segment": "smb", "name": "Ann", "time_zone": "Europe/Berlin", "consents":
    ["email"], "addresses": {"email": "ann@example.com"}, "traits": {"plan": "pro"}}. One that is known is described
    anew; without `consents` theirs stay as they are.
    """
    from pydantic import ValidationError

    from frontdesk.channels.engagement.customer_lines import CustomerLine
    from frontdesk.decision.options import EngagementOptions
    from frontdesk.engagement import Customer
    from frontdesk.errors import FrontdeskError, Unprocessable

    system = place.load()
    options = system.section(EngagementOptions)

    def read(text: bytes) -> tuple[Customer, bool] | FrontdeskError:
        try:
            line = CustomerLine.model_validate_json(text)
            return line.customer(line.id, options), line.consents is None
        except ValidationError as error:
            first = error.errors()[0]
            return Unprocessable(first["msg"], where=".".join(map(str, first["loc"])) or None)
        except FrontdeskError as error:
            return error

    async def work(store: "Customers", desk: Local) -> None:
        async def take(batch: Sequence[bytes]) -> list[Taken]:
            found = [read(each) for each in batch]
            good = [each for each in found if not isinstance(each, FrontdeskError)]
            for keep in (True, False):
                await store.put_many([one for one, keeps in good if keeps == keep], keep_consents=keep)
            return [Taken("refused", each) if isinstance(each, FrontdeskError) else Taken("accepted") for each in found]

        tally = await import_file(file, "customers", take, size=BATCH, quiet=as_json)
        await desk.note_act("customer.import", "")
        tell(tally, "customers", as_json=as_json)

    _with_customers(place, work)


@customers.command("list", examples="frontdesk customers list --segment smb --json")
@placed
@click.option("--segment", help="Of this segment alone.")
@click.option("--prefix", default="", help="Ids that begin so.")
@click.option("--limit", default=50, type=click.IntRange(1, 10_000), help="How many at most. Default: 50.")
@json_option
def list_customers(place: Place, segment: str | None, prefix: str, limit: int, as_json: bool) -> None:
    """List customers in order of their ids."""

    async def work(store: "Customers", _: Local) -> None:
        found = await store.page(segment=segment, prefix=prefix, limit=limit)
        told = [_told(customer) for customer in found]
        if as_json:
            print_json(told)
            return
        columns = ("id", "segment", "stage", "engagement", "fatigue", "churn_risk", "last_at", "name")
        print_table([[each[column] for column in columns] for each in told], columns)
        if not found:
            note("There is nobody. Next: frontdesk customers import FILE.jsonl")

    _with_customers(place, work)


@customers.command(examples="frontdesk customers show ann --json")
@placed
@click.argument("customer_id", metavar="ID")
@json_option
def show(place: Place, customer_id: str, as_json: bool) -> None:
    """Show what the desk knows of the customer ID, and what it makes of it."""

    async def work(store: "Customers", _: Local) -> None:
        told = _told(await store.get(customer_id))
        if as_json:
            print_json(told)
            return
        print_table([(name, value) for name, value in told.items()], ("what", "value"))

    _with_customers(place, work)


@customers.command(examples="frontdesk customers export ann > ann.json")
@placed
@click.argument("customer_id", metavar="ID")
def export(place: Place, customer_id: str) -> None:
    """Print all that the desk keeps of the customer ID, as JSON."""

    async def work(store: "Customers", desk: Local) -> None:
        print_json(await store.export(customer_id))
        await desk.note_act("customer.export", customer_id)

    _with_customers(place, work)


@customers.command(examples="frontdesk customers erase ann")
@placed
@click.argument("customer_id", metavar="ID")
def erase(place: Place, customer_id: str) -> None:
    """Erase the customer ID with all that the desk keeps of them, for good."""

    async def work(store: "Customers", desk: Local) -> None:
        await store.erase(customer_id)
        await desk.note_act("customer.erase", customer_id)
        note(f"{customer_id} is forgotten.")

    _with_customers(place, work)


def _told(customer: "Customer") -> dict[str, object]:
    """What people and programs are shown of a customer."""
    import msgspec

    from frontdesk.clock import SystemClock
    from frontdesk.decision.profiles import signals
    from frontdesk.engagement import CHANNELS

    read = signals(customer.profile, SystemClock().now(), customer.time_zone)
    shares = {
        name: round(value, 2) if isinstance(value, float) else value
        for name, value in msgspec.structs.asdict(read).items()
    }
    return {
        "id": customer.id,
        "segment": customer.segment,
        "name": customer.name,
        "time_zone": customer.time_zone,
        "may_write_by": [channel for channel in CHANNELS if customer.allows(channel)],
        "events": customer.profile.events,
        "first_at": customer.profile.first_at,
        "last_at": customer.profile.last_at,
        **shares,
        "contacts": len(customer.contacts),
    }


def _with_customers(place: Place, work: "Callable[[Customers, Local], Awaitable[None]]") -> None:
    async def opened(desk: Local) -> None:
        from frontdesk.clock import SystemClock
        from frontdesk.store.customers import Customers

        await work(Customers(desk.store.database, SystemClock()), desk)

    asyncio.run(open_local(place.load(), opened))
