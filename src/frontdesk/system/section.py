"""Sections of the system file and how environment variables fill them.

A component owns a section: a subclass of `Section`, registered as an entry point of `frontdesk.sections`. A field that
a variable may set carries `Env("NAME")`. A field with `secret=True` comes from the environment alone (`NAME`, or the
file that `NAME_FILE` names) and never from the system file.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

Path = tuple[str | int, ...]  # of a value in the system file: ("http", "port")


@dataclass(frozen=True, slots=True)
class Env:
    """Marks the variable that sets a field: `port: Annotated[int, Env("PORT")] = 8000`.

    A variable of a `list[str]` field is split at commas. `placeholders` are values that stand in documentation and
    examples: production refuses them. `shortest` is how many characters a secret must have in production. A secret that
    is `ours` may be made up here; others are handed out by whoever the desk shows them to.
    """

    name: str
    secret: bool = False
    required_in_production: bool = False
    placeholders: tuple[str, ...] = ()
    shortest: int = 0
    ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSecret:
    """A secret whose variable the system file names. `of` says what needs it, `shortest` counts characters; `ours` may
    be made up here."""

    variable: str
    of: str
    shortest: int = 1
    hint: str = ""
    ours: bool = False


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    def named_secrets(self) -> Iterable[NamedSecret]:
        """The secrets that must be set because values of this section name their variables."""
        return ()


@dataclass(frozen=True, slots=True)
class Binding:
    """A variable, and the field that it sets."""

    env: Env
    path: Path
    field: FieldInfo

    @property
    def is_list(self) -> bool:
        """Whether the variable holds several values, separated by commas."""
        return any(get_origin(kind) in (list, tuple, set, frozenset) for kind in alternatives(self.field.annotation))


def key_of(name: str, field: FieldInfo) -> str:
    """The key under which the system file knows a field."""
    return field.alias or name


def bindings(path: Path, section: type[BaseModel]) -> Iterator[Binding]:
    """Every variable of a section and of the sections within it."""
    for name, field in section.model_fields.items():
        here = (*path, key_of(name, field))
        for mark in field.metadata:
            if isinstance(mark, Env):
                yield Binding(env=mark, path=here, field=field)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from bindings(here, field.annotation)


def section_at(section: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """The section that describes the mapping at `path` within `section`; None where there is no such section."""
    if not path:
        return section
    head, *rest = path
    for name, field in section.model_fields.items():
        if key_of(name, field) == head:
            return _within(field.annotation, tuple(rest))
    named = section.__annotations__.get("__pydantic_extra__")  # a mapping whose keys its owner chooses
    return _within(named, path) if named is not None else None


def field_at(section: type[BaseModel], path: Path) -> FieldInfo | None:
    """The field that describes the value at `path` within `section`; None where none does."""
    owner = section_at(section, path[:-1]) if path else None
    fields = owner.model_fields.items() if owner else ()
    return next((field for name, field in fields if key_of(name, field) == path[-1]), None)


def _within(annotation: Any, path: Path) -> type[BaseModel] | None:
    for kind in alternatives(annotation):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return section_at(kind, path)
        if path and get_args(kind):  # an item of a list or a value of a mapping
            return _within([part for part in get_args(kind) if part is not Ellipsis][-1], path[1:])
    return None


def alternatives(annotation: Any) -> tuple[Any, ...]:
    """The kinds that a field takes: the members of a union, or the one kind."""
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
