"""What the decisions of champion and challenger have brought, summed up in the database.

Decisions settle out of order: those to do nothing first, those to write tomorrow later. Were each counted as it
settles, whoever writes later would look worse while the trial is young. So only those count that are older than all
that still wait.
"""

from collections.abc import Collection
from datetime import datetime

import msgspec
import sqlalchemy as sa

from frontdesk.engagement import NOTHING, OutcomeKind, PolicyRole
from frontdesk.store.database import Database
from frontdesk.store.decisions import decisions
from frontdesk.store.outcomes import outcomes
from frontdesk.store.policies import policies

SUCCESS: tuple[OutcomeKind, ...] = ("click", "reply", "conversion")  # after a decision: it went well
LATEST = 20_000  # decisions among which a shadow's are looked for


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """Of one role: how many `people` had `trials` settled decisions, `total` of which went well, with the sums over
    people of total², total × trials and trials²; how many people were `messaged`, `unsubscribed` and `complained`."""

    people: int = 0
    trials: int = 0
    total: int = 0
    squares: int = 0
    cross: int = 0
    sizes: int = 0
    messaged: int = 0
    unsubscribed: int = 0
    complained: int = 0


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """Of decisions: how many, the share that sends a message, and the mean of the predicted risk."""

    count: int
    load: float
    risk: float


def answered(since: datetime) -> sa.Subquery:
    """The decisions (`decision_id`) that a click, a reply or a conversion followed since that moment."""
    found = sa.select(outcomes.c.decision_id).distinct()
    return found.where(outcomes.c.kind.in_(SUCCESS), outcomes.c.counted, outcomes.c.received_at >= since).subquery()


class EvidenceRows:
    """Reading it. What a person chose counts for nobody."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def brought(self, since: datetime, *, but: Collection[str] = ()) -> dict[PolicyRole, Brought]:
        """By role, of the decisions that were made since. Successes are not counted in the segments `but`."""
        asked = [decisions.c.at >= since, decisions.c.human.is_(False), decisions.c.state != "shadow"]
        settled = decisions.c.settled_at >= since
        waiting = sa.and_(decisions.c.settled_at.is_(None), decisions.c.outcome_due_at >= since)
        open_from = sa.select(sa.func.min(decisions.c.at)).where(*asked, waiting).scalar_subquery()
        complete = sa.or_(open_from.is_(None), decisions.c.at < open_from)
        compared = decisions.c.segment.not_in(but)
        parts = (
            _successes(since, [*asked, settled, complete, compared]),
            _messaged([*asked, sa.or_(settled, waiting)]),
            _harmed(since, asked),
        )
        found: dict[PolicyRole, dict[str, int]] = {}
        async with self._database.read() as connection:
            for part in parts:
                for row in (await connection.execute(part)).mappings():
                    counts = {name: int(value) for name, value in row.items() if name != "role"}
                    found.setdefault(row["role"], {}).update(counts)
        return {role: Brought(**counts) for role, counts in found.items()}

    async def shadow(self, strategy: str, since: datetime) -> tuple[Scored, Scored]:
        """What a shadow would have done since, and what was decided meanwhile."""
        own = sa.select(policies.c.id).where(policies.c.strategy == strategy)
        latest = sa.select(decisions).order_by(decisions.c.id.desc()).limit(LATEST).subquery()
        scored = sa.and_(latest.c.state == "shadow", latest.c.policy_id.in_(own))
        return await self._scored(latest, since, scored), await self._scored(latest, since, latest.c.state != "shadow")

    async def _scored(self, latest: sa.Subquery, since: datetime, which: sa.ColumnElement[bool]) -> Scored:
        query = sa.select(
            sa.func.count().label("count"),
            sa.func.coalesce(sa.func.avg(sa.case((latest.c.arm == NOTHING, 0.0), else_=1.0)), 0.0).label("load"),
            sa.func.coalesce(sa.func.avg(latest.c.risk), 0.0).label("risk"),
        ).where(which, latest.c.at >= since)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one()
        return Scored(count=row["count"], load=float(row["load"]), risk=float(row["risk"]))


def _successes(since: datetime, where: list[sa.ColumnElement[bool]]) -> sa.Executable:
    wins = answered(since)
    each = (
        sa.select(
            decisions.c.role,
            decisions.c.customer_id,
            sa.func.count().label("trials"),
            sa.func.count(wins.c.decision_id).label("total"),
        )
        .select_from(decisions.outerjoin(wins, wins.c.decision_id == decisions.c.id))
        .where(*where)
        .group_by(decisions.c.role, decisions.c.customer_id)
        .subquery()
    )
    trials, total = each.c.trials, each.c.total
    return sa.select(
        each.c.role,
        sa.func.count().label("people"),
        sa.func.sum(trials).label("trials"),
        sa.func.sum(total).label("total"),
        sa.func.sum(total * total).label("squares"),
        sa.func.sum(total * trials).label("cross"),
        sa.func.sum(trials * trials).label("sizes"),
    ).group_by(each.c.role)


def _messaged(where: list[sa.ColumnElement[bool]]) -> sa.Executable:
    people = sa.func.count(decisions.c.customer_id.distinct()).label("messaged")
    sent = (decisions.c.state.in_(("act", "approval")), decisions.c.arm != NOTHING)
    return sa.select(decisions.c.role, people).where(*where, *sent).group_by(decisions.c.role)


def _harmed(since: datetime, where: list[sa.ColumnElement[bool]]) -> sa.Executable:
    def people(kind: OutcomeKind) -> sa.ColumnElement[int]:
        return sa.func.count(sa.case((outcomes.c.kind == kind, decisions.c.customer_id)).distinct())

    joined = outcomes.join(decisions, decisions.c.id == outcomes.c.decision_id)
    query = sa.select(
        decisions.c.role, people("unsubscribe").label("unsubscribed"), people("complaint").label("complained")
    )
    return query.select_from(joined).where(outcomes.c.received_at >= since, *where).group_by(decisions.c.role)
