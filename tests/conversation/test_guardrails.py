"""What guards mask, in whole texts and in streams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.conversation.guardrails import Guards, OutgoingText, Refusal
from frontdesk.conversation.options import ConversationOptions, ModerationRule
from frontdesk.errors import BadSetting

RULE = ModerationRule(pattern=r"\bgambl\w+", reply="We do not speak of that.")
GUARDS = Guards.build(ConversationOptions(moderation=[RULE]))

SECRETS = [
    "sk-" + "a1B2" * 8,
    "sk-ant-" + "x9" * 20,
    "ghp_" + "a" * 36,
    "AKIA" + "ABCD1234EFGH5678",
    "xoxb-123456789012-abcdef",
    "123456789:" + "A" * 35,
    "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.c2lnbmF0dXJlMTIz",
    "-----BEGIN PRIVATE KEY-----\nMIIE\nabc\n-----END PRIVATE KEY-----",
]
NUMBERS = [
    "4111 1111 1111 1111",
    "5500-0000-0000-0004",
    "DE89 3704 0044 0532 0130 00",
    "GB29NWBK60161331926819",
    "078-05-1120",
]
HARMLESS = [
    "Order 1234 5678 arrives at 10:45 on 2026-11-21.",
    "Call +49 30 1234567 or write to hello@example.org.",
    "The price is 1,299.00 and the part is 4111-XY.",
    "4111 1111 1111 1112 fails the check digit.",
    "A sk-eleton and a pk-unzip are words.",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_masked_both_ways(secret: str) -> None:
    assert GUARDS.outgoing(f"It is {secret}, see?") == "It is [secret removed], see?"
    assert GUARDS.incoming(f"It is {secret}, see?") == "It is [secret removed], see?"


@pytest.mark.parametrize("number", NUMBERS)
def test_a_card_or_account_number_is_masked_on_the_way_out_only(number: str) -> None:
    assert GUARDS.outgoing(f"Pay {number} now") == "Pay [number removed] now"
    assert GUARDS.incoming(f"Pay {number} now") == f"Pay {number} now"


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_numbers_and_words_pass(text: str) -> None:
    assert GUARDS.outgoing(text) == text
    assert GUARDS.incoming(text) == text


def test_a_refused_subject_is_answered_with_the_owners_words() -> None:
    assert GUARDS.incoming("How about gambling?") == Refusal(reply="We do not speak of that.")
    assert GUARDS.outgoing("I love gambling.") == "I love [removed]."


def test_a_guard_that_is_not_installed_is_named() -> None:
    with pytest.raises(BadSetting, match="nobody"):
        Guards.build(ConversationOptions(guards=["nobody"]))


def test_a_rule_that_is_no_pattern_is_refused_at_the_start() -> None:
    with pytest.raises(BadSetting, match="regular expression"):
        Guards.build(ConversationOptions(moderation=[ModerationRule(pattern="(", reply="")]))


PIECES = st.sampled_from([*SECRETS, *NUMBERS, *HARMLESS, " ", "\n", "Hello. ", "one two three ", "12 ", "- ", "ünï "])


@given(st.lists(PIECES, max_size=8), st.data())
def test_a_stream_says_what_the_whole_text_would_however_it_is_cut(pieces: list[str], data: st.DataObject) -> None:
    text = " and ".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    outgoing = OutgoingText(GUARDS)
    said = "".join(outgoing.add(text[start:end]) for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True))
    said += outgoing.end()
    for secret in SECRETS:
        assert secret not in said
    for number in NUMBERS:
        assert number not in said
    assert said == GUARDS.outgoing(text)


def test_a_stream_without_anything_suspicious_is_not_held_back() -> None:
    outgoing = OutgoingText(GUARDS)
    assert outgoing.add("Good morning, ") == "Good morning, "
    assert outgoing.add("how are you? ") == "how are you? "
