"""The log of what customers did. From it every profile can be built anew, to the same values."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from frontdesk.engagement import CustomerEvent
from frontdesk.ports import Clock
from frontdesk.store.customers import Trait
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.prepared import Connection, Prepared, among
from frontdesk.store.sealed import Sealed

customer_events = sa.Table(
    "customer_events",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("customer_id", sa.Text, sa.ForeignKey("customers.id", ondelete="CASCADE"), nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("properties", Sealed[dict[str, Trait]](dict[str, Trait]), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("received_at", UtcDateTime, nullable=False),
    sa.Column("decided", sa.Boolean, nullable=False),
    sa.Index("ix_customer_events_customer_id_at", "customer_id", "at"),
    sa.Index(
        "ix_customer_events_undecided",
        "received_at",
        sqlite_where=sa.text("NOT decided"),
        postgresql_where=sa.text("NOT decided"),
    ),
)

_EVENT = tuple(customer_events.c[name] for name in CustomerEvent.__struct_fields__)
_ADD = Prepared(customer_events.insert(), tuple(customer_events.c.keys()))
_KNOWN = Prepared(
    sa.select(customer_events.c.id, customer_events.c.customer_id).where(among(customer_events.c.id, "ids"))
)
_READ = Prepared(sa.select(*_EVENT).where(among(customer_events.c.id, "ids")))
_OF = Prepared(
    sa.select(*_EVENT)
    .where(customer_events.c.customer_id == sa.bindparam("customer"))
    .order_by(customer_events.c.at, customer_events.c.id)
)
_TAKE = Prepared(
    customer_events.update()
    .where(among(customer_events.c.id, "ids"), sa.not_(customer_events.c.decided))
    .values(decided=True)
    .returning(customer_events.c.id)
)
_DUE = Prepared(
    sa.select(customer_events.c.id)
    .where(sa.not_(customer_events.c.decided), customer_events.c.received_at <= sa.bindparam("before"))
    .order_by(customer_events.c.received_at)
    .limit(500)
)
_COUNT = Prepared(sa.select(sa.func.count().label("events")).select_from(customer_events))

LOST_AFTER = timedelta(seconds=5)  # an event whose bell was lost is found by a sweep after this


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event to be written; `decided` ones ask for no decision."""

    event: CustomerEvent
    received_at: datetime
    decided: bool


async def known(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """Of these events those that are stored already, each with its customer's id."""
    return {row["id"]: row["customer_id"] for row in await _KNOWN(connection, {"ids": list(ids)})}


async def write(connection: Connection, events: Sequence[NewEvent]) -> None:
    """Store new events. One that is stored already is the database's error (`IntegrityError`)."""
    await _ADD.many(connection, [_row(each) for each in events])


async def read(connection: Connection, ids: Collection[str]) -> dict[str, CustomerEvent]:
    """Those of these events that exist, by id."""
    return {row["id"]: CustomerEvent(**row) for row in await _READ(connection, {"ids": list(ids)})}


async def take(connection: Connection, ids: Collection[str]) -> frozenset[str]:
    """Mark events as decided; those that were not so before. Of all who take the same event one gets it."""
    return frozenset(row["id"] for row in await _TAKE(connection, {"ids": sorted(ids)}))


async def log(connection: Connection, customer_id: str) -> list[CustomerEvent]:
    """All that a customer did, in order of time."""
    return [CustomerEvent(**row) for row in await _OF(connection, {"customer": customer_id})]


class CustomerEvents:
    """The log, read from outside a transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, event_id: str) -> CustomerEvent | None:
        """The event, or None."""
        rows = await self._database.run(_READ, {"ids": [event_id]})
        return CustomerEvent(**rows[0]) if rows else None

    async def due(self) -> list[str]:
        """Events that still wait for their decision, the oldest first."""
        rows = await self._database.run(_DUE, {"before": self._clock.now() - LOST_AFTER})
        return [row["id"] for row in rows]

    async def count(self) -> int:
        """How many there are."""
        return int((await self._database.run(_COUNT, {}))[0]["events"])


def _row(new: NewEvent) -> dict[str, object]:
    return {**msgspec.structs.asdict(new.event), "received_at": new.received_at, "decided": new.decided}
