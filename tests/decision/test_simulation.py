"""A simulated world: the same seed is the same world, its truth is what its people do, and the desk learns in it."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frontdesk.decision.arms import Arms
from frontdesk.decision.simulation.kinds import KINDS
from frontdesk.decision.simulation.memory import begun, simulate
from frontdesk.decision.simulation.messages import simulated_options
from frontdesk.decision.simulation.runner import Report
from frontdesk.decision.simulation.world import World
from frontdesk.engagement import NOTHING, OUTCOMES, Genes, Outcome

START = datetime(2026, 1, 5, tzinfo=UTC)
OPTIONS = simulated_options()
ARMS = Arms.of(OPTIONS, Genes())


def world(people: int = 200, seed: int = 1, **values: float) -> World:
    return World(OPTIONS.messages, ARMS.keys, people=people, seed=seed, start=START, **values)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def report() -> Report:
    return simulate(OPTIONS, people=600, days=12, seed=3)


def test_the_simulated_messages_make_twenty_arms() -> None:
    assert len(ARMS) == 20
    assert ARMS.keys[0] == NOTHING


def test_the_same_seed_lives_the_same_days() -> None:
    one, other, different = world(), world(), world(seed=2)
    assert one.history() == other.history()
    assert one.live(24) == other.live(24)
    assert different.history() != world().history()


def test_people_live_alike_whatever_is_sent_to_them_on_the_same_day() -> None:
    quiet, loud = world(), world()
    loud.answer(np.arange(200), np.full(200, 5), [f"d{number}" for number in range(200)])
    same = [event.id for event in quiet.live(6) if event.type == "session"]
    assert same == [event.id for event in loud.live(6) if event.type == "session"]


def test_events_lie_in_the_hour_in_which_they_came() -> None:
    simulated = world()
    simulated.history()
    for _ in range(24):
        since = simulated.now
        assert all(since <= event.at <= simulated.now for event in simulated.live(1))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.floats(0, 1))
def test_chances_are_probabilities_that_fit_each_other(seed: int, days: int, drift: float) -> None:
    simulated = world(people=30, seed=seed, drift=drift)
    simulated.live(24.0 * days)
    chances = simulated.chances(np.arange(30))
    opened, clicked, replied, _, left, complained, bounced = np.moveaxis(chances, 2, 0)
    assert chances.shape == (30, len(ARMS), len(OUTCOMES))
    assert np.all((chances >= 0) & (chances <= 1))
    assert np.all(replied <= clicked) & np.all(clicked <= opened) & np.all(complained <= left)
    assert np.all(opened + bounced <= 1 + 1e-12)


def test_who_gets_nothing_only_buys_of_their_own_accord() -> None:
    nothing = world().chances(np.arange(200))[:, 0]
    assert set(np.flatnonzero(nothing.sum(axis=0))) == {OUTCOMES.index("conversion")}
    assert not world().answer(np.arange(200), np.zeros(200, dtype=np.int64), [str(each) for each in range(200)])


def test_what_people_do_comes_as_often_as_the_truth_says() -> None:
    simulated, people = world(people=4000), np.arange(4000)
    simulated.history()
    arms = np.random.default_rng(0).integers(1, len(ARMS), 4000)
    truth = simulated.chances(people)[people, arms].sum(axis=0)
    told: list[Outcome] = simulated.answer(people, arms, [str(each) for each in people])
    for place, kind in enumerate(OUTCOMES):
        if kind == "conversion":  # those of their own accord are events
            continue
        seen = sum(outcome.kind == kind for outcome in told)
        assert abs(seen - truth[place]) < 4 * np.sqrt(truth[place]) + 1, kind


def test_messages_without_answers_make_people_tired() -> None:
    simulated, people = world(), np.arange(200)
    arm = ARMS.index("upgrade/push/morning")
    opens = simulated.chances(people)[:, arm, 0].mean()
    leaves = simulated.chances(people)[:, arm, OUTCOMES.index("unsubscribe")].mean()
    for _ in range(4):
        simulated.answer(people, np.full(200, arm), [""] * 200)
    assert simulated.chances(people)[:, arm, 0].mean() < 0.8 * opens
    assert simulated.chances(people)[:, arm, OUTCOMES.index("unsubscribe")].mean() > 1.5 * leaves


def test_taste_drifts_only_where_the_world_does() -> None:
    still, drifting = world(drift=0.0), world(drift=1.0)
    for each in (still, drifting):
        each.history()
        each.live(24.0 * 30)
    assert np.abs(still.chances(np.arange(200)) - drifting.chances(np.arange(200))).max() > 0.05


def test_answers_come_after_the_message_and_purchases_days_later() -> None:
    simulated, people = world(people=2000), np.arange(2000)
    simulated.history()
    told = simulated.answer(
        people, np.full(2000, ARMS.index("come_back/email/evening")), [str(each) for each in people]
    )
    waits = {
        kind: [(each.at - START).total_seconds() / 3600 for each in told if each.kind == kind] for kind in OUTCOMES
    }
    assert min(wait for each in waits.values() for wait in each) >= 0
    assert np.mean(waits["conversion"]) > np.mean(waits["open"]) + 3
    assert max(waits["conversion"]) < 72 + 24


def test_every_kind_of_people_is_there_and_nothing_of_it_is_told_to_the_desk() -> None:
    simulated = world(people=1000)
    assert set(simulated.population.kind) == set(range(len(KINDS)))
    traits = simulated.population.customer(0).traits
    assert set(traits) == {"plan", "gender", "age_group"}


def test_a_policy_that_knows_nothing_is_as_good_as_chance(report: Report) -> None:
    assert abs(report.standings[0].share) < 0.1


def test_the_desk_learns_in_the_world(report: Report) -> None:
    last = report.standings[-1]
    assert report.settled > 1000
    assert last.random < last.value < last.oracle
    assert last.share > 0.25


def test_what_is_settled_was_decided_and_what_was_answered_was_sent(report: Report) -> None:
    assert report.settled <= report.decisions
    assert report.messages <= report.decisions
    assert 0 < report.outcomes["click"] < report.outcomes["open"] < report.messages


def test_the_same_seed_gives_the_same_report() -> None:
    assert simulate(OPTIONS, people=80, days=5, seed=9) == simulate(OPTIONS, people=80, days=5, seed=9)


def test_people_who_agreed_to_nothing_get_nothing() -> None:
    runner = begun(OPTIONS, people=50, seed=4)
    runner.customers = [msgspec.structs.replace(each, consents=0) for each in runner.customers]
    runner.run(24 * 7)
    assert runner.decisions > 20
    assert runner.messages == 0
