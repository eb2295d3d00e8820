"""The desk's own rooms in memory, living with a simulated world: profiles, features, a chooser, outcomes, learning.

Nothing here is a model of the desk: profiles, numbers, arms and beliefs are those of the product, on a clock that runs
as fast as the machine does. Rules other than consent are left out, so that what is measured is the choosing alone.
"""

import heapq
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
import numpy as np

from frontdesk.decision.arms import Arms
from frontdesk.decision.features import CUSTOMER_NUMBERS, Floats, numbers_of, rows
from frontdesk.decision.posterior import learn, learn_harm
from frontdesk.decision.profiles import add, signals
from frontdesk.decision.rewards import HARM, worths
from frontdesk.decision.scoring import Bools, Places, Scorer, Seeds
from frontdesk.decision.simulation.population import Indices
from frontdesk.decision.simulation.world import World
from frontdesk.engagement import (
    CHANNELS,
    OUTCOMES,
    Customer,
    CustomerEvent,
    Genes,
    Outcome,
    OutcomeKind,
    Policy,
    Profile,
)

DEPTH = 5  # all layers of signals may be used


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """What settled together: whom it was about [N], their numbers [N, C], what they allowed [N, A]; the arms chosen, by
    which propensities, rewards and harm [N]."""

    at: datetime
    people: Indices
    numbers: Floats
    eligible: Bools
    arms: Places
    propensities: Floats
    rewards: Floats
    harmed: Floats


class Chooser(Protocol):
    """Whoever chooses and learns: a policy of the desk, or somebody to compare it with."""

    def choose(self, numbers: Floats, eligible: Bools, seeds: Seeds) -> tuple[Places, Floats]:
        """The arm for each customer (numbers [B, C], eligible [B, A]) and the probability with which it was drawn."""
        ...

    def probabilities(self, numbers: Floats, eligible: Bools) -> Floats:
        """How it would choose now: [B, A]."""
        ...

    def learn(self, lesson: Lesson) -> None:
        """Take in what settled since the last time."""
        ...


class Learned:
    """A policy of the desk that learns as outcomes settle."""

    def __init__(self, policy: Policy, arms: Arms, exploration_rate: float) -> None:
        self.policy = policy
        self._arms = arms
        self._rate = exploration_rate
        self.scorer = Scorer(policy, arms, exploration_rate)

    def choose(self, numbers: Floats, eligible: Bools, seeds: Seeds) -> tuple[Places, Floats]:
        chosen = self.scorer.choose(numbers, eligible, seeds)
        return chosen.arm, chosen.probabilities[np.arange(len(chosen.arm)), chosen.arm]

    def probabilities(self, numbers: Floats, eligible: Bools) -> Floats:
        return self.scorer.probabilities(numbers, eligible)

    def learn(self, lesson: Lesson) -> None:
        policy = self.policy
        days = max(0.0, (lesson.at - policy.created_at).total_seconds() / 86400)
        kept = policy.genes.forgetting**days
        if not len(lesson.arms):
            return
        x = rows(lesson.numbers, self._arms, lesson.arms)
        self.policy = msgspec.structs.replace(
            policy,
            created_at=lesson.at,
            reward=learn(policy.reward, x, lesson.rewards, forgetting=kept),
            harm=learn_harm(policy.harm, x, lesson.harmed, forgetting=kept),
            draws_seed=policy.draws_seed + 1,
        )
        self.scorer = Scorer(self.policy, self._arms, self._rate)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How good a chooser is at a moment, in expected reward a decision by the known truth, over everybody as they are.

    `oracle` always takes the best arm that is allowed, `random` any of them; `share` is the part of the way from
    random to oracle that the chooser has come.
    """

    day: float
    settled: int
    value: float
    oracle: float
    random: float

    @property
    def share(self) -> float:
        return (self.value - self.random) / (self.oracle - self.random)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run. `reward` is the mean reward of a settled decision, as it was drawn; `messages` were sent."""

    people: int
    events: int
    decisions: int
    messages: int
    settled: int
    reward: float
    outcomes: dict[str, int]
    standings: tuple[Standing, ...]


class _Open(msgspec.Struct, kw_only=True):
    """A decision whose window is open."""

    person: int
    numbers: tuple[float, ...]
    eligible: Bools
    arm: int
    propensity: float
    due: float
    kinds: set[str] = msgspec.field(default_factory=set[str])
    reward: float = 0.0


class Runner:
    """A world and a chooser that live together.

    Args:
        world: the people and their truth, made for the keys of `arms`.
        arms: what may be done.
        genes: what outcomes are worth.
        chooser: who decides.
        seed: of the decisions.
        rest_hours: after a decision a person is not decided about for so long.
        round_hours: who was not decided about for so long is, without an event.
        window_hours: how long an outcome counts for its decision.
        every_hours: how often the chooser learns.
    """

    def __init__(
        self,
        world: World,
        arms: Arms,
        genes: Genes,
        chooser: Chooser,
        *,
        seed: int = 0,
        rest_hours: float = 20.0,
        round_hours: float = 96.0,
        window_hours: float = 72.0,
        every_hours: float = 6.0,
    ) -> None:
        self.world, self.arms, self.genes, self.chooser = world, arms, genes, chooser
        self.customers: list[Customer] = [world.population.customer(person) for person in range(len(world.population))]
        self.profiles = [Profile() for _ in self.customers]
        self.worth = worths(genes)
        self.counts: dict[str, int] = dict.fromkeys(OUTCOMES, 0)
        self.events = self.decisions = self.messages = self.settled = 0
        self.reward = 0.0
        self.standings: list[Standing] = []
        self._rest, self._window, self._every = rest_hours, window_hours, every_hours
        self._seeds = np.random.default_rng([seed, 4])
        self._decided = self._seeds.uniform(-round_hours, 0, len(self.customers))
        self._bits = np.array([0, *(1 << CHANNELS.index(arm.channel) for arm in arms if arm.channel)])
        self._open: dict[str, _Open] = {}
        self._last: dict[int, str] = {}
        self._coming: list[tuple[float, str, Outcome]] = []
        self._lessons: list[_Open] = []
        self._learned = 0.0
        self._round = round_hours
        for event in world.history():
            self._note(world.population.person(event.customer_id), event)

    def run(self, hours: int, *, until: int | None = None, watch: Callable[[float], None] | None = None) -> Report:
        """Let `hours` pass, or as many as settle `until` decisions; `watch` is told which share has passed."""
        for hour in range(hours):
            self.step()
            if watch is not None:
                watch((hour + 1) / hours)
            if until is not None and self.settled >= until:
                break
        return self.report()

    def step(self) -> None:
        """An hour: events, decisions about whoever came by, outcomes, and at times a lesson."""
        events = self.world.live(1.0)
        self.events += len(events)
        came: dict[int, None] = {}
        for event in events:
            person = self.world.population.person(event.customer_id)
            self._note(person, event)
            if event.type == "purchase":
                self._credit(person, event)
            came[person] = None
        waited = self.world.hours - self._decided
        awaited = np.array([person for person in came if waited[person] >= self._rest], dtype=np.int64)
        people = np.union1d(awaited, np.flatnonzero(waited >= self._round))
        if len(people):
            self._decide(people)
        self._hear()
        self._settle()

    def standing(self, people: Indices | None = None) -> Standing:
        """How good the chooser is now, about these people (everybody)."""
        people = np.arange(len(self.customers)) if people is None else people
        numbers, eligible = self.numbers(people), self.eligible(people)
        values = self.values(people)
        chances = self.chooser.probabilities(numbers, eligible)
        return Standing(
            day=self.world.hours / 24,
            settled=self.settled,
            value=float((chances * values).sum(axis=1).mean()),
            oracle=float(np.where(eligible, values, -np.inf).max(axis=1).mean()),
            random=float((np.where(eligible, values, 0).sum(axis=1) / eligible.sum(axis=1)).mean()),
        )

    def values(self, people: Indices) -> Floats:
        """The truth: the expected reward of each arm [B, A], costs taken off."""
        return self.world.chances(people) @ self.worth - self.arms.costs

    def numbers(self, people: Indices) -> Floats:
        """What the desk knows of people now: [B, C]."""
        now = self.world.now
        made: list[tuple[float, ...]] = []
        for person in map(int, people):
            customer = self.customers[person]
            seen = signals(self.profiles[person], now, customer.time_zone)
            made.append(numbers_of(customer, seen, DEPTH, now))
        return np.array(made, dtype=np.float64).reshape(len(people), len(CUSTOMER_NUMBERS))

    def eligible(self, people: Indices) -> Bools:
        """Which arms people agreed to: [B, A]."""
        customers = [self.customers[person] for person in map(int, people)]
        allowed = np.array([customer.consents & customer.reachable for customer in customers], dtype=np.int64)
        return (allowed[:, None] & self._bits) == self._bits

    def report(self) -> Report:
        """What has come of it so far."""
        return Report(
            people=len(self.customers),
            events=self.events,
            decisions=self.decisions,
            messages=self.messages,
            settled=self.settled,
            reward=self.reward / max(self.settled, 1),
            outcomes=dict(self.counts),
            standings=tuple(self.standings),
        )

    def _decide(self, people: Indices) -> None:
        now, numbers = self.world.hours, self.numbers(people)
        seeds = self._seeds.integers(0, 2**63, size=len(people), dtype=np.uint64)
        eligible = self.eligible(people)
        chosen, propensities = self.chooser.choose(numbers, eligible, seeds)
        ids = [f"d{self.decisions + place:08d}" for place in range(len(people))]
        self.decisions += len(people)
        self.messages += int(np.count_nonzero(chosen))
        self._decided[people] = now
        for place, (decision, person) in enumerate(zip(ids, people.tolist(), strict=True)):
            self._open[decision] = _Open(
                person=person,
                numbers=tuple(numbers[place].tolist()),
                eligible=eligible[place],
                arm=int(chosen[place]),
                propensity=float(propensities[place]),
                due=now + self._window,
                reward=-float(self.arms.costs[chosen[place]]),
            )
            self._last[person] = decision
            if chosen[place]:
                self._note(person, self._sent(decision, person, self.arms[int(chosen[place])].channel or ""))
        for outcome in self.world.answer(people, chosen, ids):
            hours = (outcome.at - self.world.start).total_seconds() / 3600
            heapq.heappush(self._coming, (hours, outcome.id, outcome))

    def _hear(self) -> None:
        while self._coming and self._coming[0][0] <= self.world.hours:
            _, _, outcome = heapq.heappop(self._coming)
            decision = self._open.get(outcome.decision_id)
            self.counts[outcome.kind] += 1
            if decision is None:
                continue
            channel = self.arms[decision.arm].channel
            self._note(decision.person, self._answered(outcome, decision.person, channel or ""))
            self._reward(decision, outcome.kind)
            if outcome.kind == "unsubscribe" and channel is not None:
                customer = self.customers[decision.person]
                consents = customer.consents & ~(1 << CHANNELS.index(channel))
                self.customers[decision.person] = msgspec.structs.replace(customer, consents=consents)

    def _settle(self) -> None:
        while self._open:
            decision_id, decision = next(iter(self._open.items()))  # the oldest: windows are of one length
            if decision.due > self.world.hours:
                break
            del self._open[decision_id]
            self._lessons.append(decision)
            self.settled += 1
            self.reward += decision.reward
        if self._lessons and self.world.hours - self._learned >= self._every:
            self._learned = self.world.hours
            self.chooser.learn(_lesson(self._lessons, self.world.now))
            self._lessons = []

    def _credit(self, person: int, event: CustomerEvent) -> None:
        decision = self._open.get(self._last.get(person, ""))
        if decision is not None:
            self.counts["conversion"] += 1
            self._reward(decision, "conversion")

    def _reward(self, decision: _Open, kind: OutcomeKind) -> None:
        if kind not in decision.kinds:
            decision.kinds.add(kind)
            decision.reward += float(self.worth[OUTCOMES.index(kind)])

    def _note(self, person: int, event: CustomerEvent) -> None:
        self.profiles[person] = add(self.profiles[person], event)

    def _sent(self, decision: str, person: int, channel: str) -> CustomerEvent:
        return CustomerEvent(
            id=f"sent.{decision}",
            customer_id=self.customers[person].id,
            type="message",
            at=self.world.now,
            properties={"channel": channel},
        )

    def _answered(self, outcome: Outcome, person: int, channel: str) -> CustomerEvent:
        return CustomerEvent(
            id=outcome.id,
            customer_id=self.customers[person].id,
            type=outcome.kind,
            at=outcome.at,
            properties={"channel": channel, "value": outcome.value, "decision_id": outcome.decision_id},
        )


def _lesson(settled: Sequence[_Open], now: datetime) -> Lesson:
    return Lesson(
        at=now,
        people=np.array([each.person for each in settled]),
        numbers=np.array([each.numbers for each in settled]),
        eligible=np.array([each.eligible for each in settled]),
        arms=np.array([each.arm for each in settled]),
        propensities=np.array([each.propensity for each in settled]),
        rewards=np.array([each.reward for each in settled]),
        harmed=np.array([float(not each.kinds.isdisjoint(HARM)) for each in settled]),
    )
