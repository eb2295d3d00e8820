"""The guard takes back what does worse, by the numbers in the database, and lets what does better take over."""

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec
import pytest

from frontdesk.decision.guard import SHADOW_LEAST, Guard
from frontdesk.decision.options import EngagementOptions, LearningOptions
from frontdesk.decision.policies import born, first
from frontdesk.engagement import NOTHING, Genes, Outcome, Policy, PolicyRole, Serving
from frontdesk.errors import Conflict, NotFound
from frontdesk.store import decisions, outcomes
from frontdesk.store.audit import Audit
from frontdesk.store.database import Database
from frontdesk.store.decisions import decisions as table
from frontdesk.store.evidence import Brought, EvidenceRows
from frontdesk.store.evolutions import Evolutions, Found
from frontdesk.store.policies import MoveKind, Policies
from frontdesk.store.prepared import Connection
from frontdesk.telemetry import metrics
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.decision.logged import decision

ENABLED = EngagementOptions(learning=LearningOptions(strategy_evolution="enabled"))


class Trial:
    """A desk with a champion, and a winner of evolution beside it."""

    def __init__(self, database: Database, clock: FakeClock, ids: CountingIds) -> None:
        self.database, self.clock, self.ids = database, clock, ids
        self.policies, self.evolutions = Policies(database, clock, ids), Evolutions(database, clock, ids)
        self.audit = Audit(database, clock, b"key")
        self.options = ENABLED
        evidence = EvidenceRows(database)
        self.guard = Guard(evidence, self.policies, self.evolutions, lambda: self.options, self.audit)
        self._count = 0

    async def begin(self, role: str) -> Serving:
        """The winner begins its trial in this role."""
        pointer = await self.policies.start(first("old", Genes(), self.clock.now()))
        step = await self.evolutions.begin("old", 1)
        await self.policies.add(self.winner)
        state = "shadow" if role == "shadow_id" else "canary"
        await self.evolutions.settle(step.id, state, found=Found(), note="", policy_id="new")
        kind: MoveKind = "shadow" if role == "shadow_id" else "canary"
        return await self.policies.move(
            kind, pointer, msgspec.structs.replace(pointer, **{role: "new"}, share=0.5), reason="its trial begins"
        )

    @property
    def winner(self) -> Policy:
        old = first("old", Genes(), self.clock.now())
        return born("new", Genes(), self.clock.now(), origin="evolved", parent=old)

    async def brings(
        self, role: PolicyRole, count: int, successes: int, *, unsubscribed: int = 0, segment: str = "default"
    ) -> None:
        """So many settled decisions of a role, each about another customer, and what came of them."""
        made = [self._decision(role=role, policy_id="old", segment=segment) for _ in range(count)]
        now = self.clock.now()
        kinds = ["click"] * successes + ["unsubscribe"] * unsubscribed

        async def work(connection: Connection) -> None:
            await decisions.add(connection, [(each, each.at) for each in made])
            for each, kind in zip(made, kinds, strict=False):
                outcome = Outcome(id=f"o-{each.id}", decision_id=each.id, kind=kind, at=now)  # type: ignore[arg-type]
                await outcomes.put(connection, outcome, each.customer_id, now, counted=True)

        await self.database.act(work)
        await self.database.commit(lambda connection: connection.execute(table.update().values(settled_at=now)))

    async def scores(self, count: int, *, sends: int, risk: float = 0.01, policy_id: str = "new") -> None:
        """So many decisions that were scored in the shadow, or made meanwhile by the champion."""
        state = "shadow" if policy_id == "new" else "nothing"
        made = [
            self._decision(
                arm="welcome/email/now" if number < sends else NOTHING, state=state, policy_id=policy_id, risk=risk
            )
            for number in range(count)
        ]
        await self.database.act(lambda connection: decisions.add(connection, [(each, None) for each in made]))

    def _decision(self, arm: str = "welcome/email/now", **values: object) -> decisions.Decision:
        self._count += 1
        name = f"{self._count:06d}"
        return decision(f"dec_{name}", self.clock.now(), arm, **({"customer_id": f"c{name}"} | values))

    async def state(self) -> str:
        return (await self.evolutions.page())[0].state

    async def pointer(self) -> Mapping[str, object]:
        return msgspec.structs.asdict(await self.policies.serving())


@pytest.fixture
def trial(database: Database, clock: FakeClock, ids: CountingIds) -> Trial:
    return Trial(database, clock, ids)


@pytest.mark.proves("engagement-8")
async def test_a_strategy_that_does_far_worse_is_taken_back_by_itself_and_visibly(trial: Trial) -> None:
    await trial.begin("challenger_id")
    await trial.brings("champion", 300, 120)
    assert (await trial.guard.look()) is not None
    await trial.brings("challenger", 300, 40)
    before = metrics.strategy_moves.labels("rolled_back", "drop")._value.get()
    verdict = await trial.guard.look()
    assert verdict is not None
    assert (verdict.act, verdict.rule) == ("roll_back", "drop")
    pointer = await trial.pointer()
    assert (pointer["champion_id"], pointer["challenger_id"], pointer["share"]) == ("old", None, 0.0)
    [move] = await trial.policies.moves(kind="rolled_back")
    assert move.figures["drop"] == pytest.approx(1 - 40 / 120)
    assert (move.figures["champion_outcomes"], move.figures["challenger_outcomes"]) == (300, 300)
    assert move.figures["ratio_high"] < 1
    assert await trial.state() == "rolled_back"
    assert [row.act for row in await trial.audit.page()] == ["policy.rolled_back"]
    assert metrics.strategy_moves.labels("rolled_back", "drop")._value.get() == before + 1
    assert await trial.guard.look() is None


async def test_a_strategy_that_drives_people_away_is_taken_back_before_anything_is_settled(trial: Trial) -> None:
    await trial.begin("challenger_id")
    await trial.brings("challenger", 12, 0, unsubscribed=8)
    verdict = await trial.guard.look()
    assert verdict is not None
    assert verdict.rule == "unsubscribes"
    assert (await trial.pointer())["challenger_id"] is None


async def test_errors_of_the_challenger_that_this_process_saw_take_it_back(trial: Trial) -> None:
    await trial.begin("challenger_id")
    assert await trial.guard.trial() is not None
    for number in range(40):
        trial.guard.note("challenger", 0.01, failed=number < 5)
        trial.guard.note("champion", 0.01, failed=False)
    verdict = await trial.guard.look()
    assert verdict is not None
    assert (verdict.rule, verdict.challenger.failed) == ("errors", 5)


async def test_what_was_seen_of_one_trial_does_not_count_in_the_next(trial: Trial) -> None:
    pointer = await trial.begin("challenger_id")
    await trial.guard.look()
    for _ in range(40):
        trial.guard.note("challenger", 9.0, failed=True)
    trial.clock.advance(1)
    none = msgspec.structs.replace(pointer, challenger_id=None)
    ended = await trial.policies.move("ended", pointer, none, reason="")
    trial.clock.advance(1)
    await trial.policies.move("canary", ended, msgspec.structs.replace(ended, challenger_id="new"), reason="")
    verdict = await trial.guard.look()
    assert verdict is not None
    assert (verdict.act, verdict.challenger.failed) == ("wait", 0)


async def test_evidence_that_takes_long_to_read_is_believed_for_a_while(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    await trial.begin("challenger_id")
    rows = EvidenceRows(trial.database)
    brought = rows.brought

    async def slow(since: datetime, but: Collection[str]) -> dict[PolicyRole, Brought]:
        found = await brought(since, but=but)
        trial.clock.advance(3)
        return found

    monkeypatch.setattr(rows, "brought", slow)
    guard = Guard(rows, trial.policies, trial.evolutions, lambda: trial.options, trial.audit, trial.clock)

    async def outcomes_seen() -> int:
        verdict = await guard.trial()
        assert verdict is not None
        return verdict.challenger.success.trials

    assert await outcomes_seen() == 0
    await trial.brings("challenger", 5, 1)
    assert await outcomes_seen() == 0
    trial.clock.advance(60)
    assert await outcomes_seen() == 5


async def test_a_segment_that_bears_fewer_new_strategies_makes_neither_side_look_worse(trial: Trial) -> None:
    """Half of all are asked by the challenger, of cautious people a tenth: they do badly, whoever decides."""
    cautious = {"default": {}, "enterprise": {"innovation_level": 0.1}}
    trial.options = EngagementOptions.model_validate(ENABLED.model_dump() | {"segments": cautious})
    await trial.begin("challenger_id")
    await trial.brings("champion", 300, 120)
    await trial.brings("challenger", 300, 120)
    await trial.brings("champion", 900, 9, segment="enterprise")
    await trial.brings("challenger", 100, 1, segment="enterprise")
    verdict = await trial.guard.look()
    assert verdict is not None
    assert (verdict.act, verdict.champion.success.trials) == ("wait", 300)


async def test_a_strategy_that_does_better_takes_over(trial: Trial) -> None:
    await trial.begin("challenger_id")
    await trial.brings("champion", 300, 60)
    await trial.brings("challenger", 300, 150)
    verdict = await trial.guard.look()
    assert verdict is not None
    assert verdict.act == "promote"
    pointer = await trial.pointer()
    assert (pointer["champion_id"], pointer["challenger_id"]) == ("new", None)
    assert await trial.state() == "champion"


async def test_a_better_strategy_takes_over_when_it_may_decide_about_everybody(trial: Trial) -> None:
    """Before, whom the innovation level keeps from it would hear nothing at all."""
    cautious = {"default": {}, "enterprise": {"innovation_level": 0.3}}
    trial.options = EngagementOptions.model_validate(ENABLED.model_dump() | {"segments": cautious})
    evidence = EvidenceRows(trial.database)
    guard = Guard(evidence, trial.policies, trial.evolutions, lambda: trial.options, trial.audit, trial.clock)
    await trial.begin("challenger_id")
    await trial.brings("champion", 300, 60)
    await trial.brings("challenger", 300, 150)
    verdict = await guard.look()
    assert verdict is not None
    assert (verdict.act, verdict.words.partition("; ")[2]) == ("wait", "it takes over when it is 30 days old")
    assert (await trial.pointer())["challenger_id"] == "new"
    trial.clock.advance(31 * 86_400)
    await guard.look()
    assert (await trial.pointer())["champion_id"] == "new"


async def test_other_moves_do_not_begin_a_trial_anew(trial: Trial) -> None:
    pointer = await trial.begin("challenger_id")
    await trial.brings("challenger", 5, 1)
    trial.clock.advance(60)
    await trial.policies.add(msgspec.structs.replace(trial.winner, id="other"))
    await trial.policies.move("shadow", pointer, msgspec.structs.replace(pointer, shadow_id="other"), reason="")
    verdict = await trial.guard.trial()
    assert verdict is not None
    assert verdict.challenger.success.trials == 5


async def test_a_shadow_that_behaves_becomes_a_challenger(trial: Trial) -> None:
    await trial.begin("shadow_id")
    await trial.scores(SHADOW_LEAST - 1, sends=100)
    assert await trial.guard.look() is None
    assert (await trial.pointer())["shadow_id"] == "new"
    await trial.scores(100, sends=50, policy_id="old")
    await trial.scores(1, sends=0)
    await trial.guard.look()
    pointer = await trial.pointer()
    assert (pointer["challenger_id"], pointer["shadow_id"]) == ("new", None)
    assert pointer["share"] == ENABLED.rollback.challenger_share
    assert await trial.state() == "canary"


@pytest.mark.parametrize(("sends", "risk"), [(SHADOW_LEAST, 0.01), (0, 0.5)])
async def test_a_shadow_that_would_write_too_much_or_risk_too_much_ends(trial: Trial, sends: int, risk: float) -> None:
    await trial.begin("shadow_id")
    await trial.scores(SHADOW_LEAST, sends=sends, risk=risk)
    await trial.scores(100, sends=20, policy_id="old")
    await trial.guard.look()
    assert (await trial.pointer())["challenger_id"] is None
    assert await trial.state() == "ended"


@pytest.mark.proves("engagement-7")
async def test_where_evolution_is_only_tested_a_shadow_never_serves_anybody(trial: Trial) -> None:
    trial.options = EngagementOptions(learning=LearningOptions(strategy_evolution="testing"))
    await trial.begin("shadow_id")
    await trial.scores(SHADOW_LEAST * 2, sends=10)
    await trial.guard.look()
    pointer = await trial.pointer()
    assert (pointer["champion_id"], pointer["challenger_id"], pointer["shadow_id"]) == ("old", None, "new")


async def test_a_person_takes_back_the_challenger_then_the_champion_then_finds_the_first(trial: Trial) -> None:
    pointer = await trial.begin("challenger_id")
    taken = await trial.guard.take_back(to=None, reason="It is rude.", actor="per_1")
    assert (taken.champion_id, taken.challenger_id) == ("old", None)
    promoted = msgspec.structs.replace(taken, champion_id="new")
    trial.clock.advance(1)
    await trial.policies.move("promoted", taken, promoted, reason="")
    trial.clock.advance(1)
    assert (await trial.guard.take_back(to=None, reason="It was better.", actor="per_1")).champion_id == "old"
    with pytest.raises(Conflict, match="nothing to go back to"):
        await trial.guard.take_back(to=None, reason="", actor="per_1")
    with pytest.raises(Conflict, match="serves already"):
        await trial.guard.take_back(to="old", reason="", actor="per_1")
    with pytest.raises(NotFound):
        await trial.guard.take_back(to="nobody", reason="", actor="per_1")
    moves = await trial.policies.moves(kind="rolled_back")
    assert [(move.actor, move.reason) for move in moves] == [("per_1", "It was better."), ("per_1", "It is rude.")]
    assert pointer.challenger_id == "new"


async def test_the_first_policy_of_all_cannot_be_taken_back(trial: Trial) -> None:
    await trial.policies.start(first("old", Genes(), trial.clock.now()))
    with pytest.raises(Conflict, match="nothing to go back to"):
        await trial.guard.take_back(to=None, reason="", actor="per_1")
