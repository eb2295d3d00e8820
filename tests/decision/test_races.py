"""Many ask at once, through several engines: each event has one decision, and no cap is ever broken."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest

from frontdesk.clock import RandomIds
from frontdesk.decision.masks import WEEK
from frontdesk.engagement import Ask, Decision
from frontdesk.errors import Conflict, StoreUnavailable
from frontdesk.store.database import Database
from frontdesk.store.decisions import Wanted
from frontdesk.testing.clock import FakeClock
from tests.decision.deciding import Desk, customer


@pytest.mark.proves("promise-10")
async def test_retries_with_one_event_id_have_one_effect_and_another_customer_under_it_is_refused(
    database: Database, clock: FakeClock, chance: random.Random, size: Callable[[int, int], int]
) -> None:
    desks = [Desk(database, clock, RandomIds()) for _ in range(3)]  # type: ignore[arg-type]
    keys, copies = size(25, 1000), 20
    await desks[0].customers.put_many([customer(f"cus_{number:04d}") for number in range(keys)])
    asks = [
        Ask(customer_id=f"cus_{number:04d}", event_id=f"key_{number:04d}")
        for number in range(keys)
        for _ in range(copies)
    ]
    chance.shuffle(asks)

    async def ask(one: Ask) -> Decision:
        (result,) = await chance.choice(desks).engine.decide([one])
        assert isinstance(result, Decision)
        return result

    answers = await asyncio.gather(*(ask(one) for one in asks))
    found = Counter((answer.event_id, answer.id) for answer in answers)
    assert len(found) == keys
    assert set(found.values()) == {copies}
    assert len(await desks[0].decisions.page(Wanted(), limit=10 * keys)) == keys
    rung = [row for desk in desks for row in desk.bell.rung]
    assert 0 < len(set(rung)) == len(rung) <= await desks[0].count(), (
        "each is told once at most; the sweep finds the rest"
    )
    (changed,) = await desks[1].engine.decide([Ask(customer_id="cus_0001", event_id="key_0000")])
    assert isinstance(changed, Conflict)


@pytest.mark.proves("promise-17")
async def test_no_cap_is_ever_broken_whoever_decides_and_however_the_clock_jumps(
    database: Database, clock: FakeClock, chance: random.Random, size: Callable[[int, int], int]
) -> None:
    desks = [Desk(database, clock, RandomIds()) for _ in range(3)]  # type: ignore[arg-type]
    names = [f"cus_{number}" for number in range(4)]
    await desks[0].customers.put_many([customer(name, segment="enterprise") for name in names])
    for _ in range(size(12, 200)):
        await asyncio.gather(
            *(chance.choice(desks).engine.decide([Ask(customer_id=chance.choice(names))]) for _ in range(12))
        )
        clock.advance(chance.choice([0, 3600, 86_400, 3 * 86_400, -86_400, -3600]))
    for name in names:
        times = sorted(contact.at for contact in (await desks[0].customers.get(name)).contacts)
        assert times
        assert all(later - earlier >= WEEK for earlier, later in zip(times, times[3:], strict=False))


async def test_while_the_database_is_away_nothing_is_decided_and_the_error_says_so(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(database, clock, RandomIds())  # type: ignore[arg-type]
    await desk.customers.put(customer())

    async def away(_: object) -> None:
        raise StoreUnavailable("The database did not answer", retry_after=2)

    with monkeypatch.context() as patch:
        patch.setattr(database, "act", away)
        with pytest.raises(StoreUnavailable):
            await desk.decide()
    assert (await desk.decide()).state == "act"
    assert len(await desk.decisions.page(Wanted())) == 1
