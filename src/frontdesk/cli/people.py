"""`frontdesk people`"""

import asyncio

import click
import msgspec

from frontdesk.cli.local import Local, open_local
from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Group
from frontdesk.messages import Role
from frontdesk.store.people import PersonRow
from frontdesk.system.system import System

EXAMPLES = """\
frontdesk people list
frontdesk people invite ada@example.com --name Ada --role operator
frontdesk people link owner               a new sign-in link for the owner"""


@click.group(cls=Group, examples=EXAMPLES)
def people() -> None:
    """List and invite people, make sign-in links."""


@people.command("list", examples="frontdesk people list --json")
@placed
@json_option
def list_people(place: Place, as_json: bool) -> None:
    """List everybody but visitors."""

    async def work(desk: Local) -> None:
        found = await desk.store.people.page(limit=10_000)
        if as_json:
            print_json([_plain(row) for row in found])
            return
        rows = [(row.id, row.name, row.role.value, row.email, row.state, row.signed_in_at) for row in found]
        print_table(rows, ("id", "name", "role", "e-mail", "state", "signed in"))
        if not found:
            note("Nobody yet. Next: frontdesk up shows a link for the owner.")

    asyncio.run(open_local(place.load(), work))


@people.command(examples="frontdesk people invite ada@example.com --name Ada")
@placed
@click.argument("email")
@click.option("--name", help="What they are called; else what stands before the @.")
@click.option(
    "--role",
    type=click.Choice(["member", "operator", "owner"]),
    default="member",
    show_default=True,
    help="What they may do.",
)
@json_option
def invite(place: Place, email: str, name: str | None, role: str, as_json: bool) -> None:
    """Add somebody with the address EMAIL and print a link that signs them in, once."""
    from frontdesk.errors import Usage

    if not all(email.partition("@")):
        raise Usage("This is no e-mail address", where=email, hint="frontdesk people invite ada@example.com")
    system = place.load()

    async def work(desk: Local) -> None:
        row = await desk.store.people.add(name=name or email.partition("@")[0], role=Role(role), email=email)
        await desk.note_act("person.invite", row.id)
        await _print_link(system, desk, row, as_json)

    asyncio.run(open_local(system, work))


@people.command(examples="frontdesk people link ada@example.com")
@placed
@click.argument("who", metavar="EMAIL|owner")
@json_option
def link(place: Place, who: str, as_json: bool) -> None:
    """Print a new link that signs somebody in, once. An earlier unused one stops working."""
    system = place.load()

    async def work(desk: Local) -> None:
        row = await desk.person(None if who == "owner" else who)
        await desk.note_act("person.link", row.id)
        await _print_link(system, desk, row, as_json)

    asyncio.run(open_local(system, work))


async def _print_link(system: System, desk: Local, row: PersonRow, as_json: bool) -> None:
    from frontdesk.gate.options import GateOptions
    from frontdesk.gate.sign_in import INVITATION
    from frontdesk.operate.probe.known import address_of_desk

    token = await desk.store.people.issue_link(row.id, lifetime=INVITATION)
    address = system.section(GateOptions).public_url or address_of_desk(system)
    url = f"{address}/sign-in#token={token}"
    if as_json:
        print_json({"person": _plain(row), "link": url})
    else:
        click.echo(url)
        note(f"For {row.name}, once, within {INVITATION.days} days.")


def _plain(row: PersonRow) -> dict[str, object]:
    return {name: value for name, value in msgspec.structs.asdict(row).items() if name != "password_hash"}
