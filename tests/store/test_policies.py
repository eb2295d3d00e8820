"""Policies stay as they were made; what serves is one pointer that nobody moves by mistake."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from frontdesk.engagement import Genes, Policy, Posterior, Serving
from frontdesk.errors import Conflict, NotFound
from frontdesk.store.database import Database
from frontdesk.store.policies import Policies
from frontdesk.testing.clock import CountingIds, FakeClock

BELIEF = Posterior(mean=(0.25, -0.5), precision=(4.0, 1.0, 1.0, 4.0), noise=0.5, n=3.0)


@pytest.fixture
def policies(database: Database, clock: FakeClock, ids: CountingIds) -> Policies:
    return Policies(database, clock, ids)


def policy(clock: FakeClock, name: str, parent: str | None = None) -> Policy:
    return Policy(
        id=name,
        parent_id=parent,
        strategy="plain",
        origin="learned" if parent else "first",
        generation=0,
        created_at=clock.now(),
        born_at=clock.now(),
        genes=Genes(),
        features=("bias", "message"),
        reward=BELIEF,
        harm=BELIEF,
        draws_seed=7,
    )


async def test_a_snapshot_comes_back_as_it_was(policies: Policies, clock: FakeClock) -> None:
    made = policy(clock, "p1")
    await policies.add(made)
    assert await policies.get("p1") == made
    with pytest.raises(NotFound):
        await policies.get("p2")


async def test_of_many_processes_that_start_at_once_one_makes_the_first_policy(
    policies: Policies, clock: FakeClock
) -> None:
    with pytest.raises(NotFound, match="No policy serves"):
        await policies.serving()
    pointers = await asyncio.gather(*(policies.start(policy(clock, f"p{number}")) for number in range(8)))
    assert len({pointer.champion_id for pointer in pointers}) == 1
    assert [line.id for line in await policies.page()] == [pointers[0].champion_id]
    assert (await policies.start(policy(clock, "later"))) == pointers[0]


async def test_a_snapshot_that_learned_serves_in_its_parents_place_and_only_there(
    policies: Policies, clock: FakeClock
) -> None:
    pointer = await policies.start(policy(clock, "p1"))
    assert await policies.advance(policy(clock, "p2", "p1"))
    assert not await policies.advance(policy(clock, "p3", "p1")), "p1 serves no more"
    now = await policies.serving()
    assert (now.champion_id, now.version, now.since) == ("p2", pointer.version + 1, pointer.since)
    with pytest.raises(NotFound):
        await policies.get("p3")
    assert [line.id for line in await policies.lineage("p2")] == ["p2", "p1"]
    assert [line.id for line in await policies.lineage("p2", limit=1)] == ["p2"]
    with pytest.raises(NotFound):
        await policies.lineage("p3")


async def test_a_move_is_written_down_with_its_figures(policies: Policies, clock: FakeClock) -> None:
    before = await policies.start(policy(clock, "p1"))
    await policies.add(policy(clock, "p2", "p1"))
    clock.advance(60)
    wanted = msgspec.structs.replace(before, challenger_id="p2", share=0.1)
    after = await policies.move("canary", before, wanted, reason="it did well in shadow", figures={"gain": 0.02})
    assert await policies.serving() == after
    assert (after.challenger_id, after.share, after.since) == ("p2", 0.1, clock.now())
    [move] = await policies.moves()
    assert (move.before, move.after, move.kind, move.actor) == (before, after, "canary", "")
    assert move.figures == {"gain": 0.02}
    assert await policies.moves(kind="rolled_back") == []


async def test_of_moves_that_race_one_is_made_and_the_others_are_told(policies: Policies, clock: FakeClock) -> None:
    before = await policies.start(policy(clock, "p1"))
    await policies.add(policy(clock, "p2", "p1"))

    async def move(share: float) -> Serving | Conflict:
        wanted = msgspec.structs.replace(before, challenger_id="p2", share=share)
        try:
            return await policies.move("canary", before, wanted, reason="try")
        except Conflict as conflict:
            return conflict

    results = await asyncio.gather(*(move(number / 10) for number in range(1, 9)))
    made = [result for result in results if isinstance(result, Serving)]
    assert made == [await policies.serving()]
    assert len(await policies.moves()) == 1


async def test_nothing_serves_that_does_not_exist(policies: Policies, clock: FakeClock) -> None:
    before = await policies.start(policy(clock, "p1"))
    with pytest.raises(NotFound):
        await policies.move("shadow", before, msgspec.structs.replace(before, shadow_id="ghost"), reason="no")
    assert await policies.serving() == before


async def test_pages_go_on_where_the_last_one_ended(policies: Policies, clock: FakeClock) -> None:
    from frontdesk.store.cursors import cursor

    for number in range(5):
        clock.advance(timedelta(hours=1).total_seconds())
        await policies.add(policy(clock, f"p{number}"))
    page = await policies.page(limit=2)
    assert [line.id for line in page] == ["p4", "p3"]
    rest = await policies.page(cursor=cursor(page[-1].created_at, page[-1].id))
    assert [line.id for line in rest] == ["p2", "p1", "p0"]
    assert await policies.page(strategy="other") == []
