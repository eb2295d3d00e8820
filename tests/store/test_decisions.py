"""Decisions as rows, on both databases."""

from datetime import timedelta

import msgspec
import pytest
from sqlalchemy.exc import IntegrityError

from frontdesk.engagement import Contribution, Decision, Mask
from frontdesk.errors import NotFound
from frontdesk.store.database import Database
from frontdesk.store.decisions import Decisions, Wanted, add, mark_human, of_events
from frontdesk.testing.clock import FakeClock

DECISION = Decision(
    id="dec_1",
    customer_id="ann",
    event_id="evt_1",
    at=FakeClock().now(),
    segment="default",
    objective="activate",
    state="act",
    arm="tips/email/now",
    channel="email",
    policy_id="pol_1",
    role="champion",
    confidence=0.9,
    risk=0.01,
    propensity=0.7,
    seed=2**63 - 1,
    eligible=("nothing", "tips/email/now"),
    probabilities=(0.3, 0.7),
    features=(1.0, 0.015625),
    features_digest="abc",
    masks=(Mask(rule="cap", words="The limit is reached.", arms=3),),
    contributions=(Contribution(feature="always", against_runner_up=0.25, against_nothing=0.5),),
    runner_up="nothing",
    send_at=FakeClock().now() + timedelta(hours=1),
    reasons=("It is time.",),
)


def like(number: int, **values: object) -> Decision:
    return msgspec.structs.replace(DECISION, **({"id": f"dec_{number}", "event_id": None} | values))


@pytest.fixture
def decisions(database: Database) -> Decisions:
    return Decisions(database)


async def keep(database: Database, *made: Decision) -> None:
    await database.act(lambda connection: add(connection, [(each, each.at) for each in made]))


async def test_a_decision_is_read_as_it_was_written(database: Database, decisions: Decisions) -> None:
    await keep(database, DECISION)
    assert await decisions.get("dec_1") == DECISION
    with pytest.raises(NotFound):
        await decisions.get("dec_2")


async def test_an_event_is_decided_once(database: Database, decisions: Decisions) -> None:
    await keep(database, DECISION, like(2), like(3))
    with pytest.raises(IntegrityError):
        await keep(database, like(4, event_id="evt_1"))
    found = await database.act(lambda connection: of_events(connection, ["evt_1", "evt_9"]))
    assert found == {"evt_1": DECISION}


async def test_a_list_shows_the_newest_first_and_what_is_wanted(database: Database, decisions: Decisions) -> None:
    made = [like(number, state="hold" if number % 2 else "act", customer_id=f"cus_{number % 3}") for number in range(9)]
    await keep(database, *made)
    assert await decisions.page(Wanted(), limit=3) == made[:5:-1]
    assert await decisions.page(Wanted(), before="dec_6", limit=2) == [made[5], made[4]]
    assert await decisions.page(Wanted(state="hold", customer_id="cus_1")) == [made[7], made[1]]


async def test_what_a_person_changed_is_marked(database: Database, decisions: Decisions) -> None:
    await keep(database, like(1), like(2))
    await database.act(lambda connection: mark_human(connection, "dec_2"))
    assert [each.human for each in await decisions.page(Wanted())] == [True, False]
