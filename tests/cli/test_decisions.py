"""decisions: what was decided, why, and whether it comes out the same again."""

import asyncio
import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.cli.local import Local, open_local
from frontdesk.clock import RandomIds, SystemClock
from frontdesk.engagement import Ask, Calibration, Decision, Policy
from frontdesk.store.decisions import decisions
from frontdesk.store.policies import Policies
from frontdesk.system.load import load
from tests.cli.conftest import LEAN, Command
from tests.decision.deciding import Desk, customer, options, policy, served


def decided(home: Path, one: Policy) -> list[Decision]:
    """Three decisions of this policy in the database of this home."""
    (home / "system.yaml").write_text(LEAN + "engagement: " + options().model_dump_json(exclude_defaults=True))
    results: list[Decision] = []

    async def work(desk: Local) -> None:
        clock, database = SystemClock(), desk.store.database
        engine = Desk(database, clock, RandomIds())  # type: ignore[arg-type]  # it only tells the time
        engine.policies.now = served(one)
        await engine.customers.put_many([customer("ann"), customer("ben")])
        await Policies(database, clock, RandomIds()).start(one)
        asks = [Ask(customer_id=name) for name in ("ann", "ben", "ann")]
        results.extend(each for each in await engine.engine.decide(asks) if isinstance(each, Decision))

    asyncio.run(open_local(load(home=home), work))
    return results


@pytest.fixture
def made(home: Path) -> list[Decision]:
    """Three decisions of a policy that knows nothing."""
    return decided(home, policy(sure=False))


def test_before_anything_was_decided_the_next_command_is_named(frontdesk: Command, home: Path) -> None:
    assert "frontdesk events import" in frontdesk("decisions", "list").err


def test_decisions_are_listed_told_and_explained(frontdesk: Command, home: Path, made: list[Decision]) -> None:
    listed = frontdesk("decisions", "list", "--customer", "ann")
    assert made[0].id in listed.out
    assert made[1].id not in listed.out
    told = json.loads(frontdesk("decisions", "list", "--json").out)
    assert {each["id"] for each in told} == {each.id for each in made}
    assert told[0]["reasons"]
    shown = frontdesk("decisions", "show", made[0].id)
    assert f"snapshot {made[0].policy_id}" in shown.out
    story = json.loads(frontdesk("decisions", "show", made[0].id, "--json").out)
    assert (story["decision"]["features"], story["strategy"]["id"]) == ([], made[0].policy_id)
    explained = frontdesk("decisions", "explain", made[0].id).out
    assert "against nothing" in explained
    assert frontdesk("decisions", "show", "dec_none").code == 1


def test_a_decision_comes_out_the_same_again(frontdesk: Command, home: Path, made: list[Decision]) -> None:
    again = frontdesk("decisions", "replay", made[1].id)
    assert (again.code, again.err) == (0, f"{made[1].arm}, as before.\n")
    many = frontdesk("decisions", "replay", "--newest", "10")
    assert (many.code, many.err) == (
        0,
        "3 of 3 decisions come out the same, 3 of them scored again bit for bit.\n",
    )
    assert frontdesk("decisions", "replay").code == 2


def test_a_decision_of_another_system_file_is_not_scored_again_and_the_way_to_name_that_is_told(
    frontdesk: Command, home: Path, made: list[Decision]
) -> None:
    for words in ((made[1].id,), ("--newest", "10")):
        again = frontdesk("decisions", "replay", *words, "--blueprint", "engagement")
        assert "have changed since" in again.err
        assert "--system FILE, or --blueprint NAME" in again.err


def test_a_decision_that_was_forged_is_noticed(frontdesk: Command, home: Path, made: list[Decision]) -> None:
    other = next(arm for arm in made[0].eligible if arm != made[0].arm)

    async def forge(desk: Local) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.update(decisions).where(decisions.c.id == made[0].id).values(arm=other))

        await desk.store.database.commit(work)

    asyncio.run(open_local(load(home=home), forge))
    again = frontdesk("decisions", "replay", made[0].id, "--json")
    assert (again.code, json.loads(again.out)[0]["same"]) == (1, False)


def test_a_held_decision_is_overruled_once(frontdesk: Command, home: Path) -> None:
    made = decided(home, policy(calibration=Calibration(x=(0.0, 1.0), y=(0.6, 0.6))))
    held = next(each for each in made if each.state == "hold")
    assert "Held back: the confidence is below 0.75." in frontdesk("decisions", "explain", held.id).out
    done = frontdesk("decisions", "overrule", held.id)
    assert (done.code, "frontdesk approvals show reach_" in done.err) == (0, True)
    again = frontdesk("decisions", "overrule", held.id)
    assert (again.code, "overruled this decision already" in again.err) == (1, True)
    assert json.loads(frontdesk("decisions", "show", held.id, "--json").out)["decision"]["human"] is True
