"""Arguments are read strictly, and no schema can hang the desk."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.tools.arguments import BadArguments, Checker, read
from frontdesk.tools.naming import server_slug, tool_name


def test_plain_arguments_pass() -> None:
    schema = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
    Checker(schema).check(read('{"day": "monday"}'))
    assert read("") == {}


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ('{"to": "ann", "to": "bob"}', "stands twice"),
        ('{"a": {"b": 1, "b": 2}}', "stands twice"),
        ("[1]", "not a JSON object"),
        ("{", "not JSON"),
        ('{"a": Infinity}', "no JSON number"),
        ("[" * 100_000, "nested"),
        ('{"a": "' + "x" * 200_000 + '"}', "longer than"),
        ('{"a": "\\ud800"}', "half a character"),
    ],
)
def test_what_readers_could_disagree_about_is_refused(arguments: str, fault: str) -> None:
    with pytest.raises(BadArguments, match=fault):
        read(arguments)


def test_faults_are_named_by_place() -> None:
    schema = {"type": "object", "properties": {"rooms": {"type": "array", "items": {"type": "integer"}}}}
    with pytest.raises(BadArguments, match=r"rooms\.1: 'two' is not of type 'integer'"):
        Checker(schema).check({"rooms": [1, "two"]})


def _doubling(levels: int) -> dict[str, Any]:
    """A small schema that means 2 ** levels checks."""
    kinds: dict[str, Any] = {"k0": {"type": "string"}}
    for level in range(1, levels + 1):
        below = {"$ref": f"#/$defs/k{level - 1}"}
        kinds[f"k{level}"] = {"allOf": [below, below]}
    return {"type": "object", "properties": {"a": {"$ref": f"#/$defs/k{levels}"}}, "$defs": kinds}


@pytest.mark.parametrize(
    "schema",
    [
        _doubling(40),
        {"$ref": "#"},
        {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:1/schema.json"}}},
    ],
    ids=["exponential", "endless", "elsewhere"],
)
def test_a_hostile_schema_is_given_up_quickly(schema: dict[str, Any]) -> None:
    checker = Checker(schema)
    started = time.monotonic()
    with pytest.raises(BadArguments, match="cannot be followed"):
        checker.check({"a": "x"})
    assert time.monotonic() - started < 5


def test_references_that_are_given_up_early_do_not_count_as_deep() -> None:
    word = {"anyOf": [{"$ref": "#/$defs/number"}, {"$ref": "#/$defs/text"}]}
    schema = {
        "type": "object",
        "properties": {"words": {"type": "array", "items": word}},
        "$defs": {"number": {"type": "integer"}, "text": {"type": "string"}},
    }
    Checker(schema).check({"words": ["x"] * 500})


def test_a_hostile_pattern_is_left_to_the_server() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}, "pattern": {"type": "integer"}},
        "patternProperties": {"^(b+)+$": {"type": "string"}},
        "additionalProperties": False,
    }
    checker = Checker(schema)
    checker.check({"a": "a" * 60 + "!", "b" * 60 + "!": "x"})
    with pytest.raises(BadArguments, match="pattern: 'x' is not of type 'integer'"):
        checker.check({"pattern": "x"})


def test_unknown_arguments_are_refused_where_the_schema_says_so() -> None:
    schema = {"type": "object", "properties": {"a": {}}, "additionalProperties": False}
    with pytest.raises(BadArguments, match="'b' was unexpected"):
        Checker(schema).check({"a": 1, "b": 2})


def test_a_schema_that_is_none_is_said_to_be_none() -> None:
    with pytest.raises(BadArguments, match="not a JSON Schema"):
        Checker({"type": 7})


@given(server=st.text(max_size=60), tool=st.text(max_size=200))
def test_every_tool_gets_a_name_that_models_take(server: str, tool: str) -> None:
    name = tool_name(server_slug(server), tool)
    assert 1 <= len(name) <= 64
    assert name.isascii()
    assert name.replace("_", "").replace("-", "").isalnum()


@given(first=st.text(max_size=80), second=st.text(max_size=80))
def test_two_tools_never_share_a_name(first: str, second: str) -> None:
    assert (tool_name("shop", first) == tool_name("shop", second)) == (first == second)


def test_a_plain_name_stays_as_it_is() -> None:
    assert tool_name("example", "get_time") == "example__get_time"
    assert tool_name("example", "get__time") != "example__get__time"
