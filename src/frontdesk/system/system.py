"""The loaded system: typed sections, and where each of their values came from."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel

from frontdesk.errors import FrontdeskError
from frontdesk.system.environment import Environment
from frontdesk.system.options import DeskOptions, StoreOptions
from frontdesk.system.section import Env, Path, Section, bindings, key_of

S = TypeVar("S", bound=Section)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from; `place` is a variable's name, or file:line."""

    kind: Literal["option", "variable", "environment file", "secrets folder", "system file", "default"]
    place: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.place}".strip()


DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Setting:
    """One value in effect. A secret's value is `***` when it is set, else empty."""

    path: str
    value: object
    origin: Origin
    variable: str | None = None
    secret: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class System:
    """A checked system description. Nothing in it changes after loading.

    `home` is the folder of everything that the desk stores; `file` the system file, if there is one; `blueprint` the
    name of the blueprint that the file is made from. `warnings` did not keep the system from loading. `again` loads it
    from the same places anew, and tells the mistakes that are there now. `left_out` are places of the file whose
    mistakes were left out of the sections, so that the rest could be looked at; never of a system that is to run.
    """

    home: File
    sections: Mapping[str, Section]
    environment_variables: Environment
    file: File | None = None
    blueprint: str | None = None
    origins: Mapping[Path, Origin] = field(default_factory=dict[Path, Origin])
    warnings: tuple[FrontdeskError, ...] = ()
    left_out: frozenset[Path] = frozenset()
    again: "Callable[[], tuple[System | None, tuple[FrontdeskError, ...]]] | None" = field(default=None, compare=False)

    @classmethod
    def of(cls, home: File, *sections: Section, variables: Mapping[str, str] | None = None) -> "System":
        """A system made of these sections, without any file; their names are their classes' names."""
        return cls(
            home=home,
            sections={type(section).__name__: section for section in sections},
            environment_variables=Environment(variables or {}),
        )

    def section(self, kind: type[S]) -> S:
        """The section of this class; its defaults when nothing was said about it."""
        for section in self.sections.values():
            if type(section) is kind:
                return cast(S, section)
        return kind()

    @property
    def name(self) -> str:
        """What the desk is called."""
        return self.section(DeskOptions).name

    @property
    def environment(self) -> str:
        """`development`, `staging` or `production`."""
        return self.section(DeskOptions).environment

    @property
    def database_url(self) -> str:
        """The database's address: as set, or a SQLite file in the home."""
        return self.section(StoreOptions).address or f"sqlite:///{self.home / 'desk.db'}"

    def variable(self, name: str) -> str | None:
        """A variable that the system file names (such as a model's `key_variable`), or None when it is not set.

        `NAME_FILE`, the environment file and kept secrets count too; a placeholder counts as not set.
        Raises `BadSetting`.
        """
        found = self.environment_variables.get(name)
        return None if found is None or is_placeholder(found.value) else found.value

    def source_of(self, path: str) -> Origin:
        """Where the value at `path` (`http.port`) came from."""
        parts: Path = tuple(int(part) if part.isdigit() else part for part in path.split("."))
        while parts and parts not in self.origins:
            parts = parts[:-1]
        return self.origins.get(parts, DEFAULT)

    def settings(self) -> Iterator[Setting]:
        """Every setting in effect, section by section."""
        for name, section in self.sections.items():
            marks = {binding.path: binding.env for binding in bindings((name,), type(section))}
            yield from self._settings((name,), section, marks)

    def _settings(self, path: Path, section: BaseModel, marks: Mapping[Path, Env]) -> Iterator[Setting]:
        shown = section.model_dump(mode="json", by_alias=True)
        for name, info in type(section).model_fields.items():
            here = (*path, key_of(name, info))
            inner = getattr(section, name)
            if isinstance(inner, Section):
                yield from self._settings(here, inner, marks)
                continue
            mark, dotted = marks.get(here), ".".join(map(str, here))
            secret = mark is not None and mark.secret
            value: Any = shown[key_of(name, info)]
            yield Setting(
                path=dotted,
                value=("***" if value else "") if secret else value,
                origin=self.source_of(dotted),
                variable=mark.name if mark else None,
                secret=secret,
                description=info.description or "",
            )


_COMMON = (
    "changeme",
    "change-me",
    "change_me",
    "placeholder",
    "secret",
    "password",
    "example",
    "todo",
    "xxx",
    "...",
    "…",
)
_BEGINNINGS = ("your-", "your_", "<", "replace-", "replace_", "change-me", "changeme", "placeholder", "insert-")
_PAIRS = ("user:password@", "postgres:postgres@", "username:password@")


def is_placeholder(value: str, known: tuple[str, ...] = ()) -> bool:
    """Whether a secret is one of documentation's stand-ins and not somebody's own."""
    text = value.strip().lower()
    return bool(text) and (
        text in known
        or text in _COMMON
        or text.startswith(_BEGINNINGS)
        or text.endswith(("...", "…"))
        or any(pair in text for pair in _PAIRS)
    )
