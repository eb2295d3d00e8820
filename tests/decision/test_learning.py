"""Settled decisions teach the strategies that serve, each once; what is open counts for what it is worth so far."""

from datetime import timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.decision.delays import Delays
from frontdesk.decision.feedback import Feedback
from frontdesk.decision.learning import Learner
from frontdesk.decision.options import LearningOptions
from frontdesk.decision.policies import PolicySource, begin, first, held_out
from frontdesk.decision.posterior import mean_of
from frontdesk.engagement import Genes, Outcome, OutcomeKind, Policy
from frontdesk.store.database import Database
from frontdesk.store.decisions import mark_human
from frontdesk.store.learners import Learners
from frontdesk.store.logged import DecisionLog
from frontdesk.store.outcomes import put
from frontdesk.store.patterns import Patterns
from frontdesk.store.policies import Policies
from frontdesk.telemetry import metrics
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.decision.examples import OPTIONS
from tests.decision.logged import WINDOW, Desk

SECONDS = WINDOW.total_seconds()
EARLY = 6 * 3600.0  # nothing is settled yet, and some of what will come has come


class Room:
    """A desk whose only policy learns."""

    def __init__(self, database: Database, clock: FakeClock, ids: CountingIds) -> None:
        self.desk = Desk(database, clock, ids)
        self.database, self.clock, self.ids = database, clock, ids
        self.policies = Policies(database, clock, ids)
        self.decisions = DecisionLog(database)
        self.feedback = Feedback(database, clock)
        self.options = OPTIONS
        self.learner = self.new_learner()
        self.count = 0

    def new_learner(self) -> Learner:
        stores = (self.policies, Learners(self.database), self.decisions, Patterns(self.database))
        return Learner(*stores, lambda: self.options, self.clock, self.ids)

    def learn_by(self, **options: object) -> None:
        learning = LearningOptions(**({"holdout_share": 0.0} | options))
        self.options = OPTIONS.model_copy(update={"learning": learning})

    async def decide(self, *kinds: OutcomeKind, arm: str = "welcome/email/now", **values: object) -> str:
        self.count += 1
        name = f"d{self.count}"
        await self.desk.decide(name, arm, **values)
        for kind in kinds:
            await self.happen(name, kind)
        return name

    async def happen(self, name: str, kind: OutcomeKind) -> None:
        outcome = Outcome(id=f"{name}-{kind}", decision_id=name, kind=kind, at=self.clock.now())
        await self.feedback.accept([outcome])

    async def champion(self) -> Policy:
        return (await PolicySource(self.policies, self.clock, cached=lambda: False).serving()).champion


@pytest.fixture
async def room(database: Database, clock: FakeClock, ids: CountingIds) -> Room:
    room = Room(database, clock, ids)
    await room.desk.customer()
    await room.policies.start(first("p1", Genes(), clock.now()))
    room.learn_by()
    return room


def weight(policy: Policy, feature: str = "bias × email") -> float:
    return float(mean_of(policy.reward)[policy.features.index(feature)])


async def test_a_settled_decision_bears_its_reward_and_teaches_once(room: Room) -> None:
    name = await room.decide("open", "conversion")
    await room.learner.round()
    assert (await room.champion()).id == "p1", "nothing was there to learn at once: it was too young"
    room.clock.advance(SECONDS)
    await room.learner.round()
    [row] = await room.decisions.settled(room.clock.now() - WINDOW)
    assert (row.id, row.reward) == (name, pytest.approx(1.05 - 0.01)), "what an e-mail costs is taken off"
    learned = await room.champion()
    assert (learned.parent_id, learned.strategy, learned.origin, learned.reward.n) == ("p1", "p1", "learned", 1.0)
    assert weight(learned) > weight(await room.policies.get("p1"))
    await room.learner.round()
    await room.new_learner().round()  # as after a restart
    assert (await room.champion()).id == learned.id, "nothing new, so no new snapshot"


async def test_where_more_is_open_than_can_be_read_that_is_learned_from_of_which_most_has_come(room: Room) -> None:
    await room.decide("click")
    room.clock.advance(EARLY)
    for _ in range(3):
        await room.decide()
    assert [row.id for row in await room.decisions.open(room.clock.now(), limit=2)] == ["d1", "d2"]


async def test_nothing_goes_unlearned_where_the_clock_is_put_back(room: Room) -> None:
    too_far = 10 * 86_400
    await room.decide("click")
    room.clock.advance(SECONDS + too_far)
    await room.learner.round()
    room.clock.advance(-too_far)
    await room.decide("click")
    room.clock.advance(SECONDS)
    await room.learner.round()
    assert (await room.champion()).reward.n == pytest.approx(2.0, abs=0.01)


async def test_what_drives_people_away_is_learned_as_harm(room: Room) -> None:
    for _ in range(5):
        await room.decide("unsubscribe")
    room.clock.advance(SECONDS)
    await room.learner.round()
    before, after = await room.policies.get("p1"), await room.champion()
    place = after.features.index("bias × message")
    assert after.harm.mean[place] > before.harm.mean[place]
    assert weight(after) < weight(before)


async def test_values_that_cannot_be_summed_up_spoil_nothing_that_is_believed(room: Room) -> None:
    await room.desk.decide("d1")
    now = room.clock.now()
    for name in ("a", "b"):
        outcome = Outcome(id=name, decision_id="d1", kind="conversion", at=now, value=1.5e308)
        await room.database.act(lambda connection, one=outcome: put(connection, one, "ann", now, counted=True))
    room.clock.advance(SECONDS)
    await room.learner.round()
    [row] = await room.decisions.settled(room.clock.now() - WINDOW)
    assert row.reward == pytest.approx(1.0 - 0.01), "nobody weighs money here"
    learned = await room.champion()
    assert learned.id != "p1"
    assert np.isfinite([*learned.reward.mean, *learned.reward.precision, learned.reward.noise]).all()


async def test_the_holdout_and_what_people_chose_teach_nothing(room: Room) -> None:
    room.learn_by(holdout_share=1.0)
    assert held_out("ann", 1.0)
    await room.decide("conversion")
    room.clock.advance(SECONDS)
    await room.learner.round()
    assert (await room.champion()).reward.n == 0
    room.learn_by(holdout_share=0.0)
    name = await room.decide("conversion")
    await room.database.act(lambda connection: mark_human(connection, name))
    room.clock.advance(SECONDS)
    await room.learner.round()
    assert (await room.champion()).reward.n == 0


async def test_a_message_that_never_left_teaches_what_doing_nothing_brings(room: Room) -> None:
    for _ in range(20):
        await room.decide("conversion", released=False)
    room.clock.advance(SECONDS)
    await room.learner.round()
    learned = await room.champion()
    assert learned.reward.n == 20
    assert weight(learned) == pytest.approx(weight(await room.policies.get("p1")))
    assert weight(learned, "bias × always") > 0.1, "these customers buy by themselves"
    rewards = [row.reward for row in await room.decisions.settled(room.clock.now() - WINDOW)]
    assert rewards == [1.0] * 20, "and nothing was spent"


async def test_in_real_time_an_outcome_counts_before_its_window_ends_and_once_in_the_end(room: Room) -> None:
    for _ in range(10):
        await room.decide("click")
    room.clock.advance(EARLY)
    await room.learner.round()
    early = await room.champion()
    assert 0 < early.reward.n < 10
    assert weight(early) > weight(await room.policies.get("p1"))
    await room.learner.round()
    assert (await room.champion()).id == early.id, "no more has come"
    room.clock.advance(SECONDS - EARLY)
    await room.learner.round()
    final = await room.champion()
    assert (final.reward.n, final.parent_id) == (10.0, early.id)


async def test_in_batches_nothing_counts_before_the_model_update(room: Room) -> None:
    room.learn_by(feedback_integration="batch", model_update_frequency="hourly")
    await room.decide("click")
    room.clock.advance(EARLY)
    await room.learner.round()
    room.clock.advance(SECONDS - EARLY)
    await room.learner.round()
    assert (await room.champion()).id == "p1"
    await room.learner.update()
    assert (await room.champion()).reward.n == 1


@pytest.mark.parametrize(("frequency", "hours"), [("hourly", 24), ("daily", 1), ("on_demand", 0)])
async def test_the_model_is_updated_as_often_as_is_set(room: Room, frequency: str, hours: int) -> None:
    updates = 0

    async def refit() -> list[Policy]:
        nonlocal updates
        updates += 1
        return []

    room.learn_by(model_update_frequency=frequency)
    room.learner.refit = refit  # type: ignore[method-assign]
    for _ in range(24):
        room.clock.advance(3600)
        await room.learner.update()
    assert updates == hours


async def test_without_learning_decisions_are_settled_all_the_same(room: Room) -> None:
    room.learn_by(enabled=False)
    await room.decide("click")
    room.clock.advance(SECONDS)
    await room.learner.round()
    await room.learner.update()
    assert len(await room.decisions.settled(room.clock.now() - WINDOW)) == 1
    assert (await room.champion()).id == "p1"


async def test_a_higher_learning_rate_weighs_an_outcome_more(room: Room) -> None:
    room.options = room.options.model_copy(update={"learning_rate": 0.20})
    await room.decide("conversion")
    room.clock.advance(SECONDS)
    await room.learner.round()
    assert (await room.champion()).reward.n == 2.0


async def test_what_is_old_is_forgotten_by_the_day(room: Room) -> None:
    await room.decide("conversion")
    room.clock.advance(SECONDS)
    await room.learner.round()
    room.clock.advance(97 * 86_400.0)
    await room.decide("conversion")
    room.clock.advance(SECONDS)
    await room.learner.round()
    assert (await room.champion()).reward.n == pytest.approx(1 + 0.999**100)


async def test_challenger_and_shadow_learn_from_the_same_log_under_their_own_genes(room: Room) -> None:
    before = await room.policies.serving()
    await room.policies.add(first("p2", Genes(reward_click=0.9), room.clock.now()))
    after = type(before)(champion_id="p1", challenger_id="p2", share=0.5, shadow_id="p1", since=room.clock.now())
    await room.policies.move("canary", before, after, reason="try")
    for _ in range(5):
        await room.decide("click")
    room.clock.advance(SECONDS)
    await room.learner.round()
    served = await PolicySource(room.policies, room.clock).serving()
    assert served.challenger is not None
    assert weight(served.challenger) > weight(served.champion) > 0
    assert served.shadow == served.champion
    assert served.challenger.strategy == "p2"


async def test_when_features_change_the_whole_log_is_learned_again(room: Room) -> None:
    before = await room.policies.serving()
    old = msgspec.structs.replace(first("old", Genes(), room.clock.now()), features=("bias",))
    await room.policies.add(old)
    await room.policies.move("chosen", before, msgspec.structs.replace(before, champion_id="old"), reason="")
    for _ in range(3):
        await room.decide("click")
    room.clock.advance(SECONDS)
    await room.learner.settle()
    await begin(room.policies, room.ids, room.clock.now())
    await room.learner.round()
    assert (await room.champion()).reward.n == 3


async def test_a_model_update_calibrates_by_the_holdout_and_shows_the_error(room: Room) -> None:
    room.learn_by(holdout_share=1.0)
    rng = np.random.default_rng(1)
    for number in range(220):
        name = f"person-{number % 40}"
        await room.desk.customer(name)
        arm = "welcome/email/now" if number % 2 else "nothing"
        kinds: tuple[OutcomeKind, ...] = ("conversion",) if rng.random() < (0.3 if number % 2 else 0.1) else ()
        await room.decide(*kinds, arm=arm, customer_id=name)
    room.clock.advance(SECONDS)
    assert (await room.champion()).calibration.n == 0
    [made] = await room.learner.refit()
    assert made.calibration.n == 220
    assert made.reward.n == 0, "the holdout teaches nothing"
    [line] = await room.policies.calibrations()
    assert (line.id, line.calibration_error) == (made.id, made.calibration.error)
    await room.learner.publish()
    assert metrics.calibration_error._value.get() == made.calibration.error
    assert sum(each.count for each in await room.learner.trust(made)) == 220


# --- delays -------------------------------------------------------------------

KINDS = st.sampled_from(["open", "click", "conversion"])
SEEN = st.lists(st.tuples(KINDS, st.timedeltas(timedelta(), WINDOW)), max_size=30)


@given(SEEN, st.lists(st.floats(0, 2 * SECONDS), min_size=2, max_size=10))
def test_shares_grow_from_nothing_to_all_within_the_window(
    seen: list[tuple[OutcomeKind, timedelta]], ages: list[float]
) -> None:
    shares = Delays(seen, WINDOW).share(np.array(sorted(ages)))
    assert np.all(np.diff(shares) >= -1e-12)
    assert np.all((shares >= 0) & (shares <= 1 + 1e-12))
    assert Delays(seen, WINDOW).share(np.array([SECONDS]))[0] == pytest.approx(1.0)


def test_learning_early_finds_the_same_rate_as_waiting() -> None:
    """Decisions of all ages, answers with a mean delay of a day: what is open by now tells the rate without bias."""
    rng, count, rate, window = np.random.default_rng(1), 40_000, 0.3, WINDOW
    delay = rng.exponential(86_400.0, count) % SECONDS
    answers, age = rng.random(count) < rate, rng.uniform(0.1, 1.0, count) * SECONDS
    seen: list[tuple[OutcomeKind, timedelta]] = [("click", window - timedelta(seconds=each)) for each in delay[:2000]]
    share = Delays(seen, window).share(age)
    come = answers & (delay <= age)
    assert come.mean() < 0.8 * rate, "a count of what has come would be far too low"
    assert come.sum() / share.sum() == pytest.approx(rate, rel=0.03)
