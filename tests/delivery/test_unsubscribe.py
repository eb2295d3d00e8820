"""Links that stop messages: only this desk makes them, and none of them says whose it is."""

import pytest

from frontdesk.delivery.unsubscribe import StopLinks

LINKS = StopLinks("https://desk.test", b"a key")


def test_a_link_comes_back_to_the_decision_that_its_letter_came_of() -> None:
    address, _, token = LINKS.of("dec_1").rpartition("/")
    assert address == "https://desk.test/unsubscribe"
    assert LINKS.decision(token) == "dec_1"
    assert LINKS.of("dec_1") == LINKS.of("dec_1"), "it has no end, so it is always the same"


def test_without_an_address_there_is_no_link() -> None:
    assert StopLinks("", b"a key").of("dec_1") == ""


@pytest.mark.parametrize(
    "token",
    [
        "",
        "dec_1",
        "dec_1.",
        ".",
        "dec_2." + LINKS.token("dec_1").rpartition(".")[2],
        LINKS.token("dec_1")[:-1],
        LINKS.token("dec_1") + "0",
        LINKS.token("dec_1").upper(),
        StopLinks("https://desk.test", b"another key").token("dec_1"),
        "dec_1.ünsigned\udc80",
        "dec_\udc80.0123456789abcdef0123456789abcdef",
    ],
)
def test_what_this_desk_did_not_make_names_nothing(token: str) -> None:
    assert LINKS.decision(token) is None
