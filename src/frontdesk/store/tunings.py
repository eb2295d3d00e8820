"""Tunings: settings of the section `engagement` that hold for a while and then revert by themselves."""

from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from frontdesk.ports import Clock
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.prepared import Prepared
from frontdesk.store.typed import Typed

Value = bool | int | float | str

tunings = sa.Table(
    "tunings",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", Typed[Value](Value), nullable=False),
    sa.Column("until", UtcDateTime, nullable=False),
    sa.Column("set_at", UtcDateTime, nullable=False),
    sa.Column("set_by", sa.Text, nullable=False),
)


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """`name` (`learning_rate`, `learning.enabled`) has `value` until a moment, as somebody said."""

    name: str
    value: Value
    until: datetime
    set_at: datetime
    set_by: str


def _put(fresh: postgresql.Insert | sqlite.Insert) -> sa.Insert:
    changed = {name: fresh.excluded[name] for name in ("value", "until", "set_at", "set_by")}
    return fresh.on_conflict_do_update(index_elements=["name"], set_=changed)


_NOW = sa.bindparam("now", type_=UtcDateTime)
_PUT = Prepared(
    {"postgresql": _put(postgresql.insert(tunings)), "sqlite": _put(sqlite.insert(tunings))}, Tuning.__struct_fields__
)
_ALL = Prepared(sa.select(tunings).order_by(tunings.c.name))
_END = Prepared(tunings.delete().where(tunings.c.name == sa.bindparam("which")).returning(*tunings.columns))
_EXPIRE = Prepared(tunings.delete().where(tunings.c.until <= _NOW).returning(*tunings.columns))


class Tunings:
    """What is tuned. The audit log remembers what was."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def put(self, name: str, value: Value, until: datetime, by: str) -> Tuning:
        """Let it hold until then, in place of an earlier tuning of the same setting."""
        tuning = Tuning(name=name, value=value, until=until, set_at=self._clock.now(), set_by=by)
        await self._database.run(_PUT, msgspec.structs.asdict(tuning))
        return tuning

    async def end(self, name: str) -> Tuning | None:
        """End it now. None when there was none."""
        rows = await self._database.run(_END, {"which": name})
        return Tuning(**rows[0]) if rows else None

    async def expire(self) -> list[Tuning]:
        """End those whose time has come, each once over all processes."""
        return [Tuning(**row) for row in await self._database.run(_EXPIRE, {"now": self._clock.now()})]

    async def all(self) -> list[Tuning]:
        """Those that were set and not ended yet, also where their time has come."""
        return [Tuning(**row) for row in await self._database.run(_ALL, {})]
