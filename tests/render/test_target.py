"""What targets write in YAML is read alike by every program, whatever its rules for words without quotes."""

import pytest
import yaml

from frontdesk.render.target import yaml_text

OTHERWISE = ["1e3", "5e-05", "12345e6", "+1.5E+7", ".5e1", "0o17", "y", "N"]  # a number or a truth to some reader


@pytest.mark.parametrize("word", OTHERWISE)
def test_text_that_others_take_for_something_else_stands_in_quotes(word: str) -> None:
    assert yaml_text({"value": word}) == f"value: '{word}'\n"


@pytest.mark.parametrize(
    "word", ["e3", "1e", "yes", "off", "0x1f", "1_000", "12:30:45", "v1e3", "null", "~", "two\nlines"]
)
def test_all_other_text_comes_back_as_it_was(word: str) -> None:
    assert yaml.safe_load(yaml_text({"value": word})) == {"value": word}


def test_numbers_and_truths_stay_what_they_are() -> None:
    said = {"number": 5e-05, "count": 1000, "truth": True, "nothing": None}
    assert yaml.safe_load(yaml_text(said)) == said
