"""The audit log: rows that are chained by their hashes under a signed head.

A row's hash is SHA-256 over its canonical JSON and the hash before it. The head holds the number of rows and the last
hash, signed (HMAC-SHA-256) with the desk's secret key. So an edit, a removal, a reordering or a truncation shows, even
when it was made by somebody who can write to the database but does not know the key. What does not show in the database
alone is its return, as a whole, to an earlier state (the empty one too): backups carry `head()` for that.

Rows name people by id and hold no text of theirs, so they outlive an erasure without keeping the person.
"""

import hmac
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as upsert_postgresql
from sqlalchemy.dialects.sqlite import insert as upsert_sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.ports import Clock
from frontdesk.store.database import Database, UtcDateTime, metadata

START = "0" * 64  # stands for the hash before the first row
CHUNK = 1000

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("act", sa.Text, nullable=False, index=True),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("credential", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("outcome", sa.Integer, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)

audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("signature", sa.Text, nullable=False),
)

ONE_READING = timedelta(minutes=10)  # within which a page that looks again at the same thing reads it once
MOST_READINGS = 10_000  # that are remembered for it


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody did.

    `act` is the policy's name for it, `actor` a person's id or empty, `credential` the session's or key's id, `subject`
    the id that it was about, `outcome` the HTTP status, `origin` the caller's address as a keyed hash (equal for equal
    addresses, and no more).
    """

    act: str
    actor: str = ""
    credential: str = ""
    subject: str = ""
    outcome: int = 0
    origin: str = ""


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """A stored act with its place in the chain, from 1."""

    seq: int
    at: datetime
    act: str
    actor: str
    credential: str
    subject: str
    outcome: int
    origin: str
    hash: str


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows there are and the last one's hash."""

    count: int
    hash: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of the chain found. `at` is the first row that is wrong or missing."""

    whole: bool
    rows: int
    at: int | None = None
    reason: str = ""


class Audit:
    """Appending to the log and checking it. `key` signs the head."""

    def __init__(self, database: Database, clock: Clock, key: bytes) -> None:
        self._database = database
        self._clock = clock
        self._key = key
        self._read: dict[Act, datetime] = {}

    async def append_reading(self, act: Act) -> None:
        """Store that somebody read something, unless this process has stored the same within the last minutes.

        A page that is open looks again at every change: that is one reading, not hundreds.
        """
        now = self._clock.now()
        if (before := self._read.get(act)) is not None and now - before < ONE_READING:
            return
        await self.append(act)
        if len(self._read) >= MOST_READINGS:
            self._read.clear()
        self._read[act] = now

    async def append(self, act: Act) -> AuditRow:
        """Store an act; it is durable when this returns."""
        [row] = await self._database.commit(lambda connection: self.append_with(connection, [act]))
        return row

    async def append_with(self, connection: AsyncConnection, acts: Sequence[Act]) -> list[AuditRow]:
        """Store acts in a transaction of the caller's, so that all stands or nothing does."""
        await self._begin_chain(connection)
        locked = sa.select(audit_head).where(audit_head.c.id == 1).with_for_update()
        head = (await connection.execute(locked)).mappings().one()
        seq, last, now = int(head["count"]), str(head["hash"]), self._clock.now()
        rows: list[AuditRow] = []
        for act in acts:
            seq += 1
            row = AuditRow(seq=seq, at=now, hash="", **msgspec.structs.asdict(act))
            last = _row_hash(row, last)
            rows.append(msgspec.structs.replace(row, hash=last))
        await connection.execute(sa.insert(audit), [msgspec.structs.asdict(row) for row in rows])
        await connection.execute(
            sa.update(audit_head)
            .where(audit_head.c.id == 1)
            .values(count=seq, hash=last, signature=self._sign(seq, last))
        )
        return rows

    async def page(self, *, before: int | None = None, act: str = "", limit: int = 50) -> list[AuditRow]:
        """Newest first, older than row `before`; `act` keeps the acts that begin with it."""
        where: list[sa.ColumnElement[bool]] = []
        if before is not None:
            where.append(audit.c.seq < before)
        if act:
            where.append(audit.c.act.startswith(act, autoescape=True))
        async with self._database.read() as connection:
            query = sa.select(audit).where(*where).order_by(audit.c.seq.desc()).limit(limit)
            return [_row(row) for row in await connection.execute(query)]

    async def newest(self, act: str, outcome: int) -> AuditRow | None:
        """The last act of exactly this name that ended so."""
        query = sa.select(audit).where(audit.c.act == act, audit.c.outcome == outcome)
        async with self._database.read() as connection:
            row = (await connection.execute(query.order_by(audit.c.seq.desc()).limit(1))).one_or_none()
        return None if row is None else _row(row)

    async def head(self) -> Head:
        """The end of the chain, for backups and for keeping somewhere else."""
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(audit_head).where(audit_head.c.id == 1))).mappings().first()
        return Head(count=row["count"], hash=row["hash"]) if row is not None else Head(count=0, hash=START)

    async def verify(self, *, since: Head | None = None) -> Verdict:
        """Walk the whole chain. `since` is a head kept elsewhere: the chain must still lead through it."""
        previous, seen = START, 0
        async with self._database.read() as connection:
            async for row in _walk(connection):
                if row.seq != seen + 1:
                    return Verdict(whole=False, rows=seen, at=seen + 1, reason="A row is missing or out of order")
                if not hmac.compare_digest(row.hash, _row_hash(row, previous)):
                    return Verdict(whole=False, rows=seen, at=row.seq, reason="A row was changed")
                if since is not None and since.count == row.seq and since.hash != row.hash:
                    return Verdict(whole=False, rows=seen, at=row.seq, reason="The log differs from the kept head")
                previous, seen = row.hash, row.seq
            head = (await connection.execute(sa.select(audit_head))).mappings().first()
        if since is not None and seen < since.count:
            return Verdict(whole=False, rows=seen, at=seen + 1, reason="Rows after this one were cut off")
        if head is None:
            return Verdict(whole=seen == 0, rows=seen, reason="" if seen == 0 else "The head is missing")
        return self._verdict_of_head(int(head["count"]), str(head["hash"]), str(head["signature"]), previous, seen)

    def _verdict_of_head(self, count: int, last: str, signature: str, previous: str, seen: int) -> Verdict:
        if not hmac.compare_digest(signature, self._sign(count, last)):
            return Verdict(whole=False, rows=seen, reason="The head's signature is wrong")
        if count != seen or last != previous:
            return Verdict(whole=False, rows=seen, at=seen + 1, reason="Rows after this one were cut off or added")
        return Verdict(whole=True, rows=seen)

    async def _begin_chain(self, connection: AsyncConnection) -> None:
        upsert = upsert_sqlite if self._database.is_sqlite else upsert_postgresql
        first = upsert(audit_head).values(id=1, count=0, hash=START, signature=self._sign(0, START))
        await connection.execute(first.on_conflict_do_nothing())

    def _sign(self, count: int, last: str) -> str:
        return hmac.new(self._key, f"{count}:{last}".encode(), sha256).hexdigest()


async def _walk(connection: AsyncConnection) -> AsyncGenerator[AuditRow]:
    """All rows in order, a chunk in memory at a time."""
    after = -1
    while True:
        query = sa.select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(CHUNK)
        rows = [_row(row) for row in await connection.execute(query)]
        for row in rows:
            yield row
        if len(rows) < CHUNK:
            return
        after = rows[-1].seq


def _row(row: sa.Row[Any]) -> AuditRow:  # a row of `select(audit)`, whose type SQLAlchemy does not spell out
    return msgspec.convert(row, AuditRow, from_attributes=True)


def _row_hash(row: AuditRow, previous: str) -> str:
    """SHA-256 of the row as JSON with sorted keys, its own hash replaced by the one before it."""
    moment = row.at.isoformat(timespec="microseconds")
    canonical = {**msgspec.structs.asdict(row), "at": moment, "hash": previous}
    return sha256(msgspec.json.encode(canonical, order="deterministic")).hexdigest()
