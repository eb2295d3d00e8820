"""Which desk a command speaks of: the options that every verb shares."""

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from frontdesk.errors import FrontdeskError
    from frontdesk.system.layout.plan import Plan
    from frontdesk.system.system import System

P = ParamSpec("P")
R = TypeVar("R")
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a desk lies: its home, its system file or blueprint, its environment file; None: as usual."""

    home: Path | None
    system: Path | None
    blueprint: str | None
    env_file: Path | None

    @property
    def folder(self) -> Path:
        """The desk's home."""
        from frontdesk.system.home import home_folder

        return self.home.absolute() if self.home else home_folder()

    @property
    def file(self) -> Path | None:
        """The system file: as named, or the home's own, if it has one. Raises `NotFound` for no such blueprint."""
        from frontdesk.errors import NotFound
        from frontdesk.system.home import SYSTEM_FILE, blueprint_file, blueprints

        if self.system:
            return self.system
        if self.blueprint:
            if self.blueprint not in blueprints():
                hint = f"There are: {', '.join(blueprints())}."
                raise NotFound(f"There is no blueprint `{self.blueprint}`", hint=hint)
            return blueprint_file(self.blueprint)
        own = self.folder / SYSTEM_FILE
        return own if own.is_file() else None

    def with_blueprint(self, name: str | None) -> "Place":
        """The place with a shipped blueprint, if one is named: that is stronger than FRONTDESK_SYSTEM.

        Raises `Usage` where `--system` is said, too.
        """
        from frontdesk.errors import Usage

        if name is None:
            return self
        if self.system is not None and was_said("system"):
            raise Usage("A system file and a blueprint are named", where=f"--system, {name}", hint="Take one of them.")
        return replace(self, system=None, blueprint=name)

    def load(self, options: Mapping[str, object] | None = None, *, starting: bool = True) -> "System":
        """The system. Raises `BadSystemFile` or `BadSetting` with every mistake.

        With `starting` off a secret that production misses is no mistake: not every process needs those.
        """
        from frontdesk.system.load import together

        system, problems = self.examine(options, starting=starting)
        if system is None or problems:
            raise together(problems)
        return system

    def examine(
        self, options: Mapping[str, object] | None = None, *, starting: bool = True
    ) -> "tuple[System | None, tuple[FrontdeskError, ...]]":
        """The system and every mistake."""
        from frontdesk.system.load import examine

        env_file = self.env_file
        if env_file is None and self.blueprint and (self.folder / ".env").is_file():
            env_file = self.folder / ".env"
        return examine(
            self.file, env_file=env_file, home=self.folder, options=options, variables=os.environ, starting=starting
        )

    def planned(self, environment: str, options: Mapping[str, object] | None = None) -> "Plan":
        """What follows from the system file in an environment; this machine and its variables do not count.

        Raises `NotFound` without a file, and every mistake of the description.
        """
        from frontdesk.errors import NotFound
        from frontdesk.system.layout.plan import Plan
        from frontdesk.system.load import described, together

        file = self.file
        if file is None:
            hint = "`frontdesk init` writes a system file; `--blueprint NAME` takes a shipped one."
            raise NotFound("There is no system file", where=str(self.folder), hint=hint)
        system, problems = described(file, environment, options)
        if system is None or problems:
            raise together(problems)
        return Plan(system)


def was_said(name: str) -> bool:
    """Whether the command line itself says this option of the running command."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _is_blueprint(system: Path) -> bool:
    """Whether `--system` names a shipped blueprint and no file."""
    from frontdesk.system.home import blueprints

    return str(system) in blueprints() and not system.exists()


def placed(command: Callable[Concatenate[Place, P], R]) -> Callable[..., R]:
    """Give a command the options of a place, and the place as its first argument."""

    @click.option("--home", type=FOLDER, help="The desk's folder (FRONTDESK_HOME).")
    @click.option(
        "--system", type=FILE, envvar="FRONTDESK_SYSTEM", help="The system file, or a blueprint (FRONTDESK_SYSTEM)."
    )
    @click.option("--blueprint", "shipped", metavar="NAME", help="Take a shipped blueprint instead of a system file.")
    @click.option("--env-file", type=FILE, help="The environment file; else .env next to the system file.")
    @functools.wraps(command)
    def with_place(
        home: Path | None, system: Path | None, shipped: str | None, env_file: Path | None, **more: Any
    ) -> R:
        if system and not shipped and _is_blueprint(system):
            system, shipped = None, str(system)
        place = Place(home, system, None, env_file).with_blueprint(shipped)
        return command(place, **more)  # pyright: ignore[reportCallIssue] — click passes the rest by name

    return with_place
