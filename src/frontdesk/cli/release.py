"""`frontdesk release`"""

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, get_args

import click

from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Group

if TYPE_CHECKING:
    from frontdesk.operate.release.cluster import Cluster
    from frontdesk.operate.release.record import Act, Content, Entry, Release, Releases
    from frontdesk.operate.running.state import Instance
    from frontdesk.system.layout.plan import Plan

EXAMPLES = """\
frontdesk release roll --why "longer answers"          the system file as it is now takes over, process by process
frontdesk release roll --program /opt/new/bin/frontdesk    another version does
frontdesk release undo                                 the release before it comes back
frontdesk release roll --kubernetes --environment staging --tag v1.0.0 --dry-run
frontdesk release roll --kubernetes --environment production"""

EnvironmentName = Literal["development", "staging", "production"]
ENVIRONMENT = click.option(
    "--environment",
    type=click.Choice(get_args(EnvironmentName)),
    default="development",
    show_default=True,
    help="With --kubernetes: whose release.",
)
CLUSTER = click.option("--kubernetes", is_flag=True, help="In the cluster that kubectl reaches, not on this machine.")
CONTEXT = click.option("--context", default="", help="With --kubernetes: kubectl's context; else its present one.")
TIMEOUT = click.option(
    "--timeout", type=click.IntRange(1), default=600, help="With --kubernetes: seconds for each part."
)
WHY = click.option("--why", default="", help="Said in the journal.")
WATCH = click.option(
    "--watch", type=click.FloatRange(0), default=10.0, show_default=True, help="Seconds, each service."
)
WORST = click.option(
    "--worst", type=click.FloatRange(0, 100), default=5.0, show_default=True, help="Percent of answers that may fail."
)


@click.group(cls=Group, examples=EXAMPLES)
def release() -> None:
    """Roll out a release while calls go on, watch it, and go back to the one before.

    A release is the text of the system file, the version that runs it, and settings that are no secrets.
    """


@release.command(name="list", examples="frontdesk release list\nfrontdesk release list --json")
@placed
@json_option
def list_(place: Place, as_json: bool) -> None:
    """List which release took over when, by whom, and why."""
    import msgspec

    from frontdesk.operate.release.record import Releases

    entries = Releases(place.folder).journal()
    if as_json:
        print_json([msgspec.structs.asdict(entry) for entry in entries])
        return
    if not entries:
        note("Nothing was released here yet. Next: frontdesk up --processes")
        return
    rows = [
        (entry.at, entry.act, entry.release, entry.former, entry.version, _where(entry), entry.who, _words(entry))
        for entry in entries
    ]
    print_table(rows, ("at (UTC)", "act", "release", "former", "version", "where", "who", "why"))


@release.command(examples=EXAMPLES)
@placed
@click.option("--to", "number", type=int, help="A release of the list; else what the system file says now.")
@click.option("--program", type=click.Path(path_type=Path, dir_okay=False), help="The `frontdesk` to run.")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="A variable of its processes; `NAME=`: no more."
)
@click.option(
    "--image", "images", multiple=True, metavar="NAME=sha256:…", help="With --kubernetes: an image, by digest."
)
@click.option("--tag", help="With --kubernetes: the tag of the images.")
@click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
@WHY
@WATCH
@WORST
@CLUSTER
@CONTEXT
@TIMEOUT
@ENVIRONMENT
def roll(
    place: Place,
    number: int | None,
    program: Path | None,
    settings: tuple[str, ...],
    images: tuple[str, ...],
    tag: str | None,
    dry_run: bool,
    why: str,
    watch: float,
    worst: float,
    kubernetes: bool,
    context: str,
    timeout: int,
    environment: EnvironmentName,
) -> None:
    """Let a release take over from the one that runs. It goes back by itself when it does worse."""
    from frontdesk.operate.release.record import Releases

    releases = Releases(place.folder)
    if dry_run and not kubernetes:
        _compare_here(place, releases, number, program, settings)
        return
    if kubernetes:
        cluster = _cluster(context, timeout)
        if dry_run:
            _compare_cluster(place, releases, cluster, number, _pairs(images, "--image"), tag, environment)
            return
        if number is None:
            made = _rendered(place, releases, environment, _pairs(images, "--image"), tag)
        else:
            made = releases.get(number)
        _roll_cluster(releases, cluster, made, environment, "roll", why)
        return
    for instance in _instances(place):
        made = releases.get(number) if number is not None else _fresh(place, instance, releases, program, settings)
        _roll_here(releases, instance, made, "roll", why, watch, worst)


@release.command(examples="frontdesk release undo\nfrontdesk release undo --kubernetes --environment staging")
@placed
@WHY
@WATCH
@WORST
@CLUSTER
@CONTEXT
@TIMEOUT
@ENVIRONMENT
def undo(
    place: Place,
    why: str,
    watch: float,
    worst: float,
    kubernetes: bool,
    context: str,
    timeout: int,
    environment: EnvironmentName,
) -> None:
    """Let the release before the present one take over again: its version, its configuration, its images by digest."""
    from frontdesk.operate.release.record import Releases

    releases = Releases(place.folder)
    if kubernetes:
        former = _former(releases, "kubernetes", environment)
        _roll_cluster(releases, _cluster(context, timeout), former, environment, "undo", why)
        return
    former = _former(releases, "here", "")
    for instance in _instances(place):
        _roll_here(releases, instance, former, "undo", why, watch, worst)


@release.command(examples="frontdesk release watch --seconds 60")
@placed
@click.option("--seconds", type=click.FloatRange(0), default=30.0, show_default=True, help="How long.")
@WORST
@json_option
def watch(place: Place, seconds: float, worst: float, as_json: bool) -> int:
    """Look how the release that runs does: health, restarts and failed answers. Ends with 1 if it does not do well."""
    instances = _instances(place)
    until = time.monotonic() + seconds
    while True:
        seen = [asyncio.run(_seen(instance)) for instance in instances]
        rows = [row for each in seen for row in each]
        bad = [row for row in rows if row["state"] != "ready" or float(str(row["failed_percent"])) > worst]
        if not as_json:
            shown = ", ".join(f"{row['process']} {row['state']} {row['failed_percent']} %" for row in rows)
            note(f"release {instances[0].release}: {shown}")
        if bad or time.monotonic() >= until:
            break
        time.sleep(min(2.0, max(0.0, until - time.monotonic())))
    if as_json:
        print_json({"ok": not bad, "release": instances[0].release, "processes": rows})
    elif bad:
        note(f"Not well: {', '.join(str(row['process']) for row in bad)}. Go back: frontdesk release undo")
    else:
        click.echo(f"Release {instances[0].release} does well.")
    return 1 if bad else 0


async def _seen(instance: "Instance") -> list[dict[str, object]]:
    from frontdesk.operate.running.asking import answers
    from frontdesk.operate.running.health import of_instance

    rows: list[dict[str, object]] = []
    ports = {process.name: process for process in instance.processes}
    for health in await of_instance(instance):
        process = ports[health.name]
        told = await answers(process.own_port) if process.own_port else None
        share = 0.0 if told is None or not told.total else round(100 * told.failed / told.total, 2)
        rows.append(
            {
                "process": health.name,
                "state": "ready" if health.ready else "not ready" if health.alive else "away",
                "release": health.release,
                "restarts": process.restarts,
                "requests": 0 if told is None else int(told.total),
                "failed_percent": share,
            }
        )
    return rows


# --- on this machine --------------------------------------------------------


def _instances(place: Place) -> "list[Instance]":
    from frontdesk.operate.errors import NotRunning
    from frontdesk.operate.running.state import instances

    found = list(instances(place.folder))
    if not found:
        raise NotRunning("Nothing runs as processes of its own here", where=str(place.folder))
    return found


def _fresh(
    place: Place, instance: "Instance", releases: "Releases", program: Path | None, settings: tuple[str, ...]
) -> "Release":
    """The system file as it is now, run by the program given, or by the one that runs now."""
    return releases.keep(_content(place, instance, releases, program, settings))


def _content(
    place: Place, instance: "Instance", releases: "Releases", program: Path | None, settings: tuple[str, ...]
) -> "Content":
    from frontdesk.errors import Usage
    from frontdesk.operate.release.record import Content
    from frontdesk.operate.running.assembly import secret_variables

    named = place.system is not None or place.blueprint is not None
    runs = Path(instance.system_file) if instance.system_file else None
    file = place.file if named or runs is None else runs
    system = replace(place, system=file, blueprint=None).load(starting=False)
    changed = _pairs(settings, "--set")
    for name in changed:
        if name in secret_variables(system):
            hint = f"`frontdesk secrets` keeps it: frontdesk secrets rotate {name}"
            raise Usage(f"{name} is a secret, and no release holds one", where="--set", hint=hint)
    now = releases.get(instance.release).content if instance.release else None
    variables = {**(now.variables if now else {}), **changed}
    return Content(
        text=file.read_text(encoding="utf-8") if file else "",
        file=str(file.absolute()) if file else None,
        version=_version_of(program) if program else _running_version(now),
        program=(str(program.absolute()),) if program else now.program if now else (),
        variables={name: value for name, value in variables.items() if value},
    )


def _running_version(now: "Content | None") -> str:
    from frontdesk import __version__
    from frontdesk.cli.instance import PROGRAM

    if now is None or now.program in ((), PROGRAM):
        return __version__
    return _version_of(Path(now.program[0]))


def _version_of(program: Path) -> str:
    from frontdesk.errors import Usage

    try:
        done = subprocess.run([program, "version", "--json"], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 — the owner's own choice
        return str(json.loads(done.stdout)["frontdesk"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        raise Usage("This program is no `frontdesk`", where=str(program), hint="It must tell its version.") from error


def _roll_here(
    releases: "Releases", instance: "Instance", made: "Release", act: "Act", why: str, watch: float, worst: float
) -> None:
    from msgspec import structs

    from frontdesk.cli.ps import lagging
    from frontdesk.operate.errors import OrderFailed
    from frontdesk.operate.running.control import order

    before = releases.get(instance.release) if instance.release else None
    _tell_change(before, made)
    if before is not None and before.number == made.number:
        click.echo(f"Release {made.number} runs already; `frontdesk restart` begins processes anew.")
        return
    former = before.number if before else None
    what = {"act": "roll", "release": made.number, "seconds": watch, "worst": worst / 100}
    try:
        order(instance, what, note)
    except OrderFailed as error:
        releases.note(act, made, former, why=why, failed=error.what)
        raise
    releases.note(act, made, former, why=why)
    click.echo(f"Release {made.number} runs, version {made.content.version}. Back: frontdesk release undo")
    now = structs.replace(instance, version=made.content.version)
    if now.lags:
        note(lagging(now))


def _tell_change(before: "Release | None", made: "Release") -> None:
    """Versions and configuration before and after."""
    if before is None:
        note(f"Release {made.number}, version {made.content.version}")
        return
    note(f"Release {before.number} → {made.number}, version {before.content.version} → {made.content.version}")
    for line in _differences(before.content, made.content):
        note(line)


def _differences(before: "Content", after: "Content") -> Iterator[str]:
    if before.text != after.text:
        old, new = before.text.splitlines(), after.text.splitlines()
        yield f"  system file: lines added: {len(set(new) - set(old))}, removed: {len(set(old) - set(new))}"
    for name in sorted({*before.variables, *after.variables}):
        old_value, new_value = before.variables.get(name, ""), after.variables.get(name, "")
        if old_value != new_value:
            yield f"  {name}: {old_value or 'not set'} → {new_value or 'not set'}"


def _compare_here(
    place: Place, releases: "Releases", number: int | None, program: Path | None, settings: tuple[str, ...]
) -> None:
    """What a release would change on this machine. Nothing is kept."""
    for instance in _instances(place):
        now = releases.get(instance.release).content if instance.release else None
        then = releases.get(number).content if number else _content(place, instance, releases, program, settings)
        lines = list(_differences(now, then)) if now else ["  everything: no release is known of what runs"]
        versions = f"version {now.version if now else 'unknown'} → {then.version}"
        click.echo("\n".join((f"{instance.name}: {versions}", *(lines or ["  nothing else would change"]))))


def _compare_cluster(
    place: Place,
    releases: "Releases",
    cluster: "Cluster",
    number: int | None,
    images: Mapping[str, str],
    tag: str | None,
    environment: str,
) -> None:
    """What a release would change in the cluster. Nothing is kept."""
    with TemporaryDirectory(prefix="frontdesk-release-") as scratch:
        folder = Path(scratch)
        if number is None:
            _write(_plan(place, environment, images, tag), folder)
        else:
            folder = _folder(releases, releases.get(number), environment)
        click.echo(cluster.compare(folder) or f"Nothing would change in {environment}.")


def _former(releases: "Releases", where: 'Literal["here", "kubernetes"]', environment: str) -> "Release":
    from frontdesk.errors import NotFound

    current = releases.current(where, environment)
    if current is None or current.former is None:
        hint = "frontdesk release list"
        raise NotFound("There is no release before the present one", where=str(releases.folder), hint=hint)
    return releases.get(current.former)


# --- in a cluster -----------------------------------------------------------


def _cluster(context: str, timeout: int) -> "Cluster":
    from frontdesk.operate.release.cluster import Cluster

    return Cluster(say=note, context=context, seconds=timeout)


def _rendered(
    place: Place, releases: "Releases", environment: str, images: Mapping[str, str], tag: str | None
) -> "Release":
    """The release that the system file describes, with its files beside it."""
    from frontdesk.operate.release.record import Content
    from frontdesk.render.kubernetes.workloads import image_of

    plan = _plan(place, environment, images, tag)
    content = Content(
        text=plan.system_file,
        file=str(place.file) if place.file else None,
        version=plan.release,
        images={running.name: image_of(plan, running) for running in plan.services},
    )
    made = releases.keep(content)
    _write(plan, _folder(releases, made, environment))
    return made


def _plan(place: Place, environment: str, images: Mapping[str, str], tag: str | None) -> "Plan":
    options: dict[str, object] = {"deployment.images.tag": tag} if tag else {}
    plan = place.planned(environment, options)
    if not images:
        return plan
    digests = {**plan.deployment.images.digests, **images}
    return place.planned(environment, {**options, "deployment.images.digests": digests})


def _write(plan: "Plan", folder: Path) -> None:
    from frontdesk import registry
    from frontdesk.render.target import Target

    for name, text in registry.load("targets", "kubernetes", Target).files(plan).items():
        file = folder / name
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _roll_cluster(
    releases: "Releases", cluster: "Cluster", made: "Release", environment: str, act: "Act", why: str
) -> None:
    from frontdesk.operate.errors import ReleaseRefused

    current = releases.current("kubernetes", environment)
    before = releases.get(current.release) if current else None
    _tell_change(before, made)
    folder = _folder(releases, made, environment)
    former = before.number if before and before.number != made.number else current and current.former
    try:
        cluster.apply(folder)
        cluster.watch(folder)
    except ReleaseRefused as error:
        releases.note(act, made, former, why=why, where="kubernetes", environment=environment, failed=error.what)
        if before is not None and before.number != made.number:
            note(f"{error.what}. Release {before.number} comes back.")
            back = _folder(releases, before, environment)
            cluster.apply(back)
            cluster.watch(back)
            note(f"Release {before.number} is back.")
        raise
    for image, pinned in cluster.pin(folder).items():
        note(f"  {image} is {pinned.rpartition('@')[2]}")
    releases.note(act, made, former, why=why, where="kubernetes", environment=environment)
    click.echo(f"Release {made.number} runs in {environment}. Back: frontdesk release undo --kubernetes")


def _folder(releases: "Releases", made: "Release", environment: str) -> Path:
    return releases.folder_of(made.number) / f"kubernetes-{environment}"


# --- words ------------------------------------------------------------------


def _pairs(words: tuple[str, ...], flag: str) -> dict[str, str]:
    from frontdesk.errors import Usage

    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise Usage(f"{word!r} is no NAME=VALUE", where=flag)
        found[name] = value
    return found


def _where(entry: "Entry") -> str:
    return f"{entry.environment} cluster" if entry.where == "kubernetes" else "here"


def _words(entry: "Entry") -> str:
    return f"went back: {entry.failed}" if entry.failed else entry.why
