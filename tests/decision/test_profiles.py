"""Profiles: the same for every order of the events, and what is read off them."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frontdesk.decision.profiles import ANSWERS, HALF_LIFE, MESSAGE, add, fold, signals
from frontdesk.engagement import CHANNELS, STAGES, CustomerEvent, Profile, Signals

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def event(kind: str, at: datetime = NOW, **properties: str | int | float | bool | None) -> CustomerEvent:
    return CustomerEvent(id=f"{kind}-{at.isoformat()}", customer_id="ann", type=kind, at=at, properties=properties)


def weekly(weeks: int, kind: str = "visit", until: datetime = NOW) -> list[CustomerEvent]:
    return [event(kind, until - week * 7 * DAY) for week in range(weeks)]


def read(*events: CustomerEvent, now: datetime = NOW, zone: str = "UTC") -> Signals:
    return signals(fold(events), now, zone)


events = st.builds(
    event,
    st.sampled_from(["visit", "purchase", MESSAGE, "unsubscribe", "bounce", "complaint", *ANSWERS]),
    st.timedeltas(-8 * 365 * DAY, 6 * 365 * DAY).map(NOW.__add__),
    channel=st.sampled_from([*CHANNELS, "pigeon", None]),
    amount=st.one_of(st.none(), st.integers(), st.floats(allow_nan=True), st.booleans(), st.text(max_size=3)),
)


@pytest.mark.proves("engagement-10")
@settings(max_examples=200)
@given(st.data(), st.lists(events, max_size=30))
def test_any_order_of_the_events_gives_the_same_profile(data: st.DataObject, happened: list[CustomerEvent]) -> None:
    shuffled = data.draw(st.permutations(happened))
    in_order = sorted(happened, key=lambda each: (each.at, each.id))
    assert fold(shuffled) == fold(in_order)


@given(st.lists(events, max_size=20), st.integers(0, 20))
def test_a_profile_that_was_stored_between_goes_on_as_if_it_had_not(happened: list[CustomerEvent], cut: int) -> None:
    stored = msgspec.msgpack.encode(fold(happened[:cut]))
    assert fold(happened[cut:], msgspec.msgpack.decode(stored, type=Profile)) == fold(happened)


@given(
    st.lists(events, max_size=20), st.timedeltas(-400 * DAY, 4000 * DAY), st.sampled_from(["UTC", "Asia/Tokyo", "?"])
)
def test_signals_are_always_within_their_bounds(happened: list[CustomerEvent], later: timedelta, zone: str) -> None:
    found = signals(fold(happened), NOW + later, zone)
    for share in (found.engagement, found.churn_risk, found.fatigue):
        assert 0 <= share <= 1
    assert found.recency_days >= 0
    assert found.frequency >= 0
    assert found.stage in STAGES
    assert found.best_channel in (*CHANNELS, "")
    assert 0 <= found.best_hour < 24


def test_counters_fall_by_half_in_each_half_life() -> None:
    profile = fold([event("visit", NOW - HALF_LIFE), event("visit", NOW), event("visit", NOW - 3 * HALF_LIFE)])
    assert profile.activity == pytest.approx(1 + 1 / 2 + 1 / 8, rel=1e-5)
    assert profile.events == 3
    once = read(event("visit")).frequency
    assert read(event("visit"), now=NOW + HALF_LIFE).frequency == pytest.approx(once / 2)


def test_a_steady_rhythm_is_told_as_activities_a_week() -> None:
    assert read(*weekly(52), now=NOW + 3.5 * DAY).frequency == pytest.approx(1, rel=0.05)


def test_an_event_that_comes_ten_years_late_counts_for_nothing_that_fades() -> None:
    profile = fold(weekly(3))
    late = add(profile, event("visit", NOW - 3650 * DAY))
    assert late.activity == pytest.approx(profile.activity)
    assert late.first_at == NOW - 3650 * DAY
    assert late.last_at == NOW


def test_churn_risk_grows_with_silence_beyond_the_customers_own_rhythm() -> None:
    often = [event("visit", NOW - days * DAY) for days in range(30)]
    seldom = [event("visit", NOW - days * DAY) for days in range(0, 60, 20)]
    after = NOW + 10 * DAY
    assert read(*often, now=after).churn_risk > 0.8
    assert read(*seldom, now=after).churn_risk == 0
    assert read(*often, now=NOW + HOUR).churn_risk == 0


def test_many_clicks_of_one_day_do_not_make_a_rhythm() -> None:
    burst = [
        event("visit", day + minute * timedelta(minutes=1)) for day in (NOW, NOW - 7 * DAY) for minute in range(20)
    ]
    assert read(*burst, now=NOW + 6 * DAY).churn_risk == 0


def test_messages_without_an_answer_tire_and_answers_rest() -> None:
    sent = [event(MESSAGE, NOW - days * DAY) for days in range(6)]
    tired = read(*sent).fatigue
    answered = read(*sent, *(event("reply", NOW - days * DAY, channel="email") for days in range(6))).fatigue
    assert tired > 0.5
    assert answered < 0.1
    assert read(event("unsubscribe")).fatigue == pytest.approx(0.5)
    assert read(event("visit")).fatigue == 0


@pytest.mark.proves("engagement-10")
def test_an_answer_raises_engagement_and_a_message_does_not() -> None:
    before = read(*weekly(4)).engagement
    assert read(*weekly(4), event("click", channel="sms")).engagement > before
    assert read(*weekly(4), event(MESSAGE, channel="sms")).engagement == pytest.approx(before)


def test_the_best_channel_is_where_answers_come_from() -> None:
    opened = [event("open", NOW - days * DAY, channel="email") for days in range(3)]
    replied = event("reply", channel="telegram")
    assert read(*opened).best_channel == "email"
    assert read(*opened, replied).best_channel == "telegram", "a reply says more than three openings"
    assert read(event("visit")).best_channel == ""


def test_the_best_hour_is_where_the_customer_is() -> None:
    mornings = [event("visit", (NOW - days * DAY).replace(hour=hour)) for days in range(5) for hour in (7, 8, 9)]
    assert read(*mornings).best_hour == 8
    assert read(*mornings, zone="Asia/Tokyo").best_hour == 17
    assert read(*mornings, zone="America/New_York").best_hour == 3


def test_stages_follow_a_customers_life() -> None:
    def stage(happened: list[CustomerEvent], now: datetime) -> str:
        return read(*happened, now=now).stage

    start = NOW - 90 * DAY
    visits = [event("visit", start + 5 * day * DAY) for day in range(19)]
    assert stage([], NOW) == "new"
    assert stage(visits[:1], start + 3 * DAY) == "new"
    assert stage(visits[:6], start + 26 * DAY) == "active"
    assert stage(visits, NOW) == "loyal"
    assert stage(visits, NOW + 22 * DAY) == "at_risk"
    assert stage(visits, NOW + 200 * DAY) == "lapsed"


def test_money_is_summed_to_the_cent_and_nonsense_is_left_out() -> None:
    bought = [event("purchase", NOW - n * HOUR, amount=0.1) for n in range(10)]
    assert fold(bought).value == 1.0
    assert fold([*bought, event("refund", value=-0.5)]).value == 0.5
    assert (
        fold([event("purchase", amount=True), event("purchase", amount="9"), event("x", amount=float("nan"))]).value
        == 0
    )
