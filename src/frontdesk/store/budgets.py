"""What models may use up in an hour or a day, counted over all processes: set aside before a call, settled after it.

A call sets aside the most that it can use, so parallel calls cannot overspend, whichever process makes them. What is
set aside counts as used until the call is settled. A call that nobody settles, because its process was killed, stays
counted at its most until its hour or day is over: a budget errs by spending too little, and nothing has to be swept.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import BudgetSpent, StoreUnavailable
from frontdesk.messages import Usage
from frontdesk.ports import Clock, Ids
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.typed import Typed

budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # whose, and which day or hour: "desk 2026-11-21"
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), index=True),
    sa.Column("begins_at", UtcDateTime, nullable=False, index=True),
    sa.Column("spent_tokens", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("spent_cost", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("reserved_tokens", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("reserved_cost", sa.BigInteger, nullable=False, server_default="0"),
)

reservations = sa.Table(
    "budget_reservations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), index=True),
    sa.Column("budgets", Typed[tuple[str, ...]](tuple[str, ...]), nullable=False),
    sa.Column("tokens", sa.BigInteger, nullable=False),
    sa.Column("cost", sa.BigInteger, nullable=False),
    sa.Column("made_at", UtcDateTime, nullable=False, index=True),
)

KEPT = timedelta(days=40)  # how long old periods stay to be looked at
SOON = 10.0  # seconds after which a call may fit whose place is only set aside for calls that run now

_RESERVE = (
    budgets.update()
    .where(budgets.c.id == sa.bindparam("budget"))
    .values(
        reserved_tokens=budgets.c.reserved_tokens + sa.bindparam("tokens"),
        reserved_cost=budgets.c.reserved_cost + sa.bindparam("cost"),
    )
)
_SETTLE = (
    budgets.update()
    .where(budgets.c.id == sa.bindparam("budget"))
    .values(
        spent_tokens=budgets.c.spent_tokens + sa.bindparam("used_tokens"),
        spent_cost=budgets.c.spent_cost + sa.bindparam("used_cost"),
        reserved_tokens=budgets.c.reserved_tokens - sa.bindparam("tokens"),
        reserved_cost=budgets.c.reserved_cost - sa.bindparam("cost"),
    )
)


class Cap(msgspec.Struct, frozen=True, kw_only=True):
    """The most that the whole desk, or each person, may use in an hour or a day (UTC). `cost` is in millionths."""

    whose: Literal["desk", "person"]
    period: Literal["hour", "day"]
    tokens: int | None = None
    cost: int | None = None


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """A cap, how much of it is used or set aside, and when it begins anew."""

    whose: Literal["desk", "person"]
    period: Literal["hour", "day"]
    tokens: int | None
    tokens_used: int
    cost: int | None
    cost_used: int
    renews_at: datetime


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    """One budget that a call draws on: a cap in its current period."""

    id: str
    person_id: str | None
    cap: Cap
    begins_at: datetime
    ends_at: datetime


class _Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a budget's row holds."""

    id: str
    spent_tokens: int = 0
    spent_cost: int = 0
    reserved_tokens: int = 0
    reserved_cost: int = 0


class Budgets:
    """A `ports.Budget` over all processes of the desk. Where there are no caps, nobody needs to ask it."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, caps: Sequence[Cap] = ()) -> None:
        self.caps = tuple(caps)
        self._database = database
        self._clock = clock
        self._ids = ids
        self._unsettled: list[tuple[str, Usage]] = []
        self._settling: set[asyncio.Future[None]] = set()

    async def reserve(self, account: str, tokens: int, cost: int) -> str:
        """Set aside the most that a call can use, and return the reservation's id.

        `account` is the request's (`store.calls.account`). Raises `BudgetSpent` when it fits a budget no more, whose
        `retry_after` says when it may again; `StoreUnavailable`.
        """
        now, person_id = self._clock.now(), account.split("/")[1] if account.count("/") else ""
        lines = self._lines(person_id or None, now)
        if not lines:
            return ""
        reservation: dict[str, object] = {
            "id": self._ids.new("bud"),
            "person_id": person_id or None,
            "budgets": tuple(line.id for line in lines),
            "tokens": tokens,
            "cost": cost,
            "made_at": now,
        }
        refused = await self._database.commit(partial(_reserve, lines, reservation, tokens, cost))
        if refused is not None:
            raise _spent(*refused, tokens=tokens, cost=cost, now=now)
        return str(reservation["id"])

    async def settle(self, reservation: str, usage: Usage) -> None:
        """Replace what was set aside by what was used. While the store is away the word is kept for the next time."""
        if not reservation:
            return
        self._unsettled.append((reservation, usage))
        settling = asyncio.ensure_future(self.settled())
        self._settling.add(settling)
        settling.add_done_callback(self._settling.discard)
        await asyncio.shield(settling)  # a turn that is stopped has spent, too

    async def settled(self) -> None:
        """Settle what is still to be settled."""
        waiting, self._unsettled = self._unsettled, []
        try:
            if waiting:
                await self._database.commit(partial(_settle, waiting))
        except StoreUnavailable:
            self._unsettled = waiting + self._unsettled

    async def left(self, person_id: str | None) -> list[Left]:
        """What is left now: of this person's caps, or of the desk's when `person_id` is None."""
        whose = "desk" if person_id is None else "person"
        lines = [line for line in self._lines(person_id, self._clock.now()) if line.cap.whose == whose]
        if not lines:
            return []
        async with self._database.read() as connection:
            held = await _held(connection, lines)
        return [
            Left(
                whose=line.cap.whose,
                period=line.cap.period,
                tokens=line.cap.tokens,
                tokens_used=row.spent_tokens + row.reserved_tokens,
                cost=line.cap.cost,
                cost_used=row.spent_cost + row.reserved_cost,
                renews_at=line.ends_at,
            )
            for line in lines
            for row in (held.get(line.id, _Held(id=line.id)),)
        ]

    def _lines(self, person_id: str | None, now: datetime) -> list[_Line]:
        """The budgets of a call of this person, the desk's last: its rows are everybody's, so they are locked last."""
        lines: list[_Line] = []
        for cap in self.caps:
            if cap.whose == "person" and person_id is None:
                continue
            day = datetime(now.year, now.month, now.day, tzinfo=UTC)
            begins, lasts = (day, timedelta(days=1)) if cap.period == "day" else (_hour(now), timedelta(hours=1))
            label = begins.strftime("%Y-%m-%d" if cap.period == "day" else "%Y-%m-%dT%H")
            owner = person_id if cap.whose == "person" else None
            lines.append(
                _Line(
                    id=f"{owner or 'desk'} {label}", person_id=owner, cap=cap, begins_at=begins, ends_at=begins + lasts
                )
            )
        return sorted(lines, key=lambda line: (line.person_id is None, line.id))


async def _reserve(
    lines: Sequence[_Line], reservation: dict[str, object], tokens: int, cost: int, connection: AsyncConnection
) -> tuple[_Line, _Held] | None:
    """Set aside in every budget, or in none: then the one that has no room, and what it holds."""
    held: dict[str, _Held] = {}
    for line in lines:  # one after another in their order, so that two calls never wait for each other crosswise
        held |= await _held(connection, [line], lock=True)
        if line.id not in held:
            await _begin(connection, line)
            held |= await _held(connection, [line], lock=True)
        row, cap = held[line.id], line.cap
        used = row.spent_tokens + row.reserved_tokens, row.spent_cost + row.reserved_cost
        if _over(used[0] + tokens, cap.tokens) or _over(used[1] + cost, cap.cost):
            return line, row
    await connection.execute(_RESERVE, [{"budget": line.id, "tokens": tokens, "cost": cost} for line in lines])
    await connection.execute(reservations.insert(), reservation)
    return None


async def _settle(settled: Sequence[tuple[str, Usage]], connection: AsyncConnection) -> None:
    """Each reservation is settled once, also when this is run again."""
    for reservation, usage in settled:
        taken = reservations.delete().where(reservations.c.id == reservation)
        found = await connection.execute(
            taken.returning(reservations.c.budgets, reservations.c.tokens, reservations.c.cost)
        )
        row = found.one_or_none()
        if row is None:
            continue
        used = {"used_tokens": usage.prompt_tokens + usage.completion_tokens, "used_cost": usage.cost}
        named: tuple[str, ...] = row.budgets
        given_back = {"tokens": row.tokens, "cost": row.cost}
        await connection.execute(_SETTLE, [{"budget": budget, **given_back, **used} for budget in named])


async def _held(connection: AsyncConnection, lines: Sequence[_Line], *, lock: bool = False) -> dict[str, _Held]:
    query = sa.select(*(budgets.c[name] for name in _Held.__struct_fields__))
    query = query.where(budgets.c.id.in_([line.id for line in lines]))
    rows = (await connection.execute(query.with_for_update() if lock else query)).mappings()
    return {row["id"]: _Held(**row) for row in rows}


async def _begin(connection: AsyncConnection, line: _Line) -> None:
    """Open the budget of a new period, and forget the periods of long ago."""
    row = {"id": line.id, "person_id": line.person_id, "begins_at": line.begins_at}
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    await connection.execute(insert(budgets).values(row).on_conflict_do_nothing(index_elements=["id"]))
    if line.person_id is None:
        long_ago = line.begins_at - KEPT
        await connection.execute(budgets.delete().where(budgets.c.begins_at < long_ago))
        await connection.execute(reservations.delete().where(reservations.c.made_at < long_ago))


def _spent(line: _Line, row: _Held, *, tokens: int, cost: int, now: datetime) -> BudgetSpent:
    owner = "The desk's budget" if line.person_id is None else "Your budget"
    span = "today" if line.cap.period == "day" else "this hour"
    where = f"{line.cap.whose} {line.cap.period}"
    ends = (line.ends_at - now).total_seconds()
    if _over(tokens, line.cap.tokens) or _over(cost, line.cap.cost):
        hint = "Ask with less text or a lower bound on the answer, or raise the budget in the system file."
        return BudgetSpent(f"{owner} for models is smaller than what this one call could use", where=where, hint=hint)
    only_set_aside = not (
        _over(row.spent_tokens + tokens, line.cap.tokens) or _over(row.spent_cost + cost, line.cap.cost)
    )
    if only_set_aside:
        text = f"{owner} for models is set aside for calls that run now"
        return BudgetSpent(text, where=where, retry_after=min(SOON, ends))
    when = line.ends_at.strftime("%H:%M")
    return BudgetSpent(
        f"{owner} for models is used up for {span}; it renews at {when} UTC", where=where, retry_after=ends
    )


def _over(wanted: int, cap: int | None) -> bool:
    return cap is not None and wanted > cap


def _hour(now: datetime) -> datetime:
    return datetime(now.year, now.month, now.day, now.hour, tzinfo=UTC)
