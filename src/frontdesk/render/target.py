"""What a target is: a named way from a plan to files. Built-in ones come in by the same door, `frontdesk.targets`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from frontdesk.system.layout.plan import Plan

if TYPE_CHECKING:
    _Dumper = yaml.SafeDumper
else:  # libyaml gives the same bytes, eight times as fast
    _Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

# What PyYAML takes for text, and programs that read by YAML 1.2 or by Go's rules for a number or a truth.
_ELSEWHERE = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+|0o[0-7]+|[yYnN]")

Files = Mapping[str, str]  # text by path, relative to the folder that they are written to


@dataclass(frozen=True, slots=True)
class Target:
    """`files` is pure: the same plan gives the same bytes. `next_step` is the command that uses what was written, with
    `{out}` for the folder."""

    summary: str
    files: Callable[[Plan], Files]
    next_step: str = ""


def yaml_text(*documents: object) -> str:
    """YAML as every target writes it: keys in the order given, no aliases, `---` between documents."""
    return yaml.dump_all(documents, Dumper=_Plain, sort_keys=False, width=110, allow_unicode=True)


class _Plain(_Dumper):
    """No aliases; text of several lines stands as it is read."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else "'" if _ELSEWHERE.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)  # pyright: ignore[reportUnknownMemberType] — the stubs leave it out


_Plain.add_representer(str, _text)
