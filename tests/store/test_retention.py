"""The desk forgets by the rules of its retention, no sooner and no more."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from frontdesk.clock import RandomIds
from frontdesk.events import Finished, Inbound, Numbered, TextAdded
from frontdesk.messages import Grounding, Role, Usage
from frontdesk.store.audit import Act, Audit
from frontdesk.store.conversations import Conversations, conversations, messages
from frontdesk.store.database import Database
from frontdesk.store.files import Files, files
from frontdesk.store.inbox import Inbox
from frontdesk.store.outbox import NewLetter, outbox, put
from frontdesk.store.people import People, people
from frontdesk.store.retention import BATCH, Retention
from frontdesk.store.turns import Outcome, Turns, turn_events
from frontdesk.store.updates import updates
from frontdesk.system.options import RetentionOptions
from frontdesk.testing.clock import FakeClock

DAY = 86_400.0
DONE = Finished(reply_id="r", grounding=Grounding.QUOTED, model="quote", usage=Usage(), reason="stop")


@pytest.fixture
def count(database: Database) -> Callable[[sa.Table], Awaitable[int]]:
    async def counted(table: sa.Table) -> int:
        async with database.read() as connection:
            return (await connection.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()

    return counted


async def answered(database: Database, clock: FakeClock, person_id: str, key: str, **more: object) -> str:
    """Somebody asks and is answered in three events; the conversation's id."""
    ids = RandomIds()
    inbound = Inbound(channel="web", external_id=key, person_id=person_id, text="Hello there", **more)  # type: ignore[arg-type]
    accepted = await Inbox(database, clock, ids).accept(inbound)
    turns = Turns(database, clock, ids)
    lease = await turns.claim("me", 60, accepted.turn_id)
    assert lease is not None
    said = [Numbered(seq=seq, event=TextAdded(text="Hi "), at=clock.now()) for seq in (1, 2)]
    await turns.append(lease, said)
    last = [Numbered(seq=3, event=DONE, at=clock.now())]
    await turns.finish(lease, last, Outcome(text="Hi Hi ", state="complete"))
    return accepted.conversation_id


async def test_steps_of_an_answer_go_after_a_day_but_for_the_last_which_ends_a_late_readers_stream(
    database: Database, clock: FakeClock
) -> None:
    retention = Retention(database, RetentionOptions())
    ann = await People(database, clock, RandomIds()).add(name="Ann", role=Role.MEMBER)
    conversation_id = await answered(database, clock, ann.id, "1")
    clock.advance(DAY - 1)
    assert (await retention.run(clock.now()))["turn_events"] == 0
    clock.advance(2)
    assert (await retention.run(clock.now()))["turn_events"] == 2
    assert (await retention.run(clock.now()))["turn_events"] == 0
    said = await Conversations(database, clock).messages(conversation_id)
    assert [message.text for message in said] == ["Hello there", "Hi Hi "]
    [left] = await Turns(database, clock, RandomIds()).events(said[0].turn_id or "")
    assert (left.seq, left.event) == (3, DONE)


async def test_conversations_are_kept_unless_the_owner_says_for_how_long(
    database: Database, clock: FakeClock, count: Callable[[sa.Table], Awaitable[int]]
) -> None:
    ids, everybody = RandomIds(), People(database, clock, RandomIds())
    ann = await everybody.add(name="Ann", role=Role.MEMBER)
    await everybody.ensure_visitor("per_gone")
    await everybody.ensure_visitor("per_known")
    await everybody.link("per_known", "telegram", "1")
    sent = await Files(database, clock, ids).add(ann.id, "a.txt", "text/plain", b"sent")
    old = await answered(database, clock, ann.id, "1", file_ids=(sent.id,))
    await answered(database, clock, "per_gone", "2")
    clock.advance(29 * DAY)
    new = await answered(database, clock, ann.id, "3")
    await Files(database, clock, ids).add(ann.id, "b.txt", "text/plain", b"not sent")
    clock.advance(2 * DAY)
    assert "conversations" not in await Retention(database, RetentionOptions()).run(clock.now())
    counts = await Retention(database, RetentionOptions(conversations_days=30)).run(clock.now())
    assert counts["conversations"] == 2
    async with database.read() as connection:
        assert list((await connection.execute(sa.select(conversations.c.id))).scalars()) == [new]
    assert old != new
    assert await count(files) == 1
    assert await count(messages) == 2
    async with database.read() as connection:
        left = set((await connection.execute(sa.select(people.c.id))).scalars())
    assert left == {ann.id, "per_known"}


async def test_letters_that_wait_and_letters_of_unknown_outcome_stay(
    database: Database, clock: FakeClock, count: Callable[[sa.Table], Awaitable[int]]
) -> None:
    ids, ann = RandomIds(), await People(database, clock, RandomIds()).add(name="Ann", role=Role.MEMBER)
    states = ("waiting", "sending", "sent", "failed", "unknown", "withdrawn")

    async def write(connection: sa.ext.asyncio.AsyncConnection) -> None:
        for state in states:
            letter = NewLetter(key=state, channel="web", person_id=ann.id, body="Words")
            letter_id = await put(connection, ids, clock.now(), letter)
            await connection.execute(outbox.update().where(outbox.c.id == letter_id).values(state=state))
        rows = [
            {"external_id": state, "state": state, "settled_at": clock.now() if state == "done" else None}
            for state in ("waiting", "done", "kept", "dead")
        ]
        common = {"channel": "telegram", "number": 1, "kind": "message", "lane": "", "body": "x"}
        times = {"due_at": clock.now(), "received_at": clock.now()}
        await connection.execute(updates.insert(), [{**common, **times, **row} for row in rows])

    await database.commit(write)
    retention = Retention(database, RetentionOptions())
    clock.advance(DAY)
    assert not any((await retention.run(clock.now())).values()), "Telegram repeats an update for a day"
    clock.advance(30 * DAY)
    counts = await retention.run(clock.now())
    assert (counts["outbox"], counts["updates"]) == (3, 2)
    async with database.read() as connection:
        left = set((await connection.execute(sa.select(outbox.c.state))).scalars())
    assert left == {"waiting", "sending", "unknown"}


async def test_a_great_many_rows_go_in_small_transactions_and_the_audit_log_stays(
    database: Database, clock: FakeClock, count: Callable[[sa.Table], Awaitable[int]]
) -> None:
    ids, ann = RandomIds(), await People(database, clock, RandomIds()).add(name="Ann", role=Role.MEMBER)
    await Audit(database, clock, b"k").append(Act(act="person.invite"))
    row = {"person_id": ann.id, "channel": "web", "created_at": clock.now(), "updated_at": clock.now()}
    many = [row | {"id": ids.new("conv"), "title": "Old"} for _ in range(BATCH * 2 + 1)]
    await database.commit(lambda connection: connection.execute(conversations.insert(), many))
    await answered(database, clock, ann.id, "1")
    later = clock.now() + timedelta(days=3_000)
    counts = await Retention(database, RetentionOptions(conversations_days=1)).run(later)
    assert counts["conversations"] == BATCH * 2 + 2
    assert (await count(conversations), await count(turn_events)) == (0, 0)
    assert (await Audit(database, clock, b"k").verify()).rows == 1
