"""Building the images of a system: which commands do it, and running them one after the other.

One platform is built by `docker build` into the images of this machine. Several need `docker buildx`, and a place to go
in the same run (a registry or an archive), because an engine keeps only images of its own platform.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from frontdesk.errors import Usage
from frontdesk.operate.errors import BuildFailed, MissingProgram
from frontdesk.render.docker import GPU_PLATFORM, STAGES, Image, files, images
from frontdesk.system.layout.plan import Plan
from frontdesk.system.load import near

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be built. `names` are images or services, none: all; `platforms` none: this machine's."""

    names: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    stage: str = "production"
    gpu: bool = False
    push: bool = False
    archive: Path | None = None
    wheels: tuple[Path, ...] = ()
    revision: str = "unknown"


@dataclass(frozen=True, slots=True)
class Step:
    """One command and what it does, in a few words."""

    what: str
    words: tuple[str, ...]


def steps(plan: Plan, wish: Wish, context: str) -> tuple[Step, ...]:
    """The commands, in order. Raises `Usage` for what is not there and for wishes that contradict each other."""
    _refuse(wish)
    if wish.push and not plan.deployment.images.registry:
        hint = "Add --registry, like ghcr.io/your-team, or say `deployment.images.registry` in the system file."
        raise Usage("There is no registry to push to", where="--push", hint=hint)
    found: list[Step] = []
    for image in _chosen(plan, wish):
        platforms = (GPU_PLATFORM,) if image.gpu else wish.platforms
        found.append(Step(f"build {image.reference}", _build(image, wish, platforms, context)))
        if wish.push and len(platforms) < 2:
            found.append(Step(f"push {image.reference}", ("docker", "push", image.reference)))
    return tuple(found)


def build(plan: Plan, wish: Wish, say: Say, program: str = "docker") -> tuple[str, ...]:
    """Build what is wished; the images' names. Raises `Usage`, `MissingProgram`, `BuildFailed` at the first failure."""
    path = shutil.which(program)
    if path is None:
        hint = "Install Docker Engine (docs.docker.com/engine/install), or see the commands with --dry-run."
        raise MissingProgram(f"There is no program {program} here, which builds images", where=program, hint=hint)
    with tempfile.TemporaryDirectory(prefix="frontdesk-build-") as context:
        todo = steps(plan, wish, context)
        write_context(files(plan), wish.wheels, Path(context))
        for number, step in enumerate(todo, start=1):
            say(f"[{number}/{len(todo)}] {step.what}")
            ended = subprocess.run([path, *step.words[1:]], check=False, stdin=subprocess.DEVNULL)  # noqa: S603 — our own words
            if ended.returncode != 0:
                hint = "What the builder said stands above. Nothing after it was built."
                raise BuildFailed(f"It could not {step.what} (exit code {ended.returncode})", hint=hint)
    return tuple(image.reference for image in _chosen(plan, wish))


def write_context(texts: Mapping[str, str], wheels: Sequence[Path], folder: Path) -> None:
    """The build context, with the wheels of a version that no index has."""
    for name, text in texts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for wheel in wheels:
        shutil.copy(wheel, folder / "wheels" / wheel.name)


def _refuse(wish: Wish) -> None:
    if wish.gpu and (other := [platform for platform in wish.platforms if platform != GPU_PLATFORM]):
        hint = f"Leave {', '.join(other)} out, or build the images without a GPU in another run."
        raise Usage(f"Images with a GPU are built for {GPU_PLATFORM} alone", where="--gpu --platform", hint=hint)
    if len(wish.platforms) > 1 and not wish.push and wish.archive is None:
        hint = "Add --push, or --archive FOLDER. An engine keeps only images of its own platform."
        raise Usage("Images of several platforms need somewhere to go in the same run", where="--platform", hint=hint)
    if wish.push and wish.archive is not None:
        raise Usage("--push and --archive are two places to go", where="--archive", hint="Take one of them.")
    if wish.push and wish.stage != "production":
        hint = "Leave --push out: other stages are for this machine."
        raise Usage(f"The stage {wish.stage} is never pushed", where="--stage", hint=hint)
    if wish.stage not in STAGES:
        raise Usage(f"There is no stage {wish.stage!r}", where="--stage", hint=f"Take one of {', '.join(STAGES)}.")


def _chosen(plan: Plan, wish: Wish) -> tuple[Image, ...]:
    offered = [image for image in images(plan) if image.gpu == wish.gpu]
    if not offered:
        raise Usage("No service of this system has a card", where="--gpu", hint="Leave --gpu out.")
    if not wish.names:
        return tuple(offered)
    by_service = {running.key: running.service.image or running.name for running in plan.services}
    names = {f"{by_service.get(name, name)}{'-gpu' if wish.gpu else ''}" for name in wish.names}
    known = {image.name for image in offered}
    if missing := sorted(names - known):
        hint = near(missing[0], known) or f"There are: {', '.join(sorted(known))}."
        raise Usage(f"There is no image or service {missing[0]!r}", where="IMAGE", hint=hint)
    return tuple(image for image in offered if image.name in names)


def _build(image: Image, wish: Wish, platforms: tuple[str, ...], context: str) -> tuple[str, ...]:
    several = len(platforms) > 1
    words = ["docker", *(("buildx", "build") if several or wish.archive else ("build",))]
    words += ["--file", f"{context}/{image.dockerfile}", "--target", wish.stage, "--tag", image.reference]
    if platforms:
        words += ["--platform", ",".join(platforms)]
    for name, value in {**image.arguments, "REVISION": wish.revision}.items():
        words += ["--build-arg", f"{name}={value}"]
    if wish.archive is not None:
        words += ["--output", f"type=oci,dest={wish.archive / image.name}.tar"]
    elif several:
        words += ["--push", "--provenance", "mode=max", "--sbom", "true"]
    return (*words, context)
