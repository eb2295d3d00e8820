"""What policies would have done on the decisions that were really made, side by side.

A policy is judged on outcomes that it has not learned from alone: those of the holdout, and those of decisions that are
younger than it.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
import numpy as np

from frontdesk.decision.arms import Arms
from frontdesk.decision.logs import Log, chances, read_log
from frontdesk.decision.off_policy import Estimate, doubly_robust, ips, model_of, snips
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.rewards import STANDARD
from frontdesk.decision.scoring import Scorer
from frontdesk.engagement import Policy
from frontdesk.store.logged import DecisionLog


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy is worth: its `estimates` in reward a decision, and what was really `earned` by the same decisions.

    `decisions` of `logged` ones could be used: the policy has not learned from them.
    """

    policy_id: str
    decisions: int
    logged: int
    earned: float
    estimates: tuple[Estimate, ...]


class Snapshots(Protocol):
    """Where policies are found by their ids."""

    async def policy(self, policy_id: str) -> Policy:
        """Raises `NotFound`."""
        ...


class Comparing:
    """Off-policy estimates from the log of this desk."""

    def __init__(self, decisions: DecisionLog, snapshots: Snapshots, settings: Callable[[], EngagementOptions]) -> None:
        self._decisions = decisions
        self._snapshots = snapshots
        self._settings = settings

    async def compare(self, policy_ids: Sequence[str], since: datetime) -> list[Compared]:
        """Each policy on what was settled after `since`. Raises `NotFound`."""
        options = self._settings()
        found = [await self._snapshots.policy(policy_id) for policy_id in policy_ids]
        arms = Arms.of(options, STANDARD)
        log = await read_log(self._decisions, arms, since, holdout_share=options.learning.holdout_share)
        return [await asyncio.to_thread(compared, policy, log, options) for policy in found]


def compared(policy: Policy, log: Log, options: EngagementOptions) -> Compared:
    """One policy on a log."""
    unseen = log.where(log.held_out | (log.at >= policy.created_at.timestamp()))
    target = chances(Scorer(policy, Arms.of(options, policy.genes), options.exploration_rate), unseen)
    model = model_of(unseen, Arms.of(options, STANDARD))
    return Compared(
        policy_id=policy.id,
        decisions=len(unseen),
        logged=len(log),
        earned=float(np.mean(unseen.reward)) if len(unseen) else 0.0,
        estimates=(doubly_robust(unseen, target, model), snips(unseen, target), ips(unseen, target)),
    )
