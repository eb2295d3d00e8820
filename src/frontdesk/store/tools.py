"""The ledger of tool servers and their tools, and people's approvals of tool calls."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import Conflict, NotFound
from frontdesk.messages import Approval, ToolRecord
from frontdesk.ports import Clock
from frontdesk.store.database import Database, UtcDateTime, Work, metadata
from frontdesk.store.sealed import SealedText

tool_servers = sa.Table(
    "tool_servers",
    metadata,
    sa.Column("address", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("first_seen_at", UtcDateTime, nullable=False),
)

tools = sa.Table(
    "tools",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column(
        "address", sa.Text, sa.ForeignKey("tool_servers.address", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("tool", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("parameters", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("accepted", sa.Text),
    sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("needs_approval", sa.Boolean),
    sa.Column("changed_at", UtcDateTime, nullable=False),
)

approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("turn_id", sa.Text, nullable=False, index=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("call_id", sa.Text, nullable=False),
    sa.Column("tool", sa.Text, nullable=False),
    sa.Column("arguments", SealedText, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_at", UtcDateTime),
)

TRIES = 3  # of a first sight that several processes have at once

T = TypeVar("T")
ApprovalState = Literal["pending", "approved", "denied", "expired", "used"]


class ToolLedger:
    """Names of servers and what was accepted of their tools."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def server_name(self, address: str, wanted: str) -> str:
        """The name that belongs to this address: `wanted` when first seen (numbered if taken), the same ever after."""
        names = await self.server_names()
        if address in names:
            return names[address]

        async def work(connection: AsyncConnection) -> str:
            taken = {row.address: row.name for row in await connection.execute(sa.select(tool_servers))}
            if address in taken:
                return taken[address]
            free = _free_name(wanted, set(taken.values()))
            await connection.execute(
                sa.insert(tool_servers).values(address=address, name=free, first_seen_at=self._clock.now())
            )
            return free

        return await self._raced(work)

    async def server_names(self) -> Mapping[str, str]:
        """The names of all addresses that were ever seen."""
        async with self._database.read() as connection:
            return {row.address: row.name for row in await connection.execute(sa.select(tool_servers))}

    async def seen(self, address: str, seen: tuple[ToolRecord, ...], *, accept: bool) -> tuple[ToolRecord, ...]:
        """Remember what the server offers now; return it with what was decided. `accept` holds for new tools alone."""
        now = self._clock.now()
        known = {record.name: record for record in await self._of(address)}
        if all(tool.name in known and known[tool.name].digest == tool.digest for tool in seen):
            return tuple(known[tool.name] for tool in seen)

        async def work(connection: AsyncConnection) -> tuple[ToolRecord, ...]:
            rows = await connection.execute(sa.select(tools).where(tools.c.address == address))
            before = {record.name: record for record in map(_record, rows.mappings())}
            for tool in seen:
                await _remember(connection, tool, before.get(tool.name), now, accept=accept)
            after = await connection.execute(sa.select(tools).where(tools.c.name.in_([tool.name for tool in seen])))
            return tuple(map(_record, after.mappings()))

        return await self._raced(work)

    async def tool(self, name: str) -> ToolRecord | None:
        """What is remembered of the tool."""
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(tools).where(tools.c.name == name))).mappings().first()
        return _record(row) if row is not None else None

    async def tools(self) -> tuple[ToolRecord, ...]:
        """All tools that were ever seen, by name."""
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(tools).order_by(tools.c.name))
            return tuple(map(_record, rows.mappings()))

    async def rule(
        self, name: str, *, digest: str | None, disabled: bool | None, needs_approval: bool | None
    ) -> ToolRecord:
        """Change what is given. `NotFound` for an unknown tool, `Conflict` when its digest is another one now."""
        given = (("accepted", digest), ("disabled", disabled), ("needs_approval", needs_approval))
        values = {column: value for column, value in given if value is not None}

        async def work(connection: AsyncConnection) -> ToolRecord:
            query = sa.select(tools).where(tools.c.name == name)
            row = (await connection.execute(query.with_for_update())).mappings().first()
            if row is None:
                raise NotFound("There is no such tool", where=name)
            if digest is not None and row["digest"] != digest:
                raise Conflict("The tool has changed since you looked at it", where=name, hint="Read it again.")
            if values:
                await connection.execute(sa.update(tools).where(tools.c.name == name).values(**values))
            return _record((await connection.execute(query)).mappings().one())

        return await self._database.commit(work)

    async def _of(self, address: str) -> tuple[ToolRecord, ...]:
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(tools).where(tools.c.address == address))
            return tuple(map(_record, rows.mappings()))

    async def _raced(self, work: Work[T]) -> T:
        for _ in range(TRIES - 1):
            try:
                return await self._database.commit(work)
            except IntegrityError:  # another process saw it first
                continue
        return await self._database.commit(work)


class ApprovalRows:
    """Approvals as rows. Every change is one UPDATE that names the state it starts from."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def open(self, approval: Approval) -> Approval:
        """Keep it, or return the one that already asks the same for the same call of the same turn."""
        same = sa.select(approvals).where(
            approvals.c.turn_id == approval.turn_id,
            approvals.c.call_id == approval.call_id,
            approvals.c.digest == approval.digest,
            approvals.c.state.in_(("pending", "approved", "denied")),
        )

        async def work(connection: AsyncConnection) -> Approval:
            row = (await connection.execute(same)).mappings().first()
            if row is not None:
                return _approval(row)
            await connection.execute(sa.insert(approvals).values(**msgspec.structs.asdict(approval)))
            return approval

        return await self._database.commit(work)

    async def get(self, approval_id: str) -> Approval:
        """The approval, or `NotFound`."""
        async with self._database.read() as connection:
            query = sa.select(approvals).where(approvals.c.id == approval_id)
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise NotFound("There is no such approval", where=approval_id)
        return _approval(row)

    async def pending(self, person_id: str | None) -> tuple[Approval, ...]:
        """Those that wait for a word and have not expired, of one person or of all, oldest first."""
        where = [approvals.c.state == "pending", approvals.c.expires_at > self._clock.now()]
        if person_id is not None:
            where.append(approvals.c.person_id == person_id)
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(approvals).where(*where).order_by(approvals.c.id).limit(200))
            return tuple(map(_approval, rows.mappings()))

    async def move(
        self,
        approval_id: str,
        *,
        source: ApprovalState,
        target: ApprovalState,
        digest: str,
        decided_by: str | None = None,
    ) -> bool:
        """Whether it was in state `source`, of this digest and not expired, and now is in `target`."""
        values: dict[str, object] = {"state": target}
        if decided_by is not None:
            values |= {"decided_by": decided_by, "decided_at": self._clock.now()}
        change = (
            sa.update(approvals)
            .where(
                approvals.c.id == approval_id,
                approvals.c.state == source,
                approvals.c.digest == digest,
                approvals.c.expires_at > self._clock.now(),
            )
            .values(**values)
        )
        return await self._changed(change) == 1

    async def expire(self, approval_id: str) -> None:
        """Mark it expired if its time has passed undecided."""
        now = self._clock.now()
        late = (approvals.c.id == approval_id, approvals.c.state == "pending", approvals.c.expires_at <= now)
        async with self._database.read() as connection:
            if (await connection.execute(sa.select(approvals.c.id).where(*late))).first() is None:
                return
        await self._changed(sa.update(approvals).where(*late).values(state="expired"))

    async def withdraw(self, turn_id: str) -> None:
        """Expire what the turn asked for and has not used."""
        open_still = approvals.c.state.in_(("pending", "approved"))
        await self._changed(
            sa.update(approvals).where(approvals.c.turn_id == turn_id, open_still).values(state="expired")
        )

    async def _changed(self, change: sa.Update) -> int:
        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(change)).rowcount

        return await self._database.commit(work)


async def _remember(
    connection: AsyncConnection, tool: ToolRecord, before: ToolRecord | None, now: datetime, *, accept: bool
) -> None:
    values = {
        "description": tool.description,
        "parameters": bytes(tool.parameters).decode(),
        "digest": tool.digest,
        "changed_at": now,
    }
    if before is None:
        accepted = tool.digest if accept else None
        await connection.execute(
            sa.insert(tools).values(
                name=tool.name, address=tool.address, tool=tool.tool, accepted=accepted, disabled=False, **values
            )
        )
    elif before.digest != tool.digest:
        await connection.execute(sa.update(tools).where(tools.c.name == tool.name).values(**values))


def _free_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted[:17]}_{number}"
    return name


def _record(row: sa.RowMapping) -> ToolRecord:
    return ToolRecord(
        name=row["name"],
        address=row["address"],
        tool=row["tool"],
        description=row["description"],
        parameters=msgspec.Raw(row["parameters"].encode()),
        digest=row["digest"],
        accepted=row["accepted"],
        disabled=row["disabled"],
        needs_approval=row["needs_approval"],
    )


def _approval(row: sa.RowMapping) -> Approval:
    return msgspec.convert({name: row[name] for name in Approval.__struct_fields__}, Approval)
