"""The system file as text: what is refused, and with which line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.errors import BadSystemFile
from frontdesk.system.document import DEEPEST, LARGEST, Document


def problems(text: str) -> list[str]:
    return [str(problem) for problem in Document("f.yaml", text).problems]


def test_values_remember_their_lines() -> None:
    document = Document("f.yaml", "http:\n  port: 1\ntools:\n  urls:\n    - a\n    - b\n")
    assert document.values == {"http": {"port": 1}, "tools": {"urls": ["a", "b"]}}
    assert document.place(("http", "port")) == "f.yaml:2"
    assert document.place(("tools", "urls", 1)) == "f.yaml:6"
    assert document.place(("http", "absent")) == "f.yaml:1"


def test_plain_scalars_follow_yaml_1_2() -> None:
    text = "a: no\nb: true\nc: 12:30\nd: 010\ne: 0o10\nf: 1e3\ng: ~\nh: 'true'\ni: 2026-01-05\nj: .5\nk:\n"
    assert Document("f.yaml", text).values == {
        "a": "no",
        "b": True,
        "c": "12:30",
        "d": 10,
        "e": 8,
        "f": 1000.0,
        "g": None,
        "h": "true",
        "i": "2026-01-05",
        "j": 0.5,
        "k": None,
    }


def test_a_key_twice_is_refused_with_both_lines() -> None:
    assert problems("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n") == ["`c` stands twice (first in line 3) (f.yaml:5)"]


def test_aliases_are_refused_before_they_multiply() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(40))
    assert "Anchors and aliases are not taken (f.yaml:1)" in problems(bomb)


def test_tags_are_refused() -> None:
    assert problems("a: !!python/object/apply:os.system [ls]\n") == [
        "Tags are not taken: tag:yaml.org,2002:python/object/apply:os.system (f.yaml:1)"
    ]


def test_deep_nesting_is_refused() -> None:
    text = "a: " + "[" * 5000 + "]" * 5000
    assert problems(text) == [f"This is not YAML: nested deeper than {DEEPEST} levels (f.yaml:1)"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\n b: 2\n", 2),
        ("a: 'x\n", 2),
        ("- a\n", 1),
        ("a: 1\n---\nb: 2\n", 2),
        ("? [a]\n: b\n", 1),
        ("a: \x07\n", 1),
    ],
)
def test_what_is_no_mapping_of_sections_is_refused_with_its_line(text: str, line: int) -> None:
    assert problems(text)[0].endswith(f"f.yaml:{line})")


def test_an_empty_file_says_nothing() -> None:
    document = Document("f.yaml", "# only a comment\n")
    assert document.values == {}
    assert document.problems == []


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "system.yaml"
    file.write_bytes(b"#" * (LARGEST + 1))
    with pytest.raises(BadSystemFile, match="larger than"):
        Document.of(file)


def test_bytes_that_are_not_utf8_are_refused_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "system.yaml"
    file.write_bytes(b"desk:\n  name: \xff\n")
    with pytest.raises(BadSystemFile, match="not UTF-8") as caught:
        Document.of(file)
    assert caught.value.where == f"{file}:2"


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSystemFile, match="cannot be read"):
        Document.of(tmp_path / "absent.yaml")


@given(st.text(alphabet="ab:- \n[]{}&*!'\"#,|>?%@~0x.\t", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    document = Document("f.yaml", text)
    assert document.problems or isinstance(document.values, dict)
