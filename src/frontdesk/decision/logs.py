"""The log of decisions as arrays, which learning and off-policy estimates compute with."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import numpy as np

from frontdesk.decision.arms import Arms
from frontdesk.decision.features import LAYERS
from frontdesk.decision.policies import held_out
from frontdesk.decision.rewards import counted, harmed, rewards
from frontdesk.decision.scoring import Bools, Floats, Places, Scorer
from frontdesk.engagement import NOTHING, OUTCOMES, Genes
from frontdesk.store.logged import DecisionLog, Logged

EVER = datetime(9999, 1, 1, tzinfo=UTC)
PAGE = 5000  # decisions that are read together
CHUNK = 2048  # decisions that are scored together: bounds the memory for their features


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """N decisions among A arms, in the order in which they were settled; human ones are not among them.

    `numbers` [N, C] are the customers', `arm` [N] the chosen arms' places and `propensity` [N] the chances with which
    they were chosen; `eligible` [N, A] says what the rules allowed. `reward` [N] is under the owner's standard weights.
    A message that was decided and never left counts as the choice of its arm, with what happened then: so an estimate
    is of a policy's choices together with all that holds messages back. `released` [N]: it left.

    `outcomes` [N, 7] counts them by kind, `values` [N] is what conversions were worth in money.
    `customer` [N] numbers the customers, `held_out` [N] says whose decisions train nothing, `at` [N] is the moment of
    the decision in seconds since 1970, `policy` [N] the place of its policy in `policies`, `segment` in `segments`.
    """

    ids: tuple[str, ...]
    numbers: Floats
    arm: Places
    propensity: Floats
    eligible: Bools
    reward: Floats
    released: Bools
    outcomes: Floats
    values: Floats
    customer: Places
    held_out: Bools
    at: Floats
    policy: Places
    segment: Places
    policies: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.arm)

    def where(self, which: Bools | Places) -> "Log":
        """The decisions for which `which` is true, or those at its places."""
        places: list[int] = np.arange(len(self))[which].tolist()
        return msgspec.structs.replace(
            self,
            ids=tuple([self.ids[place] for place in places]),
            **{name: getattr(self, name)[which] for name in _ARRAYS},
        )

    def rewards(self, arms: Arms, genes: Genes) -> Floats:
        """The rewards under a strategy's own weights and costs [N]."""
        return rewards(self.outcomes, self.values, arms.costs[self.arm] * self.released, genes)

    @property
    def answered(self) -> Bools:
        """Whether anything came of the decision [N]."""
        return self.outcomes.sum(axis=1) > 0

    @property
    def harmed(self) -> Floats:
        """1 for decisions that drove the customer away [N]."""
        return harmed(self.outcomes)

    @property
    def done(self) -> Places:
        """The place of what was really done [N]: nothing, where the message never left."""
        return np.where(self.released, self.arm, 0)


_ARRAYS = tuple(name for name in Log.__struct_fields__ if name not in ("ids", "policies", "segments"))


def log_of(rows: Sequence[Logged], arms: Arms, holdout_share: float) -> Log:
    """Arrays of those decisions that a policy made and whose arms still exist."""
    places = {key: place for place, key in enumerate(arms.keys)}
    kept = [row for row in rows if not row.human and row.arm in places and len(row.record.features) == len(LAYERS)]
    count = len(kept)
    eligible = np.zeros((count, len(arms)), dtype=np.bool_)
    eligible[:, 0] = True
    for number, row in enumerate(kept):
        eligible[number, [places[key] for key in row.record.eligible if key in places]] = True
    arm = np.array([places[row.arm] for row in kept], dtype=np.intp)
    released = np.array([row.released or row.arm == NOTHING for row in kept], dtype=np.bool_)
    outcomes = np.array([counted(each.kind for each in row.outcomes) for row in kept]).reshape(count, len(OUTCOMES))
    values = np.array([sum(each.value for each in row.outcomes) for row in kept])
    customer, _ = _numbered([row.customer_id for row in kept])
    policy, policies = _numbered([row.policy_id for row in kept])
    segment, segments = _numbered([row.segment for row in kept])
    return Log(
        ids=tuple(row.id for row in kept),
        numbers=np.array([row.record.features for row in kept]).reshape(count, len(LAYERS)),
        arm=arm,
        propensity=np.array([row.propensity for row in kept]),
        eligible=eligible,
        reward=rewards(outcomes, values, arms.costs[arm] * released),
        released=released,
        outcomes=outcomes,
        values=values,
        customer=customer,
        held_out=np.array([held_out(row.customer_id, holdout_share) for row in kept], dtype=np.bool_),
        at=np.array([row.at.timestamp() for row in kept]),
        policy=policy,
        segment=segment,
        policies=policies,
        segments=segments,
    )


async def read_log(
    decisions: DecisionLog,
    arms: Arms,
    since: datetime,
    *,
    holdout_share: float,
    until: datetime = EVER,
    limit: int = 50_000,
) -> Log:
    """What was settled from `since` on and before `until`, at most the `limit` latest decisions. `arms` are those of
    standard weights."""
    rows: list[Logged] = []
    before, before_id = until, ""
    while len(rows) < limit:
        page = await decisions.newest(since, before, before_id, limit=min(PAGE, limit - len(rows)))
        if not page:
            break
        rows += page
        last = page[-1]
        assert last.settled_at is not None
        before, before_id = last.settled_at, last.id
    return await asyncio.to_thread(log_of, rows[::-1], arms, holdout_share)


def chances(scorer: Scorer, log: Log) -> Floats:
    """With what chance a policy would choose each arm for the customers of the log [N, A]."""
    parts = [
        scorer.probabilities(log.numbers[begin : begin + CHUNK], log.eligible[begin : begin + CHUNK])
        for begin in range(0, len(log), CHUNK)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, log.eligible.shape[1]))


def _numbered(names: Sequence[str]) -> tuple[Places, tuple[str, ...]]:
    known = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return np.array([known[name] for name in names], dtype=np.intp), tuple(known)
