"""Who decides is looked up at most once a second, and people are split the same way every time."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.decision.features import FEATURE_NAMES
from frontdesk.decision.policies import PolicySource, begin, born, first, held_out, seed_of, share_of
from frontdesk.engagement import Genes
from frontdesk.store.database import Database
from frontdesk.store.policies import Policies
from frontdesk.testing.clock import CountingIds, FakeClock


@pytest.fixture
async def policies(database: Database, clock: FakeClock, ids: CountingIds) -> Policies:
    store = Policies(database, clock, ids)
    await store.start(first("p1", Genes(), clock.now()))
    return store


async def test_the_first_policy_knows_nothing_and_begins_a_lineage(policies: Policies, clock: FakeClock) -> None:
    policy = (await PolicySource(policies, clock).serving()).champion
    assert (policy.id, policy.strategy, policy.parent_id, policy.origin) == ("p1", "p1", None, "first")
    assert (policy.reward.n, policy.generation) == (0.0, 0)
    assert len(policy.features) == len(policy.reward.mean)
    child = born("p2", Genes(margin=0.02), clock.now(), origin="evolved", parent=policy)
    assert (child.parent_id, child.generation, child.strategy) == ("p1", 1, "p2")


async def test_a_cached_pointer_is_looked_at_once_a_second(policies: Policies, clock: FakeClock) -> None:
    cached, uncached = PolicySource(policies, clock), PolicySource(policies, clock, cached=lambda: False)
    await asyncio.gather(cached.serving(), uncached.serving())
    before = await policies.serving()
    await policies.add(first("p2", Genes(), clock.now()))
    wanted = msgspec.structs.replace(before, challenger_id="p2", share=0.2, shadow_id="p2")
    await policies.move("canary", before, wanted, reason="try")
    assert (await cached.serving()).challenger is None
    assert (await uncached.serving()).challenger is not None
    clock.advance(1)
    served = await cached.serving()
    assert served.challenger is not None
    assert (served.challenger.id, served.share, served.shadow) == ("p2", 0.2, served.challenger)


async def test_snapshots_stay_at_hand_for_replays(policies: Policies, clock: FakeClock) -> None:
    source = PolicySource(policies, clock)
    assert await source.policy("p1") is await source.policy("p1")


async def test_a_policy_of_other_features_begins_anew_and_its_place_is_kept(
    database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    store = Policies(database, clock, ids)
    old = msgspec.structs.replace(first("p1", Genes(margin=0.02), clock.now()), features=("bias",))
    await store.start(old)
    await begin(store, ids, clock.now())
    champion = (await PolicySource(store, clock).serving()).champion
    assert (champion.parent_id, champion.strategy, champion.features) == ("p1", "p1", FEATURE_NAMES)
    assert champion.genes == old.genes
    await begin(store, ids, clock.now())
    assert (await store.serving()).champion_id == champion.id


@given(st.lists(st.text(min_size=1), min_size=1, unique=True), st.floats(0, 1))
def test_a_split_is_the_same_every_time_and_grows_with_the_share(customers: list[str], share: float) -> None:
    held = {customer for customer in customers if held_out(customer, share)}
    assert held == {customer for customer in customers if held_out(customer, share)}
    assert held <= {customer for customer in customers if held_out(customer, 1.0)}
    assert all(0 <= share_of(customer, "x") < 1 for customer in customers)


def test_a_split_has_the_share_that_it_should() -> None:
    customers = [f"customer-{number}" for number in range(20_000)]
    assert sum(held_out(customer, 0.1) for customer in customers) / len(customers) == pytest.approx(0.1, abs=0.01)
    both = sum(held_out(customer, 0.5) and share_of(customer, "champion") < 0.5 for customer in customers)
    assert both / len(customers) == pytest.approx(0.25, abs=0.02), "splits of different salts are independent"


def test_the_seed_of_a_snapshot_fits_63_bits() -> None:
    assert 0 <= seed_of("p1") < 2**63
    assert seed_of("p1") != seed_of("p2")
