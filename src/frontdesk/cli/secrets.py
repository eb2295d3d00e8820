"""`frontdesk secrets`"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Group

if TYPE_CHECKING:
    from frontdesk.system.system import System

EXAMPLES = """\
frontdesk secrets create --all                           make all that production needs and can be made up
frontdesk secrets create OPENAI_API_KEY --from-file -    one that somebody hands out, from standard input
frontdesk secrets list                                   names, ages and who uses them
frontdesk secrets rotate ENCRYPTION_KEY                  a new value; the former key still reads"""

FROM_FILE = click.option(
    "--from-file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Take the value from this file; - is standard input.",
)
LENGTH = click.option("--length", type=click.IntRange(16, 1000), help="Characters of a made-up value, instead of 48.")


@click.group(cls=Group, examples=EXAMPLES)
def secrets() -> None:
    """Make, list, renew and delete the desk's secrets. Their values are never shown.

    They are files in the folder `secrets` of the desk's home, and count like variables of their names.
    """


@secrets.command(examples="frontdesk secrets create --all\nfrontdesk secrets create TELEGRAM_BOT_TOKEN --from-file -")
@placed
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="All that the system needs, has not, and can be made up.")
@LENGTH
@FROM_FILE
def create(place: Place, name: str | None, everything: bool, length: int | None, from_file: Path | None) -> None:
    """Keep a secret: made up, or from a file or standard input.

    A key that the desk has made for itself becomes the kept one, so nothing that it sealed or signed is lost.
    """
    from frontdesk.errors import Usage
    from frontdesk.operate import secrets as kept

    if (name is None) != everything or (everything and (length or from_file)):
        raise Usage("Name one secret, or say --all alone", where="frontdesk secrets create")
    system = _system(place)
    names = kept.wanted(system) if name is None else [name]
    for each in names:
        how = kept.create(system, each, _given(from_file), length=length)
        click.echo(each)
        note(f"      {how}, in {kept.folder_of(system) / each}")
    _write_down(place, "secret.create", names, _system(place), system)
    if not names:
        note("Nothing is missing that could be made up here.")
    note("Next: frontdesk secrets list" if name else "Next: frontdesk check")


@secrets.command("list", examples="frontdesk secrets list --json")
@placed
@json_option
def list_(place: Place, as_json: bool) -> None:
    """List secrets by name: how old they are, where they come from, who uses them. Never their values."""
    from frontdesk.operate import secrets as kept

    system = _system(place)
    found = kept.listed(system)
    if as_json:
        print_json(
            [
                {
                    "name": each.name,
                    "made": each.made.isoformat() if each.made else None,
                    "from": each.origin,
                    "hidden": each.hidden,
                    "open_to_others": each.open_to_others,
                    "used_by": list(each.users),
                }
                for each in found
            ]
        )
        return
    rows = [(each.name, _age(each.made), each.origin, ", ".join(each.users) or "nobody") for each in found]
    print_table(rows, ("secret", "age", "from", "used by"))
    for each in found:
        if each.hidden:
            note(f"{each.name} is kept here too, and has no effect: {each.origin} is stronger.")
        if each.open_to_others:
            note(f"{each.name} can be read by others: chmod 600 {kept.folder_of(system) / each.name}")
    missing = kept.wanted(system)
    if missing:
        note(f"Not set, and can be made up: {', '.join(missing)}. Next: frontdesk secrets create --all")


@secrets.command(examples="frontdesk secrets rotate JWT_SECRET_KEY\nfrontdesk secrets rotate SECRET_KEY --yes")
@placed
@click.argument("name")
@LENGTH
@FROM_FILE
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--no-restart", is_flag=True, help="Leave running services as they are.")
def rotate(place: Place, name: str, length: int | None, from_file: Path | None, yes: bool, no_restart: bool) -> None:
    """Put a new value in the place of a kept secret, and start anew the running services that use it.

    Those of `frontdesk up --processes` are replaced one after the other, so no call is lost; others are named.
    """
    from frontdesk.operate import secrets as kept

    system = _system(place)
    if name in kept.ASKED_FOR:
        _ask(f"{kept.MEANING[name]} Renew {name}?", yes=yes)
    restart = None if no_restart else partial(_restart, place.folder)
    given, before = _given(from_file), kept.made_at(system, name)
    try:
        rest = kept.rotate(system, name, given, length=length, restart=restart)
    finally:  # a restart may fail after the secret was renewed
        if kept.made_at(system, name) != before:
            _write_down(place, "secret.rotate", [name], _system(place), system)
    click.echo(name)
    if name in kept.MEANING:
        note(kept.MEANING[name])
    if rest:
        note(f"Not started anew: {', '.join(rest)}. Where they run, they take it at their next start.")


@secrets.command(examples="frontdesk secrets delete OLD_TOKEN --yes")
@placed
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Although something uses it.")
def delete(place: Place, name: str, yes: bool, force: bool) -> None:
    """Delete a kept secret. Refused while something uses it."""
    from frontdesk.operate import secrets as kept

    system = _system(place)
    if not force:
        kept.unused(system, name)
    _ask(f"Delete {name}? Nobody can bring it back.", yes=yes)
    kept.delete(system, name, although_used=force)
    note(f"{name} is deleted.")
    _write_down(place, "secret.delete", [name], system)


def _restart(home: Path, services: Sequence[str]) -> Sequence[str]:
    """Replace the processes of those services that run here; which they were."""
    from frontdesk.cli.restart import restarted
    from frontdesk.operate.running.state import instances

    running = {process.service for instance in instances(home) for process in instance.alive()}
    names = [service for service in services if service in running]
    if names:
        note(f"Starting anew: {', '.join(names)}")
        restarted(home, names)
    return names


def _write_down(place: Place, act: str, names: Sequence[str], *systems: "System") -> None:
    """Into the desk's audit log, if it has one yet: what was done to which secrets, never their values.

    `systems` are the desk with the secrets that may open its database: the new ones, then those before, for a database
    that was not told yet.
    """
    from frontdesk.errors import FrontdeskError

    faults: list[FrontdeskError] = []
    for system in systems if names else ():
        try:
            _written_down(place, act, names, system)
        except FrontdeskError as error:
            faults.append(error)
        else:
            return
    if faults:
        note(f"The audit log does not tell of it: {faults[0].what} ({faults[0].where})")


def _written_down(place: Place, act: str, names: Sequence[str], system: "System") -> None:
    from frontdesk.app.rooms import secrets_of
    from frontdesk.app.store import open_audit
    from frontdesk.cli.backup import with_own_postgres
    from frontdesk.clock import SystemClock
    from frontdesk.operate.backup.databases import store_of
    from frontdesk.store.audit import Act

    async def append(opened: "System") -> None:
        if await store_of(opened.database_url).exists():
            async with open_audit(opened, secrets_of(opened).desk, SystemClock()) as audit:
                for name in names:
                    await audit.append(Act(act=act, credential="terminal", subject=name, outcome=200))

    with with_own_postgres(place, system) as opened:
        asyncio.run(append(opened))


def _system(place: Place) -> "System":
    """The system, even if secrets are missing: they are what is being set here."""
    from frontdesk.system.load import together

    system, problems = place.examine()
    if system is None:
        raise together(problems)
    return system


def _given(from_file: Path | None) -> str | None:
    from frontdesk.errors import BadSetting

    if from_file is None:
        return None
    try:
        text = sys.stdin.read() if str(from_file) == "-" else from_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadSetting(f"The file cannot be read: {reason}", where=str(from_file)) from error
    return text.rstrip("\r\n")


def _ask(question: str, *, yes: bool) -> None:
    from frontdesk.errors import Usage

    if yes:
        return
    if not sys.stdin.isatty():
        raise Usage("This asks before it acts, and nobody is there to answer", where="--yes", hint="Say --yes.")
    click.confirm(question, abort=True, err=True)


def _age(made: datetime | None) -> str:
    if made is None:
        return "–"
    seconds = (datetime.now(UTC) - made).total_seconds()
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return "new"
