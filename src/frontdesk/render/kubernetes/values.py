"""What operators change about an object without rendering anew. The builders mark it; `kubernetes` writes what it says,
and `helm` writes where a chart's values say it. So one set of builders serves both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

Path = tuple[str, ...]  # in values.yaml: ("services", "orchestrator", "resources")
Object = dict[str, object]  # as Kubernetes reads it; some of its parts may be a `Value`


@dataclass(frozen=True, slots=True)
class Value:
    """A part of an object that comes from values.

    `content` is what it says in this plan; `said` what values.yaml then has, by path; `template` the expression of a
    chart that makes the content from it.
    """

    content: object
    said: Mapping[Path, object] = field(hash=False)
    template: str


def value(content: object, *path: str) -> Value:
    """A part that stands in values.yaml as it is."""
    return Value(content=content, said={path: content}, template=reference(*path))


def reference(*path: str) -> str:
    """How a template names what stands at `path` in values.yaml."""
    plain_part = 0
    while plain_part < len(path) and path[plain_part].isidentifier():
        plain_part += 1
    dotted = ".".join(("$.Values", *path[:plain_part]))
    rest = " ".join(f'"{part}"' for part in path[plain_part:])
    return f"(index {dotted} {rest})" if rest else dotted


def plain(part: object) -> object:
    """`part` as it is written where no chart is: every `Value` is its content."""
    if isinstance(part, Value):
        return plain(part.content)
    if isinstance(part, Mapping):
        return {key: plain(inner) for key, inner in cast("Mapping[str, object]", part).items()}
    if isinstance(part, (list, tuple)):
        return [plain(inner) for inner in cast("list[object]", part)]
    return part
