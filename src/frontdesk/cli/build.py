"""`frontdesk build`"""

import shlex
from pathlib import Path
from typing import Literal, get_args

import click

from frontdesk.cli.output import json_option, note, print_json
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Verb

EXAMPLES = """\
frontdesk build all --blueprint assistant
frontdesk build orchestrator --stage development
frontdesk build all --tag v1.1.0 --registry ghcr.io/your-team --platform linux/amd64,linux/arm64 --push
frontdesk build all --gpu --dry-run"""

EnvironmentName = Literal["development", "staging", "production"]


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@click.argument("images", nargs=-1, metavar="[all | IMAGE...]")
@click.option(
    "--environment",
    type=click.Choice(get_args(EnvironmentName)),
    default="development",
    show_default=True,
    help="Which of the file's environments.",
)
@click.option("--tag", help="The release; else the file's own, else this version.")
@click.option("--registry", help="Where images belong, like ghcr.io/your-team; else the file's own.")
@click.option("--platform", "platforms", help="Like linux/amd64,linux/arm64; else this machine's.")
@click.option("--stage", default="production", show_default=True, help="production, development, testing or builder.")
@click.option("--gpu", is_flag=True, help="The images of services that have a card, in place of the others.")
@click.option("--push", is_flag=True, help="Push what was built to its registry.")
@click.option(
    "--archive",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Write one archive for each image there instead.",
)
@click.option(
    "--wheel",
    "wheels",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A wheel of a version that no index has.",
)
@click.option("--revision", default="unknown", help="The commit that is built, for the image's label.")
@click.option("--dry-run", is_flag=True, help="Print the commands and run none.")
@json_option
def build(
    place: Place,
    images: tuple[str, ...],
    environment: EnvironmentName,
    tag: str | None,
    registry: str | None,
    platforms: str | None,
    stage: str,
    gpu: bool,
    push: bool,
    archive: Path | None,
    wheels: tuple[Path, ...],
    revision: str,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Build the images of a system with Docker. Several platforms need --push or --archive in the same run."""
    from frontdesk.operate.build import Wish, steps
    from frontdesk.operate.build import build as built

    chosen = {"deployment.images.tag": tag, "deployment.images.registry": registry}
    plan = place.planned(environment, {path: value for path, value in chosen.items() if value is not None})
    wish = Wish(
        names=tuple(name for name in images if name != "all"),
        platforms=tuple(word.strip() for word in (platforms or "").split(",") if word.strip()),
        stage=stage,
        gpu=gpu,
        push=push,
        archive=archive,
        wheels=wheels,
        revision=revision,
    )
    if dry_run:
        todo = steps(plan, wish, "CONTEXT")
        if as_json:
            print_json([{"what": step.what, "command": list(step.words)} for step in todo])
            return 0
        note("Nothing is built. CONTEXT is what `frontdesk render docker --out CONTEXT` writes.")
        for step in todo:
            click.echo(shlex.join(step.words))
        return 0
    names = built(plan, wish, note)
    if as_json:
        print_json({"images": list(names), "pushed": push})
        return 0
    for name in names:
        click.echo(name)
    follows = f"release roll --kubernetes --environment {environment}" if push else "render compose --out deploy"
    note(f"Next: frontdesk {follows}")
    return 0
