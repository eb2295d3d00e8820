"""Plug-ins by entry point. Built-ins come through the same door.

Kinds and their groups: `frontdesk.sections`, `frontdesk.models`, `frontdesk.channels`, `frontdesk.readers`,
`frontdesk.embedders`, `frontdesk.guards`, `frontdesk.searches`, `frontdesk.targets`.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from frontdesk.errors import BadSetting, MissingExtra

T = TypeVar("T")


@cache
def _entries(kind: str) -> tuple[EntryPoint, ...]:
    """Looked up once: it reads what every installed package says of itself."""
    return tuple(entry_points(group=f"frontdesk.{kind}"))


def names(kind: str) -> tuple[str, ...]:
    """The names of every installed plug-in of `kind`, sorted."""
    return tuple(sorted(entry.name for entry in _entries(kind)))


def load(kind: str, name: str, expected: type[T]) -> T:
    """The plug-in `name` of `kind`, checked to be an `expected`.

    Raises `BadSetting` for an unknown name or a plug-in of another type, `MissingExtra` when its package is absent.
    """
    value = _entry(kind, name)
    if not isinstance(value, expected):
        raise BadSetting(f"The {kind} plug-in {name!r} is a {type(value).__name__}, not a {expected.__name__}")
    return value


def load_class(kind: str, name: str, expected: type[T]) -> type[T]:
    """The plug-in class `name` of `kind`, checked to be a subclass of `expected`. Raises as `load`."""
    value = _entry(kind, name)
    if not (isinstance(value, type) and issubclass(value, expected)):
        raise BadSetting(f"The {kind} plug-in {name!r} is not a {expected.__name__}")
    return value


def _entry(kind: str, name: str) -> object:
    found = [entry for entry in _entries(kind) if entry.name == name]
    if not found:
        raise BadSetting(f"There is no {kind} plug-in {name!r}", hint=f"Installed: {', '.join(names(kind)) or 'none'}.")
    return _import(kind, found[0])


def _import(kind: str, entry: EntryPoint) -> object:
    try:
        return entry.load()
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{kind} plug-in {entry.name!r} needs the package {error.name!r}",
            hint=f"pip install 'frontdesk[{entry.name}]'",
        ) from error
