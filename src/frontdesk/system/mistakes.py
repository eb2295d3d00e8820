"""What is wrong with a value of the system file, in plain words, and what to do about it."""

import difflib
from collections.abc import Iterable

from pydantic_core import ErrorDetails

from frontdesk.system.section import Path, Section, field_at

MOST_TOLD = 100  # of one section, or of one file's form: a file with more of them is something else altogether
_WANTED = {  # by pydantic's name of the mistake
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number is wanted"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number is wanted"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "`true` or `false` is wanted"),
    "string_type": "text is wanted; numbers and the like are text in quotes",
    **dict.fromkeys(("tuple_type", "list_type", "set_type", "frozen_set_type"), "a list is wanted, like [a, b]"),
    **dict.fromkeys(
        ("dict_type", "model_type", "model_attributes_type"), "a mapping is wanted: keys indented below it"
    ),
    "string_too_short": "it is empty, or too short",
}


def explained(path: Path, kind: type[Section], detail: ErrorDetails) -> tuple[str, str | None]:
    """What pydantic found at `path` in a section, and how to mend it. The value is not shown: it may be a secret."""
    field = field_at(kind, path[1:])
    hint = f"`{path[-1]}`: {field.description}" if field and field.description and isinstance(path[-1], str) else None
    if detail["type"] == "missing":
        return f"`{dotted(path)}` is missing", hint
    if detail["type"] == "literal_error":
        expected = str(detail.get("ctx", {}).get("expected", "")).replace("'", "`")
        hint = near(str(detail["input"]), expected.split("`")[1::2], cutoff=0.6) or hint
        return f"`{dotted(path)}` cannot be used: it is one of {expected}", hint
    if detail["type"] == "string_pattern_mismatch":
        return f"`{dotted(path)}` cannot be used: it has to match {detail.get('ctx', {}).get('pattern', '')}", hint
    reason = _WANTED.get(detail["type"], "") or detail["msg"].removeprefix("Value error, ")
    reason = reason.removeprefix("Input should ")  # as in `be greater than 0`
    reason = f"it should {reason}" if reason.startswith("be ") else f"{reason[:1].lower()}{reason[1:]}"
    return f"`{dotted(path)}` cannot be used: {reason}", hint


def near(word: str, known: Iterable[str], *, cutoff: float = 0.7) -> str | None:
    """`Did you mean …?` with the nearest of `known`, or None when none is near."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"Did you mean `{found[0]}`?" if found else None


def dotted(path: Path) -> str:
    """A path as people write it: `services.web.port`."""
    return ".".join(map(str, path))
