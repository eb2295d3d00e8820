"""The demonstration: an empty desk is filled with people who do not exist, and they go on living while it runs.

Four weeks pass on a clock of their own, through the same rooms that serve real customers: events are taken in,
decisions made, messages written and answered, outcomes learned from each night. In the last days a strategy that was
made to be bad decides about half of the people, which the guard finds and takes back.
"""

import asyncio
import heapq
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec
import numpy as np

from frontdesk.decision.approvals import address_of
from frontdesk.decision.arms import Arms
from frontdesk.decision.content.templates import Draft, NothingKnown, facts_of, fill, template_of
from frontdesk.decision.engine import Engine
from frontdesk.decision.feedback import Feedback
from frontdesk.decision.intake import Intake, note
from frontdesk.decision.learning import Learner
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.policies import PolicySource, born
from frontdesk.decision.profiles import MESSAGE, signals
from frontdesk.decision.simulation.memory import begun
from frontdesk.decision.simulation.past import PastClock, PastIds, Unheard
from frontdesk.decision.simulation.runner import Learned
from frontdesk.decision.simulation.world import World
from frontdesk.engagement import NOTHING, Ask, Customer, CustomerEvent, Decision, Envelope, Genes, Outcome, Policy
from frontdesk.ports import Clock, Ids
from frontdesk.store.customer_events import CustomerEvents
from frontdesk.store.customers import Customers
from frontdesk.store.database import Database
from frontdesk.store.learners import Learners
from frontdesk.store.logged import DecisionLog
from frontdesk.store.patterns import Patterns
from frontdesk.store.policies import Policies
from frontdesk.store.prepared import Connection
from frontdesk.store.rehearsed import Sent, as_sent, sent_since

PREFIX = "demo-"
PEOPLE = 300
DAYS = 28
HISTORY_DAYS = 30
PLANTED_DAYS = 14  # before now the bad strategy began …
PLANTED_SHARE = 0.5  # … with this share of the people
LAUNCH_PEOPLE, LAUNCH_DAYS = 800, 12  # by whom the first strategy learned before the past begins
WARMTH = 1.5  # log-odds by which people answer more readily than usual, so that four weeks tell something
STUBBORN = 50.0  # how much surer it is of its wrong beliefs than it has a right to be
STEP_HOURS = 6  # of the past, which are lived at once
HOURS_A_SECOND = 0.1  # of people's days, while the desk runs
BATCH = 256

Settings = Callable[[], EngagementOptions]


class Demo:
    """Fills a desk, and keeps its people living. `settings` gives the options in effect; `clock` is the real one."""

    def __init__(
        self,
        database: Database,
        intake: Intake,
        feedback: Feedback,
        settings: Settings,
        clock: Clock,
        ids: Ids,
        *,
        seed: int = 1,
        people: int = PEOPLE,
    ) -> None:
        self._database = database
        self._intake = intake
        self._feedback = feedback
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._seed = seed
        self._people = people
        self._world: World | None = None
        self._coming: list[tuple[float, str, Outcome]] = []
        self._looked_at = clock.now()
        self._answered: set[str] = set()

    async def fill(self, *, days: int = DAYS) -> bool:
        """Give an empty desk customers and a past of `days`; False, and nothing is done, where it has customers."""
        if await Customers(self._database, self._clock).count():
            return False
        now = self._clock.now()
        self._world = self._begun(now - timedelta(days=days), HISTORY_DAYS)
        options = self._settings()
        taught = await asyncio.to_thread(_taught, options, self._seed)
        past = _Past(self._database, self._world, options, self._ids, self._seed)
        await past.begin(taught)
        await past.live(days)
        self._looked_at = now
        return True

    async def step(self) -> None:
        """A moment of people's lives: who comes by now, and who answers what was sent. To be called each second."""
        world = self._world = self._world or self._begun(self._clock.now(), 0)
        now = self._clock.now()
        came = [msgspec.structs.replace(event, at=now) for event in world.live(HOURS_A_SECOND)]
        if came:
            await self._intake.accept([_named(event, now) for event in came])
        sent = await sent_since(self._database, self._looked_at, PREFIX)
        fresh = [each for each in sent if each.outreach_id not in self._answered]
        self._answered |= {each.outreach_id for each in fresh}
        self._looked_at = max([self._looked_at, *(each.at for each in fresh)])
        for outcome in _answers(world, fresh):
            hours = (outcome.at - world.start).total_seconds() / 3600
            heapq.heappush(self._coming, (hours, outcome.id, outcome))
        due = [msgspec.structs.replace(outcome, at=now) for outcome in _due(self._coming, world.hours)]
        if due:
            await self._feedback.accept(due)

    def _begun(self, start: datetime, history_days: int) -> World:
        options = self._settings()
        keys = Arms.of(options, Genes()).keys
        return World(
            options.messages,
            keys,
            people=self._people,
            seed=self._seed,
            start=start,
            history_days=history_days,
            warmth=WARMTH,
            prefix=PREFIX,
        )


class _Past:
    """The desk's rooms on a clock of the past."""

    def __init__(self, database: Database, world: World, options: EngagementOptions, ids: Ids, seed: int) -> None:
        self._clock = PastClock(world.start)
        self._ids = PastIds(ids, self._clock)
        self._database, self._world = database, world
        self._customers = Customers(database, self._clock)
        self._feedback = Feedback(database, self._clock)
        self._intake = Intake(database, self._clock, Unheard(), lambda: options, feedback=self._feedback)
        self._policies = Policies(database, self._clock, self._ids)
        self._engine = Engine(
            database,
            CustomerEvents(database, self._clock),
            PolicySource(self._policies, self._clock, cached=lambda: False),
            lambda: options,
            self._clock,
            self._ids,
            Unheard(),
            np.random.default_rng([seed, 5]),
        )
        self._learner = Learner(
            self._policies,
            Learners(database),
            DecisionLog(database),
            Patterns(database),
            lambda: options,
            self._clock,
            self._ids,
        )
        self._messages = {message.key: message for message in options.messages}
        self._coming: list[tuple[float, str, Outcome]] = []

    async def begin(self, taught: Policy) -> None:
        """Let the strategy serve that a launch has taught."""
        pointer = await self._policies.serving()
        root = await self._policies.get(pointer.champion_id)
        new = born(
            self._ids.new("pol"), taught.genes, self._clock.moment, origin="learned", parent=root, note="the launch"
        )
        await self._policies.add(msgspec.structs.replace(new, generation=0, reward=taught.reward, harm=taught.harm))
        await self._policies.move(
            "promoted", pointer, msgspec.structs.replace(pointer, champion_id=new.id), reason="launched"
        )

    async def live(self, days: int) -> None:
        """From the first customer to the last evening."""
        folk, start = self._world.population, self._world.start
        await self._customers.put_many([folk.customer(person) for person in range(len(folk))])
        before = self._world.history()
        self._clock.moment = start + timedelta(days=1)  # so that nothing of what was before asks for a decision
        for place in range(0, len(before), BATCH):
            await self._intake.accept(before[place : place + BATCH])
        for step in range(days * 24 // STEP_HOURS):
            if step * STEP_HOURS == max(0, days - PLANTED_DAYS) * 24:
                await self._plant()
            await self._step()
            if (step + 1) * STEP_HOURS % 24 == 0:
                await self._learner.settle()
                await self._learner.learn()
        await self._learner.refit()

    async def _step(self) -> None:
        events = self._world.live(STEP_HOURS)
        self._clock.moment = self._world.now
        await self._feedback.accept(_due(self._coming, self._world.hours))
        for place in range(0, len(events), BATCH):
            batch = events[place : place + BATCH]
            accepted = await self._intake.accept(batch)
            asks = [
                Ask(customer_id=event.customer_id, event_id=event.id)
                for event, result in zip(batch, accepted, strict=True)
                if result.decides
            ]
            await self._decide(asks)

    async def _decide(self, asks: Sequence[Ask]) -> None:
        if not asks:
            return
        now = self._clock.moment
        answers = [each for each in await self._engine.decide(asks) if isinstance(each, Decision)]
        decided = [each for each in answers if each.at <= now]  # a worker of today may have been quicker
        sending = [each for each in decided if each.state in ("act", "approval") and each.arm != NOTHING]
        known = {id_: await self._customers.get(id_) for id_ in dict.fromkeys(each.customer_id for each in sending)}
        letters = [self._written(each, known[each.customer_id]) for each in sending]

        async def work(connection: Connection) -> list[Sent]:
            sent = await as_sent(connection, self._ids, letters, now)
            await note(connection, [_reached(each) for each in sent], now)
            return sent

        for outcome in _answers(self._world, await self._database.act(work)):
            hours = (outcome.at - self._world.start).total_seconds() / 3600
            heapq.heappush(self._coming, (hours, outcome.id, outcome))

    def _written(self, decision: Decision, customer: Customer) -> Envelope:
        message = self._messages[decision.arm.partition("/")[0]]
        facts = facts_of(customer, signals(customer.profile, self._clock.moment, customer.time_zone), 5)
        template = template_of(message)
        try:
            draft = fill(template, facts)
        except NothingKnown:
            draft = Draft(subject=template.subject, body=template.body)
        assert decision.channel is not None, "what is sent goes by a channel"
        return Envelope(
            to=address_of(customer, decision.channel),
            subject=draft.subject,
            body=draft.body,
            customer_id=customer.id,
            decision_id=decision.id,
            message=message.key,
        )

    async def _plant(self) -> None:
        pointer = await self._policies.serving()
        champion = await self._policies.get(pointer.champion_id)
        bad = _spoiled(champion, self._ids.new("pol"), self._clock.moment)
        await self._policies.add(bad)
        after = msgspec.structs.replace(pointer, challenger_id=bad.id, share=PLANTED_SHARE)
        await self._policies.move("canary", pointer, after, reason="planted")


def _spoiled(champion: Policy, policy_id: str, now: datetime) -> Policy:
    """A strategy that believes the opposite of what the champion has learned, and hardly learns otherwise."""
    planted = born(
        policy_id, champion.genes, now, origin="planted", parent=champion, note="made to be bad, for the demonstration"
    )
    wrong = msgspec.structs.replace(
        champion.reward,
        mean=tuple(-weight for weight in champion.reward.mean),
        precision=tuple(STUBBORN * value for value in champion.reward.precision),
    )
    return msgspec.structs.replace(planted, reward=wrong, harm=champion.harm)


def _taught(options: EngagementOptions, seed: int) -> Policy:
    """What a policy learns of another world's people in two weeks, whom it writes to whatever its confidence."""
    runner = begun(options, people=LAUNCH_PEOPLE, seed=seed + 1)
    runner.run(24 * LAUNCH_DAYS)
    assert isinstance(runner.chooser, Learned)
    return runner.chooser.policy


def _answers(world: World, sent: Sequence[Sent]) -> list[Outcome]:
    known = [each for each in sent if each.arm in world.arms.keys]
    people = np.array([world.population.person(each.customer_id) for each in known], dtype=np.int64)
    arms = np.array([world.arms.keys.index(each.arm) for each in known], dtype=np.int64)
    return world.answer(people, arms, [each.decision_id for each in known]) if known else []


def _due(coming: list[tuple[float, str, Outcome]], hours: float) -> list[Outcome]:
    due: list[Outcome] = []
    while coming and coming[0][0] <= hours:
        due.append(heapq.heappop(coming)[2])
    return due


def _reached(sent: Sent) -> CustomerEvent:
    return CustomerEvent(
        id=sent.outreach_id,
        customer_id=sent.customer_id,
        type=MESSAGE,
        at=sent.at,
        properties={"channel": sent.channel},
    )


def _named(event: CustomerEvent, now: datetime) -> CustomerEvent:
    """With an id of its own: a world that begins anew counts from one again."""
    return msgspec.structs.replace(event, id=f"{event.id}.{int(now.timestamp())}")
