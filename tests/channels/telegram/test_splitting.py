"""Long texts arrive in few parts, whole, and each reads well by itself."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.channels.telegram.formatting import Formatted, formatted, plain
from frontdesk.channels.telegram.splitting import LONGEST, entities, split, units

SENTENCE = "The desk opens at nine in the morning. "


def without_blanks(text: str) -> str:
    return re.sub(r"[\s\u200d]", "", text)  # a joiner with nothing to join shows nothing either


@pytest.mark.proves("conversation-7")
@pytest.mark.parametrize("unit", ["x", "word ", SENTENCE, f"{SENTENCE}\n", f"{SENTENCE * 9}\n\n"])
def test_nine_thousand_characters_are_three_messages(unit: str) -> None:
    text = (unit * 9000)[:9000].strip()
    parts = split(plain(text))
    assert len(parts) == 3
    assert without_blanks("".join(part.text for part in parts)) == without_blanks(text)


def test_a_short_text_is_one_message_as_it_is() -> None:
    shown = formatted("**Hello** there")
    assert split(shown) == [shown]


def test_nothing_is_no_message() -> None:
    assert split(plain(" \n ")) == []


@pytest.mark.parametrize("text", ["\u200b", "\u2800\u3164", "\u00ad\ufeff"])
def test_what_nobody_can_see_is_no_message(text: str) -> None:
    assert split(plain(text)) == []
    assert [part.text.strip(text) for part in split(plain(f"a{500 * text}b"), 100)] == ["a", "b"]


def test_it_is_parted_between_paragraphs_rather_than_within_them() -> None:
    paragraphs = [f"{number} {SENTENCE * 20}".strip() for number in range(8)]
    parts = split(plain("\n\n".join(paragraphs)))
    assert len(parts) == 2
    assert [paragraph for part in parts for paragraph in part.text.split("\n\n")] == paragraphs


def test_a_code_block_is_closed_and_opened_again_with_its_language() -> None:
    lines = [f"    line_{number} = {number}" for number in range(400)]
    shown = formatted("Look:\n\n```python\n" + "\n".join(lines) + "\n```\n\nDone.")
    parts = split(shown)
    assert len(parts) > 1
    for part in parts:
        (code,) = (span for span in part.spans if span.style.kind == "pre")
        assert code.style.detail == "python"
        assert all(line in lines for line in part.text[code.start : code.end].split("\n")), "lines stay whole"
    assert parts[-1].text.endswith("Done.")


def test_letters_that_telegram_counts_twice_are_counted_twice() -> None:
    parts = split(plain("😀" * 3000))
    assert [units(part.text) for part in parts] == [LONGEST, 6000 - LONGEST]


def test_an_emoji_of_several_signs_is_not_torn() -> None:
    family = "👩\u200d👩\u200d👧"
    for part in split(plain(family * 40), longest=50):
        assert part.text.count(family) * len(family) == len(part.text)


def test_more_styles_than_telegram_takes_cost_styles_and_no_text() -> None:
    (part,) = split(formatted("**a** " * 300))
    assert len(entities(part)) == 100
    assert part.text.count("a") == 300


@given(
    st.text(st.sampled_from("ab .\n\té😀\u200d"), max_size=600),
    st.integers(min_value=10, max_value=80),
)
def test_parts_fit_and_add_up_to_the_whole(text: str, longest: int) -> None:
    shown = plain(text)
    parts = split(shown, longest)
    assert without_blanks("".join(part.text for part in parts)) == without_blanks(shown.text)
    assert all(0 < units(part.text) <= longest for part in parts)


@given(st.text(st.sampled_from("ab *_`#-\n😀"), max_size=600), st.integers(min_value=10, max_value=80))
def test_styles_stay_with_their_words(text: str, longest: int) -> None:
    shown = formatted(text)
    parts = split(shown, longest)

    def letters(part: Formatted, kind: str) -> str:
        return "".join(without_blanks(part.text[start:end]) for start, end, style in part.spans if style.kind == kind)

    for kind in ("bold", "italic", "code", "pre"):
        assert "".join(letters(part, kind) for part in parts) == letters(shown, kind)
