"""Learning: outcomes settle decisions, settled decisions teach the strategies that serve, and new snapshots serve next.

What is final is learned once, in the order in which it became final, and kept for each strategy. Where feedback counts
in real time, a snapshot also takes in what is still open (see `delays`), and the next one forgets that and begins again
from what is final. People of the holdout and decisions that a person changed teach nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import structlog

from frontdesk.decision.arms import Arms
from frontdesk.decision.delays import LEAST_SHARE, Delays
from frontdesk.decision.features import Floats, rows
from frontdesk.decision.holdout import Bin, bins, calibrated, held
from frontdesk.decision.logs import Log, log_of, read_log
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.patterns import find
from frontdesk.decision.policies import seed_of
from frontdesk.decision.posterior import harm_prior, learn, learn_harm, prior
from frontdesk.decision.rewards import STANDARD, harmed, rewards
from frontdesk.engagement import NOTHING, OUTCOMES, Policy, Posterior
from frontdesk.ports import Clock, Ids
from frontdesk.store.learners import Learned, Learners
from frontdesk.store.logged import DecisionLog, Logged
from frontdesk.store.patterns import Patterns
from frontdesk.store.policies import Policies
from frontdesk.telemetry import metrics

log = structlog.get_logger("frontdesk.learning")

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
DAY = 86_400.0
KEPT = timedelta(days=30)  # how far back calibration and patterns look
DAILY_HOUR = 4  # UTC


class Beliefs(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy believes of reward and of harm."""

    reward: Posterior
    harm: Posterior


class Learner:
    """Settles and learns. `round` is called every half minute, `update` each hour; one process at a time does so."""

    def __init__(
        self,
        policies: Policies,
        learners: Learners,
        decisions: DecisionLog,
        patterns: Patterns,
        settings: Callable[[], EngagementOptions],
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._policies = policies
        self._learners = learners
        self._decisions = decisions
        self._patterns = patterns
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._open: dict[str, int] = {}  # outcomes of open decisions that each strategy's last snapshot took in

    async def round(self) -> None:
        """Settle what is due and, where outcomes count in real time, learn from all that has come."""
        learning = self._settings().learning
        metrics.learning_enabled.set(learning.enabled)
        await self.settle()
        if learning.enabled and learning.feedback_integration == "real_time":
            await self.learn()

    async def update(self) -> None:
        """The model update, where one is due in this hour."""
        learning = self._settings().learning
        due = learning.model_update_frequency == "hourly" or (
            learning.model_update_frequency == "daily" and self._clock.now().hour == DAILY_HOUR
        )
        if learning.enabled and due:
            await self.refit()

    async def settle(self) -> int:
        """Close every decision whose window has ended, with its reward under the standard weights; how many."""
        costs = {arm.key: arm.cost for arm in Arms.of(self._settings(), STANDARD)}
        total = 0
        while closed := await self._decisions.settle(self._clock.now(), lambda found: _judged(found, costs)):
            total += closed
        return total

    async def learn(self, seen: Log | None = None) -> list[Policy]:
        """New snapshots of the strategies that serve, where there was something to learn; they serve from now on.

        With what was `seen` of late, their calibration is measured and mended by its holdout.
        """
        options = self._settings()
        made = [
            await self._learned(await self._policies.get(policy_id), options, seen)
            for policy_id in await self._policies.served()
        ]
        return [policy for policy in made if policy is not None]

    async def refit(self) -> list[Policy]:
        """Settle, learn, calibrate, and look for patterns."""
        await self.settle()
        seen, now = await self._seen_of_late(), self._clock.now()
        made = await self.learn(seen)
        arms = Arms.of(self._settings(), STANDARD)
        for pattern in await self._patterns.put(await asyncio.to_thread(find, seen, arms, now)):
            metrics.pattern_discoveries.labels(pattern.kind, pattern.confidence).inc()
        return made

    async def trust(self, policy: Policy) -> list[Bin]:
        """What a policy says of its confidence beside what is true of it, by the holdout of late."""
        seen, arms = await self._seen_of_late(), Arms.of(self._settings(), policy.genes)
        return await asyncio.to_thread(lambda: bins(policy, held(policy, seen, arms)))

    async def publish(self) -> None:
        """Show how far the champion's confidence can be trusted. Each process that is scraped does so."""
        champion = await self._policies.get((await self._policies.serving()).champion_id)
        if champion.calibration.error is not None:
            metrics.calibration_error.set(champion.calibration.error)

    async def _seen_of_late(self) -> Log:
        options = self._settings()
        share, since = options.learning.holdout_share, self._clock.now() - KEPT
        return await read_log(self._decisions, Arms.of(options, STANDARD), since, holdout_share=share)

    async def _learned(self, policy: Policy, options: EngagementOptions, seen: Log | None) -> Policy | None:
        arms = Arms.of(options, policy.genes)
        final, more = await self._final(policy, arms, options)
        beliefs, happened = Beliefs(reward=final.reward, harm=final.harm), 0
        if options.learning.feedback_integration == "real_time":
            beliefs, happened = await self._with_open(beliefs, policy, arms, options)
        if not more and seen is None and happened == self._open.get(policy.strategy, 0):
            return None
        new_id, now = self._ids.new("policy"), self._clock.now()
        made = msgspec.structs.replace(
            policy,
            id=new_id,
            parent_id=policy.id,
            origin="learned",
            created_at=now,
            reward=beliefs.reward,
            harm=beliefs.harm,
            draws_seed=seed_of(new_id),
            note="",
        )
        if seen is not None:
            calibration = await asyncio.to_thread(calibrated, made, seen, arms)
            made = msgspec.structs.replace(made, calibration=calibration)
        if not await self._policies.advance(made):
            return None
        self._open[policy.strategy] = happened
        log.info("policy_learned", policy=new_id, strategy=policy.strategy, outcomes=round(made.reward.n, 1))
        return made

    async def _final(self, policy: Policy, arms: Arms, options: EngagementOptions) -> tuple[Learned, bool]:
        """What the strategy has learned from settled decisions, and whether that is more than the last time."""
        learned = await self._learners.get(policy.strategy)
        if learned is None or learned.features != policy.features:
            learned = _beginning(policy, await self._policies.get(policy.strategy))
        more = False
        while found := await self._decisions.settled(learned.through_at, learned.through_id):
            last, more = found[-1], True
            assert last.settled_at is not None
            gone_by = last.settled_at - learned.through_at
            kept = 1.0 if learned.through_at == LONG_AGO else policy.genes.forgetting ** (gone_by.total_seconds() / DAY)
            before = Beliefs(reward=learned.reward, harm=learned.harm)
            beliefs = await asyncio.to_thread(_taught, before, found, policy, arms, options, kept)
            learned = msgspec.structs.replace(
                learned, through_at=last.settled_at, through_id=last.id, reward=beliefs.reward, harm=beliefs.harm
            )
        if more:
            await self._learners.put(learned)
        return learned, more

    async def _with_open(
        self, beliefs: Beliefs, policy: Policy, arms: Arms, options: EngagementOptions
    ) -> tuple[Beliefs, int]:
        """The beliefs with what is open taken in, and how many outcomes that has."""
        now = self._clock.now()
        window = timedelta(hours=options.learning.attribution_hours)
        found = [row for row in await self._decisions.open(now) if row.released or row.arm == NOTHING]
        delays = Delays(await self._decisions.waits(), window)
        ages = np.array([(now - row.outcome_due_at + window).total_seconds() for row in found])
        shares = {row.id: share for row, share in zip(found, delays.share(ages), strict=True) if share >= LEAST_SHARE}
        old_enough = [row for row in found if row.id in shares]
        happened = sum(len(row.outcomes) for row in old_enough)
        if not happened:
            return beliefs, 0
        return await asyncio.to_thread(_taught_early, beliefs, old_enough, shares, policy, arms, options), happened


def _beginning(policy: Policy, born: Policy) -> Learned:
    """What the strategy of a policy knew at first; `born` is its first snapshot, by whose id it is called."""
    known = born.features == policy.features
    return Learned(
        strategy=policy.strategy,
        through_at=born.created_at if known and born.reward.n > 0 else LONG_AGO,  # it was born with the log learned
        through_id="",
        features=policy.features,
        reward=born.reward if known else prior(policy.genes),
        harm=born.harm if known else harm_prior(),
    )


def _judged(found: Sequence[Logged], costs: dict[str, float]) -> list[float]:
    counts = np.array([_counts(row) for row in found])
    values = np.array([sum(each.value for each in row.outcomes) for row in found])
    spent = np.array([costs.get(row.arm, 0.0) if row.released else 0.0 for row in found])
    earned: list[float] = rewards(counts, values, spent).tolist()
    return earned


def _counts(row: Logged) -> Floats:
    return np.bincount([OUTCOMES.index(each.kind) for each in row.outcomes], minlength=len(OUTCOMES)).astype(np.float64)


def _taught(
    beliefs: Beliefs, found: Sequence[Logged], policy: Policy, arms: Arms, options: EngagementOptions, kept: float
) -> Beliefs:
    lessons = _lessons(found, arms, options)
    x = rows(lessons.numbers, arms, lessons.done)
    rate = options.learning_rate
    return Beliefs(
        reward=learn(beliefs.reward, x, lessons.rewards(arms, policy.genes), forgetting=kept, rate=rate),
        harm=learn_harm(beliefs.harm, x, lessons.harmed, forgetting=kept, rate=rate),
    )


def _taught_early(
    beliefs: Beliefs,
    found: Sequence[Logged],
    shares: dict[str, float],
    policy: Policy,
    arms: Arms,
    options: EngagementOptions,
) -> Beliefs:
    lessons = _lessons(found, arms, options)
    x = rows(lessons.numbers, arms, lessons.done)
    share = np.array([shares[decision_id] for decision_id in lessons.ids])
    nothing_spent = np.zeros(len(lessons))
    so_far = rewards(lessons.outcomes, lessons.values, nothing_spent, policy.genes)
    y = so_far / share - arms.costs[lessons.done]
    rate = options.learning_rate
    return Beliefs(
        reward=learn(beliefs.reward, x, y, share, rate=rate),
        harm=learn_harm(beliefs.harm, x, harmed(lessons.outcomes) / share, share, rate=rate),
    )


def _lessons(found: Sequence[Logged], arms: Arms, options: EngagementOptions) -> Log:
    lessons = log_of(found, arms, options.learning.holdout_share)
    return lessons.where(~lessons.held_out)
