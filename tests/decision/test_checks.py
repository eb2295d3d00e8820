"""No text goes out that the rules forbid, whoever wrote it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.decision.content.checks import Author, Known, blocks, check
from frontdesk.decision.content.templates import Draft, NothingKnown, facts_of, fill, template_of
from frontdesk.decision.options import EngagementOptions, MessageOptions, SafetyOptions, SegmentOptions, TemplateOptions
from frontdesk.engagement import Channel, Customer, Signals
from tests.decision.outreaching import options

KNOWN = Known(
    name="Cleo Marsh",
    addresses=("cleo@example.com", "+49 30 1234567"),
    facts=("premium", "12"),
    approved=("Write to help@shop.example or call 0800 555 1234. See https://shop.example/start. Save 20 % in May.",),
)
STRICT, MODERATE = SafetyOptions(content_filtering="strict"), SafetyOptions(content_filtering="moderate")
ENTERPRISE = options().segments["enterprise"]
SIGNALS = Signals(
    recency_days=3.2,
    frequency=2,
    engagement=0.5,
    churn_risk=0.1,
    fatigue=0,
    value=10,
    stage="at_risk",
    best_channel="in_app",
    best_hour=18,
)


def rules(
    body: str,
    *,
    subject: str = "",
    safety: SafetyOptions = MODERATE,
    segment: SegmentOptions = ENTERPRISE,
    channel: Channel = "email",
    of: Author = "model",
    known: Known = KNOWN,
) -> dict[str, str]:
    """What is found in a text, by rule."""
    draft = Draft(subject=subject, body=body)
    return {found.rule: found.weight for found in check(draft, known, safety, segment, channel=channel, of=of)}


GOOD = "Dear Cleo,\n\nwrite to help@shop.example or see https://shop.example/start. You save 20 %."


def test_a_text_that_draws_on_what_it_was_given_passes() -> None:
    assert rules(GOOD, safety=STRICT) == {}
    assert rules("Hello Cleo Marsh, we have cleo@example.com and 030 1234567 of you. Or call +49 800 5551234.") == {}
    assert rules("Hi there! Good morning all.") == {}


@pytest.mark.proves("engagement-5")
@pytest.mark.parametrize(
    ("rule", "body"),
    [
        ("emoji", "Great news 🎉"),
        ("emoji", "Great news ❤️"),
        ("emoji", "Hello 👩‍💻"),
        ("emoji", "One 1️⃣"),
        ("emoji", "Flag 🇩🇪"),
        ("emoji", "Sun ☀"),
        ("others_email", "Ask bob@example.com"),
        ("others_email", "Ask ｂｏｂ@example.com"),
        ("others_number", "Call +1 (202) 555-0143 today"),
        ("others_number", "Call 0049-170-9876543"),
        ("others_number", "His card is 4111 1111 1111 1111"),
        ("others_name", "Dear Bob,\nwelcome"),
        ("others_name", "hi Dr Bob Stone!\nwelcome"),
        ("account_number", "Pay to DE89 3704 0044 0532 0130 00"),
        ("foreign_link", "See https://evil.example/start"),
        ("foreign_link", "See www.shop.example.evil.example"),
        ("forbidden_claim", "It is guaranteed"),
        ("forbidden_claim", "RISK FREE for you"),
        ("forbidden_claim", "It cures everything"),
        ("health_data", "About your diagnosis"),
        ("health_data", "for our patients"),
        ("placeholder", "Dear {name}"),
        ("placeholder", "Dear [Your name]"),
        ("markup", "<b>Hello</b>"),
        ("markup", "<script src=x></script>"),
        ("hidden_characters", "Hel\u200blo"),
        ("hidden_characters", "abc\u202edcba"),
        ("look_alike", "gu\u0430ranteed"),
        ("empty", "   "),
    ],
)
@pytest.mark.parametrize("safety", [STRICT, MODERATE], ids=["strict", "moderate"])
@pytest.mark.parametrize("of", ["model", "template", "person"])
def test_what_is_certain_blocks_every_text(rule: str, body: str, safety: SafetyOptions, of: Author) -> None:
    assert rules(body, safety=safety, of=of).get(rule) == "block"


@pytest.mark.parametrize(
    ("rule", "body"),
    [
        ("unsupported_number", "You save 30 %"),
        ("unsupported_claim", "We are the cheapest"),
        ("veiled_address", "Write to bob (at) example dot com"),
        ("length", "word " * 121),
    ],
)
def test_what_is_doubtful_blocks_where_filtering_is_strict_and_else_asks_a_person(rule: str, body: str) -> None:
    assert rules(body, safety=STRICT)[rule] == "block"
    assert rules(body, safety=MODERATE)[rule] == "flag"
    assert rules(body, safety=STRICT, of="person")[rule] == "flag"


def test_a_line_break_in_a_subject_blocks() -> None:
    assert rules("Hello", subject="Hello\nBcc: bob@example.com")["hidden_characters"] == "block"


def test_a_relaxed_segment_may_have_an_emoji_and_speak_of_health() -> None:
    relaxed = SegmentOptions()
    assert rules("Your treatment ☀", segment=relaxed) == {}
    assert rules("Two ☀ suns ☀", segment=relaxed) == {"emoji": "flag"}


def test_checks_can_be_turned_off() -> None:
    off = SafetyOptions(pii_detection=False, compliance_checking=False)
    assert rules("Dear Bob, bob@example.com has a diagnosis", safety=off) == {}


def test_a_short_message_is_short() -> None:
    assert rules("word " * 70, channel="sms") == {"length": "flag"}


def test_what_a_trait_says_allows_nothing() -> None:
    known = Known(facts=("bob@example.com",), approved=("Hello",))
    assert rules("Your plan is bob@example.com", known=known)["others_email"] == "block"


@pytest.mark.proves("engagement-5")
@given(st.text(max_size=300), st.sampled_from(["🎉", "👍🏽", "☀️", "🇩🇪", "✈"]), st.text(max_size=30))
def test_enterprise_never_gets_an_emoji_wherever_it_stands(before: str, emoji: str, after: str) -> None:
    draft = Draft(subject="", body=before + emoji + after)
    assert blocks(check(draft, KNOWN, MODERATE, ENTERPRISE, channel="email", of="model"))


@given(st.text(max_size=500), st.text(max_size=100))
def test_any_text_can_be_checked(body: str, subject: str) -> None:
    check(Draft(subject=subject, body=body), KNOWN, STRICT, ENTERPRISE, channel="sms", of="model")


@pytest.mark.parametrize(
    "part", ["a", "\n", "a.", "1 ", "<a ", "{", "[a ", "Hi A", "(at)", "ABCD1234 ", "🎉\u200d", "😀"]
)
def test_no_text_takes_long_to_check(part: str) -> None:
    body = part * (20_000 // len(part))
    before = time.process_time()
    check(Draft(subject="", body=body), KNOWN, STRICT, ENTERPRISE, channel="email", of="person")
    assert time.process_time() - before < 1


# --- templates --------------------------------------------------------------------------


def test_slots_are_filled_or_say_what_stands_there() -> None:
    template = TemplateOptions(subject="For {name|you}", body="Hi { name | friend }, your {plan} plan")
    assert fill(template, {"name": "Cleo", "plan": "pro"}) == Draft(subject="For Cleo", body="Hi Cleo, your pro plan")
    assert fill(template, {"plan": "pro"}).body == "Hi friend, your pro plan"
    with pytest.raises(NothingKnown):
        fill(template, {"name": "Cleo"})


@pytest.mark.parametrize(
    ("depth", "known"),
    [
        (1, {"name", "first_name"}),
        (2, {"name", "first_name", "plan"}),
        (3, {"name", "first_name", "plan", "days_since_active"}),
        (4, {"name", "first_name", "plan", "days_since_active", "stage"}),
        (5, {"name", "first_name", "plan", "days_since_active", "stage", "favourite_channel", "favourite_hour"}),
    ],
)
def test_a_text_knows_no_more_of_a_customer_than_the_depth_allows(depth: int, known: set[str]) -> None:
    cleo = Customer(id="c1", segment="default", name="Cleo Marsh", traits={"plan": "pro", "gender": "f", "gap": None})
    assert set(facts_of(cleo, SIGNALS, depth, hidden=["gender"])) == known


def test_what_fills_a_slot_is_one_short_line_and_no_trait_takes_the_name() -> None:
    odd = Customer(id="c1", segment="default", name="Cleo\r\nBcc: x\u202e", traits={"plan": "p" * 500, "name": "Bob"})
    facts = facts_of(odd, SIGNALS, 2)
    assert facts["name"] == "Cleo Bcc: x"
    assert len(facts["plan"]) == 80


def test_a_message_is_said_in_the_first_tone_that_it_has() -> None:
    templates = {"warm": {"body": "warm"}, "brief": {"body": "brief"}}
    message = MessageOptions.model_validate({"key": "m", "templates": templates})
    assert template_of(message, "friendly", "brief").body == "brief"
    assert template_of(message, "friendly").body == "warm"


def test_a_segment_or_message_that_is_gone_is_the_default_one_or_none() -> None:
    some: EngagementOptions = options()
    assert some.segment("gone") is some.segments["default"]
    assert some.message("gone") is None
