"""Budgets over processes: never more than the cap, whoever asks, and what is left is told."""

import asyncio
import json
import sys
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from frontdesk.errors import BudgetSpent, StoreUnavailable
from frontdesk.messages import Role, Usage
from frontdesk.store.budgets import Budgets, Cap, budgets, reservations
from frontdesk.store.calls import account
from frontdesk.store.database import Database
from frontdesk.store.people import People
from frontdesk.testing.clock import CountingIds, FakeClock

DESK = Cap(whose="desk", period="day", tokens=1000)
HOUR = Cap(whose="person", period="hour", tokens=300, cost=50)
USED = Usage(prompt_tokens=60, completion_tokens=40, cost=7)


@pytest.fixture
async def person(database: Database, clock: FakeClock, ids: CountingIds) -> str:
    return (await People(database, clock, ids).add(name="Ann", role=Role.MEMBER)).id


async def test_what_was_set_aside_and_not_used_is_given_back(
    database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    budget = Budgets(database, clock, ids, [DESK])
    for _ in range(9):
        await budget.settle(await budget.reserve("", 900 if _ == 0 else 200, 0), USED)
    with pytest.raises(BudgetSpent) as refused:
        await budget.reserve("", 101, 0)
    assert (refused.value.code, refused.value.where) == ("budget_spent", "desk day")
    assert refused.value.retry_after == 12 * 3600, "the clock stands at noon"
    (left,) = await budget.left(None)
    assert (left.tokens, left.tokens_used, left.renews_at) == (1000, 900, clock.now() + timedelta(hours=12))
    clock.advance(12 * 3600)
    await budget.reserve("", 1000, 0)


async def test_a_person_has_budgets_of_their_own_beside_the_desks(
    database: Database, clock: FakeClock, ids: CountingIds, person: str
) -> None:
    budget = Budgets(database, clock, ids, [DESK, HOUR])
    ben = (await People(database, clock, ids).add(name="Ben", role=Role.MEMBER)).id
    await budget.settle(await budget.reserve(account("web", person), 300, 50), USED)
    with pytest.raises(BudgetSpent) as refused:
        await budget.reserve(account("telegram", person), 10, 44)
    assert refused.value.where == "person hour"
    assert "13:00" in refused.value.what
    await budget.reserve(account("web", ben), 300, 44)
    await budget.reserve("", 300, 1000)  # nobody's call draws on the desk's alone
    assert [(each.whose, each.period, each.tokens_used, each.cost_used) for each in await budget.left(person)] == [
        ("person", "hour", 100, 7)
    ]
    assert [each.tokens_used for each in await budget.left(None)] == [700]


async def test_a_refused_call_takes_from_no_budget(
    database: Database, clock: FakeClock, ids: CountingIds, person: str
) -> None:
    budget = Budgets(database, clock, ids, [Cap(whose="desk", period="day", tokens=100), HOUR])
    for _ in range(3):
        with pytest.raises(BudgetSpent):
            await budget.reserve(account("web", person), 200, 0)
    assert [each.tokens_used for each in await budget.left(person)] == [0]
    assert [each.tokens_used for each in await budget.left(None)] == [0]


async def test_a_call_that_only_waits_for_others_is_told_to_come_back_soon_and_one_too_large_is_told_so(
    database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    budget = Budgets(database, clock, ids, [DESK])
    await budget.reserve("", 900, 0)
    with pytest.raises(BudgetSpent) as refused:
        await budget.reserve("", 200, 0)
    assert refused.value.retry_after == 10
    with pytest.raises(BudgetSpent) as refused:
        await budget.reserve("", 1001, 0)
    assert refused.value.retry_after is None
    assert "less text" in refused.value.hint


async def test_a_call_is_settled_once(database: Database, clock: FakeClock, ids: CountingIds) -> None:
    budget = Budgets(database, clock, ids, [DESK])
    reservation = await budget.reserve("", 900, 0)
    await asyncio.gather(*(budget.settle(reservation, USED) for _ in range(5)))
    assert [each.tokens_used for each in await budget.left(None)] == [100]


async def test_with_much_room_what_a_call_used_is_written_soon_or_with_the_next_call(
    database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    budget, other = Budgets(database, clock, ids, [DESK]), Budgets(database, clock, ids, [DESK])
    await budget.settle(await budget.reserve("", 20, 0), Usage(prompt_tokens=3))
    assert [each.tokens_used for each in await other.left(None)] == [20]
    await budget.settle(await budget.reserve("", 20, 0), Usage(prompt_tokens=4))
    assert [each.tokens_used for each in await other.left(None)] == [23]
    async with asyncio.timeout(30):
        while [each.tokens_used for each in await other.left(None)] != [7]:  # noqa: ASYNC110 rows tell no event
            await asyncio.sleep(0.05)


async def test_a_call_that_nobody_settles_stays_counted_at_its_most_after_a_restart(
    database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    await Budgets(database, clock, ids, [DESK]).reserve("", 900, 0)
    after = Budgets(database, clock, ids, [DESK])
    with pytest.raises(BudgetSpent):
        await after.reserve("", 101, 0)
    await after.reserve("", 100, 0)


async def test_a_word_that_cannot_be_stored_is_kept_for_the_next_time(
    database: Database, clock: FakeClock, ids: CountingIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = Budgets(database, clock, ids, [DESK])
    reservation = await budget.reserve("", 900, 0)

    async def away(work: object) -> None:
        raise StoreUnavailable("The database is away")

    with monkeypatch.context() as patch:
        patch.setattr(database, "act", away)
        await budget.settle(reservation, USED)
    await budget.settled()
    assert [each.tokens_used for each in await budget.left(None)] == [100]


async def test_a_call_whose_person_is_erased_spoils_no_other(
    database: Database, clock: FakeClock, ids: CountingIds, person: str
) -> None:
    budget = Budgets(database, clock, ids, [HOUR])
    calls = (budget.reserve(account("web", who), 10, 1) for who in (person, "per_gone", person))
    first, erased, last = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(erased, IntegrityError)
    assert isinstance(first, str)
    assert isinstance(last, str)
    assert [each.tokens_used for each in await budget.left(person)] == [20]


async def test_what_was_set_aside_for_somebody_who_left_is_given_back(
    database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    budget = Budgets(database, clock, ids, [DESK])
    task = asyncio.ensure_future(budget.reserve("", 900, 0))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await budget.settled()
    await budget.reserve("", 1000, 0)


async def test_a_period_of_long_ago_is_forgotten_and_a_person_takes_their_budgets_along(
    database: Database, clock: FakeClock, ids: CountingIds, person: str
) -> None:
    budget = Budgets(database, clock, ids, [DESK, HOUR])
    await budget.reserve(account("web", person), 1, 1)
    await People(database, clock, ids).erase(person)
    async with database.read() as connection:
        kept = list((await connection.execute(sa.select(budgets.c.id))).scalars())
        assert (await connection.execute(sa.select(sa.func.count()).select_from(reservations))).scalar_one() == 0
    assert kept == ["desk 2026-01-05"]
    clock.advance(41 * 24 * 3600)
    await budget.reserve("", 1, 1)
    async with database.read() as connection:
        kept = list((await connection.execute(sa.select(budgets.c.id))).scalars())
    assert kept == ["desk 2026-02-15"]


async def test_without_a_cap_that_applies_nothing_is_written(
    database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    budget = Budgets(database, clock, ids, [HOUR])
    assert await budget.reserve("", 10**9, 10**9) == ""
    await budget.settle("", USED)
    assert await budget.left(None) == []


PARALLEL = """
import asyncio, json, sys
from frontdesk.clock import RandomIds, SystemClock
from frontdesk.errors import BudgetSpent
from frontdesk.messages import ModelFacts, ModelRequest, Prompt, TextPart
from frontdesk.models.member import Member
from frontdesk.models.router import Router
from frontdesk.models.scripted import Rule, ScriptedModel
from frontdesk.store.budgets import Budgets, Cap
from frontdesk.store.database import Database

class Book:
    spent = 0
    def called(self, account, model, usage): self.spent += usage.cost

async def main():
    clock, book = SystemClock(), Book()
    database = await Database.open(sys.argv[1], pool_size=5, max_overflow=5)
    budget = Budgets(database, clock, RandomIds(), [Cap(whose="desk", period="day", cost=400)])
    facts = ModelFacts(prompt_price=1_000_000, completion_price=3_000_000)
    model = ScriptedModel("a", [Rule(answer="word " * 20, delay=0.2)], clock=clock, facts=facts)
    router = Router([Member(model, clock=clock)], clock=clock, budget=budget, ledger=book)
    request = ModelRequest(messages=(Prompt(role="user", parts=(TextPart(text="Hello?"),)),), max_tokens=100)
    outcomes = []
    async def one():
        try:
            async for _ in router.stream(request): pass
            outcomes.append("answered")
        except BudgetSpent:
            outcomes.append("refused")
    print("ready", flush=True)
    sys.stdin.readline()
    await asyncio.gather(*(one() for _ in range(int(sys.argv[2]))))
    await database.close()
    print(json.dumps([outcomes.count("answered"), len(outcomes), book.spent]), flush=True)

asyncio.run(main())
"""


@pytest.mark.proves("abuse-19")
async def test_200_parallel_calls_of_two_processes_on_one_calls_budget_spend_at_most_the_budget(
    database_url: str,
) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PARALLEL, database_url, "100"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]
    try:
        assert [await _line(process) for process in processes] == [b"ready\n"] * 2
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        told = [json.loads(await _line(process)) for process in processes]
    finally:
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
            await asyncio.wait_for(process.wait(), 30)
    assert sum(calls for _, calls, _ in told) == 200
    assert sum(answered for answered, _, _ in told) == 1
    assert 0 < sum(spent for *_, spent in told) <= 400


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    return await asyncio.wait_for(process.stdout.readline(), 60)
