"""Rules take arms away before anything is scored, and are asked again at release."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.decision.hours import is_open, moment_of, opening
from frontdesk.decision.masks import WEEK, Choice, Pace, Rules, has_room, keeps_gap, kept, recheck
from frontdesk.decision.masks import opening as opening_for
from frontdesk.decision.options import EngagementOptions, RuleOptions, SegmentOptions
from frontdesk.engagement import CHANNELS, SLOTS, Contact, Customer, Plan, Slot

MONDAY = datetime(2026, 1, 5, 12, tzinfo=UTC)
BERLIN, NEW_YORK, LORD_HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")
BUSINESS = RuleOptions(business_hours_only=True, max_messages_per_week=3)
ANY_TIME = RuleOptions(quiet_from=0, quiet_until=0)
OPTIONS = EngagementOptions.model_validate(
    {
        "risk_tolerance": 0.05,
        "segments": {
            "default": {},
            "enterprise": {
                "risk_tolerance": 0.02,
                "engagement_rules": {"max_messages_per_week": 3, "business_hours_only": True},
            },
        },
        "messages": [
            {"key": "tips", "channels": ["email", "in_app"], "templates": {"friendly": {"body": "Hi"}}},
            {
                "key": "deal",
                "channels": ["email"],
                "slots": ["now", "evening"],
                "objectives": ["upsell"],
                "segments": ["default"],
                "templates": {"friendly": {"body": "Hi"}},
            },
            {"key": "loud", "channels": ["push"], "risk": 0.04, "templates": {"friendly": {"body": "Hi"}}},
        ],
    }
)
CHOICES = [
    Choice(message, channel, slot)
    for message in OPTIONS.messages
    for channel in message.channels
    for slot in message.slots
]
NAMES = ["nothing", *(f"{choice.message.key}/{choice.channel}/{choice.slot}" for choice in CHOICES)]
EVERYBODY = Customer(id="ann", segment="default", consents=63, reachable=63)
FREE = Pace(7, 0.0, False)


def left_of(
    customer: Customer = EVERYBODY,
    *,
    objective: str = "upsell",
    now: datetime = MONDAY,
    pace: Pace = FREE,
    innovates: bool = True,
) -> tuple[list[str], dict[str, int]]:
    rules = Rules(OPTIONS, CHOICES)
    moments = rules.moments(now, customer.time_zone, customer.segment)
    left, masks = rules.apply(customer, objective, moments, pace, innovates=innovates)  # type: ignore[arg-type]
    return [name for place, name in enumerate(NAMES) if left >> place & 1], {mask.rule: mask.arms for mask in masks}


def sent(*hours_ago: float) -> tuple[Contact, ...]:
    return tuple(
        Contact(at=(MONDAY - timedelta(hours=hours)).timestamp(), channel="email", outreach_id=f"out_{hours}")
        for hours in hours_ago
    )


def changed(**values: object) -> Customer:
    return Customer(**({"id": "ann", "segment": "default", "consents": 63, "reachable": 63} | values))  # type: ignore[arg-type]


def test_nobody_is_written_to_without_consent_or_address_and_doing_nothing_is_always_left() -> None:
    email = 1 << CHANNELS.index("email")
    assert left_of(changed(consents=0)) == (["nothing"], {"consent": 5})
    assert left_of(changed(reachable=email))[0] == ["nothing", "tips/email/now", "deal/email/now", "deal/email/evening"]
    assert left_of(changed(time_zone="Mars/Olympus"))[1] == {"time_zone": 5}


def test_messages_are_for_their_objectives_and_segments_and_never_above_the_stricter_tolerance() -> None:
    assert left_of() == (NAMES, {})
    assert left_of(objective="onboard")[1] == {"objective": 2}
    left, masks = left_of(changed(segment="enterprise"))
    assert left == ["nothing", "tips/email/now", "tips/in_app/now"]
    assert masks == {"segment": 3, "hours": 1}


def test_a_strategy_that_is_too_young_for_a_segment_does_nothing_there() -> None:
    assert left_of(innovates=False) == (["nothing"], {"innovation": 5})


@pytest.mark.proves("engagement-4")
def test_the_fourth_message_in_seven_days_is_refused_and_the_eighth_day_is_free_again() -> None:
    three = changed(segment="enterprise", contacts=sent(1, 50, 167))
    assert left_of(three)[0] == ["nothing"]
    assert left_of(three)[1]["cap"] == 4
    free = changed(segment="enterprise", contacts=sent(1, 50, 168))
    assert "cap" not in left_of(free)[1]


def test_the_plan_and_the_gap_of_the_policy_hold_too() -> None:
    one = changed(contacts=sent(30))
    assert left_of(one, pace=Pace(1, 0.0, False))[1] == {"plan": 5}
    assert left_of(one, pace=Pace(7, 48 * 3600.0, False))[1] == {"gap": 5}
    assert left_of(one, pace=Pace(7, 48 * 3600.0, True))[1] == {"fatigue": 5}
    assert left_of(one, pace=Pace(7, 32 * 3600.0, False))[0] == ["nothing", "deal/email/evening"]


@pytest.mark.proves("engagement-4")
def test_in_the_night_a_message_waits_for_nine_o_clock_of_the_next_working_day_where_the_customer_is() -> None:
    friday_night = datetime(2026, 1, 9, 22, tzinfo=NEW_YORK)
    monday = datetime(2026, 1, 12, 9, tzinfo=NEW_YORK)
    assert opening(friday_night, NEW_YORK, BUSINESS) == monday
    assert moment_of("now", friday_night, NEW_YORK, BUSINESS) == monday
    assert moment_of("midday", friday_night, NEW_YORK, BUSINESS) == monday.replace(hour=12)
    assert moment_of("evening", friday_night, NEW_YORK, BUSINESS) is None
    tuesday_night = datetime(2026, 1, 6, 22, tzinfo=NEW_YORK)
    assert opening(tuesday_night, NEW_YORK, BUSINESS) == datetime(2026, 1, 7, 9, tzinfo=NEW_YORK)


def test_quiet_hours_pass_midnight_and_may_be_switched_off() -> None:
    night = datetime(2026, 1, 10, 23, 15, tzinfo=BERLIN)
    assert opening(night, BERLIN, RuleOptions()) == datetime(2026, 1, 11, 8, tzinfo=BERLIN)
    assert opening(night, BERLIN, ANY_TIME) == night
    assert opening(night, BERLIN, RuleOptions(quiet_from=0, quiet_until=24)) is None
    assert opening(night, BERLIN, RuleOptions(quiet_from=8, quiet_until=23)) == night


@given(
    at=st.integers(0, 2 * 366 * 24 * 60).map(
        lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    zone=st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/Santiago")]),
    slot=st.sampled_from(SLOTS),
    rules=st.builds(
        RuleOptions, business_hours_only=st.booleans(), quiet_from=st.integers(0, 24), quiet_until=st.integers(0, 24)
    ),
)
def test_no_message_is_ever_planned_outside_the_open_hours_or_before_now(
    at: datetime, zone: ZoneInfo, slot: Slot, rules: RuleOptions
) -> None:
    moment = moment_of(slot, at, zone, rules)
    if moment is not None:
        assert moment >= at
        assert is_open(moment, zone, rules)
        assert moment - at < timedelta(days=10)


HOURS = st.integers(0, 24 * 21).map(lambda hour: hour * 3600.0)


@pytest.mark.proves("promise-17")
@given(asked=st.lists(HOURS, max_size=40), most=st.integers(0, 5))
def test_in_no_seven_days_there_are_ever_more_messages_than_the_cap_in_whatever_order_they_are_planned(
    asked: list[float], most: int
) -> None:
    planned: list[float] = []
    for at in asked:
        if has_room(planned, at, most):
            planned.append(at)
        else:  # and it never refuses without need
            assert any(sum(start <= time < start + WEEK for time in [*planned, at]) > most for start in [*planned, at])
    for start in planned:
        assert sum(start <= time < start + WEEK for time in planned) <= most


def test_a_gap_is_kept_to_both_sides() -> None:
    assert keeps_gap([0.0, 100.0], 50.0, 50.0)
    assert not keeps_gap([0.0, 100.0], 51.0, 50.0)
    assert keeps_gap([], 1.0, 10.0)


def test_contacts_are_remembered_for_as_long_as_a_rule_asks_for_them() -> None:
    assert kept(sent(1, 13 * 24, 15 * 24), MONDAY) == sent(1, 13 * 24)


SEGMENT = SegmentOptions(engagement_rules=BUSINESS)


@pytest.mark.parametrize(
    ("customer", "at", "rule"),
    [
        (EVERYBODY, MONDAY, None),
        (changed(consents=0), MONDAY, "consent"),
        (changed(reachable=0), MONDAY, "address"),
        (changed(time_zone="Nowhere"), MONDAY, "time_zone"),
        (EVERYBODY, MONDAY + timedelta(hours=10), "hours"),
        (changed(contacts=sent(1, 2, 3)), MONDAY, "cap"),
        (changed(contacts=sent(1), plan=Plan(weekly=1, gap_hours=0, tier="low", made_at=MONDAY)), MONDAY, "plan"),
        (changed(contacts=sent(1), plan=Plan(weekly=3, gap_hours=2, tier="low", made_at=MONDAY)), MONDAY, "gap"),
    ],
)
def test_at_release_every_rule_is_asked_again(customer: Customer, at: datetime, rule: str | None) -> None:
    mask = recheck(customer, "email", at, SEGMENT)
    assert (mask.rule if mask else None) == rule


def test_a_message_does_not_stand_in_its_own_way_at_release() -> None:
    full = changed(contacts=sent(1, 2, 3))
    assert recheck(full, "email", MONDAY, SEGMENT, besides="out_2") is None


def test_a_message_that_may_not_leave_now_is_told_when_it_may() -> None:
    assert opening_for(EVERYBODY, MONDAY + timedelta(hours=10), SEGMENT) == datetime(2026, 1, 6, 9, tzinfo=UTC)
    assert opening_for(changed(time_zone="Nowhere"), MONDAY, SEGMENT) is None
