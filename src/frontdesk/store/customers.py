"""Customers: whom the desk may write to of its own accord, under the owner's ids for them.

Events, decisions and messages of one customer wait for each other by `locked`: all that counts against a cap is read
and written under the lock of the customer's row.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.engagement import CHANNELS, Contact, Customer, Plan, Profile
from frontdesk.errors import UnknownCustomer
from frontdesk.ports import Clock
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.packed import Packed
from frontdesk.store.prepared import Connection, Prepared, Row, among
from frontdesk.store.sealed import Sealed, SealedText
from frontdesk.store.typed import Typed

Trait = str | int | float | bool | None

customers = sa.Table(
    "customers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("segment", sa.Text, nullable=False, index=True),
    sa.Column("name", SealedText, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("consents", sa.Integer, nullable=False),
    sa.Column("reachable", sa.Integer, nullable=False),
    sa.Column("addresses", Sealed[dict[str, str]](dict[str, str]), nullable=False),
    sa.Column("traits", Typed[dict[str, Trait]](dict[str, Trait]), nullable=False),
    sa.Column("profile", Packed[Profile](Profile), nullable=False),
    sa.Column("contacts", Packed[tuple[Contact, ...]](tuple[Contact, ...]), nullable=False),
    sa.Column("plan", Packed[Plan](Plan)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

ALWAYS = 1 << CHANNELS.index("in_app") | 1 << CHANNELS.index("webhook")  # reached by the id alone

_ALL = tuple(customers.c[name] for name in Customer.__struct_fields__)
_QUICK = tuple(column for column in _ALL if column.name not in ("name", "addresses"))  # sealed: not needed to decide
_GIVEN = ("segment", "name", "time_zone", "reachable", "addresses", "traits", "updated_at")  # by the owner
_COLUMNS = (*Customer.__struct_fields__, "created_at", "updated_at")


def _put(changed: Collection[str]) -> Prepared:
    def upsert(insert: sqlite.Insert | postgresql.Insert) -> sa.Executable:
        new = insert.excluded
        return insert.on_conflict_do_update(index_elements=["id"], set_={name: new[name] for name in changed})

    return Prepared(
        {"postgresql": upsert(postgresql.insert(customers)), "sqlite": upsert(sqlite.insert(customers))}, _COLUMNS
    )


_PUT = _put((*_GIVEN, "consents"))
_PUT_KEEPING_CONSENTS = _put(_GIVEN)
_ENSURE = Prepared(
    {
        "postgresql": postgresql.insert(customers).on_conflict_do_nothing(),
        "sqlite": sqlite.insert(customers).on_conflict_do_nothing(),
    },
    _COLUMNS,
)
_GET = Prepared(sa.select(*_ALL).where(customers.c.id == sa.bindparam("customer")))


def _locking(columns: Collection[sa.Column[Any]]) -> Prepared:
    query = sa.select(*columns).where(among(customers.c.id, "ids")).order_by(customers.c.id)
    return Prepared(query.with_for_update(key_share=True))  # rows that refer to the customer may be written meanwhile


_LOCKED, _LOCKED_WHOLE = _locking(_QUICK), _locking(_ALL)
_CONTACTS = Prepared(
    customers.update()
    .where(customers.c.id == sa.bindparam("customer"))
    .values(contacts=sa.bindparam("now_contacts", type_=customers.c.contacts.type))
)
_PROFILE = Prepared(
    customers.update()
    .where(customers.c.id == sa.bindparam("customer"))
    .values(profile=sa.bindparam("now_profile", type_=customers.c.profile.type))
)
_PLAN = Prepared(
    customers.update()
    .where(customers.c.id == sa.bindparam("customer"))
    .values(plan=sa.bindparam("now_plan", type_=customers.c.plan.type))
)
_WITHDRAW = Prepared(
    customers.update()
    .where(customers.c.id == sa.bindparam("customer"))
    .values(consents=customers.c.consents.op("&")(sa.bindparam("kept", type_=sa.Integer)))
)


def reachable(addresses: Mapping[str, str]) -> int:
    """A bit for each of `CHANNELS` that has an address. In the owner's own app and service the id is one."""
    bits = sum(1 << place for place, channel in enumerate(CHANNELS) if addresses.get(channel))
    return bits | ALWAYS


async def locked(connection: Connection, ids: Collection[str], *, whole: bool = False) -> dict[str, Customer]:
    """Those of these customers who exist, by id; without names and addresses unless `whole`, as unsealing takes time.

    Their rows are locked until the transaction ends, in the order of the ids, so that two who ask for the same
    customers never wait for each other in a ring.
    """
    lock = _LOCKED_WHOLE if whole else _LOCKED
    return {row["id"]: Customer(**row) for row in await lock(connection, {"ids": sorted(set(ids))})}


async def ensure(connection: Connection, now: datetime, ids: Collection[str], segment: str) -> None:
    """Make a row for those of them who are unknown: in this segment, without consent and without an address."""
    await _ENSURE.many(connection, [_row(Customer(id=each, segment=segment), now) for each in sorted(set(ids))])


async def reserve(connection: Connection, contacts: Sequence[tuple[str, tuple[Contact, ...]]]) -> None:
    """Set each customer's planned and sent contacts. The caller holds their locks."""
    await _CONTACTS.many(connection, [{"customer": name, "now_contacts": planned} for name, planned in contacts])


async def set_profiles(connection: Connection, profiles: Sequence[tuple[str, Profile]]) -> None:
    """Set each customer's profile. The caller holds their locks."""
    await _PROFILE.many(connection, [{"customer": name, "now_profile": profile} for name, profile in profiles])


async def withdraw_consent(connection: Connection, customer_id: str, channel: str | None) -> None:
    """Write to this customer no more by this channel, or by none at all."""
    gone = (1 << CHANNELS.index(channel)) if channel in CHANNELS else -1
    await _WITHDRAW(connection, {"customer": customer_id, "kept": ~gone})


class Customers:
    """Who they are, and what the owner says of them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def put(self, customer: Customer, *, keep_consents: bool = False) -> Customer:
        """Keep what the owner says of a customer, new or known; `keep_consents` leaves a known one's as they are.

        `reachable` follows from the addresses. Profile, contacts and plan are the desk's own, and stay.
        """
        put = _PUT_KEEPING_CONSENTS if keep_consents else _PUT

        async def work(connection: Connection) -> Row | None:
            await put(connection, _row(customer, self._clock.now()))
            return await _GET.one(connection, {"customer": customer.id})

        return _found(await self._database.act(work), customer.id)

    async def put_many(self, given: Sequence[Customer], *, keep_consents: bool = False) -> None:
        """The same for many at once."""
        put, now = _PUT_KEEPING_CONSENTS if keep_consents else _PUT, self._clock.now()
        rows = [_row(customer, now) for customer in sorted(given, key=lambda each: each.id)]
        await self._database.act(lambda connection: put.many(connection, rows))

    async def get(self, customer_id: str) -> Customer:
        """The customer with name and addresses. Raises `UnknownCustomer`."""
        rows = await self._database.run(_GET, {"customer": customer_id})
        return _found(rows[0] if rows else None, customer_id)

    async def page(
        self, *, segment: str | None = None, prefix: str = "", after: str | None = None, limit: int = 50
    ) -> list[Customer]:
        """In order of the ids, from the id `after` on; of this segment, with ids that begin with `prefix`."""
        where: list[sa.ColumnElement[bool]] = []
        if segment is not None:
            where.append(customers.c.segment == segment)
        if prefix:
            where.append(customers.c.id.startswith(prefix, autoescape=True))
        if after is not None:
            where.append(customers.c.id > after)
        query = sa.select(*_ALL).where(*where).order_by(customers.c.id).limit(limit)
        async with self._database.read() as connection:
            return [Customer(**row) for row in (await connection.execute(query)).mappings()]

    async def count(self) -> int:
        """How many there are."""
        async with self._database.read() as connection:
            return (await connection.execute(sa.select(sa.func.count()).select_from(customers))).scalar_one()

    async def set_plans(self, plans: Mapping[str, Plan]) -> None:
        """Give each of these customers a new plan."""
        rows = [{"customer": name, "now_plan": plans[name]} for name in sorted(plans)]
        await self._database.act(lambda connection: _PLAN.many(connection, rows))

    async def erase(self, customer_id: str) -> None:
        """Delete the customer and every row that belongs to them, in one transaction; no byte of them stays.

        Raises `UnknownCustomer`.
        """

        async def work(connection: AsyncConnection) -> int:
            lock = sa.select(customers.c.id).where(customers.c.id == customer_id).with_for_update()
            await connection.execute(lock)
            for table in reversed(metadata.sorted_tables):
                if (owner := table.c.get("customer_id")) is not None:
                    await connection.execute(sa.delete(table).where(owner == customer_id))
            return (await connection.execute(sa.delete(customers).where(customers.c.id == customer_id))).rowcount

        if await self._database.commit(work) == 0:
            raise UnknownCustomer("There is no such customer", where=customer_id)
        await self._database.wipe()

    async def export(self, customer_id: str) -> dict[str, list[dict[str, object]]]:
        """By table, all that the desk keeps of the customer, as JSON's own types. Raises `UnknownCustomer`."""
        found: dict[str, list[dict[str, object]]] = {}
        async with self._database.read() as connection:
            for table in metadata.sorted_tables:
                owner = table.c.id if table is customers else table.c.get("customer_id")
                if owner is None:
                    continue
                rows = (await connection.execute(sa.select(table).where(owner == customer_id))).mappings()
                if told := [{str(name): _plain(value) for name, value in row.items()} for row in rows]:
                    found[table.name] = told
        if customers.name not in found:
            raise UnknownCustomer("There is no such customer", where=customer_id)
        return found


def _row(customer: Customer, now: datetime) -> dict[str, object]:
    given: dict[str, object] = {name: getattr(customer, name) for name in Customer.__struct_fields__}
    return given | {"reachable": reachable(customer.addresses), "created_at": now, "updated_at": now}


def _found(row: Row | None, customer_id: str) -> Customer:
    if row is None:
        raise UnknownCustomer("There is no such customer", where=customer_id)
    return Customer(**row)


def _plain(value: Any) -> object:  # of any column
    return msgspec.to_builtins(msgspec.msgpack.decode(value) if isinstance(value, bytes) else value)
