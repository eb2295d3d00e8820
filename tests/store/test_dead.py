"""Dead letters over all tables, the signs of life of workers and the lengths of queues, on both databases."""

import asyncio
from datetime import timedelta

import pytest

from frontdesk.errors import NotFound
from frontdesk.events import Failed, Inbound, Numbered
from frontdesk.messages import Role
from frontdesk.store.database import Database
from frontdesk.store.dead import DeadLetters
from frontdesk.store.inbox import Inbox
from frontdesk.store.jobs import Jobs
from frontdesk.store.outbox import NewLetter, Outbox, put
from frontdesk.store.people import People
from frontdesk.store.queues import Queues
from frontdesk.store.turns import Outcome, Turns
from frontdesk.store.updates import NewUpdate, Updates
from frontdesk.store.workers import Workers
from frontdesk.testing.clock import CountingIds, FakeClock


class Rows:
    """One dead row of each kind, made the way the desk makes them."""

    def __init__(self, database: Database, clock: FakeClock, ids: CountingIds) -> None:
        self.database, self.clock, self.ids = database, clock, ids
        self.dead = DeadLetters(database, clock)
        self.turns, self.jobs, self.outbox = (
            Turns(database, clock, ids),
            Jobs(database, clock, ids),
            Outbox(database, clock),
        )
        self.updates = Updates(database, clock, ids)

    async def person(self) -> str:
        return (await People(self.database, self.clock, self.ids).add(name="Ada", role=Role.MEMBER)).person.id

    async def dead_turn(self) -> str:
        inbound = Inbound(channel="web", external_id="1", person_id=await self.person(), text="My secret")
        accepted = await Inbox(self.database, self.clock, self.ids).accept(inbound)
        lease = await self.turns.claim("a", 60, accepted.turn_id)
        assert lease is not None
        last = Numbered(seq=1, event=Failed(code="given_up", message="", hint=""), at=self.clock.now())
        await self.turns.finish(lease, [last], Outcome(text="", state="failed"), dead=True)
        return accepted.turn_id

    async def dead_letter(self) -> str:
        new = NewLetter(key="k1", channel="telegram", person_id=await self.person(), body="My secret", place="7")
        letter_id = await self.database.commit(lambda connection: put(connection, self.ids, self.clock.now(), new))
        letter = await self.outbox.claim(letter_id, 60)
        assert letter is not None
        await self.outbox.settle(letter, "failed", problem="blocked")
        return letter_id

    async def dead_job(self) -> str:
        job = await self.jobs.claim(await self.jobs.add("clean"), 60)
        assert job is not None
        await self.jobs.end(job, "KeyError")
        return job.id

    async def dead_update(self) -> str:
        new = NewUpdate(
            channel="telegram", external_id="9", number=9, kind="message", lane="telegram:7", body="My secret"
        )
        await self.updates.add(new)
        update = await self.updates.claim("telegram:7", 60)
        assert update is not None
        await self.updates.settle(update, "dead", problem="poison")
        return "telegram:9"

    async def state(self, kind: str, row_id: str) -> str | None:
        if kind == "turn":
            return await self.turns.state(row_id)
        if kind == "job":
            return await self.jobs.state(row_id)
        store = self.outbox if kind == "letter" else self.updates
        return "waiting" if await store.count("waiting") else "gone"


@pytest.fixture
def rows(database: Database, clock: FakeClock, ids: CountingIds) -> Rows:
    return Rows(database, clock, ids)


async def test_every_kind_of_dead_row_is_listed_with_its_reason_and_without_words(rows: Rows) -> None:
    turn, letter = await rows.dead_turn(), await rows.dead_letter()
    job, update = await rows.dead_job(), await rows.dead_update()
    found = {(each.kind, each.id): each for each in await rows.dead.page()}
    assert {key: (each.channel, each.reason, each.attempts) for key, each in found.items()} == {
        ("turn", turn): ("web", "never_ended", 1),
        ("letter", letter): ("telegram", "blocked", 1),
        ("job", job): (None, "KeyError", 1),
        ("update", update): ("telegram", "poison", 1),
    }
    assert not any("secret" in each.summary for each in found.values())


@pytest.mark.parametrize("kind", ["turn", "letter", "job", "update"])
async def test_a_dead_row_is_worked_on_again_when_somebody_says_so(rows: Rows, kind: str) -> None:
    row_id = await getattr(rows, f"dead_{kind}")()
    await rows.dead.replay(kind, row_id)
    assert await rows.dead.page() == []
    assert await rows.state(kind, row_id) in ("queued", "waiting")
    with pytest.raises(NotFound):
        await rows.dead.replay(kind, row_id)


async def test_a_turn_that_is_replayed_tells_its_stream_from_the_beginning(rows: Rows) -> None:
    turn_id = await rows.dead_turn()
    await rows.dead.replay("turn", turn_id)
    assert await rows.turns.events(turn_id) == []
    lease = await rows.turns.claim("b", 60, turn_id)
    assert lease is not None
    assert (lease.last_seq, lease.claims) == (0, 1)


@pytest.mark.parametrize("kind", ["turn", "letter", "job", "update"])
async def test_a_dead_row_can_be_taken_off_the_list_for_good(rows: Rows, kind: str) -> None:
    row_id = await getattr(rows, f"dead_{kind}")()
    await rows.dead.hide(kind, row_id)
    assert await rows.dead.page() == []
    assert await rows.state(kind, row_id) not in ("queued", "waiting")
    with pytest.raises(NotFound):
        await rows.dead.hide(kind, row_id)


async def test_what_is_not_dead_is_not_found(rows: Rows) -> None:
    job_id = await rows.jobs.add("clean")
    for kind, row_id in (("job", job_id), ("turn", "turn_of_nobody"), ("feeling", "x")):
        with pytest.raises(NotFound):
            await rows.dead.replay(kind, row_id)


async def test_a_letter_of_unknown_outcome_is_shown_as_such(rows: Rows) -> None:
    new = NewLetter(key="k1", channel="telegram", person_id=await rows.person(), body="{}", place="7", proactive=True)
    letter_id = await rows.database.commit(lambda connection: put(connection, rows.ids, rows.clock.now(), new))
    letter = await rows.outbox.claim(letter_id, 60)
    assert letter is not None
    await rows.outbox.settle(letter, "unknown")
    [doubtful] = await rows.dead.doubtful()
    assert (doubtful.id, doubtful.channel, doubtful.place, doubtful.proactive) == (letter_id, "telegram", "7", True)
    assert await rows.dead.page() == []


async def test_a_worker_that_falls_silent_is_down_and_later_forgotten(database: Database, clock: FakeClock) -> None:
    workers = Workers(database, clock)
    await asyncio.gather(*(workers.beat("a", "general,ml", 3, "up") for _ in range(5)))
    await workers.beat("b", "ml", 0, "draining")
    assert [(each.name, each.state, each.running) for each in await workers.page()] == [
        ("a", "up", 3),
        ("b", "draining", 0),
    ]
    clock.advance(31)
    await workers.beat("b", "ml", 0, "draining")
    assert [(each.name, each.state) for each in await workers.page()] == [("a", "down"), ("b", "draining")]
    clock.advance(3601)
    await workers.beat("c", "ml", 0, "up")
    assert [each.name for each in await workers.page()] == ["c"]
    await workers.leave("c")
    assert await workers.page() == []


async def test_the_lengths_of_queues_count_what_could_be_worked_on_now(rows: Rows) -> None:
    queues = Queues(rows.database, rows.clock)
    await rows.jobs.add("now")
    await rows.jobs.add("later", due_at=rows.clock.now() + timedelta(hours=1))
    await rows.jobs.claim(await rows.jobs.add("running"), 600)
    inbound = Inbound(channel="web", external_id="1", person_id=await rows.person(), text="Hello")
    await Inbox(rows.database, rows.clock, rows.ids).accept(inbound)
    rows.clock.advance(12)
    found = {each.kind: each for each in await queues.lengths()}
    assert (found["job"].length, found["job"].running, found["job"].oldest_seconds) == (1, 1, 12)
    assert (found["turn"].length, found["turn"].oldest_seconds) == (1, pytest.approx(12, abs=0.1))
    assert (found["letter"].length, found["update"].length) == (0, 0)
    assert await queues.open_turns() == 1
