"""Decisions with what came of them, as learning reads them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from frontdesk.engagement import OutcomeKind
from frontdesk.store.database import Database, UtcDateTime
from frontdesk.store.decisions import Record, decisions, decode
from frontdesk.store.outcomes import outcomes
from frontdesk.store.outreach import outreach
from frontdesk.store.prepared import Connection, Prepared, Row, among

TOGETHER = 500  # decisions that one transaction settles
STEP = timedelta(microseconds=1)  # which both databases keep


class Happened(msgspec.Struct, frozen=True):
    """An outcome of a decision."""

    kind: OutcomeKind
    value: float
    at: datetime


class Logged(msgspec.Struct, frozen=True, kw_only=True):
    """A decision and its outcomes so far. `released`: its message really left. `reward` is there once it is settled,
    under the owner's standard weights."""

    id: str
    customer_id: str
    at: datetime
    policy_id: str
    role: str
    segment: str
    arm: str
    channel: str | None
    propensity: float
    confidence: float
    human: bool
    outcome_due_at: datetime
    reward: float | None
    settled_at: datetime | None
    released: bool
    record: Record
    outcomes: tuple[Happened, ...] = ()


Judge = Callable[[Sequence[Logged]], Sequence[float]]

_COLUMNS = [name for name in Logged.__struct_fields__ if name in decisions.c and name != "record"]
_ROWS = sa.select(
    *(decisions.c[name] for name in _COLUMNS),
    decisions.c.record,
    sa.func.coalesce(outreach.c.state == "released", sa.false()).label("released"),
).select_from(decisions.outerjoin(outreach, outreach.c.decision_id == decisions.c.id))
_NOW = sa.bindparam("now", type_=UtcDateTime)
_MOST = sa.bindparam("most", type_=sa.Integer)
_SINCE = sa.bindparam("after", type_=UtcDateTime)
_AFTER = sa.tuple_(_SINCE, sa.bindparam("after_id", type_=sa.Text))

_DUE = Prepared(
    sa.select(decisions.c.id)
    .where(decisions.c.settled_at.is_(None), decisions.c.outcome_due_at <= _NOW)
    .order_by(decisions.c.outcome_due_at, decisions.c.id)
    .limit(_MOST)
)
_LAST = Prepared(
    sa.select(decisions.c.settled_at)
    .where(decisions.c.settled_at.is_not(None))
    .order_by(decisions.c.settled_at.desc())
    .limit(1)
)
_CLOSE = Prepared(
    decisions.update()
    .where(among(decisions.c.id, "which"), decisions.c.settled_at.is_(None))
    .values(settled_at=sa.bindparam("moment", type_=UtcDateTime))
    .returning(decisions.c.id)
)
_THESE = Prepared(_ROWS.where(among(decisions.c.id, "which")).order_by(decisions.c.id))
_REWARD = Prepared(
    decisions.update()
    .where(decisions.c.id == sa.bindparam("which"))
    .values(reward=sa.bindparam("earned", type_=sa.Float))
)
_OUTCOMES = Prepared(
    sa.select(outcomes.c.decision_id, outcomes.c.kind, outcomes.c.value, outcomes.c.at)
    .where(among(outcomes.c.decision_id, "which"), outcomes.c.counted)
    .order_by(outcomes.c.at, outcomes.c.id)
)
_SETTLED = Prepared(
    _ROWS.where(decisions.c.settled_at >= _SINCE)  # by its index, which the comparison of both does not use
    .where(sa.tuple_(decisions.c.settled_at, decisions.c.id) > _AFTER)
    .order_by(decisions.c.settled_at, decisions.c.id)
    .limit(_MOST)
)
_BEFORE = sa.tuple_(sa.bindparam("before", type_=UtcDateTime), sa.bindparam("before_id", type_=sa.Text))
_NEWEST = Prepared(
    _ROWS.where(decisions.c.settled_at >= _SINCE, decisions.c.settled_at <= sa.bindparam("before", type_=UtcDateTime))
    .where(sa.tuple_(decisions.c.settled_at, decisions.c.id) < _BEFORE)
    .order_by(decisions.c.settled_at.desc(), decisions.c.id.desc())
    .limit(_MOST)
)
_OPEN = Prepared(
    _ROWS.where(decisions.c.settled_at.is_(None), decisions.c.outcome_due_at > _NOW)
    .order_by(decisions.c.outcome_due_at, decisions.c.id)
    .limit(_MOST)
)
_LATEST = Prepared(
    sa.select(outcomes.c.at, outcomes.c.kind, decisions.c.outcome_due_at)
    .select_from(outcomes.join(decisions, decisions.c.id == outcomes.c.decision_id))
    .where(outcomes.c.counted, decisions.c.settled_at.is_not(None))
    .order_by(outcomes.c.received_at.desc(), outcomes.c.id)
    .limit(_MOST)
)


class DecisionLog:
    """The log of decisions. Shadow and dry ones are not in it: nothing can come of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def settle(self, now: datetime, judge: Judge) -> int:
        """Close some of the decisions whose window has ended, with the reward that `judge` gives each; how many.

        An outcome is either in the reward or, because it comes afterwards, known to be late: never both, never neither.
        Each time is later than all before, even where the clock was put back: who reads on from the last moment that it
        knows misses none.
        """
        due = [row["id"] for row in await self._database.run(_DUE, {"now": now, "most": TOGETHER})]
        if not due:
            return 0

        async def work(connection: Connection) -> int:
            last = await _LAST.one(connection, {})
            moment = now if last is None else max(now, last["settled_at"] + STEP)
            closed = [row["id"] for row in await _CLOSE(connection, {"which": sorted(due), "moment": moment})]
            which = {"which": closed}
            rows = _logged(await _THESE(connection, which), await _OUTCOMES(connection, which))
            earned = zip(rows, judge(rows), strict=True)
            await _REWARD.many(connection, [{"which": row.id, "earned": reward} for row, reward in earned])
            return len(rows)

        return await self._database.act(work)

    async def settled(self, after: datetime, after_id: str = "", *, limit: int = 5000) -> list[Logged]:
        """Settled decisions in the order in which they were settled, from that one on."""
        return await self._read(_SETTLED, {"after": after, "after_id": after_id, "most": limit})

    async def newest(
        self, since: datetime, before: datetime, before_id: str = "", *, limit: int = 5000
    ) -> list[Logged]:
        """Decisions settled from `since` on and before that one, the last to be settled first."""
        found = {"after": since, "before": before, "before_id": before_id, "most": limit}
        return await self._read(_NEWEST, found)

    async def open(self, now: datetime, *, limit: int = 5000) -> list[Logged]:
        """Decisions whose window has not ended, those first that are nearest to it: of them most has come that will."""
        return await self._read(_OPEN, {"now": now, "most": limit})

    async def waits(self, *, limit: int = 2000) -> list[tuple[OutcomeKind, timedelta]]:
        """Of the latest outcomes of settled decisions, how long before the end of the window each happened."""
        rows = await self._database.run(_LATEST, {"most": limit})
        return [(row["kind"], row["outcome_due_at"] - row["at"]) for row in rows]

    async def _read(self, query: Prepared, values: Mapping[str, object]) -> list[Logged]:
        rows = await self._database.run(query, values)
        happened = await self._database.run(_OUTCOMES, {"which": [row["id"] for row in rows]})
        return await asyncio.to_thread(_logged, rows, happened)  # many: others have their turn meanwhile


def _logged(rows: Sequence[Row], happened: Sequence[Row]) -> list[Logged]:
    of: dict[str, list[Happened]] = {}
    for each in happened:
        of.setdefault(each["decision_id"], []).append(Happened(each["kind"], each["value"], each["at"]))
    return [
        Logged(
            **{name: row[name] for name in _COLUMNS},
            released=bool(row["released"]),
            record=decode(row["record"]),
            outcomes=tuple(of.get(row["id"], ())),
        )
        for row in rows
    ]
