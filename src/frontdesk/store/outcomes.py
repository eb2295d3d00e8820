"""Outcomes: what customers did with messages, each joined to the decision that caused it."""

from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from frontdesk.engagement import Outcome, OutcomeKind
from frontdesk.store.database import UtcDateTime, metadata
from frontdesk.store.prepared import Connection, Prepared

outcomes = sa.Table(
    "outcomes",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("decision_id", sa.Text, nullable=False, index=True),
    sa.Column("customer_id", sa.Text, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("received_at", UtcDateTime, nullable=False, index=True),
    sa.Column("counted", sa.Boolean, nullable=False),
)


class OutcomeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A stored outcome. One that came after its decision was settled is kept, and not `counted`."""

    id: str
    decision_id: str
    customer_id: str
    kind: OutcomeKind
    value: float
    at: datetime
    received_at: datetime
    counted: bool


_PUT = Prepared(
    {
        "postgresql": postgresql.insert(outcomes).on_conflict_do_nothing().returning(outcomes.c.id),
        "sqlite": sqlite.insert(outcomes).on_conflict_do_nothing().returning(outcomes.c.id),
    },
    OutcomeRow.__struct_fields__,
)


async def put(connection: Connection, outcome: Outcome, customer_id: str, now: datetime, *, counted: bool) -> bool:
    """Write it in the caller's transaction; False when it was there already."""
    row = OutcomeRow(customer_id=customer_id, received_at=now, counted=counted, **msgspec.structs.asdict(outcome))
    return bool(await _PUT(connection, msgspec.structs.asdict(row)))
