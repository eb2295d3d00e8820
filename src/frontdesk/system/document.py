"""Reading a YAML file into plain values that remember their lines.

Stricter than YAML: one document, text keys, no key twice, no aliases (they make bombs), no tags, bounded size and
depth. Plain scalars follow YAML 1.2: `no` and `on` are text, only `true` and `false` are truth values, `12:30` is text.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path as File

import yaml

from frontdesk.errors import BadSystemFile
from frontdesk.system.section import Path

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]

LARGEST = 1_000_000  # bytes
DEEPEST = 20
SPELLING = "Indent by spaces, never by tabs; close every bracket and quote; put text with `: ` or ` #` in it in quotes."

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# The stubs of yaml leave the types of `parse` out.
_events: Callable[..., Iterator[yaml.Event]] = yaml.parse  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
_INTEGER = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class Document:
    """A file's values. `problems` are the mistakes of form that were found on the way, in order."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.values: dict[str, Value] = {}
        self.problems: list[BadSystemFile] = []
        self._lines: dict[Path, int] = {}
        try:
            self._read(_events(text, Loader=_LOADER))
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.problems.append(self._problem(f"This is not YAML: {_reason(error)}", line, SPELLING))
        except yaml.YAMLError as error:
            self.problems.append(self._problem(f"This is not YAML: {str(error).splitlines()[0]}", 1, SPELLING))

    @classmethod
    def of(cls, file: File) -> "Document":
        """Read `file`. Raises `BadSystemFile` when it cannot be read, is too large, or is not UTF-8."""
        try:
            with file.open("rb") as stream:
                raw = stream.read(LARGEST + 1)
        except OSError as error:
            raise BadSystemFile(
                f"The system file cannot be read: {error.strerror}",
                where=str(file),
                hint="`frontdesk init` writes a new one.",
            ) from error
        if len(raw) > LARGEST:
            hint = "Is it the right file? Documents and texts of their own lie beside it."
            raise BadSystemFile(f"The system file is larger than {LARGEST:,} bytes", where=str(file), hint=hint)
        try:
            return cls(str(file), raw.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise BadSystemFile(
                "The system file is not UTF-8", where=f"{file}:{line}", hint="Save it as UTF-8."
            ) from error

    def place(self, path: Path) -> str:
        """`file:line` of the value at `path`, or of the nearest one around it."""
        while path and path not in self._lines:
            path = path[:-1]
        return f"{self.name}:{self._lines.get(path, 1)}"

    def holds(self, path: Path) -> bool:
        """Whether the file itself says what stands at `path`."""
        return path in self._lines

    def _problem(self, what: str, line: int, hint: str | None = None) -> BadSystemFile:
        return BadSystemFile(what, where=f"{self.name}:{line}", hint=hint)

    def _note_once(self, problem: BadSystemFile) -> None:
        """Keep a mistake that a line may hold many times."""
        if not self.problems or str(self.problems[-1]) != str(problem):
            self.problems.append(problem)

    def _read(self, events: Iterator[yaml.Event]) -> None:
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    line = event.start_mark.line + 1
                    self.problems.append(self._problem("The file holds several documents", line, "Keep one."))
                    return
                root = next(events)
                values = self._value(root, events, ())
                if isinstance(values, dict):
                    self.values = values
                elif values is not None:
                    line = root.start_mark.line + 1
                    hint = "Write the name of a section, like `desk:`, and its settings indented below it."
                    self.problems.append(self._problem("The file is not a mapping of sections", line, hint))

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path) -> Value:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._note_once(self._problem("Anchors and aliases are not taken", line, "Write the value out."))
        elif tag := getattr(event, "tag", None):
            self.problems.append(self._problem(f"Tags are not taken: {tag}", line, "Remove it."))
        if len(path) > DEEPEST:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {DEEPEST} levels", problem_mark=event.start_mark)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, path)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event.value) if event.implicit[0] else event.value
        return None

    def _mapping(self, events: Iterator[yaml.Event], path: Path) -> Value:
        values: dict[str, Value] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            line = event.start_mark.line + 1
            key = event.value if isinstance(event, yaml.ScalarEvent) else self._value(event, events, path)
            if not isinstance(key, str):
                self.problems.append(self._problem("A key is not text", line, "Put it in quotes."))
                self._value(next(events), events, path)
                continue
            here = (*path, key)
            if key in values:
                first = self._lines[here]
                self.problems.append(self._problem(f"`{key}` stands twice (first in line {first})", line, "Keep one."))
            self._lines.setdefault(here, line)
            values[key] = self._value(next(events), events, here)
        return values

    def _sequence(self, events: Iterator[yaml.Event], path: Path) -> Value:
        values: list[Value] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            here = (*path, len(values))
            self._lines[here] = event.start_mark.line + 1
            values.append(self._value(event, events, here))
        return values


def _reason(error: yaml.MarkedYAMLError) -> str:
    """What the parser met, and where that began which it was reading."""
    reason = error.problem or error.context or "it ends too early"
    if error.problem and error.context and error.context_mark:
        return f"{reason} {error.context}, which begins in line {error.context_mark.line + 1}"
    return reason


def _scalar(text: str) -> Value:
    """A plain scalar by the core schema of YAML 1.2 (section 10.3.2), without infinities."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and len(text) < 30:
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
