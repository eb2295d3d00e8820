"""The guard of strategies: looks at a challenger's trial again and again, and moves the pointer when it must.

A winner of evolution scores in the shadow first, then serves a share of the people as challenger, and takes over only
when it is surely better. To take one back is a swap of the pointer to a snapshot that never changed.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec
import structlog

from frontdesk.decision.choosing import YOUNG, is_young
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.rollback import Evidence, Verdict, judge
from frontdesk.decision.sequential import Tally
from frontdesk.decision.settings import Settings
from frontdesk.engagement import PolicyRole, Serving
from frontdesk.errors import Conflict
from frontdesk.ports import Clock
from frontdesk.store.audit import Act, Audit
from frontdesk.store.evidence import Brought, EvidenceRows
from frontdesk.store.evolutions import Evolutions, EvolutionState
from frontdesk.store.policies import MoveKind, Policies
from frontdesk.telemetry import metrics

log = structlog.get_logger("frontdesk.decision")

SHADOW_LEAST = 200  # decisions that a shadow must have scored
SHADOW_LOAD = 1.5  # times as many messages as the champion sends are too many for a shadow …
SHADOW_MORE = 0.05  # … beyond this share of decisions
REST = 20.0  # times as long as reading the evidence took, it is believed: the guard takes a twentieth of a connection
MOVES = 50  # of the pointer, among which the beginning of a trial is looked for

KINDS: Mapping[str, MoveKind] = {"roll_back": "rolled_back", "end": "ended", "promote": "promoted"}
STATES: Mapping[MoveKind, EvolutionState] = {
    "canary": "canary",
    "promoted": "champion",
    "rolled_back": "rolled_back",
    "ended": "ended",
}


class Guard:
    """Watches over challenger and shadow. `settings` gives the options in effect.

    `note` counts what this process sees; `look` reads what all have brought, and acts. With a `clock` it rests between
    two readings that take long.
    """

    def __init__(
        self,
        evidence: EvidenceRows,
        policies: Policies,
        evolutions: Evolutions,
        settings: Settings,
        audit: Audit,
        clock: Clock | None = None,
    ) -> None:
        self._evidence = evidence
        self._policies = policies
        self._evolutions = evolutions
        self._settings = settings
        self._audit = audit
        self._counts: Counter[tuple[PolicyRole, str]] = Counter()
        self._counted_since: datetime | None = None
        self._clock = clock
        self._brought: Mapping[PolicyRole, Brought] = {}
        self._rests_until = 0.0

    def note(self, role: PolicyRole, seconds: float, failed: bool) -> None:
        """A decision was made, or failed, in so many seconds."""
        self._counts[role, "decided"] += 1
        self._counts[role, "failed"] += failed
        self._counts[role, "slow"] += seconds * 1000 > self._settings().decision_latency_target

    async def look(self) -> Verdict | None:
        """Judge a challenger and act on it, or see to a shadow. The verdict; None without a challenger."""
        pointer = await self._policies.serving()
        if pointer.challenger_id is None:
            self._counts.clear()
            if pointer.shadow_id is not None and self._settings().learning.strategy_evolution == "enabled":
                await self._see_to_the_shadow(pointer, pointer.shadow_id)
            return None
        verdict = await self.judged(pointer)
        if verdict.act != "wait":
            kind = KINDS[verdict.act]
            after = msgspec.structs.replace(pointer, challenger_id=None, share=0.0)
            if kind == "promoted":
                after = msgspec.structs.replace(after, champion_id=pointer.challenger_id)
            await self._move(
                kind, pointer, after, pointer.challenger_id, verdict.rule, verdict.words, figures_of(verdict)
            )
        return verdict

    async def trial(self) -> Verdict | None:
        """How a challenger stands now; None without one. Changes nothing."""
        pointer = await self._policies.serving()
        return None if pointer.challenger_id is None else await self.judged(pointer)

    async def judged(self, pointer: Serving) -> Verdict:
        """The verdict on the challenger of `pointer`."""
        since = await self._since(pointer, "challenger_id")
        if since != self._counted_since:
            self._counts.clear()
            self._counted_since, self._rests_until = since, 0.0
        options = self._settings()
        brought = await self._brought_since(since, _not_compared(options, pointer.share))
        champion, challenger = (
            self._evidence_of(role, brought.get(role, Brought())) for role in ("champion", "challenger")
        )
        verdict = judge(champion, challenger, options.rollback, options.error_rate_threshold)
        if verdict.act == "promote" and await self._would_fall_silent(str(pointer.challenger_id), options):
            words = f"{verdict.words}; it takes over when it is {YOUNG.days} days old"
            verdict = msgspec.structs.replace(verdict, act="wait", rule="", words=words)
        return verdict

    async def _would_fall_silent(self, policy_id: str, options: EngagementOptions) -> bool:
        """Whether the policy, as champion, would have to do nothing about some people: it is young, and in some segment
        the innovation level keeps such a strategy from them."""
        if self._clock is None or all(segment.innovation_level >= 1 for segment in options.segments.values()):
            return False
        return is_young(await self._policies.get(policy_id), self._clock.now())

    async def take_back(self, *, to: str | None, reason: str, actor: str) -> Serving:
        """A person takes a strategy back: the challenger where there is one, else the champion, in whose place the one
        before it serves again, or the snapshot `to`.

        Raises `NotFound` for a snapshot that does not exist, `Conflict` when there is nothing to go back to, or when
        the pointer was moved meanwhile.
        """
        pointer = await self._policies.serving()
        if to is None and pointer.challenger_id is not None:
            gone, after = pointer.challenger_id, msgspec.structs.replace(pointer, challenger_id=None, share=0.0)
        else:
            gone, champion = pointer.champion_id, to or await self._before(pointer)
            if champion == gone:
                raise Conflict("This snapshot serves already", where=champion)
            after = msgspec.structs.replace(pointer, champion_id=champion, challenger_id=None, share=0.0)
        return await self._move("rolled_back", pointer, after, gone, "person", reason, {}, actor)

    async def _brought_since(self, since: datetime, but: Collection[str]) -> Mapping[PolicyRole, Brought]:
        if self._clock is None:
            return await self._evidence.brought(since, but=but)
        began = self._clock.monotonic()
        if began >= self._rests_until:
            self._brought = await self._evidence.brought(since, but=but)
            self._rests_until = began + REST * (self._clock.monotonic() - began)
        return self._brought

    async def _see_to_the_shadow(self, pointer: Serving, shadow_id: str) -> None:
        strategy = (await self._policies.get(shadow_id)).strategy
        shadow, served = await self._evidence.shadow(strategy, await self._since(pointer, "shadow_id"))
        if shadow.count < SHADOW_LEAST:
            return
        options = self._settings()
        words = (
            f"in {shadow.count} decisions it would send {shadow.load:.0%} at a mean risk of {shadow.risk:.2%}, "
            f"against {served.load:.0%} at {served.risk:.2%}"
        )
        figures = {
            "decisions": float(shadow.count),
            "load": shadow.load,
            "champion_load": served.load,
            "risk": shadow.risk,
            "champion_risk": served.risk,
        }
        after = msgspec.structs.replace(pointer, shadow_id=None)
        if shadow.load > SHADOW_LOAD * served.load + SHADOW_MORE or shadow.risk > max(
            served.risk, options.risk_tolerance
        ):
            await self._move("ended", pointer, after, shadow_id, "shadow", words, figures)
        else:
            share = options.rollback.challenger_share
            after = msgspec.structs.replace(after, challenger_id=shadow_id, share=share)
            await self._move("canary", pointer, after, shadow_id, "shadow", words, figures)

    async def _move(
        self,
        kind: MoveKind,
        before: Serving,
        after: Serving,
        subject: str,
        rule: str,
        words: str,
        figures: Mapping[str, float],
        actor: str = "",
    ) -> Serving:
        """Move the pointer, and tell everybody who must know."""
        strategy = (await self._policies.get(subject)).strategy
        moved = await self._policies.move(kind, before, after, reason=words, figures=figures, actor=actor)
        await self._evolutions.became(strategy, STATES[kind], words)
        await self._audit.append(Act(act=f"policy.{kind}", actor=actor, subject=subject, outcome=200))
        metrics.strategy_moves.labels(kind, rule).inc()
        if not actor:
            log.warning("strategy_moved", kind=kind, policy=subject, rule=rule, words=words)
        return moved

    async def _since(self, pointer: Serving, role: str) -> datetime:
        """When the trial of whoever has this role began: other moves, and what was learned since, leave it alone."""
        for move in await self._policies.moves(limit=MOVES):
            if getattr(move.before, role) != getattr(move.after, role):
                return move.at
        return pointer.since

    async def _before(self, pointer: Serving) -> str:
        """Who served before the champion was put in their place, as far as that has not been taken back since."""
        taken_back = 0
        for move in await self._policies.moves(limit=MOVES):
            if move.before.champion_id == move.after.champion_id:
                continue
            if move.kind == "rolled_back":
                taken_back += 1
            elif taken_back:
                taken_back -= 1
            else:
                return move.before.champion_id
        raise Conflict("There is nothing to go back to", where=pointer.champion_id, hint="Name a snapshot to serve.")

    def _evidence_of(self, role: PolicyRole, brought: Brought) -> Evidence:
        return Evidence(
            success=Tally(
                people=brought.people,
                trials=brought.trials,
                total=brought.total,
                squares=brought.squares,
                cross=brought.cross,
                sizes=brought.sizes,
            ),
            messaged=brought.messaged,
            unsubscribed=brought.unsubscribed,
            complained=brought.complained,
            decided=self._counts[role, "decided"],
            failed=self._counts[role, "failed"],
            slow=self._counts[role, "slow"],
        )


def _not_compared(options: EngagementOptions, share: float) -> list[str]:
    """The segments in which a challenger may have fewer of the people than elsewhere: how well they do would count for
    the champion more often, whoever decides."""
    shares = {name: min(share, segment.innovation_level) for name, segment in options.segments.items()}
    most = max(shares.values())
    return [name for name, own in shares.items() if own < most]


def figures_of(verdict: Verdict) -> dict[str, float]:
    """The numbers that a verdict stands on, by name, without those that are not known."""
    comparison = verdict.comparison
    known = {
        "champion_rate": comparison.baseline,
        "challenger_rate": comparison.rate,
        "drop": verdict.drop,
        "ratio_low": comparison.low,
        "ratio_high": comparison.high,
    }
    for role, evidence in (("champion", verdict.champion), ("challenger", verdict.challenger)):
        known |= {
            f"{role}_outcomes": evidence.success.trials,
            f"{role}_successes": evidence.success.total,
            f"{role}_people": evidence.success.people,
            f"{role}_messaged": evidence.messaged,
            f"{role}_unsubscribed": evidence.unsubscribed,
            f"{role}_complained": evidence.complained,
            f"{role}_failed": evidence.failed,
            f"{role}_slow": evidence.slow,
        }
    return {name: float(value) for name, value in known.items() if value is not None and value != float("inf")}
