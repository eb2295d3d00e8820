"""All that happened with a customer, in one list: what they did, what was decided, what was sent, what came of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
import sqlalchemy as sa

from frontdesk.store.cursors import seen
from frontdesk.store.customer_events import customer_events
from frontdesk.store.customers import Trait
from frontdesk.store.database import Database
from frontdesk.store.decisions import decisions
from frontdesk.store.outcomes import outcomes
from frontdesk.store.outreach import outreach

Kind = Literal["event", "decision", "message", "outcome"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. `what` is an event's type, a decision's arm, a message's key or an outcome's kind.

    A message stands where it was thought of, with its present `state`, its `subject` and, where it went wrong, why.
    """

    at: datetime
    kind: Kind
    id: str
    what: str
    decision_id: str | None = None
    state: str | None = None
    channel: str | None = None
    objective: str | None = None
    confidence: float | None = None
    risk: float | None = None
    value: float | None = None
    subject: str | None = None
    problem: str | None = None
    send_at: datetime | None = None
    properties: dict[str, Trait] = {}


_SOURCES: tuple[tuple[Kind, sa.Table, sa.ColumnElement[datetime], Sequence[sa.ColumnElement[object]]], ...] = (
    (
        "event",
        customer_events,
        customer_events.c.at,
        (customer_events.c.type.label("what"), customer_events.c.properties),
    ),
    (
        "decision",
        decisions,
        decisions.c.at,
        (
            decisions.c.arm.label("what"),
            *(decisions.c[name] for name in ("state", "channel", "objective", "confidence", "risk")),
        ),
    ),
    (
        "message",
        outreach,
        outreach.c.created_at,
        (
            outreach.c.message.label("what"),
            *(
                outreach.c[name]
                for name in ("decision_id", "state", "channel", "risk", "subject", "problem", "send_at")
            ),
        ),
    ),
    (
        "outcome",
        outcomes,
        outcomes.c.at,
        (outcomes.c.kind.label("what"), outcomes.c.decision_id, outcomes.c.value),
    ),
)


_SHOWN: dict[Kind, sa.ColumnElement[bool]] = {
    "decision": decisions.c.state != "shadow",
    # outcomes and messages stand in the log of events too, for the profiles
    "event": sa.and_(customer_events.c.type != "message", customer_events.c.id.not_like("outcome:%")),
}


class Timeline:
    """Reads it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, customer_id: str, *, before: str | None = None, limit: int = 50) -> list[Entry]:
        """The newest first, from the cursor `before` on. Decisions of policies that only score are left out."""
        found: list[Entry] = []
        async with self._database.read() as connection:
            for kind, table, at, columns in _SOURCES:
                query = sa.select(table.c.id, at.label("at"), *columns).where(table.c.customer_id == customer_id)
                if kind in _SHOWN:
                    query = query.where(_SHOWN[kind])
                if before is not None:
                    query = query.where(sa.tuple_(at, table.c.id) < seen(before))
                rows = await connection.execute(query.order_by(at.desc(), table.c.id.desc()).limit(limit))
                found += [Entry(kind=kind, **row) for row in rows.mappings()]
        return sorted(found, key=lambda entry: (entry.at, entry.id), reverse=True)[:limit]
