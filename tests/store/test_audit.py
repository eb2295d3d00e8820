"""The audit log notices every change that somebody makes to it behind the desk's back."""

import asyncio

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.clock import RandomIds
from frontdesk.store.audit import Act, Audit, audit, audit_head
from frontdesk.store.database import Database
from frontdesk.testing.clock import FakeClock

KEY = b"a key for tests alone"


def act(number: int) -> Act:
    return Act(act="key.create", actor=f"per_{number}", subject=f"key_{number}", outcome=201)


async def filled(database: Database, count: int) -> Audit:
    """A log of `count` acts, written in one transaction."""
    log = Audit(database, FakeClock(), KEY)

    acts = [act(number) for number in range(count)]
    await database.commit(lambda connection: log.append_with(connection, acts))
    return log


async def run(database: Database, *statements: sa.Executable) -> None:
    async def work(connection: AsyncConnection) -> None:
        for statement in statements:
            await connection.execute(statement)

    await database.commit(work)


async def test_a_log_that_nobody_touched_is_whole(database: Database) -> None:
    log = await filled(database, 5)
    assert (await log.verify()).whole
    assert (await log.head()).count == 5
    assert [row.seq for row in await log.page(limit=2)] == [5, 4]
    assert [row.seq for row in await log.page(before=4, act="key.")] == [3, 2, 1]


async def test_an_empty_log_is_whole(database: Database) -> None:
    assert (await Audit(database, FakeClock(), KEY).verify()).whole


async def test_acts_at_the_same_moment_stand_one_after_the_other(database: Database) -> None:
    log = Audit(database, FakeClock(), KEY)
    rows = await asyncio.gather(*(log.append(act(number)) for number in range(30)))
    assert sorted(row.seq for row in rows) == list(range(1, 31))
    assert (await log.verify()).whole


TAMPERINGS = {
    "an edited actor": [sa.update(audit).where(audit.c.seq == 3).values(actor="per_9")],
    "an edited outcome": [sa.update(audit).where(audit.c.seq == 1).values(outcome=200)],
    "an edited hash": [sa.update(audit).where(audit.c.seq == 5).values(hash="0" * 64)],
    "a removed row": [sa.delete(audit).where(audit.c.seq == 3)],
    "the first row removed": [sa.delete(audit).where(audit.c.seq == 1)],
    "the last row cut off": [sa.delete(audit).where(audit.c.seq == 5)],
    "all rows removed": [sa.delete(audit)],
    "a removed row, the others moved up": [
        sa.delete(audit).where(audit.c.seq == 3),
        sa.update(audit).where(audit.c.seq == 4).values(seq=3),
        sa.update(audit).where(audit.c.seq == 5).values(seq=4),
    ],
    "two rows exchanged": [
        sa.update(audit).where(audit.c.seq == 2).values(seq=20),
        sa.update(audit).where(audit.c.seq == 3).values(seq=2),
        sa.update(audit).where(audit.c.seq == 20).values(seq=3),
    ],
    "an edited head": [sa.update(audit_head).values(count=4)],
    "a removed head": [sa.delete(audit_head)],
}


@pytest.mark.parametrize("tampering", list(TAMPERINGS))
async def test_a_tampered_log_is_not_whole(database: Database, tampering: str) -> None:
    log = await filled(database, 5)
    await run(database, *TAMPERINGS[tampering])
    verdict = await log.verify()
    assert not verdict.whole
    assert verdict.reason


async def test_a_chain_that_was_computed_anew_without_the_key_is_not_whole(database: Database) -> None:
    log = await filled(database, 3)
    await run(database, sa.delete(audit), sa.delete(audit_head))
    forged = Audit(database, FakeClock(), b"not the key")
    for number in range(3):
        await forged.append(act(number + 10))
    assert (await log.verify()).reason == "The head's signature is wrong"


async def test_a_return_to_an_earlier_state_shows_against_a_kept_head(database: Database) -> None:
    log = await filled(database, 3)
    early = await log.verify()
    kept = await log.head()
    assert early.whole
    await run(database, sa.delete(audit), sa.delete(audit_head))
    assert (await log.verify()).whole, "alone, the database cannot tell"
    assert (await log.verify(since=kept)).reason == "Rows after this one were cut off"
    for number in range(4):
        await log.append(act(number + 10))
    assert (await log.verify(since=kept)).reason == "The log differs from the kept head"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_any_edit_of_any_column_of_any_row_shows(database: Database, data: st.DataObject) -> None:
    await run(database, sa.delete(audit), sa.delete(audit_head))
    count = data.draw(st.integers(1, 12))
    log = await filled(database, count)
    seq = data.draw(st.integers(1, count))
    column = data.draw(st.sampled_from(["act", "actor", "credential", "subject", "origin", "hash"]))
    value = data.draw(st.text(alphabet="abc_1", max_size=5))
    async with database.read() as connection:
        before = await connection.scalar(sa.select(audit.c[column]).where(audit.c.seq == seq))
    await run(database, sa.update(audit).where(audit.c.seq == seq).values({column: value}))
    assert (await log.verify()).whole == (before == value)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_one_change_among_ten_thousand_rows_shows(database: Database) -> None:
    log = await filled(database, 10_000)
    assert (await log.verify()).rows == 10_000
    await run(database, sa.update(audit).where(audit.c.seq == 7_777).values(actor=RandomIds().new("per")))
    verdict = await log.verify()
    assert (verdict.whole, verdict.at) == (False, 7_777)


async def test_a_page_that_looks_again_has_read_once(database: Database) -> None:
    clock = FakeClock()
    log = Audit(database, clock, KEY)
    reading = Act(act="conversation.read", actor="per_1", subject="conv_1", outcome=200)
    for _ in range(5):
        await log.append_reading(reading)
    await log.append_reading(Act(act="conversation.read", actor="per_2", subject="conv_1", outcome=200))
    assert (await log.head()).count == 2
    clock.advance(601)
    await log.append_reading(reading)
    assert (await log.head()).count == 3
