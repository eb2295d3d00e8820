"""`frontdesk restore`"""

import asyncio
import contextlib
import secrets
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from frontdesk.cli.backup import SERVERS_KEY, facts, size, watching
from frontdesk.cli.local import Local, open_local
from frontdesk.cli.output import json_option, note, print_json
from frontdesk.cli.place import FOLDER, Place, placed
from frontdesk.cli.shape import Verb
from frontdesk.system.home import SYSTEM_FILE

if TYPE_CHECKING:
    from frontdesk.operate.backup.restoring import Keys, Part, Restored, Target
    from frontdesk.operate.backup.shelves import Shelf
    from frontdesk.system.system import System

EXAMPLES = """\
frontdesk restore latest                                        into the home that was lost
frontdesk restore ai_assistant_20260105_020000 --into ~/trial   into another, empty one
frontdesk restore latest --from s3://backups/desk               BACKUP_KEY set, nothing else left
frontdesk restore latest --only config                          the system file alone"""
LATEST = "latest"


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@click.argument("name")
@click.option("--only", type=click.Choice(["config", "data"]), help="The settings alone, or all but them.")
@click.option("--into", type=FOLDER, help="The home to restore into; else the desk's own.")
@click.option("--from", "source", metavar="PLACE", help="A folder or s3://bucket/prefix; else both places of the desk.")
@click.option("--yes", is_flag=True, help="Replace what is there.")
@json_option
def restore(
    place: Place,
    name: str,
    only: 'Literal["config", "data"] | None',
    into: Path | None,
    source: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Bring the backup NAME (or the `latest`) back into empty stores, and prove that all of it is there.

    It is read to its last byte first: one that is damaged, of another desk or of a newer version touches nothing.
    """
    from frontdesk.app.backups import key_to_open
    from frontdesk.operate.backup.restoring import restore as restoring
    from frontdesk.operate.errors import StoreNotEmpty

    own = _system(place)
    key = key_to_open(own)
    shelf, name = _found(own, name, key, source)
    home = into.expanduser().absolute() if into else place.folder
    with ExitStack() as stack:
        target, system = _target(replace(place, home=home), shelf, name, key, only, stack)

        async def bring(over: bool) -> "Restored":
            with watching(quiet=as_json) as watch:
                return await restoring(shelf, name, key, target, only=only, replace=over, watch=watch)

        try:
            restored = asyncio.run(bring(yes))
        except StoreNotEmpty as error:
            if yes or as_json or not sys.stdin.isatty():
                raise
            click.confirm(f"{error.what}. Replace it by {name}?", abort=True, err=True)
            restored = asyncio.run(bring(True))
        if only != "config":
            _note_act(system, name)
    if only != "config" and system.database_url != own.database_url:
        _note_trial(own, name)
    _tell(restored, home, as_json=as_json)


def _system(place: Place, options: Mapping[str, object] | None = None) -> "System":
    """The desk as it is described, even where what it describes is lost or has mistakes."""
    from frontdesk.errors import BadSystemFile
    from frontdesk.system.load import together

    try:
        system, problems = place.examine(options)
        if system is None:
            raise together(problems)
    except BadSystemFile:
        note(f"To bring back the backup's own system file, move {place.file} away; --from names where backups lie.")
        raise
    return system


def _found(own: "System", name: str, key: bytes, source: str | None) -> "tuple[Shelf, str]":
    """Where the backup lies, the nearer place first, and its name. Raises `NotFound`."""
    from frontdesk.app.backups import listed, newest, shelf_at, shelves_of
    from frontdesk.errors import NotFound
    from frontdesk.system.backup import BackupOptions

    options = own.section(BackupOptions)
    shelves = [shelf_at(source, options)] if source else [shelf for shelf in shelves_of(own) if shelf is not None]
    for shelf in shelves:
        if name == LATEST and (present := listed(shelf)):
            return shelf, newest(present, key)[-1]
        if name in shelf.names():
            return shelf, name
    looked = ", ".join(shelf.where for shelf in shelves)
    raise NotFound(
        "There is no such backup", where=f"{name} in {looked}", hint="frontdesk backup list, or name a place by --from"
    )


def _target(
    place: Place, shelf: "Shelf", name: str, key: bytes, only: "Part | None", stack: ExitStack
) -> "tuple[Target, System]":
    """Where it goes: the home's own system file says which database, and where it has none, the one in the backup.

    A backup of PostgreSQL goes into the desk's own one where no other is named; `stack` ends it.
    """
    from frontdesk.app.backups import keys_of
    from frontdesk.app.rooms import secrets_of
    from frontdesk.operate.backup.checking import manifest_of
    from frontdesk.operate.backup.databases import store_of
    from frontdesk.operate.backup.restoring import Target, settings_of
    from frontdesk.system.options import StoreOptions

    file, made = place.file, manifest_of(shelf, name, key)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="frontdesk-restore-")))
    if file is None:
        kept = settings_of(shelf, name, key) if only != "data" else None
        (folder / SYSTEM_FILE).write_text(kept or "")
    place = replace(place, system=file or folder / SYSTEM_FILE, env_file=_environment_file(place))
    system = _system(place)
    if made.database.kind == "postgresql" and only != "config" and not system.section(StoreOptions).address:
        system = _system(place, {"store.url": stack.enter_context(_own_postgres(place.folder))})

    def keys(pieces: Path) -> "Keys":
        there = _system(replace(place, home=pieces, system=file or _if_there(pieces / SYSTEM_FILE)))
        return keys_of(there, secrets_of(there).desk)

    store = store_of(system.database_url)
    return Target(home=place.folder, blueprint=system.blueprint if file else None, store=store, keys=keys), system


@contextmanager
def _own_postgres(home: Path) -> Generator[str]:
    """The PostgreSQL that `frontdesk up --processes` runs in this home; its password is kept once it was of use."""
    from frontdesk.gate.signing import kept_secret
    from frontdesk.operate.backup.own_server import run

    file = home / SERVERS_KEY
    password = file.read_text() if file.exists() else secrets.token_hex(24)
    with run(home, password) as url:
        yield url
        kept_secret("", file, make=lambda: password)


def _environment_file(place: Place) -> Path | None:
    """The environment file as the desk in that home will find it."""
    beside = (place.file.parent if place.file else place.folder) / ".env"
    return place.env_file or (beside if beside.is_file() else None)


def _if_there(file: Path) -> Path | None:
    return file if file.exists() else None


def _note_trial(own: "System", name: str) -> None:
    """Into the audit log of the desk that goes on: that its backup was tried. Where there is none any more, nothing."""
    from frontdesk.errors import FrontdeskError
    from frontdesk.operate.backup.databases import store_of

    with contextlib.suppress(FrontdeskError):
        if asyncio.run(store_of(own.database_url).exists()):
            _note_act(own, name)


def _note_act(system: "System", name: str) -> None:
    """Into the audit log that came back: that it came back."""
    from frontdesk.app.backups import RESTORED

    async def work(desk: Local) -> None:
        await desk.note_act(RESTORED, name)

    asyncio.run(open_local(system, work))


def _tell(restored: "Restored", home: Path, *, as_json: bool) -> None:
    if as_json:
        told = facts(restored.manifest) | {
            "home": str(home),
            "rows": restored.rows,
            "files": [str(file) for file in restored.files],
            "recovery_point_seconds": round(restored.recovery_point, 3),
            "recovery_time_seconds": round(restored.recovery_time, 3),
        }
        print_json(told)
        return
    made = restored.manifest
    click.echo(f"{made.name} is back in {home}")
    if restored.rows:
        head = made.database.audit
        note(f"  rows            {restored.rows:,} in {len(made.database.counts)} tables, as counted then")
        note(f"  audit log       {head.count:,} acts, ends with {head.hash[:12]}")
    note(f"  files           {len(restored.files)}, {size(made.bytes)} read")
    note(f"  recovery point  {made.made_at:%Y-%m-%d %H:%M:%S} UTC, {_span(restored.recovery_point)} ago")
    note(f"  recovery time   {_span(restored.recovery_time)}")
    if any(file.name == ".env" for file in restored.files):
        note("  variables       their names are in .env; their values were not in the backup")
    note("Next: frontdesk check, then frontdesk up")


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 3600:.1f} h" if seconds >= 7200 else f"{seconds / 60:.0f} min"
