"""Approved texts, as they are filled."""

import pytest

from frontdesk.decision.content.templates import NothingKnown, fill
from frontdesk.decision.options import TemplateOptions


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("Hello {name},\n\nyou can save\na search.\n", "Hello Ann,\n\nyou can save a search."),
        ("One\n  two\n \n\n three", "One two\n\nthree"),
        ("Bring:\n- a pen\n- paper\n  and ink\n1. first", "Bring:\n- a pen\n- paper and ink\n1. first"),
        ("2026\nwas good - really", "2026 was good - really"),
    ],
)
def test_line_ends_within_a_paragraph_belong_to_the_system_file(written: str, sent: str) -> None:
    assert fill(TemplateOptions(body=written), {"name": "Ann"}).body == sent


def test_a_slot_that_nothing_is_known_for_says_so_or_holds_what_the_text_says() -> None:
    assert fill(TemplateOptions(body="Hello {name|there}"), {}).body == "Hello there"
    with pytest.raises(NothingKnown):
        fill(TemplateOptions(body="Hello {name}"), {})
