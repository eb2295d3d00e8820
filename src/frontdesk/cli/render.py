"""`frontdesk render`"""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import click

from frontdesk.cli.output import json_option, note, print_json
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Verb

if TYPE_CHECKING:
    from frontdesk.render.target import Target
    from frontdesk.system.layout.plan import Plan

EXAMPLES = """\
frontdesk render                                                        what there is to render
frontdesk render compose --blueprint assistant --out deploy
frontdesk render kubernetes --system desk.yaml --environment production --out k8s
frontdesk render kubernetes --system desk.yaml --out k8s --diff         what would change; nothing is written"""

EnvironmentName = Literal["development", "staging", "production"]
WRITTEN = ".rendered.json"  # in the folder: which files of it were rendered, so that those which no longer are can go


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@click.argument("target", required=False)
@click.option(
    "--environment",
    type=click.Choice(get_args(EnvironmentName)),
    default="development",
    show_default=True,
    help="Which of the file's environments.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="The folder to write to.")
@click.option("--tag", help="The release whose images are meant; else the file's own, else this version.")
@click.option("--diff", is_flag=True, help="Show what would change in the folder; ends with 1 if anything would.")
@json_option
def render(
    place: Place,
    target: str | None,
    environment: EnvironmentName,
    out: Path | None,
    tag: str | None,
    diff: bool,
    as_json: bool,
) -> int:
    """Write files for other tools from the system file. Without TARGET: list the targets.

    The same file, environment and version give the same bytes, on every machine.
    """
    from frontdesk.errors import Usage

    if target is None:
        return _list(as_json)
    if out is None:
        hint = f"For example: frontdesk render {target} --out {target}"
        raise Usage("Say which folder to write to", where="--out", hint=hint)
    chosen = _target(target)
    plan = place.planned(environment, {"deployment.images.tag": tag} if tag else {})
    files = chosen.files(plan)
    try:
        changes = _changes(files, out)
        if diff:
            return _show(changes, out, as_json)
        _write(files, out)
    except OSError as error:
        hint = "Name a folder that may be written to, and in which no folder has the name of one of the files."
        raise Usage(f"It cannot be written: {error.strerror}", where=str(error.filename or out), hint=hint) from error
    if mistakes := _mistakes(plan):
        note(f"What is described could not run as it stands; mistakes: {mistakes}. `frontdesk check` tells them.")
    if as_json:
        print_json({"target": target, "environment": environment, "out": str(out), "files": sorted(files)})
        return 0
    for name in sorted(files):
        click.echo(out / name)
    count = sum(map(bool, changes.values()))
    if not files:
        note(f"The system asks for nothing of {target}: nothing was written.")
        return 0
    note(f"{len(files)} files for {environment}, {count} of them new or changed.")
    if chosen.next_step:
        note(f"Next: {chosen.next_step.format(out=out)}")
    return 0


def _list(as_json: bool) -> int:
    from frontdesk import registry

    targets = {name: _target(name) for name in registry.names("targets")}
    if as_json:
        print_json([{"name": name, "summary": target.summary} for name, target in targets.items()])
        return 0
    for name, target in targets.items():
        click.echo(f"{name:<14} {target.summary}")
    note("Next: frontdesk render TARGET --out FOLDER")
    return 0


def _target(name: str) -> "Target":
    from frontdesk import registry
    from frontdesk.errors import Usage
    from frontdesk.render.target import Target
    from frontdesk.system.load import near

    known = registry.names("targets")
    if name not in known:
        hint = near(name, known) or f"There are: {', '.join(known)}."
        raise Usage(f"There is no target `{name}`", where="TARGET", hint=hint)
    return registry.load("targets", name, Target)


def _mistakes(plan: "Plan") -> int:
    """How many mistakes the description has beyond its form."""
    from frontdesk.system.layout.proofs import prove
    from frontdesk.telemetry.metrics import names

    return sum(found.severity == "error" for found in prove(plan, names()))


def _changes(files: Mapping[str, str], folder: Path) -> dict[str, list[str]]:
    """The difference of each file, as lines; of those that were rendered before and no longer are, too."""
    names = sorted({*files, *_rendered_before(folder)})
    return {name: _difference(name, _text(folder / name), files.get(name)) for name in names}


def _difference(name: str, before: str | None, after: str | None) -> list[str]:
    if before == after:
        return []
    old, new = (before or "").splitlines(), (after or "").splitlines()
    origin, end = ("/dev/null" if before is None else f"a/{name}"), ("/dev/null" if after is None else f"b/{name}")
    return list(difflib.unified_diff(old, new, origin, end, lineterm=""))


def _show(changes: Mapping[str, list[str]], folder: Path, as_json: bool) -> int:
    changed = {name: lines for name, lines in changes.items() if lines}
    if as_json:
        print_json({"same": not changed, "changed": changed})
    else:
        for lines in changed.values():
            for line in lines:
                click.secho(line, fg={"+": "green", "-": "red", "@": "cyan"}.get(line[:1]))
        note(f"{len(changed)} files would change." if changed else f"{folder} is as it would be rendered.")
    return 1 if changed else 0


def _write(files: Mapping[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in _rendered_before(folder) - files.keys():
        (folder / name).unlink(missing_ok=True)
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        if text.startswith("#!"):
            file.chmod(0o755)
    (folder / WRITTEN).write_text(json.dumps(sorted(files), indent=1) + "\n", encoding="utf-8")


def _rendered_before(folder: Path) -> set[str]:
    """What this folder holds of a former rendering. Names that lead out of it are not believed."""
    text = _text(folder / WRITTEN)
    try:
        names: object = json.loads(text) if text else []
    except ValueError:
        return set()
    if not isinstance(names, list):
        return set()
    inside = folder.resolve()
    return {name for name in map(str, names) if (inside / name).resolve().is_relative_to(inside)}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] — text is made of each


def _text(file: Path) -> str | None:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else None
