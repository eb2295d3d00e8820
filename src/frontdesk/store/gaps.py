"""How people were treated, to be compared by group; and the gaps that such a comparison found."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, get_args

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.engagement import NOTHING
from frontdesk.errors import NotFound
from frontdesk.ports import Clock, Ids
from frontdesk.store.customers import customers
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.decisions import decisions
from frontdesk.store.evidence import answered

Measure = Literal["selection", "offer", "outcome"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
GapState = Literal["fair", "open", "accepted"]

gaps = sa.Table(
    "gaps",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("measure", sa.Text, nullable=False),
    sa.Column("trait", sa.Text, nullable=False),
    sa.Column("group", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("rate", sa.Float, nullable=False),
    sa.Column("reference_rate", sa.Float, nullable=False),
    sa.Column("ratio", sa.Float, nullable=False),
    sa.Column("low", sa.Float, nullable=False),
    sa.Column("high", sa.Float),  # None: it has none
    sa.Column("people", sa.Integer, nullable=False),
    sa.Column("reference_people", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("since", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
    sa.Column("settled_by", sa.Text),
    sa.Column("note", sa.Text, nullable=False),
    sa.UniqueConstraint("measure", "trait", "group"),
)


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A group beside the best one of its trait: both rates, their ratio and its bounds, and the people in both.

    `high` is None while the better group's rate may be none at all.
    """

    measure: Measure
    trait: str
    group: str
    reference: str
    rate: float
    reference_rate: float
    ratio: float
    low: float
    high: float | None
    people: int
    reference_people: int

    def unfair(self, least_ratio: float) -> bool:
        """Whether it is too large, and surely no chance."""
        return self.ratio < least_ratio and self.high is not None and self.high < 1


class GapRow(Gap, frozen=True, kw_only=True):
    """A gap as it was `seen_at` last. An `open` one is a finding, `since` then; `accepted`: `settled_by` knows why."""

    id: str
    state: GapState
    since: datetime
    seen_at: datetime
    settled_by: str | None = None
    note: str = ""


class Treated(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a customer by one arm: so many decisions, messages, and messages that were answered."""

    customer_id: str
    segment: str
    traits: Mapping[str, str | int | float | bool | None]
    arm: str
    decisions: int
    messages: int
    successes: int


class Gaps:
    """Reading how people were treated, and keeping what was found."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def treated(self, since: datetime, after: str = "", *, customers_at_once: int = 1000) -> list[Treated]:
        """Customers with an id after that one, in order, with all that was decided about them since."""
        some = sa.select(customers.c.id, customers.c.segment, customers.c.traits).where(customers.c.id > after)
        page = some.order_by(customers.c.id).limit(customers_at_once).subquery()
        messaged = sa.and_(decisions.c.state.in_(("act", "approval")), decisions.c.arm != NOTHING)
        wins = answered(since)
        query = (
            sa.select(
                page.c.id.label("customer_id"),
                page.c.segment,
                page.c.traits,
                sa.func.coalesce(decisions.c.arm, NOTHING).label("arm"),
                sa.func.count(decisions.c.id).label("decisions"),
                _sum(messaged).label("messages"),
                _sum(sa.and_(messaged, wins.c.decision_id.is_not(None))).label("successes"),
            )
            .select_from(
                page.outerjoin(
                    decisions,
                    sa.and_(
                        decisions.c.customer_id == page.c.id, decisions.c.at >= since, decisions.c.state != "shadow"
                    ),
                ).outerjoin(wins, wins.c.decision_id == decisions.c.id)
            )
            .group_by(page.c.id, page.c.segment, page.c.traits, decisions.c.arm)
            .order_by(page.c.id)
        )
        async with self._database.read() as connection:
            return [Treated(**row) for row in (await connection.execute(query)).mappings()]

    async def keep(self, found: Sequence[Gap], least_ratio: float) -> list[GapRow]:
        """Write down a look's gaps in place of the last look's; the findings that are new.

        What was found before and is no longer there closes; what somebody accepted stays accepted while it is there.
        """
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> list[GapRow]:
            known = {(row.measure, row.trait, row.group): row for row in await _all(connection)}
            fresh: list[GapRow] = []
            for gap in found:
                before = known.pop((gap.measure, gap.trait, gap.group), None)
                row = _seen(gap, before, self._ids, now, gap.unfair(least_ratio))
                await connection.execute(gaps.delete().where(gaps.c.id == row.id))
                await connection.execute(gaps.insert(), msgspec.structs.asdict(row))
                if row.state == "open" and (before is None or before.state != "open"):
                    fresh.append(row)
            if known:
                await connection.execute(gaps.delete().where(gaps.c.id.in_([row.id for row in known.values()])))
            return fresh

        return await self._database.commit(work)

    async def all(self) -> list[GapRow]:
        """Every gap of the last look, the widest first."""
        async with self._database.read() as connection:
            return await _all(connection)

    async def accept(self, gap_id: str, by: str, note: str) -> GapRow:
        """A person says that the gap is known and why. Raises `NotFound` for what is no open finding."""
        change = gaps.update().where(gaps.c.id == gap_id, gaps.c.state == "open")

        async def work(connection: AsyncConnection) -> GapRow:
            if not (await connection.execute(change.values(state="accepted", settled_by=by, note=note))).rowcount:
                raise NotFound("There is no such open finding", where=gap_id)
            return next(row for row in await _all(connection) if row.id == gap_id)

        return await self._database.commit(work)


def _seen(gap: Gap, before: GapRow | None, ids: Ids, now: datetime, unfair: bool) -> GapRow:
    state: GapState = "open" if unfair else "fair"
    if before is not None and unfair and before.state == "accepted":
        state = "accepted"
    same = before if before is not None and before.state == state else None
    return GapRow(
        **msgspec.structs.asdict(gap),
        id=ids.new("gap") if before is None else before.id,
        state=state,
        since=same.since if same else now,
        seen_at=now,
        settled_by=same.settled_by if same else None,
        note=same.note if same else "",
    )


async def _all(connection: AsyncConnection) -> list[GapRow]:
    rows = await connection.execute(gaps.select().order_by(gaps.c.ratio, gaps.c.id))
    return [GapRow(**row) for row in rows.mappings()]


def _sum(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)
