"""`frontdesk keys`"""

import asyncio
from datetime import timedelta

import click
import msgspec

from frontdesk.cli.local import Local, open_local
from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Group
from frontdesk.errors import Unprocessable

EXAMPLES = """\
frontdesk keys create my-script           prints the key, once
frontdesk keys create ci --days 30        one that ends by itself
frontdesk keys list
frontdesk keys revoke key_0193…"""


@click.group(cls=Group, examples=EXAMPLES)
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command(examples='export OPENAI_API_KEY="$(frontdesk keys create my-script)"')
@placed
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, help="What it may be used for; may be repeated. Default: chat.")
@click.option("--days", type=click.IntRange(1, 3650), help="After how many days it ends. Default: never.")
@click.option("--person", metavar="EMAIL", help="Whose key it is. Default: the owner's.")
@json_option
def create(
    place: Place, name: str, scopes: tuple[str, ...], days: int | None, person: str | None, as_json: bool
) -> None:
    """Make a key called NAME and print it. It cannot be shown again."""
    from frontdesk.gate.policy import Policy

    known = (*Policy().scopes(), "*")
    if unknown := [scope for scope in scopes if scope not in known]:
        raise Unprocessable(f"There is no scope `{unknown[0]}`", hint=f"There are: {', '.join(known)}.")

    async def work(desk: Local) -> None:
        holder = await desk.person(person)
        lifetime = timedelta(days=days) if days else None
        chosen = tuple(dict.fromkeys(scopes)) or ("chat",)
        key, secret = await desk.store.keys.create(holder.id, name=name, scopes=chosen, lifetime=lifetime)
        await desk.note_act("key.create", key.id)
        if as_json:
            print_json(msgspec.structs.asdict(key) | {"key": secret})
        else:
            click.echo(secret)
            note(f"The key {key.id} of {holder.name}, for {', '.join(chosen)}. It is not shown again.")

    asyncio.run(open_local(place.load(), work))


@keys.command("list", examples="frontdesk keys list --json")
@placed
@json_option
def list_keys(place: Place, as_json: bool) -> None:
    """List the keys of everybody."""

    async def work(desk: Local) -> None:
        found = await desk.store.keys.page(None, limit=10_000)
        if as_json:
            print_json([msgspec.structs.asdict(key) for key in found])
            return
        rows = [(key.id, key.name, f"{key.prefix}…", key.scopes, key.last_used_at, key.expires_at) for key in found]
        print_table(rows, ("id", "name", "begins with", "scopes", "last used", "ends"))
        if not found:
            note("There are no keys yet. Next: frontdesk keys create NAME")

    asyncio.run(open_local(place.load(), work))


@keys.command(examples="frontdesk keys revoke key_0193…")
@placed
@click.argument("key_id", metavar="ID")
def revoke(place: Place, key_id: str) -> None:
    """Revoke the key ID, for good."""

    async def work(desk: Local) -> None:
        key = await desk.store.keys.get(key_id)
        await desk.store.keys.revoke(key.id)
        await desk.note_act("key.revoke", key.id)
        note(f"{key.name} is revoked. A running desk forgets it within moments.")

    asyncio.run(open_local(place.load(), work))
