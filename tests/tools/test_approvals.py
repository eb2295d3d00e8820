"""A person's word acts at most once, on exactly what they saw."""

import asyncio
import random

import pytest

from frontdesk.channels.web.approvals import unusual_letters
from frontdesk.errors import Conflict, NotFound
from frontdesk.messages import Person, Role, ToolCall
from frontdesk.store.database import Database
from frontdesk.store.people import People
from frontdesk.store.tools import ApprovalRows
from frontdesk.testing.clock import CountingIds, FakeClock
from frontdesk.tools.approvals import Approvals
from frontdesk.tools.naming import call_digest

CALL = ToolCall(id="call_1", name="shop__pay", arguments='{"to": "bakery", "amount": 12}')


@pytest.fixture
async def ann(database: Database, clock: FakeClock, ids: CountingIds) -> Person:
    return (await People(database, clock, ids).add(name="Ann", role=Role.MEMBER)).person


@pytest.fixture
async def bob(database: Database, clock: FakeClock, ids: CountingIds) -> Person:
    return (await People(database, clock, ids).add(name="Bob", role=Role.MEMBER)).person


@pytest.fixture
def approvals(database: Database, clock: FakeClock, ids: CountingIds) -> Approvals:
    return Approvals(ApprovalRows(database, clock), clock, ids, seconds=60)


async def test_an_approved_call_may_run_once(approvals: Approvals, ann: Person) -> None:
    asked = await approvals.ask("turn_1", ann.id, CALL)
    assert [waiting.id for waiting in await approvals.pending(ann)] == [asked.id]
    assert not await approvals.consume(asked.id, asked.digest)
    await approvals.decide(asked.id, ann, approve=True, digest=asked.digest)
    assert await approvals.consume(asked.id, asked.digest)
    assert not await approvals.consume(asked.id, asked.digest)
    assert await approvals.pending(ann) == ()


async def test_a_denied_call_never_runs(approvals: Approvals, ann: Person) -> None:
    asked = await approvals.ask("turn_1", ann.id, CALL)
    await approvals.decide(asked.id, ann, approve=False, digest=asked.digest)
    assert not await approvals.consume(asked.id, asked.digest)
    with pytest.raises(Conflict):
        await approvals.decide(asked.id, ann, approve=True, digest=asked.digest)


async def test_waiting_ends_with_the_decision(approvals: Approvals, ann: Person) -> None:
    asked = await approvals.ask("turn_1", ann.id, CALL)
    waiting = asyncio.create_task(approvals.wait(asked.id))
    decided = await approvals.decide(asked.id, ann, approve=True, digest=asked.digest)
    async with asyncio.timeout(30):
        assert await waiting == decided
    assert (decided.state, decided.decided_by) == ("approved", ann.id)


async def test_waiting_hears_of_a_decision_in_another_process(
    approvals: Approvals, ann: Person, database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    elsewhere = Approvals(ApprovalRows(database, clock), clock, ids)
    asked = await approvals.ask("turn_1", ann.id, CALL)
    waiting = asyncio.create_task(approvals.wait(asked.id))
    await elsewhere.decide(asked.id, ann, approve=False, digest=asked.digest)
    async with asyncio.timeout(30):
        while not waiting.done():
            clock.advance(1)
            await asyncio.sleep(0)
    assert waiting.result().state == "denied"


async def test_nobody_answers_and_the_question_expires(approvals: Approvals, ann: Person, clock: FakeClock) -> None:
    asked = await approvals.ask("turn_1", ann.id, CALL)
    waiting = asyncio.create_task(approvals.wait(asked.id))
    clock.advance(60)
    async with asyncio.timeout(30):
        while not waiting.done():
            clock.advance(1)
            await asyncio.sleep(0)
    assert waiting.result().state == "expired"
    with pytest.raises(Conflict):
        await approvals.decide(asked.id, ann, approve=True, digest=asked.digest)


async def test_an_approval_that_is_used_too_late_does_not_count(
    approvals: Approvals, ann: Person, clock: FakeClock
) -> None:
    asked = await approvals.ask("turn_1", ann.id, CALL)
    await approvals.decide(asked.id, ann, approve=True, digest=asked.digest)
    clock.advance(61)
    assert not await approvals.consume(asked.id, asked.digest)


async def test_after_a_restart_the_same_call_is_not_asked_twice(approvals: Approvals, ann: Person) -> None:
    first = await approvals.ask("turn_1", ann.id, CALL)
    assert await approvals.ask("turn_1", ann.id, CALL) == first
    other = await approvals.ask("turn_2", ann.id, CALL)
    assert other.id != first.id
    await approvals.decide(first.id, ann, approve=True, digest=first.digest)
    assert await approvals.consume(first.id, first.digest)
    again = await approvals.ask("turn_1", ann.id, CALL)
    assert (again.id != first.id, again.state) == (True, "pending")


async def test_what_an_ended_turn_asked_for_cannot_run(approvals: Approvals, ann: Person) -> None:
    asked = await approvals.ask("turn_1", ann.id, CALL)
    await approvals.decide(asked.id, ann, approve=True, digest=asked.digest)
    await approvals.withdraw("turn_1")
    assert not await approvals.consume(asked.id, asked.digest)


async def test_another_member_neither_sees_nor_decides_it_but_an_operator_does(
    approvals: Approvals, ann: Person, bob: Person
) -> None:
    asked = await approvals.ask("turn_1", ann.id, CALL)
    assert await approvals.pending(bob) == ()
    with pytest.raises(NotFound):
        await approvals.decide(asked.id, bob, approve=True, digest=asked.digest)
    operator = Person(id=bob.id, name="Bob", role=Role.OPERATOR)
    assert [waiting.id for waiting in await approvals.pending(operator)] == [asked.id]
    decided = await approvals.decide(asked.id, operator, approve=True, digest=asked.digest)
    assert decided.decided_by == bob.id


@pytest.mark.proves("abuse-16")
@pytest.mark.parametrize(
    "shown",
    [
        '{"to": "b\u0430kery", "amount": 12}',  # a Cyrillic letter
        '{"to": "bakery", "amount": 12} ',
        '{"to": "bakery", "amount": 1',
        '{"to": "bakery", "amount": 12.0}',
        '{"to": "ba\u200bkery", "amount": 12}',
    ],
)
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_what_only_looks_like_the_approved_call_is_denied(shown: str, approvals: Approvals, ann: Person) -> None:
    asked = await approvals.ask("turn_1", ann.id, CALL)
    other = call_digest(CALL.name, shown)
    with pytest.raises(Conflict):
        await approvals.decide(asked.id, ann, approve=True, digest=other)
    await approvals.decide(asked.id, ann, approve=True, digest=asked.digest)
    assert not await approvals.consume(asked.id, other)
    assert not await approvals.consume(asked.id, call_digest("shop__pay2", CALL.arguments))
    assert await approvals.consume(asked.id, call_digest(CALL.name, CALL.arguments))


@pytest.mark.proves("abuse-16")
def test_letters_that_deceive_the_eye_are_named() -> None:
    assert unusual_letters('{"to": "paypal"}') == []
    assert unusual_letters('{"to": "Grüße an Zoë"}') == []
    assert unusual_letters('{"an": "Привет"}') == []
    assert unusual_letters('{"to":"p\u0430ypal"}') == ["U+0430 CYRILLIC SMALL LETTER A"]
    assert unusual_letters('{"to": "a\u202eb"}') == ["U+202E RIGHT-TO-LEFT OVERRIDE"]


# --- races ------------------------------------------------------------------------


async def _race(approvals: Approvals, clock: FakeClock, person: Person, chance: random.Random, number: int) -> int:
    """Approve, deny, expire, use and crash all at once; how often the call ran."""
    call = ToolCall(id=f"call_{number}", name="shop__pay", arguments=f'{{"amount": {number}}}')
    asked = await approvals.ask(f"turn_{number}", person.id, call)
    runs: list[str] = []
    said: list[str] = []

    async def decide(approve: bool) -> None:
        try:
            await approvals.decide(asked.id, person, approve=approve, digest=asked.digest)
        except Conflict:
            return
        said.append("approve" if approve else "deny")

    async def use() -> None:
        for _ in range(chance.randint(1, 4)):
            if await approvals.consume(asked.id, asked.digest):
                runs.append(asked.id)

    async def time_passes() -> None:
        if chance.random() < 0.3:
            clock.advance(61)

    acts = [decide(True), decide(True), decide(chance.random() < 0.5), use(), use(), use(), time_passes()]
    chance.shuffle(acts)
    tasks = [asyncio.create_task(act) for act in acts]
    if chance.random() < 0.3:
        await asyncio.sleep(0)
        chance.choice(tasks).cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(end is None or isinstance(end, asyncio.CancelledError) for end in ended), ended
    if await approvals.consume(asked.id, asked.digest):
        runs.append(asked.id)
    assert not ("deny" in said and runs), "a denied call ran"
    assert len(said) <= 1, said
    return len(runs)


@pytest.mark.proves("promise-16")
async def test_in_races_of_decisions_expiry_and_crashes_a_call_runs_at_most_once(
    approvals: Approvals, ann: Person, clock: FakeClock
) -> None:
    chance = random.Random(16)
    ran = [await _race(approvals, clock, ann, chance, number) for number in range(40)]
    assert max(ran) == 1
    assert min(ran) == 0


@pytest.mark.proof
@pytest.mark.proves("promise-16")
async def test_in_2000_races_of_decisions_expiry_and_crashes_a_call_runs_at_most_once(
    approvals: Approvals, ann: Person, clock: FakeClock, request: pytest.FixtureRequest
) -> None:
    chance = random.Random(request.config.getoption("--seed"))
    ran = [await _race(approvals, clock, ann, chance, number) for number in range(2_000)]
    assert max(ran) == 1
    assert min(ran) == 0
