"""Text of two models joined: nothing twice, nothing lost."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.models.stitch import LONG, Stitch

WORDS = st.lists(st.text(alphabet="abcdefghijklmnopqrstuvwxyzäß", min_size=1, max_size=9), min_size=1, max_size=12)
SEPARATORS = st.sampled_from([" ", "  ", "\n", ", ", ". "])


def joined(said: str, pieces: list[str]) -> str:
    stitch = Stitch(said)
    return said + "".join(stitch.feed(piece) for piece in pieces) + stitch.end()


def cut(text: str, places: list[int]) -> list[str]:
    marks = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[start:end] for start, end in itertools.pairwise(marks)]


@given(WORDS, SEPARATORS, st.integers(min_value=0), st.lists(st.integers(min_value=0), max_size=8))
def test_a_model_that_begins_anew_changes_nothing(words: list[str], gap: str, at: int, places: list[int]) -> None:
    whole = gap.join(words)
    said = whole[: at % len(whole) + 1]
    assert joined(said, cut(whole, places)) == whole


@given(WORDS, WORDS, st.integers(min_value=0), st.lists(st.integers(min_value=0), max_size=8))
def test_a_long_repetition_of_the_end_is_trimmed(
    before: list[str], after: list[str], back: int, places: list[int]
) -> None:
    said = "".join(before) + " " + "0123456789-" * 3
    tail = said[-(LONG + back % 15) :]
    new = " " + "".join(after)
    assert joined(said, cut(tail + new, places)) == said + new


@given(st.text(), st.text(), st.lists(st.integers(min_value=0), max_size=8))
def test_whatever_comes_only_its_beginning_may_be_left_out(said: str, text: str, places: list[int]) -> None:
    result = joined(said, cut(text, places))
    assert result.startswith(said)
    assert text.endswith(result[len(said) :])


@given(st.text(), st.text(), st.lists(st.integers(min_value=0), max_size=8))
def test_how_the_text_is_cut_into_pieces_makes_no_difference(said: str, text: str, places: list[int]) -> None:
    if said:
        assert joined(said, cut(text, places)) == joined(said, list(text))


@pytest.mark.parametrize(
    ("said", "text", "whole"),
    [
        ("The capital is Par", "is.", "The capital is Paris."),
        ("The capital is Par", "Paris.", "The capital is Paris."),
        ("The capital is Par", "\n\nParis.", "The capital is Paris."),
        ("The capital is Paris", " and it is old.", "The capital is Paris and it is old."),
        ("hel", "lo", "hello"),
        ("I counted 1, 1, ", "1, 2", "I counted 1, 1, 1, 2"),
        ("It was very", " very good", "It was very very good"),
        ("", "Hello", "Hello"),
        ("The capital of France is", "The capital of France is Paris.", "The capital of France is Paris."),
        ("The capital of France is old", "The capital of Fr", "The capital of France is old"),
    ],
)
def test_examples(said: str, text: str, whole: str) -> None:
    assert joined(said, [text]) == whole
    assert joined(said, list(text)) == whole
