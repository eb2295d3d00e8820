"""Several variants of an object as one Go template: what they share stands there, what differs comes from values.

A part that the builders marked (`Value`) comes from where they say. One that differs without a mark gets a place of its
own: `objects.KIND.NAME` and its place in the object. So the template with a variant's values is that variant, always.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from frontdesk.render.kubernetes.values import Object, Path, Value, plain, reference
from frontdesk.render.target import yaml_text

Values = dict[Path, object]  # what values say, by path; None: nothing
Parts = Mapping[str, object]  # the same part of each variant, by the variant's name

_TOKEN = re.compile(r"xVALUEx(\d+)x")
_SWITCH = re.compile(r"^ *x(IF|END)x(\d+)x: ''$")
_LINE = re.compile(r"^(?P<indent> *)(?P<dash>(?:- )*)(?:(?P<key>[^\s].*?): )?xVALUEx(?P<number>\d+)x$")


@dataclass(frozen=True, slots=True)
class Expression:
    """A part that a template computes. A `block` stands on lines of its own; an `optional` one may be missing."""

    template: str
    block: bool
    optional: bool = False


@dataclass(slots=True)
class Variants:
    """The templates that were made, and what the values of each variant must say for them."""

    names: Sequence[str]
    values: dict[str, Values] = field(init=False)
    _expressions: list[Expression] = field(default_factory=list[Expression])

    def __post_init__(self) -> None:
        self.values = {name: {} for name in self.names}

    def template(self, objects: Mapping[str, Sequence[Object]]) -> str:
        """The template of one file: `objects` are those of each variant that has the file."""
        by_name: dict[tuple[str, str], dict[str, Object]] = {}
        for variant, found in objects.items():
            for each in found:
                by_name.setdefault(_identity(each), {})[variant] = each
        return "".join(self._document(parts) for parts in by_name.values())

    def _document(self, parts: Mapping[str, Object]) -> str:
        last = parts[max(parts, key=list(self.names).index)]
        kind, name = str(last["kind"]), str(plain(_name(last)))
        text = f"---\n{self._text(self._merged(parts, ('objects', kind, name)))}"
        if len(parts) == len(self.names):
            return text
        switch = ("enabled", kind, name)
        for variant in self.names:
            self.values[variant][switch] = variant in parts
        return f"{{{{- if {reference(*switch)} }}}}\n{text}{{{{- end }}}}\n"

    def _merged(self, parts: Parts, path: Path) -> object:
        found = list(parts.values())
        if any(isinstance(part, Value) for part in found):
            return self._marked(parts, path)
        if all(isinstance(part, Mapping) for part in found):
            return self._mapping(cast("Mapping[str, Mapping[str, object]]", parts), path)
        if all(isinstance(part, list) for part in found):
            return self._list(cast("Mapping[str, list[object]]", parts), path)
        return found[0] if all(part == found[0] for part in found) else self._different(parts, path)

    def _mapping(self, parts: Mapping[str, Mapping[str, object]], path: Path) -> object:
        merged: dict[str, object] = {}
        for key in dict.fromkeys(key for part in parts.values() for key in part):
            there = {variant: part[key] for variant, part in parts.items() if key in part}
            missing = [variant for variant in parts if variant not in there]
            if missing and any(_has_value(part) for part in there.values()):
                merged |= self._switched(key, there, missing, (*path, key))
            elif missing:
                merged[key] = self._optional(there, missing, (*path, key))
            else:
                merged[key] = self._merged(there, (*path, key))
        return merged

    def _list(self, parts: Mapping[str, list[object]], path: Path) -> object:
        items = list(zip(*parts.values(), strict=False))
        if len({len(part) for part in parts.values()}) > 1 or not all(_alike(each) for each in items):
            return self._different(parts, path)
        return [
            self._merged(dict(zip(parts, each, strict=True)), (*path, _step(each, index)))
            for index, each in enumerate(items)
        ]

    def _marked(self, parts: Parts, path: Path) -> Expression:
        marks = {variant: part for variant, part in parts.items() if isinstance(part, Value)}
        templates = {mark.template for mark in marks.values()}
        if len(marks) < len(parts) or len(templates) > 1:
            return self._different(parts, path)
        for variant, mark in marks.items():
            for where, said in mark.said.items():
                content = plain(said)
                if self.values[variant].setdefault(where, content) not in (content, None):
                    raise ValueError(f"two objects of {variant} have different values at {'.'.join(where)}")
                self.values[variant][where] = content
        return Expression(templates.pop(), block=all(_composite(mark.content) for mark in marks.values()))

    def _switched(self, key: str, there: Parts, missing: Iterable[str], path: Path) -> dict[str, object]:
        """A key that some variants leave out, with parts in it that come from values."""
        switch = (*path, "enabled")
        for variant in (*there, *missing):
            self.values[variant][switch] = variant in there
        self._expressions.append(Expression(reference(*switch), block=False))
        number = len(self._expressions) - 1
        return {f"xIFx{number}x": "", key: self._merged(there, path), f"xENDx{number}x": ""}

    def _optional(self, parts: Parts, missing: Iterable[str], path: Path) -> Expression:
        first = next(iter(parts.values()))
        if isinstance(first, Value) and len(first.said) == 1:
            made, where = self._marked(parts, path), next(iter(first.said))
        else:
            made, where = self._different(parts, path), path
        for variant in missing:
            self.values[variant][where] = None
        return Expression(made.template, made.block, optional=True)

    def _different(self, parts: Parts, path: Path) -> Expression:
        for variant, part in parts.items():
            self.values[variant][path] = plain(part)
        return Expression(reference(*path), block=all(_composite(plain(part)) for part in parts.values()))

    def _text(self, merged: object) -> str:
        written = yaml_text(self._with_tokens(merged)).replace("{{", '{{ "{{" }}')
        return "".join(f"{self._line(line)}\n" for line in written.splitlines())

    def _with_tokens(self, part: object) -> object:
        if isinstance(part, Expression):
            self._expressions.append(part)
            return f"xVALUEx{len(self._expressions) - 1}x"
        if isinstance(part, Mapping):
            return {key: self._with_tokens(inner) for key, inner in cast("Mapping[str, object]", part).items()}
        if isinstance(part, list):
            return [self._with_tokens(inner) for inner in cast("list[object]", part)]
        return part

    def _line(self, line: str) -> str:
        if switch := _SWITCH.match(line):
            template = self._expressions[int(switch[2])].template
            return f"{{{{- if {template} }}}}" if switch[1] == "IF" else "{{- end }}"
        found = _LINE.match(line)
        if found is None:
            return _TOKEN.sub(lambda token: f"{{{{ {_scalar(self._expressions[int(token[1])])} }}}}", line)
        expression = self._expressions[int(found["number"])]
        begins = found["indent"] + found["dash"]
        if expression.block and found["key"]:
            deep = len(begins) + 2
            text = f"{begins}{found['key']}: {{{{- {_block(expression)} | nindent {deep} }}}}"
        else:
            key = f"{found['key']}: " if found["key"] else ""
            text = f"{begins}{key}{{{{ {_scalar(expression)} }}}}"
        if not expression.optional:
            return text
        if found["dash"]:
            raise ValueError(f"the first key of a list's item cannot be missing: {line}")
        return f'{{{{- if not (kindIs "invalid" {expression.template}) }}}}\n{text}\n{{{{- end }}}}'


def _identity(each: Object) -> tuple[str, str]:
    """Kind and name; an object whose name comes from values is the same in every variant."""
    name = _name(each)
    return str(each["kind"]), name.template if isinstance(name, Value) else str(name)


def _name(each: Object) -> object:
    return cast("Object", each["metadata"])["name"]


def _named(item: object) -> object:
    return cast("Object", item).get("name") if isinstance(item, Mapping) else None


def _alike(items: Sequence[object]) -> bool:
    """Whether one place of a list can be merged: the same name, mappings of the same keys, or no mappings."""
    if all(isinstance(item, Mapping) for item in items):
        keys = {tuple(cast("Object", item)) for item in items}
        return len(keys) == 1 or (_named(items[0]) is not None and len({str(_named(item)) for item in items}) == 1)
    return True


def _step(items: Sequence[object], index: int) -> str:
    """How an item of a list is called in a path: by its name, else by its number."""
    name = _named(items[0])
    return name if isinstance(name, str) else str(index)


def _has_value(part: object) -> bool:
    """Whether a part that operators change stands within; the part itself may be one and is told apart."""
    if isinstance(part, Mapping):
        inner = cast("Mapping[str, object]", part).values()
    else:
        inner = cast("list[object]", part) if isinstance(part, list) else ()
    return any(isinstance(each, Value) or _has_value(each) for each in inner)


def _composite(content: object) -> bool:
    return isinstance(content, (Mapping, list))


def _scalar(expression: Expression) -> str:
    return f"toJson ({expression.template})" if " " in expression.template else f"toJson {expression.template}"


def _block(expression: Expression) -> str:
    if expression.template.startswith("include "):
        return expression.template
    return f"toYaml {expression.template}"
