"""What each strategy has learned from outcomes that are final, and how far in the log it has read."""

from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from frontdesk.engagement import Posterior
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.prepared import Prepared

learners = sa.Table(
    "learners",
    metadata,
    sa.Column("strategy", sa.Text, primary_key=True),
    sa.Column("through_at", UtcDateTime, nullable=False),
    sa.Column("through_id", sa.Text, nullable=False),
    sa.Column("record", sa.LargeBinary, nullable=False),
)


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """The beliefs of a strategy from all decisions that were settled up to (`through_at`, `through_id`)."""

    strategy: str
    through_at: datetime
    through_id: str
    features: tuple[str, ...]
    reward: Posterior
    harm: Posterior


def _put(fresh: postgresql.Insert | sqlite.Insert) -> sa.Insert:
    changed = {name: fresh.excluded[name] for name in ("through_at", "through_id", "record")}
    return fresh.on_conflict_do_update(index_elements=["strategy"], set_=changed)


_PUT = Prepared(
    {"postgresql": _put(postgresql.insert(learners)), "sqlite": _put(sqlite.insert(learners))},
    [column.name for column in learners.columns],
)
_GET = Prepared(sa.select(learners.c.record).where(learners.c.strategy == sa.bindparam("which")))


class Learners:
    """One state for each strategy."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, strategy: str) -> Learned | None:
        """None for a strategy that has not learned yet."""
        rows = await self._database.run(_GET, {"which": strategy})
        return msgspec.msgpack.decode(rows[0]["record"], type=Learned) if rows else None

    async def put(self, learned: Learned) -> None:
        """Keep how far it came."""
        row = {name: getattr(learned, name) for name in ("strategy", "through_at", "through_id")}
        await self._database.run(_PUT, row | {"record": msgspec.msgpack.encode(learned)})
