"""Whoever asks to be forgotten stands in no table any more, on both databases, and nobody else misses anything."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.clock import RandomIds
from frontdesk.messages import Role, Usage
from frontdesk.store.calls import Calls, account
from frontdesk.store.customers import Customers, customers
from frontdesk.store.database import Database, metadata
from frontdesk.store.people import People
from frontdesk.store.rows import Rows
from frontdesk.store.updates import updates
from frontdesk.testing.clock import FakeClock
from tests.store.everything import MOMENT, fill, fill_customer, holding, owned

# Tables whose rows belong to nobody. A new table belongs here only if no word and no address of people gets into it.
NOBODYS = {
    "audit",  # ids alone, see `store.audit`
    "audit_head",
    "canned_replies",
    "documents",
    "evolutions",
    "gaps",  # rates of groups with a least count
    "jobs",
    "knowledge_state",
    "learners",  # what was learned of all together
    "passages",
    "patterns",  # the same
    "policies",
    "policy_moves",
    "pollers",
    "schedules",
    "serving",
    "tool_servers",
    "tools",
    "tunings",
    "updates",  # of the person's lane: emptied by `updates.forget`
    "widget_tokens",  # digests
    "word_key",
    "workers",
}


def test_every_table_belongs_to_somebody_or_is_known_to_belong_to_nobody() -> None:
    assert set(metadata.tables) - {table.name for table in owned() + owned(customers)} == NOBODYS


@pytest.mark.proves("conversation-13", "abuse-20")
async def test_erasure_leaves_no_trace_in_any_table_and_takes_nothing_of_anybody_else(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    everybody = People(database, clock, RandomIds())
    await everybody.add(name="Owner", role=Role.OWNER)

    async def both(connection: AsyncConnection) -> None:
        for name in ("ann", "ben"):
            await fill(connection, name)
            issuer, subject = f"identities-issuer-of-{name}", f"identities-subject-of-{name}"
            row = {
                "channel": "telegram",
                "external_id": name,
                "number": 1,
                "kind": "poll",
                "lane": f"{issuer}:{subject}",
                "body": sa.literal(f"kept-of-{name}", sa.Text),
                "state": "kept",
                "due_at": MOMENT,
                "received_at": MOMENT,
            }
            await connection.execute(updates.insert().values(row))

    await database.commit(both)
    async with database.read() as connection:
        everywhere = {column.partition(".")[0] for column in await holding(connection, ["of-ann", "per_ann"])}
        counts = await _counts(connection)
    assert everywhere == {table.name for table in owned()} | {"updates"}, "the search finds what is there"
    await everybody.erase("per_ann")
    async with database.read() as connection:
        assert await holding(connection, ["of-ann", "per_ann"]) == []
        left = await _counts(connection)
    for table in owned():
        others = 1 + (table.name == "people")
        assert (counts[table.name], left[table.name]) == (others + 1, others), table.name
    assert [name for name, data in files(tmp_path) if b"of-ann" in data] == []


async def test_a_call_that_ends_after_its_person_was_erased_is_booked_on_nobody(
    database: Database, clock: FakeClock
) -> None:
    everybody, calls = People(database, clock, RandomIds()), Calls(database, Rows(database), clock, RandomIds())
    ann, ben = [await everybody.add(name=name, role=Role.MEMBER) for name in ("Ann", "Ben")]
    await everybody.erase(ann.id)
    for person in (ann, ben):
        calls.called(account("web", person.id), "scripted", Usage(prompt_tokens=7))
    await calls.settled()
    await calls.settled()
    assert [spent.prompt_tokens for spent in await calls.spent(None)] == [7]


async def test_a_customer_who_is_erased_leaves_no_trace_and_takes_nothing_of_anybody_else(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    async def both(connection: AsyncConnection) -> None:
        for name in ("ann", "ben"):
            await fill_customer(connection, name)

    await database.commit(both)
    async with database.read() as connection:
        everywhere = {column.partition(".")[0] for column in await holding(connection, ["of-ann", "cus_ann"])}
    assert everywhere == {table.name for table in owned(customers)}, "the search finds what is there"
    await Customers(database, clock).erase("cus_ann")
    async with database.read() as connection:
        assert await holding(connection, ["of-ann", "cus_ann"]) == []
        left = await _counts(connection)
    assert {left[table.name] for table in owned(customers)} == {1}
    assert [name for name, data in files(tmp_path) if b"of-ann" in data or b"cus_ann" in data] == []


@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_postgresql_gives_up_the_bytes_too_when_it_is_vacuumed(database: Database, clock: FakeClock) -> None:
    people = People(database, clock, RandomIds())
    row = await people.add(name="canary-name-of-zoe " * 50, role=Role.MEMBER)
    await people.erase(row.id)
    async with database.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(sa.text("VACUUM FULL people"))
        size = (await alone.execute(sa.text("SELECT pg_relation_size('people')"))).scalar_one()
    assert size == 0


def files(folder: Path) -> list[tuple[str, bytes]]:
    return [(file.name, file.read_bytes()) for file in folder.glob("desk.db*")]


async def _counts(connection: AsyncConnection) -> dict[str, int]:
    return {
        table.name: (await connection.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()
        for table in metadata.sorted_tables
    }
