"""Evolution of strategies: a seeded search among genes, judged on the log of decisions.

The log is split by person. On one slice strategies compete: each is trained and judged crosswise (on people whom it was
not trained on), and its fitness is the lower bound of its doubly robust value under the owner's standard weights, less
what it harms and writes beyond its parent. So a strategy gains nothing by weighing outcomes as it likes. The winner
loses every change that earns nothing, and must then beat its parent on the slice that nobody has looked at.

A log tells what other choices, and fewer messages, would have brought. It does not tell of texts that were never
written and messages that the rules of the time kept back: tones and looser pacing go back to the parent's.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache

import msgspec
import numpy as np

from frontdesk.decision.arms import Arms
from frontdesk.decision.features import CUSTOMER_NUMBERS, Floats, rows
from frontdesk.decision.genes import changed, clipped
from frontdesk.decision.logs import Log, chances
from frontdesk.decision.off_policy import doubly_robust, model_of
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.pacing import TIRED
from frontdesk.decision.policies import born
from frontdesk.decision.posterior import harm_prior, learn, learn_harm, prior
from frontdesk.decision.rewards import STANDARD
from frontdesk.decision.scoring import Bools, Scorer
from frontdesk.decision.searching import Fitness, Search, genetic
from frontdesk.engagement import Genes, Policy
from frontdesk.store.evolutions import Found, GeneChange

FOLDS = 2
HELD_OUT = 0.4  # share of the people whom nobody looks at before the end
LEVEL = 0.80  # of the intervals whose lower bounds count: nine times in ten they hold. The proof is the canary's
NORMAL = 1.2816  # standard errors to such a bound
HARM_PRICE = 2.0  # conversions that each person who is driven away beyond the parent's costs
LOAD_PRICE = 0.05  # the same for each message
DAY, WEEK = 86_400.0, 7 * 86_400.0


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy is worth on a slice: the value's lower bound, each decision's part in it [N], the share of
    decisions that send a message, and the share that drives somebody away."""

    low: float
    parts: Floats
    load: float
    harm: float
    enough: bool
    why: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a search came to: its `winner`, or None and in `words` why there is none."""

    found: Found
    words: str
    winner: Policy | None = None


class Slice:
    """A part of the log on which strategies are judged, with what was expected of each arm for each customer."""

    def __init__(self, log: Log, options: EngagementOptions, parent: Genes) -> None:
        self.log = log
        self._options = options
        self._parent = parent
        arms = Arms.of(options, STANDARD)
        self._rewards = model_of(log, arms)
        self._harmed = msgspec.structs.replace(log, reward=log.harmed)
        self._harms = model_of(self._harmed, arms)
        self._rested, self._recent = _rests(log)
        self._kept_back = self._by(parent)

    def judge(self, scored: Callable[[Log], Floats], genes: Genes) -> Judged:
        """`scored` gives the chances of all arms [N, A] for a log, `genes` the pace."""
        kept_back = self._by(genes) & ~self._kept_back
        eligible = self.log.eligible.copy()
        eligible[kept_back, 1:] = False
        target = scored(msgspec.structs.replace(self.log, eligible=eligible))
        value = doubly_robust(self.log, target, self._rewards, level=LEVEL)
        return Judged(
            low=value.low,
            parts=_parts(self.log, target, self._rewards),
            load=float(1.0 - target[:, 0].mean()),
            harm=float(_parts(self._harmed, target, self._harms).mean()),
            enough=value.enough,
            why=value.why,
        )

    def _by(self, genes: Genes) -> Bools:
        """Which decisions these genes' pace would keep from sending, as `pacing.plan_of` has it [N]."""
        engagement = self.log.numbers[:, CUSTOMER_NUMBERS.index("engagement")]
        tired = self.log.numbers[:, CUSTOMER_NUMBERS.index("fatigue")] >= TIRED
        gap = np.where(tired, genes.gap_hours_tired, genes.gap_hours) * 3600
        high = np.where(engagement < genes.tier_high, genes.weekly_middle, genes.weekly_high)
        weekly = np.where(engagement < genes.tier_low, genes.weekly_low, high)
        return (self._rested < gap) | (self._recent >= weekly)


def evolve(
    log: Log,
    parent: Policy,
    options: EngagementOptions,
    *,
    seed: int,
    policy_id: str,
    now: datetime,
    search: Search = genetic,
) -> Result:
    """One step: search, prune, and the test on the slice that was kept aside. The same inputs give the same result."""
    chance = np.random.default_rng(seed)
    people = int(log.customer.max()) + 1 if len(log) else 0
    aside = (chance.random(people) < HELD_OUT)[log.customer] | log.held_out
    training, unseen = log.where(~aside), log.where(aside)
    if not len(training) or not len(unseen):
        return Result(found=Found(), words="There are no outcomes to learn from yet")
    trials = Slice(training, options, parent.genes)

    @cache
    def judged(genes: Genes) -> Judged:
        return trials.judge(lambda some: _crosswise(some, genes, options, parent), genes)

    base = judged(parent.genes)
    counts = Found(decisions=len(training), held_out_decisions=len(unseen))
    if not base.enough:
        return Result(found=counts, words=f"Too little is known: {base.why}")

    def fitness(genes: Genes) -> float:
        return _fitness(judged(genes), base)

    best, rounds = search.run(parent.genes, fitness, chance)
    best, changes = prune(best, parent.genes, fitness)
    found = msgspec.structs.replace(
        counts,
        rounds=rounds,
        tried=judged.cache_info().currsize,
        fitness=fitness(best),
        parent_fitness=fitness(parent.genes),
        changes=changes,
    )
    if not changes:
        return Result(found=found, words="No strategy did better than the one that serves")
    result = _tested(found, training, unseen, best, parent, options, policy_id, now)
    if result.winner is None:
        return result
    all_that_teaches = log.where(~log.held_out)  # now that the slice aside has had its say
    return msgspec.structs.replace(result, winner=trained(all_that_teaches, best, options, result.winner))


def prune(best: Genes, parent: Genes, fitness: Fitness) -> tuple[Genes, tuple[GeneChange, ...]]:
    """The genes without the changes that earn nothing, and what each remaining change is worth."""
    before = None
    while best != before:  # what earned its place beside another change may earn nothing alone
        before = best
        for name in changed(parent, best):
            without = _without(best, parent, name)
            fewer = len(changed(parent, without)) < len(changed(parent, best))
            if fewer and fitness(without) >= fitness(best):
                best = without
    return best, tuple(
        GeneChange(
            gene=name,
            before=getattr(parent, name),
            after=getattr(best, name),
            worth=fitness(best) - fitness(_without(best, parent, name)),
        )
        for name in changed(parent, best)
    )


def trained(log: Log, genes: Genes, options: EngagementOptions, policy: Policy) -> Policy:
    """The policy with other genes, and with what they learn from the log alone, older outcomes counting less."""
    arms = Arms.of(options, genes)
    x, y = rows(log.numbers, arms, log.done), log.rewards(arms, genes)
    age = (log.at.max() - log.at) / DAY if len(log) else log.at
    weights = genes.forgetting**age
    return msgspec.structs.replace(
        policy,
        genes=genes,
        reward=learn(prior(genes), x, y, weights, rate=options.learning_rate),
        harm=learn_harm(harm_prior(), x, log.harmed, weights, rate=options.learning_rate),
    )


def _tested(
    found: Found,
    training: Log,
    unseen: Log,
    genes: Genes,
    parent: Policy,
    options: EngagementOptions,
    policy_id: str,
    now: datetime,
) -> Result:
    """The winner against its parent, both trained alike, on people whom neither has met."""
    fresh = born(policy_id, genes, now, origin="evolved", parent=parent)
    winner = trained(training, genes, options, msgspec.structs.replace(fresh, calibration=parent.calibration))
    last = Slice(unseen, options, parent.genes)
    ours = last.judge(_scored(winner, options), genes)
    base = last.judge(_scored(trained(training, parent.genes, options, parent), options), parent.genes)
    gain, low, high = _gain(ours.parts - base.parts, unseen)
    found = msgspec.structs.replace(
        found,
        held_out=_fitness(ours, base),
        parent_held_out=_fitness(base, base),
        gain=gain,
        gain_low=low,
        gain_high=high,
        load=ours.load,
        parent_load=base.load,
        harm=ours.harm,
        parent_harm=base.harm,
    )
    if not (ours.enough and base.enough):
        return Result(found=found, words=f"Too little is known of other people: {ours.why or base.why}")
    if low <= 0 or found.held_out <= found.parent_held_out:
        return Result(found=found, words="What won was no better for people whom it had not met")
    words = f"better by {gain:.4f} a decision (at least {low:.4f}) for people whom it had not met"
    return Result(found=found, words=words, winner=msgspec.structs.replace(winner, note=words))


def _fitness(judged: Judged, base: Judged) -> float:
    harm, load = max(0.0, judged.harm - base.harm), max(0.0, judged.load - base.load)
    return float(judged.low - HARM_PRICE * harm - LOAD_PRICE * load)


def _crosswise(log: Log, genes: Genes, options: EngagementOptions, parent: Policy) -> Floats:
    """The chances of all arms under policies that were trained on the other people of the log [N, A]."""
    target = np.zeros(log.eligible.shape)
    fold = log.customer % FOLDS
    for number in range(FOLDS):
        mine = fold == number
        policy = trained(log.where(~mine), genes, options, parent)
        target[mine] = _scored(policy, options)(log.where(mine))
    return target


def _scored(policy: Policy, options: EngagementOptions) -> Callable[[Log], Floats]:
    scorer = Scorer(policy, Arms.of(options, policy.genes), options.exploration_rate)
    return lambda log: chances(scorer, log)


def _parts(log: Log, target: Floats, model: Floats) -> Floats:
    """Each decision's part in the doubly robust value [N]."""
    each = np.arange(len(log))
    weights = target[each, log.arm] / log.propensity
    return np.einsum("na,na->n", target, model) + weights * (log.reward - model[each, log.arm])


def _gain(difference: Floats, log: Log) -> tuple[float, float, float]:
    """The mean of the differences with its bounds, whose errors are independent between customers only."""
    mean = float(difference.mean())
    errors = np.bincount(log.customer, difference - mean)
    wide = NORMAL * float(np.sqrt(errors @ errors)) / len(difference)
    return mean, mean - wide, mean + wide


def _rests(log: Log) -> tuple[Floats, Floats]:
    """For each decision the seconds since the customer's last message, and the messages of the seven days before."""
    rested, recent = np.full(len(log), np.inf), np.zeros(len(log))
    sent: dict[int, list[float]] = {}
    for place in np.argsort(log.at, kind="stable").tolist():
        at, before = float(log.at[place]), sent.setdefault(int(log.customer[place]), [])
        if before:
            rested[place] = at - before[-1]
            recent[place] = sum(at - each < WEEK for each in before)
        if log.done[place]:
            before.append(at)
    return rested, recent


def _without(genes: Genes, parent: Genes, name: str) -> Genes:
    return clipped(msgspec.structs.replace(genes, **{name: getattr(parent, name)}))
