"""An empty desk is filled with people who do not exist, by the rooms that serve real ones, and they go on living."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from frontdesk.decision.feedback import Feedback
from frontdesk.decision.intake import Intake
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.policies import first
from frontdesk.decision.simulation.demo import PREFIX, Demo
from frontdesk.decision.simulation.messages import simulated_options
from frontdesk.decision.simulation.past import Unheard
from frontdesk.delivery.local import CustomerLetters
from frontdesk.engagement import Customer, Genes
from frontdesk.store.customer_events import customer_events
from frontdesk.store.customers import Customers
from frontdesk.store.database import Database
from frontdesk.store.decisions import decisions
from frontdesk.store.outbox import Outbox, outbox
from frontdesk.store.outcomes import outcomes
from frontdesk.store.outreach import outreach
from frontdesk.store.policies import Policies
from frontdesk.store.stories import Stories
from frontdesk.testing.clock import CountingIds, FakeClock

pytestmark = pytest.mark.proves("engagement-8")


class Desk:
    """A desk with nothing but what a demonstration needs."""

    def __init__(self, database: Database, clock: FakeClock, ids: CountingIds) -> None:
        self.database, self.clock = database, clock
        self.options = simulated_options()
        self.policies = Policies(database, clock, ids)
        settings: Callable[[], EngagementOptions] = lambda: self.options  # noqa: E731
        feedback = Feedback(database, clock)
        intake = Intake(database, clock, Unheard(), settings, feedback=feedback)
        self.demo = Demo(database, intake, feedback, settings, clock, ids, people=20)
        self.ids = ids

    async def start(self) -> None:
        await self.policies.start(first(self.ids.new("pol"), Genes(), self.clock.now()))

    async def count(self, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
        async with self.database.read() as connection:
            found = await connection.scalar(sa.select(sa.func.count()).select_from(table).where(*conditions))
        return int(found or 0)

    async def send_again(self) -> None:
        """What was sent in the past is sent once more, now."""
        again = sa.update(outreach).values(updated_at=self.clock.now())
        await self.database.commit(lambda connection: connection.execute(again))


@pytest.fixture
async def desk(database: Database, clock: FakeClock, ids: CountingIds) -> Desk:
    desk = Desk(database, clock, ids)
    await desk.start()
    return desk


async def test_an_empty_desk_gets_a_past_in_which_people_were_written_to_and_answered(desk: Desk) -> None:
    assert await desk.demo.fill(days=8)
    customers = await Customers(desk.database, desk.clock).page()
    assert customers[0].id.startswith(PREFIX)
    assert await desk.count(decisions) > 50
    assert await desk.count(outcomes) > 5
    assert await desk.count(outreach, outreach.c.state == "released") > 15
    now = desk.clock.now()
    assert not await desk.count(decisions, decisions.c.at > now)
    assert await desk.count(decisions, decisions.c.at < now - timedelta(days=6))


async def test_nothing_of_the_past_leaves_the_desk_or_waits_for_it(desk: Desk) -> None:
    await desk.demo.fill(days=4)
    assert not await desk.count(outbox, outbox.c.state != "sent")
    assert not await Outbox(desk.database, desk.clock).due()
    assert not await desk.count(outreach, outreach.c.state.in_(["writing", "approval", "scheduled"]))
    assert not await desk.count(customer_events, ~customer_events.c.decided)


async def test_the_letters_of_the_past_are_there_to_be_read(desk: Desk) -> None:
    await desk.demo.fill(days=4)
    letters, _ = await CustomerLetters(desk.database).page(limit=1000)
    assert len(letters) == await desk.count(outreach, outreach.c.state == "released") > 0
    for letter in letters:
        assert letter.state == "sent"
        assert letter.settled_at is not None
        assert letter.settled_at < desk.clock.now()
        assert letter.body
    story = await Stories(desk.database).of(letters[0].decision_id)
    assert story.delivery is not None
    assert (story.delivery.id, story.delivery.state) == (letters[0].id, "sent")


async def test_a_bad_strategy_serves_some_of_the_people_when_the_past_ends(desk: Desk) -> None:
    await desk.demo.fill(days=6)
    pointer = await desk.policies.serving()
    assert pointer.challenger_id is not None
    challenger = await desk.policies.get(pointer.challenger_id)
    assert challenger.strategy != (await desk.policies.get(pointer.champion_id)).strategy
    assert await desk.count(decisions, decisions.c.role == "challenger")


async def test_a_desk_with_customers_is_left_as_it_is(desk: Desk) -> None:
    await Customers(desk.database, desk.clock).put(Customer(id="ann", segment="default"))
    assert not await desk.demo.fill()
    assert not await desk.count(decisions)


async def test_people_go_on_living_and_answer_what_is_sent_to_them(desk: Desk) -> None:
    await desk.demo.fill(days=2)
    before, answered = await desk.count(customer_events), await desk.count(outcomes)
    await desk.send_again()
    for _ in range(300):
        desk.clock.advance(1)
        await desk.demo.step()
    assert await desk.count(customer_events) > before
    assert await desk.count(outcomes) > answered
