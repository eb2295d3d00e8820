"""`frontdesk approvals`"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal

import click

from frontdesk.cli.local import Local, open_local
from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Group
from frontdesk.engagement import Exit

if TYPE_CHECKING:
    from frontdesk.decision.approvals import Approvals
    from frontdesk.store.outreach import OutreachRow, OutreachRows

EXAMPLES = """\
frontdesk approvals list
frontdesk approvals show reach_0193…               what would be sent, and to whom
frontdesk approvals approve reach_0193… --digest 3f2a…
frontdesk approvals reject reach_0193… --note "Too early for them\""""


@click.group(cls=Group, examples=EXAMPLES)
def approvals() -> None:
    """Read messages that wait for a person, and approve or reject them."""


@approvals.command("list", examples="frontdesk approvals list --json")
@placed
@json_option
def list_waiting(place: Place, as_json: bool) -> None:
    """List the messages that wait, those first that nobody decided about in time."""

    async def work(_: Local, rows: "OutreachRows", __: "Approvals") -> None:
        found = await rows.page(state="approval", limit=1_000)
        if as_json:
            print_json([_told(row) for row in found])
            return
        lines = [
            (row.id, row.customer_id, row.channel, row.message, f"{row.confidence:.2f}", row.needs, row.deadline)
            for row in found
        ]
        print_table(lines, ("id", "customer", "channel", "message", "confidence", "people", "until"))
        if not found:
            note("No message waits for a person.")

    _with_rows(place, work)


@approvals.command(examples="frontdesk approvals show reach_0193…")
@placed
@click.argument("outreach_id", metavar="ID")
@json_option
def show(place: Place, outreach_id: str, as_json: bool) -> None:
    """Print the message ID as it would be sent, what the checks found, and its digest."""

    async def work(_: Local, rows: "OutreachRows", approvals: "Approvals") -> None:
        row = await rows.get(outreach_id)
        footer = approvals.footer(row)
        if as_json:
            print_json(_told(row) | {"footer": footer})
            return
        heading = f"{row.state}: to {row.customer_id} by {row.channel}, confidence {row.confidence:.2f}"
        click.echo(f"{heading}, risk {row.risk:.2f}\ndigest: {row.digest or '–'}\n")
        text = Exit(footer=footer).below(row.body or "")
        click.echo(f"{row.subject}\n\n{text}" if row.subject else text)
        for found in row.checks or ():
            note(f"{found.weight}: {found.words} ({found.of})")

    _with_rows(place, work)


@approvals.command(examples="frontdesk approvals approve reach_0193… --digest 3f2a…")
@placed
@click.argument("outreach_id", metavar="ID")
@click.option(
    "--digest", required=True, help="As `show` prints it, or how it begins: what you approve is what you saw."
)
@click.option("--person", metavar="EMAIL", help="Whose word it is. Default: the owner's.")
@click.option("--note", "words", default="", help="Why, for those who look later.")
def approve(place: Place, outreach_id: str, digest: str, person: str | None, words: str) -> None:
    """Approve the message ID. A running desk sends it at its moment."""
    _settle(place, "approve", outreach_id, digest, person, words)


@approvals.command(examples='frontdesk approvals reject reach_0193… --note "Too early for them"')
@placed
@click.argument("outreach_id", metavar="ID")
@click.option("--person", metavar="EMAIL", help="Whose word it is. Default: the owner's.")
@click.option("--note", "words", default="", help="Why, for those who look later.")
def reject(place: Place, outreach_id: str, person: str | None, words: str) -> None:
    """Reject the message ID: it is never sent, and teaches the policy nothing."""
    _settle(place, "reject", outreach_id, None, person, words)


def _settle(
    place: Place,
    kind: Literal["approve", "reject"],
    outreach_id: str,
    digest: str | None,
    person: str | None,
    words: str,
) -> None:
    from frontdesk.decision.approvals import Verdict
    from frontdesk.errors import Conflict
    from frontdesk.messages import Person

    async def work(desk: Local, rows: "OutreachRows", approvals: "Approvals") -> None:
        row, who = await rows.get(outreach_id), await desk.person(person)
        known = row.digest or ""
        if digest is not None and (len(digest) < 8 or not known.startswith(digest)):
            raise Conflict("That is not the digest of what waits now", where=row.id, hint="Look at it with `show`.")
        verdict = Verdict(kind=kind, digest=known, note=words)
        by = Person(id=who.id, name=who.name, role=who.role, email=who.email)
        done = await approvals.settle(row.id, by, verdict)
        await desk.note_act("outreach.verdict", row.id)
        more = done.state == "approval"
        note(f"{row.id}: {'another person must approve it too' if more else done.state}.")

    _with_rows(place, work)


def _with_rows(place: Place, work: "Callable[[Local, OutreachRows, Approvals], Awaitable[None]]") -> None:
    from frontdesk.app.mail import exits_of
    from frontdesk.app.rooms import secrets_of
    from frontdesk.clock import SystemClock
    from frontdesk.decision.approvals import Approvals
    from frontdesk.decision.options import EngagementOptions
    from frontdesk.store.customers import Customers
    from frontdesk.store.outreach import OutreachRows

    system = place.load()
    options = system.section(EngagementOptions)

    async def with_desk(desk: Local) -> None:
        database, clock = desk.store.database, SystemClock()
        rows = OutreachRows(database, clock)
        exits = exits_of(system, secrets_of(system).desk)
        await work(desk, rows, Approvals(database, rows, Customers(database, clock), lambda: options, exits, clock))

    asyncio.run(open_local(system, with_desk))


def _told(row: "OutreachRow") -> dict[str, object]:
    import msgspec

    return {key: value for key, value in msgspec.structs.asdict(row).items() if key not in ("fence", "attempts")}
