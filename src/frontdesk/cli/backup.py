"""`frontdesk backup`"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import click
import msgspec

from frontdesk.cli.local import Local, open_local
from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Group

if TYPE_CHECKING:
    from frontdesk.app.backups import Backups
    from frontdesk.operate.backup.checking import Watch
    from frontdesk.operate.backup.manifest import Manifest
    from frontdesk.operate.backup.shelves import Shelf
    from frontdesk.system.system import System

EXAMPLES = """\
frontdesk backup create            copy the desk, also while it runs
frontdesk backup list              what there is, here and in the second place
frontdesk backup verify --all      read every backup to its last byte
frontdesk backup prune --dry-run   what is older than it is to be kept"""


MARKS = {"ok": "green", "damaged": "red", "other key": "red", "other desk": "yellow"}
SERVERS_KEY = "servers.key"  # in the home: the password of the desk's own servers


@click.group(cls=Group, examples=EXAMPLES)
def backup() -> None:
    """Copy the desk, sealed, and look after its copies. `frontdesk restore` brings one back."""


@backup.command(examples="frontdesk backup create\nfrontdesk backup create --json")
@placed
@json_option
def create(place: Place, as_json: bool) -> None:
    """Make a backup here and in the second place, read it again, then remove what is outdated."""
    from frontdesk.app.backups import noted
    from frontdesk.clock import SystemClock

    def work(system: "System") -> "Callable[[Local], Awaitable[None]]":
        async def made(desk: Local) -> None:
            backups = _backups(system)
            with watching(quiet=as_json) as watch:
                _told(backups, await noted(backups, desk.store, SystemClock(), watch), as_json=as_json)

        return made

    with _with_its_database(place) as system:
        asyncio.run(open_local(system, work(system)))


@backup.command("list", examples="frontdesk backup list\nfrontdesk backup list --json")
@placed
@json_option
def list_(place: Place, as_json: bool) -> None:
    """The backups of both places, newest last. What has no readable manifest is shown as damaged."""
    from frontdesk.app.backups import listed, shelves_of

    shelves = [shelf for shelf in shelves_of(place.load()) if shelf is not None]
    found = {shelf.where: listed(shelf) for shelf in shelves}
    if as_json:
        print_json(
            [
                {"place": where, "name": name, "damaged": made is None} | (facts(made) if made else {})
                for where, backups in found.items()
                for name, made in backups.items()
            ]
        )
        return
    print_table(
        [_row(name, made, where) for where, backups in found.items() for name, made in backups.items()],
        ("name", "made", "rows", "size", "frontdesk", "place"),
    )
    if not any(found.values()):
        note("There is none yet. Next: frontdesk backup create")


@backup.command(examples="frontdesk backup verify\nfrontdesk backup verify ai_assistant_20260105_020000 --json")
@placed
@click.argument("names", nargs=-1, metavar="[NAME]…")
@click.option("--all", "every", is_flag=True, help="Every backup; else the newest one.")
@click.option("--record", is_flag=True, help="With --all: write what was found into the desk's audit log.")
@json_option
def verify(place: Place, names: tuple[str, ...], every: bool, record: bool, as_json: bool) -> int:
    """Read backups to their last byte in both places: digests, seals, rows. Ends with 1 when one is damaged.

    With --all, one that is sealed with a former key is named and counts as unread; one of another desk does not count.
    With --record the desk shows it as `frontdesk_backup_damaged`, as it does after its own look every week; and the
    newest one, if it is not there any more, counts as damaged.
    """
    if record and not every:
        raise click.UsageError("`--record` is about all backups: say `--all` too.")
    if not record:
        return _verify(place.load(), names, every=every, as_json=as_json)[0]
    with _with_its_database(place) as system:
        code, results = _verify(system, names, every=True, as_json=as_json, lost=_gone(system))
        _record(system, results)
    return code


Found = list[dict[str, object]]


def _gone(system: "System") -> list[str]:
    """By the desk's audit log."""
    from frontdesk.app.backups import gone, shelves_of

    found: list[str] = []

    async def look(desk: Local) -> None:
        found.extend(await gone(tuple(filter(None, shelves_of(system))), desk.store.audit))

    asyncio.run(open_local(system, look))
    return found


def _verify(
    system: "System", names: tuple[str, ...], *, every: bool, as_json: bool, lost: Sequence[str] = ()
) -> tuple[int, Found]:
    """The exit code, and how each backup was found; those that are `lost` are known from elsewhere."""
    from frontdesk.app.backups import key_to_open, listed, newest, shelves_of
    from frontdesk.errors import NotFound

    key = key_to_open(system)
    results: Found = []
    for shelf in filter(None, shelves_of(system)):
        present = listed(shelf)
        wanted = names or (tuple(present) if every else newest(present, key))
        for name in wanted:
            if name in present:
                stranger = every and _is_of_another(present[name], system)
                results.append(_verified(shelf, name, key, system, every=every, stranger=stranger, quiet=as_json))
    if missing := [name for name in names if all(result["name"] != name for result in results)]:
        raise NotFound("There is no such backup", where=", ".join(missing), hint="frontdesk backup list")
    for name in lost:
        results.append({"name": name, "place": "", "state": "gone", "problem": None})
        if not as_json:
            click.echo(f"{click.style('gone      ', fg='red')}  {name}  was made, and is not there any more")
    states = {str(result["state"]) for result in results}
    ok = "ok" in states and states <= {"ok", "other desk"}
    if as_json:
        print_json({"ok": ok, "backups": results})
    elif not results:
        note("There is none yet. Next: frontdesk backup create")
    elif "other key" in states:
        note(
            "What is sealed with a former key is verified with that one: BACKUP_KEY_FILE=… frontdesk backup verify NAME"
        )
    return (0 if ok else 1), results


def _record(system: "System", results: Found) -> None:
    """As the desk writes down its own look; nothing where nothing of this desk could be read."""
    from frontdesk.app.backups import recorded

    damaged = list(dict.fromkeys(str(each["name"]) for each in results if each["state"] in ("damaged", "gone")))
    if damaged or any(each["state"] == "ok" for each in results):

        async def write(desk: Local) -> None:
            await recorded(damaged, desk.store)

        asyncio.run(open_local(system, write))


@backup.command(examples="frontdesk backup prune --dry-run")
@placed
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@json_option
def prune(place: Place, dry_run: bool, as_json: bool) -> None:
    """Remove what is older than `backup.keep_days` or beyond `backup.keep`, in both places. The newest always stays."""
    from frontdesk.clock import SystemClock

    backups = _backups(place.load())
    gone = asyncio.run(backups.prune(SystemClock().now(), really=not dry_run))
    if as_json:
        print_json([{"place": where, "name": name} for where, name in gone])
        return
    for where, name in gone:
        click.echo(f"{name}  {where}")
    note(f"{len(gone)} {'would go' if dry_run else 'removed'}.")


# --- shared with `frontdesk restore` ----------------------------------------


@contextmanager
def watching(*, quiet: bool) -> "Generator[Watch]":
    """Bars on a terminal's stderr, one for each step; nothing elsewhere."""
    from frontdesk.operate.backup.checking import unwatched

    if quiet or not sys.stderr.isatty():
        yield unwatched
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<20}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    bars: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:

        def watch(doing: str, share: float) -> None:
            if doing not in bars:
                bars[doing] = shown.add_task(doing, total=1)
            shown.update(bars[doing], completed=share)

        yield watch


def facts(made: "Manifest") -> dict[str, object]:
    """A manifest for a program."""
    return {**msgspec.to_builtins(made), "bytes": made.bytes}


def size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"


def _is_of_another(made: "Manifest | None", system: "System") -> bool:
    return made is not None and made.desk != system.name


def _verified(
    shelf: "Shelf", name: str, key: bytes, system: "System", *, every: bool, stranger: bool, quiet: bool
) -> dict[str, object]:
    """How one was found. Raises `WrongKey` unless it is one of `every`."""
    from frontdesk.errors import FrontdeskError, WrongKey
    from frontdesk.operate.backup.checking import check
    from frontdesk.operate.errors import BackupDamaged, BackupTooNew

    state: Literal["ok", "damaged", "other key", "other desk"] = "ok"
    problem: FrontdeskError | None = None
    scratch = system.home if system.home.is_dir() else None
    with watching(quiet=quiet) as watch:
        try:
            asyncio.run(check(shelf, name, key, scratch=scratch, watch=watch))
        except WrongKey as error:  # of the reader, not of the backup
            if not every:
                raise
            state, problem = "other desk" if stranger else "other key", error
        except (BackupDamaged, BackupTooNew) as error:
            state, problem = "damaged", error
    if not quiet:
        mark = click.style(f"{state:<10}", fg=MARKS[state])
        click.echo(f"{mark}  {name}  {shelf.where}" + (f"\n            {problem}" if problem else ""))
    told = None if problem is None else {"code": problem.code, "what": problem.what, "where": problem.where}
    return {"name": name, "place": shelf.where, "state": state, "problem": told}


def _backups(system: "System") -> "Backups":
    from frontdesk.app.backups import Backups
    from frontdesk.app.rooms import secrets_of

    return Backups.of(system, secrets_of(system).desk)


def _told(backups: "Backups", made: "Manifest", *, as_json: bool) -> None:
    if as_json:
        print_json(facts(made) | {"places": [shelf.where for shelf in _places(backups)]})
        return
    rows = sum(made.database.counts.values())
    seconds = (made.finished_at - made.made_at).total_seconds()
    click.echo(made.name)
    note(f"{rows:,} rows and {_files(made):,} files, {size(made.bytes)}, in {seconds:.1f} s: {_where(backups)}")
    _hints(backups)
    note(f"Next: frontdesk restore {made.name} --into FOLDER   (try it before you need it)")


@contextmanager
def _with_its_database(place: Place) -> "Generator[System]":
    """The desk with the database that it really has.

    Raises `NotFound` where there is none yet: a backup of nothing would in the end stand in the place of good ones.
    """
    from frontdesk.errors import NotFound
    from frontdesk.operate.backup.databases import store_of

    with with_own_postgres(place, place.load()) as system:
        store = store_of(system.database_url)
        if not asyncio.run(store.exists()):
            raise NotFound("There is no database to back up", where=store.where, hint="`frontdesk up` makes it.")
        yield system


@contextmanager
def with_own_postgres(place: Place, system: "System") -> "Generator[System]":
    """The desk with the PostgreSQL that it brought along, which runs meanwhile; as it is where it has none.

    Raises `BadSetting` where nobody can tell which of two databases is the desk's.
    """
    from frontdesk.errors import BadSetting
    from frontdesk.operate.backup.own_server import has_own, run, running
    from frontdesk.system.options import StoreOptions

    if system.section(StoreOptions).address or not has_own(system.home):
        yield system
        return
    password, embedded = (system.home / SERVERS_KEY).read_text(), system.home / "desk.db"
    if running(system.home, password) is None and embedded.exists():
        raise BadSetting(
            "This home holds a SQLite file and a PostgreSQL, and neither runs",
            where="DATABASE_URL",
            hint=f"Start the desk as it runs, or set DATABASE_URL=sqlite:///{embedded} if it is that one.",
        )
    with run(system.home, password) as url:
        found, _ = place.examine({"store.url": url})
        yield found or system


def _places(backups: "Backups") -> "list[Shelf]":
    return [shelf for shelf in (backups.here, backups.remote) if shelf is not None]


def _where(backups: "Backups") -> str:
    return " and ".join(shelf.where for shelf in _places(backups))


def _hints(backups: "Backups") -> None:
    if backups.made_key:
        file = backups.subject.home / "backup.key"
        note(click.style(f"Copy {file} to another place now: without it no backup can be read.", bold=True))
    if backups.remote is None and not backups.options.folder:
        note("It lies in the home that it protects. Set backup.remote or backup.folder to a place of another disk.")


def _row(name: str, made: "Manifest | None", where: str) -> tuple[object, ...]:
    if made is None:
        return (name, None, None, None, "damaged", where)
    rows = sum(made.database.counts.values())
    return (name, made.made_at, f"{rows:,}", size(made.bytes), made.frontdesk, where)


def _files(made: "Manifest") -> int:
    return sum(piece.entries for piece in made.pieces)
