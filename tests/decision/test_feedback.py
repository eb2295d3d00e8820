"""What customers do with messages reaches the decision that caused them, once, and is heeded at once."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from frontdesk.decision.feedback import Feedback
from frontdesk.engagement import NOTHING, CustomerEvent, Outcome, OutcomeKind
from frontdesk.errors import FutureEvent, UnknownDecision, Unprocessable
from frontdesk.store.customer_events import CustomerEvents, customer_events
from frontdesk.store.database import Database
from frontdesk.store.logged import DecisionLog
from frontdesk.store.outcomes import outcomes
from frontdesk.store.outreach import OutreachRows
from frontdesk.telemetry import metrics
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.decision.logged import WINDOW, Desk


@pytest.fixture
async def desk(database: Database, clock: FakeClock, ids: CountingIds) -> Desk:
    desk = Desk(database, clock, ids)
    await desk.customer()
    return desk


@pytest.fixture
def feedback(database: Database, clock: FakeClock) -> Feedback:
    return Feedback(database, clock)


def outcome(clock: FakeClock, kind: OutcomeKind = "click", name: str = "o1", decision: str = "d1") -> Outcome:
    return Outcome(id=name, decision_id=decision, kind=kind, at=clock.now())


async def stored(database: Database) -> list[tuple[object, ...]]:
    columns = (outcomes.c.kind, outcomes.c.customer_id, outcomes.c.value, outcomes.c.counted)
    async with database.read() as connection:
        return [tuple(row) for row in await connection.execute(sa.select(*columns).order_by(outcomes.c.id))]


def counted(kind: str, significance: str) -> float:
    return metrics.learning_events.labels(kind, significance)._value.get()


@pytest.mark.proves("engagement-10")
async def test_a_click_counts_once_and_stands_in_the_customers_profile(
    desk: Desk, feedback: Feedback, database: Database, clock: FakeClock
) -> None:
    await desk.decide("d1")
    before, profile = counted("click", "medium"), (await desk.customers.get("ann")).profile
    [first] = await feedback.accept([outcome(clock)])
    [again] = await feedback.accept([outcome(clock)])
    assert (first.state, again.state) == ("counted", "repeated")
    assert counted("click", "medium") == before + 1
    assert (await desk.customers.get("ann")).profile.answers > profile.answers
    assert await stored(database) == [("click", "ann", 0.0, True)]
    assert await CustomerEvents(database, clock).due() == [], "an outcome asks for no decision"


@pytest.mark.proves("engagement-10", "promise-17")
@pytest.mark.parametrize("kind", ["unsubscribe", "complaint"])
async def test_who_unsubscribes_is_written_to_no_more_and_what_was_not_sent_is_withdrawn(
    desk: Desk, feedback: Feedback, database: Database, clock: FakeClock, kind: OutcomeKind
) -> None:
    await desk.decide("d1")
    await desk.decide("d2", released=False)
    await feedback.accept([outcome(clock, kind)])
    customer = await desk.customers.get("ann")
    assert not customer.allows("email")
    assert customer.allows("in_app"), "the other channels stay"
    states = {row.decision_id: row.state for row in await OutreachRows(database, clock).page()}
    assert states == {"d1": "released", "d2": "withdrawn"}


@pytest.mark.proves("engagement-10")
async def test_who_unsubscribes_by_a_link_again_and_again_counts_once_and_is_heeded_each_time(
    desk: Desk, feedback: Feedback, database: Database
) -> None:
    await desk.decide("d1")
    assert await feedback.channel("d1") == "email"
    await asyncio.gather(*(feedback.unsubscribe("d1") for _ in range(5)))
    assert not (await desk.customers.get("ann")).allows("email")
    await desk.customer()
    assert (await desk.customers.get("ann")).allows("email"), "asked anew, they agreed"
    await feedback.unsubscribe("d1")
    assert not (await desk.customers.get("ann")).allows("email")
    assert await stored(database) == [("unsubscribe", "ann", 0.0, True)]


async def test_a_link_stops_nothing_where_no_message_came_of_its_decision(desk: Desk, feedback: Feedback) -> None:
    await desk.decide("d1", NOTHING)
    for decision_id in ("d1", "d2"):
        with pytest.raises(UnknownDecision):
            await feedback.channel(decision_id)
    with pytest.raises(UnknownDecision):
        await feedback.unsubscribe("d2")
    assert (await desk.customers.get("ann")).allows("email")


async def test_feedback_for_an_unknown_decision_is_refused_and_nothing_of_its_batch_is_kept(
    desk: Desk, feedback: Feedback, database: Database, clock: FakeClock
) -> None:
    await desk.decide("d1")
    with pytest.raises(UnknownDecision) as refused:
        await feedback.accept([outcome(clock), outcome(clock, name="o2", decision="ghost")])
    assert refused.value.code == "unknown_decision"
    assert await stored(database) == []


async def test_feedback_after_the_window_is_kept_and_told_to_be_late(
    desk: Desk, feedback: Feedback, database: Database, clock: FakeClock
) -> None:
    await desk.decide("d1")
    happened = outcome(clock, "conversion")
    clock.advance(WINDOW.total_seconds())
    await DecisionLog(database).settle(clock.now(), lambda rows: [0.0] * len(rows))
    assert [taken.state for taken in await feedback.accept([happened])] == ["late"], "it is settled already"
    assert await stored(database) == [("conversion", "ann", 0.0, False)]
    await desk.decide("d2")
    clock.advance(WINDOW.total_seconds() + 1)
    [taken] = await feedback.accept([outcome(clock, name="o2", decision="d2")])
    assert taken.state == "late", "its window has ended, settled or not"


async def test_moments_and_values_that_cannot_be_are_refused(desk: Desk, feedback: Feedback, clock: FakeClock) -> None:
    await desk.decide("d1")
    for bad, error in (
        (Outcome(id="o", decision_id="d1", kind="open", at=clock.now() + timedelta(hours=1)), FutureEvent),
        (Outcome(id="o", decision_id="d1", kind="open", at=clock.now() - timedelta(hours=1)), Unprocessable),
        (Outcome(id="o", decision_id="d1", kind="conversion", at=clock.now(), value=float("nan")), Unprocessable),
        (Outcome(id="o", decision_id="d1", kind="conversion", at=clock.now(), value=1.7e308), Unprocessable),
        (Outcome(id="o", decision_id="d1", kind="conversion", at=clock.now(), value=-1e13), Unprocessable),
    ):
        with pytest.raises(error):
            await feedback.accept([bad])


async def test_a_conversion_without_a_name_counts_for_the_last_decision_even_to_do_nothing(
    desk: Desk, feedback: Feedback, database: Database, clock: FakeClock
) -> None:
    await desk.decide("d1")
    clock.advance(3600)
    await desk.decide("d2", "nothing")
    await desk.decide("d3", state="shadow", policy_id="p2")
    clock.advance(3600)
    event = CustomerEvent(id="e1", customer_id="ann", type="purchase", at=clock.now(), properties={"amount": 40})
    taken = await feedback.attribute(event)
    assert taken is not None
    assert (taken.decision_id, taken.state) == ("d2", "counted")
    again = await feedback.attribute(event)
    assert again is not None
    assert again.state == "repeated"
    assert await stored(database) == [("conversion", "ann", 40.0, True)]
    clock.advance(WINDOW.total_seconds())
    late = CustomerEvent(id="e2", customer_id="ann", type="purchase", at=clock.now())
    assert await feedback.attribute(late) is None, "no window is open any more"


async def test_an_outcome_that_races_with_its_settling_is_in_the_reward_or_told_to_be_late(
    desk: Desk, feedback: Feedback, database: Database, clock: FakeClock, chance: object
) -> None:
    decisions = DecisionLog(database)
    for number in range(20):
        name = f"d{number}"
        await desk.decide(name)
        happened = outcome(clock, "click", f"o{number}", name)
        clock.advance(WINDOW.total_seconds())
        _, [taken] = await asyncio.gather(
            decisions.settle(clock.now(), lambda rows: [float(len(row.outcomes)) for row in rows]),
            feedback.accept([happened]),
        )
        while await decisions.settle(clock.now(), lambda rows: [float(len(row.outcomes)) for row in rows]):
            pass
        [row] = [row for row in await decisions.settled(clock.now() - WINDOW) if row.id == name]
        assert row.reward == (1.0 if taken.state == "counted" else 0.0)


async def test_the_event_log_tells_outcomes_so_that_profiles_can_be_rebuilt(
    desk: Desk, feedback: Feedback, database: Database, clock: FakeClock
) -> None:
    await desk.decide("d1")
    await feedback.accept([outcome(clock, "reply")])
    async with database.read() as connection:
        rows = (await connection.execute(sa.select(customer_events.c.id, customer_events.c.type))).all()
    assert [tuple(row) for row in rows] == [("outcome:o1", "reply")]
