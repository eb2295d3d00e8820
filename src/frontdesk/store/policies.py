"""Policies: immutable snapshots, the pointer to those that serve, and every move of that pointer.

A snapshot is never changed, so a decision can be made again from the one that it names. What changes is one row: which
snapshots serve. It carries a version, and a move names the version that it was thought out for.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from zlib import compress, decompress

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.engagement import Policy, PolicyOrigin, Serving
from frontdesk.errors import Conflict, NotFound
from frontdesk.ports import Clock, Ids
from frontdesk.store.cursors import seen
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.prepared import Connection, Prepared
from frontdesk.store.typed import Typed

MoveKind = Literal["shadow", "canary", "promoted", "rolled_back", "ended", "chosen"]
Figures = Mapping[str, float]

policies = sa.Table(
    "policies",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("parent_id", sa.Text),
    sa.Column("strategy", sa.Text, nullable=False, index=True),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("born_at", UtcDateTime, nullable=False),
    sa.Column("outcomes", sa.Float, nullable=False),
    sa.Column("calibration_error", sa.Float),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("record", sa.LargeBinary, nullable=False),
    sa.Index("ix_policies_created_at_id", "created_at", "id"),
)

serving = sa.Table(
    "serving",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("champion_id", sa.Text, nullable=False),
    sa.Column("challenger_id", sa.Text),
    sa.Column("share", sa.Float, nullable=False),
    sa.Column("shadow_id", sa.Text),
    sa.Column("since", UtcDateTime, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
)

moves = sa.Table(
    "policy_moves",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("before", Typed[Serving](Serving), nullable=False),
    sa.Column("after", Typed[Serving](Serving), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("figures", Typed[dict[str, float]](dict[str, float]), nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
)


class PolicyLine(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot without what it believes. `outcomes` is how many it has seen, forgotten ones discounted."""

    id: str
    parent_id: str | None
    strategy: str
    origin: PolicyOrigin
    generation: int
    created_at: datetime
    born_at: datetime
    outcomes: float
    calibration_error: float | None
    note: str


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """The pointer was moved at `at`, for `reason` and on these figures; `actor` is empty when the desk did it."""

    id: str
    at: datetime
    kind: MoveKind
    before: Serving
    after: Serving
    reason: str
    figures: dict[str, float]
    actor: str


_POINTER = Prepared(sa.select(*(serving.c[name] for name in Serving.__struct_fields__)))
_POLICY = Prepared(sa.select(policies.c.record).where(policies.c.id == sa.bindparam("policy")))
_ADD = Prepared(policies.insert(), [column.name for column in policies.columns])
_FIRST = Prepared(
    {
        "postgresql": postgresql.insert(serving).on_conflict_do_nothing().returning(serving.c.id),
        "sqlite": sqlite.insert(serving).on_conflict_do_nothing().returning(serving.c.id),
    },
    [column.name for column in serving.columns],
)
_CHANGE = Prepared(
    serving.update()
    .where(serving.c.version == sa.bindparam("expected"))
    .values({name: sa.bindparam(f"new_{name}", type_=serving.c[name].type) for name in Serving.__struct_fields__})
    .returning(serving.c.version)
)
_OLD = sa.bindparam("old", type_=sa.Text)
_NEW = sa.bindparam("new", type_=sa.Text)
_ROLES = ("champion_id", "challenger_id", "shadow_id")
_FOLLOW = Prepared(
    serving.update()
    .where(sa.or_(*(serving.c[role] == _OLD for role in _ROLES)))
    .values({role: sa.case((serving.c[role] == _OLD, _NEW), else_=serving.c[role]) for role in _ROLES})
    .values(version=serving.c.version + 1)
    .returning(serving.c.version)
)
_MOVED = Prepared(moves.insert(), Move.__struct_fields__)
_LINES = sa.select(*(policies.c[name] for name in PolicyLine.__struct_fields__))


class Policies:
    """The snapshots of this desk."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def start(self, policy: Policy) -> Serving:
        """Who serves; `policy` from now on where nobody does yet. Many processes may start at once."""
        new = Serving(champion_id=policy.id, since=self._clock.now(), version=1)

        async def work(connection: Connection) -> None:
            if await _FIRST(connection, {"id": 1, **msgspec.structs.asdict(new)}):
                await _ADD(connection, _row(policy))

        found = await self._pointer()
        if found is None:
            await self._database.act(work)
            found = await self._pointer()
        assert found is not None, "written here or by another"
        return found

    async def serving(self) -> Serving:
        """Who serves. Raises `NotFound` before the desk has started for the first time."""
        found = await self._pointer()
        if found is None:
            raise NotFound("No policy serves yet", hint="Switch `engagement.enabled` on and start the desk.")
        return found

    async def served(self) -> list[str]:
        """The ids of those that serve: champion, challenger, shadow."""
        now = await self.serving()
        return [each for each in dict.fromkeys((now.champion_id, now.challenger_id, now.shadow_id)) if each is not None]

    async def get(self, policy_id: str) -> Policy:
        """A snapshot. Raises `NotFound`."""
        rows = await self._database.run(_POLICY, {"policy": policy_id})
        if not rows:
            raise NotFound("There is no such policy", where=policy_id, hint="frontdesk policies list")
        return msgspec.msgpack.decode(decompress(rows[0]["record"]), type=Policy)

    async def add(self, policy: Policy) -> None:
        """Keep a new snapshot, which serves nobody yet."""
        await self._database.run(_ADD, _row(policy))

    async def advance(self, policy: Policy) -> bool:
        """Keep a snapshot that has learned more, and let it serve wherever its parent does.

        False, and nothing is kept, when its parent serves nowhere any more.
        """

        async def work(connection: Connection) -> bool:
            moved = await _FOLLOW(connection, {"old": policy.parent_id, "new": policy.id})
            if moved:
                await _ADD(connection, _row(policy))
            return bool(moved)

        return await self._database.act(work)

    async def move(
        self,
        kind: MoveKind,
        before: Serving,
        after: Serving,
        *,
        reason: str,
        figures: Figures | None = None,
        actor: str = "",
    ) -> Serving:
        """Let other snapshots serve, and write down why. Returns the new pointer.

        `after` is `before` with what is to change; moment and version are set here. Raises `Conflict` when the pointer
        is no longer `before`, `NotFound` for a snapshot that does not exist.
        """
        for policy_id in {after.champion_id, after.challenger_id, after.shadow_id} - {None}:
            await self.get(str(policy_id))
        now = self._clock.now()
        after = msgspec.structs.replace(after, since=now, version=before.version + 1)
        move = Move(
            id=self._ids.new("move"),
            at=now,
            kind=kind,
            before=before,
            after=after,
            reason=reason,
            figures=dict(figures or {}),
            actor=actor,
        )
        change = {f"new_{name}": value for name, value in msgspec.structs.asdict(after).items()}

        async def work(connection: Connection) -> None:
            if not await _CHANGE(connection, change | {"expected": before.version}):
                raise Conflict("Other policies serve by now", hint="Look again, and decide anew.")
            await _MOVED(connection, msgspec.structs.asdict(move))

        await self._database.act(work)
        return after

    async def page(self, *, strategy: str = "", cursor: str | None = None, limit: int = 50) -> list[PolicyLine]:
        """Snapshots, the newest first."""
        query = _LINES.order_by(policies.c.created_at.desc(), policies.c.id.desc()).limit(limit)
        if strategy:
            query = query.where(policies.c.strategy == strategy)
        if cursor:
            query = query.where(sa.tuple_(policies.c.created_at, policies.c.id) < seen(cursor))
        async with self._database.read() as connection:
            return await _lines(connection, query)

    async def calibrations(self, limit: int = 50) -> list[PolicyLine]:
        """The latest snapshots whose confidence was measured, the oldest first."""
        measured = _LINES.where(policies.c.calibration_error.is_not(None))
        query = measured.order_by(policies.c.created_at.desc(), policies.c.id.desc()).limit(limit)
        async with self._database.read() as connection:
            return (await _lines(connection, query))[::-1]

    async def lineage(self, policy_id: str, *, limit: int = 100) -> list[PolicyLine]:
        """The snapshot and those that it came from, itself first. Raises `NotFound`."""
        own = sa.select(policies.c.id, policies.c.parent_id, sa.literal(0).label("depth"))
        line = own.where(policies.c.id == policy_id).cte("line", recursive=True)
        parents = sa.select(policies.c.id, policies.c.parent_id, line.c.depth + 1)
        line = line.union_all(parents.where(policies.c.id == line.c.parent_id, line.c.depth < limit - 1))
        async with self._database.read() as connection:
            found = await _lines(connection, _LINES.join(line, line.c.id == policies.c.id).order_by(line.c.depth))
        if not found:
            raise NotFound("There is no such policy", where=policy_id, hint="frontdesk policies list")
        return found

    async def moves(self, *, kind: MoveKind | None = None, limit: int = 50) -> list[Move]:
        """Moves of the pointer, the newest first."""
        query = sa.select(moves).order_by(moves.c.at.desc(), moves.c.id.desc()).limit(limit)
        if kind:
            query = query.where(moves.c.kind == kind)
        async with self._database.read() as connection:
            return [Move(**row) for row in (await connection.execute(query)).mappings()]

    async def _pointer(self) -> Serving | None:
        rows = await self._database.run(_POINTER, {})
        return Serving(**rows[0]) if rows else None


async def _lines(connection: AsyncConnection, query: sa.Select[tuple[object, ...]]) -> list[PolicyLine]:
    return [PolicyLine(**row) for row in (await connection.execute(query)).mappings()]


def _row(policy: Policy) -> dict[str, object]:
    return {
        "outcomes": policy.reward.n,
        "calibration_error": policy.calibration.error,
        "record": compress(msgspec.msgpack.encode(policy)),  # beliefs are large matrices, and each half minute has one
        **{name: getattr(policy, name) for name in PolicyLine.__struct_fields__ if name in Policy.__struct_fields__},
    }
