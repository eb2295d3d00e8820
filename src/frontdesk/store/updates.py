"""What channels are told, as rows: an update is stored before it is acknowledged, and worked on afterwards, once.

Updates of one lane (a chat, with its channel) are worked on one at a time, in the channel's own order. Work is leased
as letters are: a process that was paused while another took its update over cannot settle it. A settled row keeps no
word and no address, only that it has been here: that is what makes a second copy of it have no effect.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.ports import Clock, Ids
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.gathered import Gathered
from frontdesk.store.outbox import NewLetter, put
from frontdesk.store.prepared import Connection, Prepared, Row
from frontdesk.store.sealed import SealedText

updates = sa.Table(
    "updates",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("external_id", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("lane", sa.Text, nullable=False),
    sa.Column("album", sa.Text),
    sa.Column("body", SealedText, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
    sa.Column("due_at", UtcDateTime, nullable=False),
    sa.Column("received_at", UtcDateTime, nullable=False),
    sa.Column("settled_at", UtcDateTime),
    sa.Column("problem", sa.Text),
    sa.Index("ix_updates_lane_state_number", "lane", "state", "number"),
    sa.Index(
        "ix_updates_open",
        *("lane", "number", "external_id"),
        postgresql_where=sa.text("state IN ('waiting', 'working')"),
        sqlite_where=sa.text("state IN ('waiting', 'working')"),
    ),
    sa.Index("ix_updates_state_due_at", "state", "due_at"),
    sa.Index("ix_updates_settled_at", "settled_at"),
)

pollers = sa.Table(
    "pollers",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("until", UtcDateTime, nullable=False),
)

OPEN = ("waiting", "working")

State = Literal["done", "refused", "kept", "dead"]

_NOW = sa.bindparam("now", type_=UtcDateTime)


def _is(state: sa.ColumnElement[str], word: str) -> sa.ColumnElement[bool]:
    """The word stands in the statement itself. If it came as a value, PostgreSQL could not know that `ix_updates_open`
    holds every such row, and would read the whole table, whose settled rows have no lane any more."""
    return state == sa.literal_column(f"'{word}'", sa.Text)


def _is_open(state: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    return sa.or_(_is(state, "waiting"), _is(state, "working"))


def _added(fresh: postgresql.Insert | sqlite.Insert) -> sa.Executable:
    return fresh.on_conflict_do_nothing().returning(updates.c.external_id)


_ADD = Prepared(
    {"postgresql": _added(postgresql.insert(updates)), "sqlite": _added(sqlite.insert(updates))},
    (
        *("channel", "external_id", "number", "kind", "lane", "album", "body"),
        *("state", "due_at", "received_at", "problem"),
    ),
)
_FIRST = (
    sa.select(updates.c.channel, updates.c.external_id)
    .where(updates.c.lane == sa.bindparam("its"), _is_open(updates.c.state))
    .order_by(updates.c.number, updates.c.external_id)
    .limit(1)
    .subquery()
)
_TAKE = Prepared(
    updates.update()
    .where(
        updates.c.channel == sa.select(_FIRST.c.channel).scalar_subquery(),
        updates.c.external_id == sa.select(_FIRST.c.external_id).scalar_subquery(),
        _is_open(updates.c.state),
        updates.c.due_at <= _NOW,
    )
    .values(
        state="working",
        due_at=sa.bindparam("until", type_=UtcDateTime),
        fence=updates.c.fence + 1,
        attempts=updates.c.attempts + 1,
    )
    .returning(updates)
)
_OF_ALBUM = Prepared(
    sa.select(updates.c.external_id, updates.c.body)
    .where(
        updates.c.lane == sa.bindparam("its"),
        updates.c.album == sa.bindparam("same"),
        _is(updates.c.state, "waiting"),
        updates.c.external_id != sa.bindparam("but"),
    )
    .order_by(updates.c.number)
)
_THIS = (updates.c.channel == sa.bindparam("whose"), updates.c.external_id == sa.bindparam("outside"))
_OTHER = updates.alias("other")
_MORE = sa.exists().where(
    _OTHER.c.lane == sa.bindparam("its"), _is_open(_OTHER.c.state), _OTHER.c.external_id != sa.bindparam("outside")
)


def _settling(*which: sa.ColumnElement[bool], **more: object) -> Prepared:
    change = updates.update().where(*_THIS, *which)
    ended: dict[str, object] = {
        "state": sa.bindparam("ended"),
        "settled_at": _NOW,
        "problem": sa.bindparam("why"),
        "album": None,
    }
    return Prepared(change.values(ended | more).returning(_MORE.label("more")))


_MINE = (updates.c.fence == sa.bindparam("held"), updates.c.state == "working")
_SETTLE = {  # whether its words are kept
    False: _settling(*_MINE, body="", lane=""),
    True: _settling(*_MINE),
}
_SETTLE_PART = {
    False: _settling(_is_open(updates.c.state), body="", lane=""),
    True: _settling(_is_open(updates.c.state)),
}


class NewUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """An update as it came. `number` orders those of a lane; `album` names those that belong together.

    A `keep` is stored and not worked on. The others are due after `wait` seconds.
    """

    channel: str
    external_id: str
    number: int
    kind: str
    lane: str
    body: str
    album: str | None = None
    keep: bool = False
    wait: float = 0
    problem: str | None = None


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """An update at work, leased under `fence`. `bodies` has more than one where others of its album came with it."""

    channel: str
    external_id: str
    external_ids: tuple[str, ...]
    kind: str
    lane: str
    bodies: tuple[str, ...]
    attempts: int
    fence: int
    received_at: datetime


class KeptUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """An update that the desk has kept and does not understand."""

    channel: str
    id: str
    kind: str
    at: datetime


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What follows a settled update: the ids of the letters that were written, and whether its lane holds `more`."""

    letters: tuple[str, ...] = ()
    more: bool = False


class LostUpdate(Exception):  # a signal between the store and the intake, not an error anyone sees
    """Another process has taken this update over."""


class Updates:
    """Storing updates, handing them out and settling them."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._adding = Gathered(self._add)

    async def add(self, update: NewUpdate) -> bool:
        """Store the update; whether it is new. Returns when it is durable; raises `StoreUnavailable`."""
        return await self._adding.put(update)

    async def _add(self, batch: list[NewUpdate]) -> list[bool | Exception]:
        """Store many in one transaction. The same update again, in the table or in the batch, is not stored."""
        now = self._clock.now()
        if len(batch) == 1:
            return [bool(await self._database.run(_ADD, _row(batch[0], now)))]

        in_order = sorted(range(len(batch)), key=lambda at: (batch[at].channel, batch[at].external_id))

        async def work(connection: Connection) -> list[bool | Exception]:
            # Copies may come to several processes at once: in one order everywhere, so that no two wait for each other.
            stored = {at: bool(await _ADD(connection, _row(batch[at], now))) for at in in_order}
            return [stored[at] for at in range(len(batch))]

        return await self._database.act(work)

    async def claim(self, lane: str, seconds: float) -> Update | None:
        """Take the lane's first open update for `seconds`; None while it is not due, another's, or there is none."""
        now = self._clock.now()
        taken = await self._database.run(_TAKE, {"its": lane, "now": now, "until": now + timedelta(seconds=seconds)})
        if not taken:
            return None
        row = taken[0]
        parts = [row] if row["album"] is None else [row, *await self._database.run(_OF_ALBUM, _place_of(row))]
        return Update(
            channel=row["channel"],
            external_id=row["external_id"],
            external_ids=tuple(part["external_id"] for part in parts),
            kind=row["kind"],
            lane=row["lane"],
            bodies=tuple(part["body"] for part in parts),
            attempts=row["attempts"],
            fence=row["fence"],
            received_at=row["received_at"],
        )

    async def settle(
        self, update: Update, state: State = "done", *, problem: str | None = None, letters: Sequence[NewLetter] = ()
    ) -> Settled:
        """End the update, and write the letters that answer it, in one transaction.

        Raises `LostUpdate` when it has been taken over meanwhile, and then no letter is written.
        """
        now = self._clock.now()
        values: dict[str, object] = {"ended": state, "now": now, "why": problem, "its": update.lane}
        values |= {"whose": update.channel, "outside": update.external_id}
        lease = {"held": update.fence}
        kept = state in ("kept", "dead")

        async def work(connection: Connection) -> Settled:
            others = [external_id for external_id in update.external_ids if external_id != update.external_id]
            for external_id in others:
                await _SETTLE_PART[kept](connection, values | {"outside": external_id})
            mine = await _SETTLE[kept](connection, values | lease)
            if not mine:
                raise LostUpdate
            step = timedelta(microseconds=1)  # letters leave in the order of their times
            made = [await put(connection, self._ids, now + step * at, letter) for at, letter in enumerate(letters)]
            return Settled(letters=tuple(made), more=mine[0]["more"])

        if letters or len(update.external_ids) > 1:
            return await self._database.act(work)
        mine = await self._database.run(_SETTLE[kept], values | lease)
        if not mine:
            raise LostUpdate
        return Settled(more=mine[0]["more"])

    async def renew(self, update: Update, seconds: float) -> bool:
        """Keep the update for `seconds` from now; False when another process has it."""
        until = self._clock.now() + timedelta(seconds=seconds)

        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(_mine(update).values(due_at=until))).rowcount > 0

        return await self._database.commit(work)

    async def again(self, update: Update, seconds: float, *, counted: bool, problem: str) -> None:
        """Try again after `seconds`; until then the lane waits. Without `counted` this was no try."""
        due_at = self._clock.now() + timedelta(seconds=seconds)
        attempts = update.attempts if counted else update.attempts - 1
        values = {"state": "waiting", "due_at": due_at, "attempts": attempts, "problem": problem}

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_mine(update).values(values))

        await self._database.commit(work)

    async def due(self) -> list[str]:
        """Lanes whose first open update is due, or was left by its process; the longest waiting come first."""
        now = self._clock.now()
        earlier = updates.alias("earlier")
        behind = sa.exists().where(
            earlier.c.lane == updates.c.lane,
            earlier.c.state.in_(OPEN),
            earlier.c.number < updates.c.number,
            earlier.c.due_at > now,
        )
        query = (
            sa.select(updates.c.lane)
            .where(updates.c.state.in_(OPEN), updates.c.due_at <= now, ~behind)
            .group_by(updates.c.lane)
            .order_by(sa.func.min(updates.c.due_at))
            .limit(500)
        )
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())

    async def kept(self, limit: int = 100) -> list[KeptUpdate]:
        """The newest updates that the desk did not understand."""
        columns = (updates.c.channel, updates.c.external_id.label("id"), updates.c.kind, updates.c.received_at)
        query = sa.select(*columns).where(updates.c.state == "kept").order_by(updates.c.received_at.desc()).limit(limit)
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return [KeptUpdate(channel=row.channel, id=row.id, kind=row.kind, at=row.received_at) for row in rows]

    async def count(self, state: str) -> int:
        """How many updates are in `state`."""
        query = sa.select(sa.func.count()).select_from(updates).where(updates.c.state == state)
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one()

    async def tidy(self, before: datetime) -> int:
        """Forget updates that were settled, or kept, before then; how many."""
        old = sa.or_(updates.c.settled_at < before, sa.and_(updates.c.state == "kept", updates.c.received_at < before))

        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(updates.delete().where(old))).rowcount

        return await self._database.commit(work)

    async def hold_poll(self, channel: str, owner: str, seconds: float) -> bool:
        """Be the one process that polls the channel for `seconds`, or go on to be; False while another is."""
        now = self._clock.now()
        mine = {"owner": owner, "until": now + timedelta(seconds=seconds)}
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        take = (
            insert(pollers)
            .values(channel=channel, **mine)
            .on_conflict_do_update(
                index_elements=["channel"],
                set_=mine,
                where=sa.or_(pollers.c.owner == owner, pollers.c.until <= now),
            )
            .returning(pollers.c.owner)
        )

        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(take)).scalar_one_or_none() is not None

        return await self._database.commit(work)

    async def leave_poll(self, channel: str, owner: str) -> None:
        """Let another process poll."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(pollers.delete().where(pollers.c.channel == channel, pollers.c.owner == owner))

        await self._database.commit(work)


async def forget(connection: AsyncConnection, person_id: str) -> None:
    """Take every word of the person, and where they write from, out of updates that nobody works on any more."""
    identities = sa.table("identities", sa.column("issuer"), sa.column("subject"), sa.column("person_id"))
    lanes = sa.select(identities.c.issuer + ":" + identities.c.subject).where(identities.c.person_id == person_id)
    mine = updates.update().where(updates.c.lane.in_(lanes), updates.c.state.not_in(OPEN))
    await connection.execute(mine.values(body="", lane="", state="done"))


def _place_of(row: Row) -> dict[str, object]:
    return {"its": row["lane"], "same": row["album"], "but": row["external_id"]}


def _row(update: NewUpdate, now: datetime) -> dict[str, object]:
    row: dict[str, object] = {
        name: value for name, value in msgspec.structs.asdict(update).items() if name not in ("keep", "wait")
    }
    due_at = now + timedelta(seconds=update.wait)
    return row | {"state": "kept" if update.keep else "waiting", "due_at": due_at, "received_at": now}


def _mine(update: Update) -> sa.Update:
    return updates.update().where(
        updates.c.channel == update.channel,
        updates.c.external_id == update.external_id,
        updates.c.fence == update.fence,
        updates.c.state == "working",
    )
