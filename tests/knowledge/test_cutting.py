"""Passages: short, whole, and exactly where they say they stand."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from frontdesk.knowledge.cutting import CHARACTERS, LIMIT, WHOLE, cut
from frontdesk.knowledge.readers import Block, Reading


def sentence(words: int, letter: str = "w") -> str:
    return " ".join([letter] * (words - 1) + ["end."])


def test_a_passage_never_crosses_a_heading_and_knows_its_path() -> None:
    reading = Reading(
        "Guide",
        (
            Block("heading", "Guide", 1),
            Block("text", "First."),
            Block("heading", "Hours", 2),
            Block("heading", "Sunday", 3),
            Block("text", "Closed."),
            Block("heading", "Money", 2),
            Block("text", "Paid."),
        ),
    )
    _, pieces = cut(reading)
    assert [(piece.heading, piece.text) for piece in pieces] == [
        ("", "First."),
        ("Hours › Sunday", "Closed."),
        ("Money", "Paid."),
    ]


def test_short_paragraphs_are_gathered_and_long_ones_are_cut_at_sentences() -> None:
    short = [Block("text", sentence(40)) for _ in range(10)]
    _, pieces = cut(Reading("t", tuple(short)))
    assert [len(piece.text.split()) for piece in pieces] == [160, 160, 80]
    long = Block("text", " ".join(sentence(30) for _ in range(20)))
    _, pieces = cut(Reading("t", (long,)))
    assert all(len(piece.text.split()) <= LIMIT and piece.text.endswith("end.") for piece in pieces)


def test_code_lists_and_tables_stay_whole_until_they_are_very_long() -> None:
    code = Block("code", "\n".join(f"line {n} of the code" for n in range(70)))
    _, pieces = cut(Reading("t", (Block("text", sentence(100)), code)))
    assert [piece.text for piece in pieces] == [sentence(100), code.text]
    longer = Block("code", "\n".join(f"line {n} of the code" for n in range(200)))
    _, pieces = cut(Reading("t", (longer,)))
    assert "\n".join(piece.text for piece in pieces) == longer.text
    assert all(len(piece.text.split()) <= WHOLE for piece in pieces)


def test_words_without_sentences_and_text_without_blanks_are_cut_too() -> None:
    _, pieces = cut(Reading("t", (Block("text", "word " * 1000), Block("text", "x" * 20_000))))
    assert all(len(piece.text.split()) <= LIMIT and len(piece.text) <= CHARACTERS for piece in pieces)
    assert "".join(piece.text for piece in pieces).count("x") == 20_000


KINDS = st.sampled_from(["heading", "text", "code", "list", "table"])
TEXTS = st.lists(
    st.sampled_from(["word", "end.", "\n", "wort!", "ä" * 50, "x" * 900, "。", "- item"]), max_size=300
).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.builds(Block, KINDS, TEXTS, st.integers(1, 6)), max_size=12))
def test_every_piece_stands_where_it_says_and_no_word_is_lost(blocks: list[Block]) -> None:
    text, pieces = cut(Reading("t", tuple(blocks)))
    for piece in pieces:
        assert text[piece.start : piece.end] == piece.text
        assert piece.text.strip()
    for before, after in itertools.pairwise(pieces):
        assert before.end <= after.start
    kept = sum(len(piece.text.split()) for piece in pieces)
    assert kept >= sum(len(block.text.split()) for block in blocks if block.kind != "heading")
