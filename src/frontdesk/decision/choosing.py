"""Choosing for many customers at once under one policy: rules, scores, state, reasons. Pure: no database, no clock."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

import msgspec
import numpy as np

from frontdesk.decision.arms import Arms
from frontdesk.decision.explain import contributions
from frontdesk.decision.features import digest, numbers_of
from frontdesk.decision.masks import Choice, Moments, Rules, tolerance_of
from frontdesk.decision.objectives import objective_of
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.pacing import pace_of
from frontdesk.decision.policies import share_of
from frontdesk.decision.profiles import signals
from frontdesk.decision.scoring import Bools, Chosen, Scorer
from frontdesk.engagement import (
    NOTHING,
    Contribution,
    Customer,
    Decision,
    DecisionState,
    Mask,
    Objective,
    Policy,
    PolicyRole,
)
from frontdesk.errors import BadFeature

YOUNG = timedelta(days=30)  # a strategy younger than this is an innovation
LEAST_DEPTH = 1  # signals that are used of somebody in a segment that is not set up


class Case(NamedTuple):
    """A decision to be made: its id and seed, about whom, why, and what the asker adds."""

    id: str
    seed: int
    customer: Customer
    event_id: str | None = None
    event_type: str = ""
    objective: Objective | None = None
    context: Mapping[str, float] = {}


class _Seen(NamedTuple):
    """A case as the policy sees it, after the rules."""

    case: Case
    objective: Objective
    numbers: tuple[float, ...]
    moments: Moments | None
    left: int
    masks: tuple[Mask, ...]


class Chooser:
    """A policy in its role, ready to decide under these options."""

    def __init__(self, options: EngagementOptions, policy: Policy, role: PolicyRole = "champion") -> None:
        self.policy = policy
        self._options = options
        self._role: PolicyRole = role
        self._scorer = Scorer(policy, Arms.of(options, policy.genes), options.exploration_rate)
        self._arms = self._scorer.arms
        messages = {message.key: message for message in options.messages}
        self._rules = Rules(
            options,
            [
                Choice(messages[arm.message], arm.channel, arm.slot)
                for arm in self._arms
                if arm.message and arm.channel and arm.slot
            ],
        )
        self._digest = digest_of(self._arms)
        self._names = lru_cache(4096)(self._named)

    def choose(self, cases: Sequence[Case], now: datetime, *, rationed: bool = True) -> list[Decision | BadFeature]:
        """A decision for each case, or why its context cannot be used.

        `rationed`: while the strategy is young, it does nothing about those whom the innovation level keeps from it.
        """
        rationed = rationed and is_young(self.policy, now)
        moments: dict[tuple[str, str], Moments | None] = {}
        seen = [self._see(case, now, moments, rationed) for case in cases]
        good = [each for each in seen if isinstance(each, _Seen)]
        made = iter(self._decide(good, now) if good else ())
        return [next(made) if isinstance(each, _Seen) else each for each in seen]

    def _see(
        self, case: Case, now: datetime, known: dict[tuple[str, str], Moments | None], rationed: bool
    ) -> _Seen | BadFeature:
        customer, policy = case.customer, self.policy
        found = signals(customer.profile, now, customer.time_zone)
        objective = case.objective or objective_of(found, case.event_type)
        segment = self._options.segments.get(customer.segment)
        depth = segment.personalization_depth if segment else LEAST_DEPTH
        try:
            numbers = numbers_of(customer, found, depth, now, case.context)
        except BadFeature as error:
            return error
        if segment is None:
            left, masks = self._rules.without_segment()
            return _Seen(case, objective, numbers, None, left, masks)
        place = (customer.time_zone, customer.segment)
        if place not in known:
            known[place] = self._rules.moments(now, *place)
        pace = pace_of(customer.plan, found, policy.genes, now)
        innovates = not rationed or may_innovate(policy, customer.id, segment.innovation_level)
        left, masks = self._rules.apply(customer, objective, known[place], pace, innovates=innovates)
        return _Seen(case, objective, numbers, known[place], left, masks)

    def _decide(self, seen: Sequence[_Seen], now: datetime) -> list[Decision]:
        numbers = np.array([each.numbers for each in seen], dtype=np.float64)
        seeds = np.array([each.case.seed for each in seen], dtype=np.uint64)
        chosen = self._scorer.choose(numbers, self._eligible([each.left for each in seen]), seeds)
        explained = self._options.explainability_required
        told = contributions(self._scorer, numbers, chosen) if explained else [()] * len(seen)
        return self._written(seen, chosen, told, now)

    def _written(
        self, seen: Sequence[_Seen], chosen: Chosen, told: Sequence[tuple[Contribution, ...]], now: datetime
    ) -> list[Decision]:
        made: list[Decision] = []
        for each, place, other, chances, confidence, risk, why in zip(
            seen,
            chosen.arm.tolist(),
            chosen.runner_up.tolist(),
            chosen.probabilities.tolist(),
            chosen.confidence.tolist(),
            chosen.risk.tolist(),
            told,
            strict=True,
        ):
            case, arm = each.case, self._arms[place]
            names, places = self._names(each.left)
            decision = Decision(
                id=case.id,
                customer_id=case.customer.id,
                event_id=case.event_id,
                at=now,
                segment=case.customer.segment,
                objective=each.objective,
                state=self._state(case.customer.segment, arm.key, confidence, risk),
                arm=arm.key,
                channel=arm.channel,
                policy_id=self.policy.id,
                role=self._role,
                confidence=confidence,
                risk=risk,
                propensity=chances[place],
                seed=case.seed,
                eligible=names,
                probabilities=tuple([chances[number] for number in places]),
                features=each.numbers,
                features_digest=digest(each.numbers),
                masks=each.masks,
                contributions=why,
                runner_up=None if other < 0 else self._arms[other].key,
                send_at=each.moments[arm.slot] if each.moments and arm.slot else None,
                floor=self._scorer.floor,
                arms_digest=self._digest,
            )
            made.append(decision)
        return made

    def _state(self, segment: str, arm: str, confidence: float, risk: float) -> DecisionState:
        """What becomes of the choice. Predicted harm above the stricter tolerance always holds it."""
        options = self._options
        if arm == NOTHING:
            return "nothing"
        if risk > tolerance_of(options, segment) or confidence < options.minimum_confidence:
            return "hold"
        approved = options.mode == "supervised" or options.segments[segment].engagement_rules.approval_required
        return "approval" if approved or confidence < options.confidence_threshold else "act"

    def _eligible(self, left: Sequence[int]) -> Bools:
        """Whether each arm is left for each case, of the bits that say so."""
        size = len(self._arms) // 8 + 1
        packed = np.frombuffer(b"".join([arms.to_bytes(size, "little") for arms in left]), dtype=np.uint8)
        bits = np.unpackbits(packed.reshape(len(left), size), axis=1, bitorder="little")
        return bits[:, : len(self._arms)].astype(np.bool_)

    def _named(self, left: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
        places = tuple(place for place in range(len(self._arms)) if left >> place & 1)
        return tuple(self._arms[place].key for place in places), places


def digest_of(arms: Arms) -> str:
    """Tells arms apart that a policy would score differently: by their keys, numbers and least harm."""
    parts = (arms.keys, arms.numbers.tolist(), arms.risks.tolist())
    return sha256(msgspec.json.encode(parts)).hexdigest()[:16]


def is_young(policy: Policy, now: datetime) -> bool:
    """Whether its strategy is an innovation: evolved, and of late. What the desk began with is none."""
    return policy.generation > 0 and now - policy.born_at < YOUNG


def may_innovate(policy: Policy, customer_id: str, level: float) -> bool:
    """Whether a young policy may decide about this customer, in a segment of this innovation level."""
    return share_of(customer_id, f"{policy.strategy}:innovation") < level
