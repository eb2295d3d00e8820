"""The log that estimates and evolution read: the latest decisions, in the order in which they were settled."""

from datetime import datetime, timedelta

import pytest

from frontdesk.decision import logs
from frontdesk.decision.logs import Log, read_log
from frontdesk.store.database import Database
from frontdesk.store.logged import DecisionLog
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.decision.examples import ARMS
from tests.decision.logged import WINDOW, Desk


@pytest.fixture
def desk(database: Database, clock: FakeClock, ids: CountingIds) -> Desk:
    return Desk(database, clock, ids)


@pytest.fixture
def decisions(database: Database) -> DecisionLog:
    return DecisionLog(database)


async def settled(desk: Desk, decisions: DecisionLog, *names: str) -> datetime:
    """Have these decisions made and settled together; when they were."""
    for name in names:
        await desk.decide(name)
    desk.clock.advance(WINDOW.total_seconds())
    await decisions.settle(desk.clock.now(), lambda rows: [0.0] * len(rows))
    return desk.clock.now()


async def test_the_latest_are_read_in_the_order_in_which_they_were_settled(
    desk: Desk, decisions: DecisionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "PAGE", 2)
    await desk.customer()
    begin = await settled(desk, decisions, "d9", "d8", "d7")
    middle = await settled(desk, decisions, "d3", "d1", "d2")
    await settled(desk, decisions, "d5")
    await desk.decide("open")

    async def read(since: datetime, **limits: object) -> Log:
        return await read_log(decisions, ARMS, since, holdout_share=0.0, **limits)  # type: ignore[arg-type]

    assert (await read(begin)).ids == ("d7", "d8", "d9", "d1", "d2", "d3", "d5")
    assert (await read(begin, limit=4)).ids == ("d1", "d2", "d3", "d5")
    assert (await read(begin, limit=3)).ids == ("d2", "d3", "d5")
    assert (await read(middle)).ids == ("d1", "d2", "d3", "d5")
    assert (await read(begin, until=middle)).ids == ("d7", "d8", "d9"), "whoever reads on from then misses none"
    later = [row.id for row in await decisions.settled(middle - timedelta(microseconds=1))]
    assert later == ["d1", "d2", "d3", "d5"]
    assert (await read(desk.clock.now() + WINDOW)).ids == ()
