"""Patterns that learning has found: what a group of customers answers to, with how sure that is."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.prepared import Prepared

patterns = sa.Table(
    "patterns",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("segment", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("rate", sa.Float, nullable=False),
    sa.Column("others", sa.Float, nullable=False),
    sa.Column("low", sa.Float, nullable=False),
    sa.Column("high", sa.Float, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("confidence", sa.Text, nullable=False),
    sa.Column("found_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False, index=True),
)


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """In `segment`, messages of this kind of `subject` (a slot, a channel, a message) are answered at `rate`; the
    segment's others at `others`. `low` and `high` bound the difference; `count` messages speak for it.

    `confidence` is a band: medium or high. `seen_at` is when it last held.
    """

    id: str
    kind: str
    segment: str
    subject: str
    rate: float
    others: float
    low: float
    high: float
    count: int
    confidence: str
    found_at: datetime
    seen_at: datetime


def _put(fresh: postgresql.Insert | sqlite.Insert) -> sa.Insert:
    kept = ("id", "kind", "segment", "subject", "found_at")
    changed = {name: fresh.excluded[name] for name in Pattern.__struct_fields__ if name not in kept}
    put = fresh.on_conflict_do_update(index_elements=["id"], set_=changed)
    return put.returning(patterns.c.found_at, patterns.c.seen_at)


_PUT = Prepared(
    {"postgresql": _put(postgresql.insert(patterns)), "sqlite": _put(sqlite.insert(patterns))},
    Pattern.__struct_fields__,
)


class Patterns:
    """What is known."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, found: Sequence[Pattern]) -> list[Pattern]:
        """Keep them; those that were not known before."""
        new: list[Pattern] = []
        for pattern in found:
            [row] = await self._database.run(_PUT, msgspec.structs.asdict(pattern))
            if row["found_at"] == row["seen_at"]:
                new.append(pattern)
        return new

    async def page(self, *, segment: str = "", limit: int = 50) -> list[Pattern]:
        """The latest that held first, and of these the strongest."""
        strength = sa.func.abs(patterns.c.low + patterns.c.high)
        query = sa.select(patterns).order_by(patterns.c.seen_at.desc(), strength.desc(), patterns.c.id).limit(limit)
        if segment:
            query = query.where(patterns.c.segment == segment)
        async with self._database.read() as connection:
            return [Pattern(**row) for row in (await connection.execute(query)).mappings()]
