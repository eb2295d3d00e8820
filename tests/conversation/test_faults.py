"""A turn with a failure at each step where the database is asked: one error, and an outage from that step on."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import sqlalchemy as sa
from asyncpg.transaction import Transaction
from sqlalchemy.exc import OperationalError

from frontdesk.errors import StoreUnavailable
from frontdesk.events import Accepted, Finished, Numbered, TextAdded
from frontdesk.messages import ModelDone, ModelEvent, ModelRequest, TextDelta
from frontdesk.store.conversations import messages
from frontdesk.store.database import Database
from frontdesk.store.prepared import Direct, Prepared
from frontdesk.store.turns import LostLease
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.conversation.conftest import Desk, make_desk

ANSWER = ("We open ", "at nine ", "and close at five.")
ATTEMPTS = 4


class Faults:
    """Counts statements and commits, and lets the one of number `at` fail; with `lasting`, all that follow it too."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 0
        self.lasting = False
        self.count = 0
        self._ready, self._end = Direct.ready, Transaction.__aexit__
        if not database.is_sqlite:  # prepared statements go to PostgreSQL's driver beside SQLAlchemy
            monkeypatch.setattr(Direct, "ready", lambda connection, prepared: self._prepared(connection, prepared))
            monkeypatch.setattr(Transaction, "__aexit__", lambda *arguments: self._commit(*arguments))
        sa.event.listen(sa.Engine, "before_cursor_execute", self._statement)
        sa.event.listen(sa.Engine, "commit", self._step)

    @property
    def happened(self) -> bool:
        return 0 < self.at <= self.count

    def end(self) -> None:
        sa.event.remove(sa.Engine, "before_cursor_execute", self._statement)
        sa.event.remove(sa.Engine, "commit", self._step)

    def arm(self, at: int, *, lasting: bool) -> None:
        self.at, self.lasting, self.count = at, lasting, 0

    def mend(self) -> None:
        self.lasting = False

    def _statement(self, *arguments: Any) -> None:
        self._step()

    def _prepared(self, connection: Direct, prepared: Prepared) -> Any:
        if self._fails():
            raise ConnectionResetError("the server is gone")
        return self._ready(connection, prepared)

    async def _commit(self, transaction: Any, kind: Any, error: Any, trace: Any) -> None:
        if kind is None and self._fails():
            gone = ConnectionResetError("the server is gone")
            await self._end(transaction, type(gone), gone, None)
            raise gone
        await self._end(transaction, kind, error, trace)

    def _fails(self) -> bool:
        self.count += 1
        return self.count == self.at or (self.lasting and self.happened)

    def _step(self, *arguments: Any) -> None:
        if self._fails():
            gone = sqlite3.OperationalError("disk I/O error")
            gone.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise OperationalError("a statement", {}, gone)


async def goes_on(request: ModelRequest) -> AsyncIterator[ModelEvent]:
    said = len(request.continue_from)
    for piece in ANSWER:
        if said < len(piece):
            yield TextDelta(text=piece[said:])
        said = max(0, said - len(piece))
    yield ModelDone(reason="stop", model="played")


async def new_process(database: Database, clock: FakeClock, ids: CountingIds, name: str) -> Desk:
    desk = await make_desk(database, clock, ids, name)
    desk.models.script = goes_on
    return desk


async def accept_as_a_client_does(desk: Desk, key: str, on_failure: Callable[[], None]) -> Accepted:
    for _ in range(ATTEMPTS):
        try:
            return await desk.parts.inbox.accept(desk.said("When do you open?", key))
        except StoreUnavailable:
            on_failure()
    raise AssertionError("never accepted")


async def run_while_time_passes(desk: Desk, turn_id: str) -> None:
    run = asyncio.create_task(desk.converse.run(turn_id))
    while not (await asyncio.wait({run}, timeout=0.01))[0]:
        desk.clock.advance(0.5)  # a turn waits for its database before it gives up
    run.result()


async def run_until_finished(desk: Desk, turn_id: str, on_failure: Callable[[], None]) -> list[Numbered]:
    for _ in range(ATTEMPTS):
        try:
            await run_while_time_passes(desk, turn_id)
            events = await desk.turns.events(turn_id, 0)
            if events and isinstance(events[-1].event, Finished):
                return events
        except (StoreUnavailable, LostLease):
            on_failure()
        desk.clock.advance(desk.parts.options.lease_seconds + 1)  # as the sweeper of any process would find it
    raise AssertionError("never finished")


@pytest.mark.proves("promise-6", "promise-1")
@pytest.mark.parametrize("lasting", [False, True], ids=["one error", "an outage"])
async def test_a_failure_at_any_step_loses_and_doubles_nothing(
    database: Database,
    clock: FakeClock,
    ids: CountingIds,
    lasting: bool,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    faults = Faults(database, monkeypatch)
    request.addfinalizer(faults.end)
    desk = await new_process(database, clock, ids, "process-0")
    step = 0
    while True:
        step += 1
        faults.arm(step, lasting=lasting)
        async with asyncio.timeout(30):
            accepted = await accept_as_a_client_does(desk, str(step), faults.mend)
            events = await run_until_finished(desk, accepted.turn_id, faults.mend)
        happened = faults.happened
        faults.arm(0, lasting=False)
        assert [item.seq for item in events] == list(range(1, len(events) + 1)), step
        assert "".join(e.event.text for e in events if isinstance(e.event, TextAdded)) == "".join(ANSWER), step
        async with database.read() as connection:
            found = await connection.execute(
                sa.select(messages.c.role, messages.c.text, messages.c.state)
                .where(messages.c.conversation_id == accepted.conversation_id)
                .order_by(messages.c.role)
            )
            assert [tuple(row) for row in found] == [
                ("assistant", "".join(ANSWER), "complete"),
                ("user", "When do you open?", "complete"),
            ], step
        if not happened:
            break
        desk = await new_process(database, clock, ids, f"process-{step}")
    assert step > 10  # that many steps there are at least
