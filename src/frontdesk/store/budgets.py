"""What models may use up in an hour or a day, counted over all processes: set aside before a call, settled after it.

A call sets aside the most that it can use, so parallel calls cannot overspend, whichever process makes them. What is
set aside counts as used until the call is settled. A call that nobody settles, because its process was killed, stays
counted at its most until its hour or day is over: a budget errs by spending too little, and nothing has to be swept.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from frontdesk.errors import BudgetSpent, StoreUnavailable
from frontdesk.messages import Usage
from frontdesk.ports import Clock, Ids
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.prepared import Change, Connection, Prepared, Row, among, together
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
DESK = "desk"  # where a person's id stands in the ids of other budgets
ROOMY = 20  # calls of one size for which a budget has room: then nobody waits for what such a call gives back
LATER = 0.25  # seconds that a word may wait for others, where nobody waits for it
SOON = 10.0  # seconds after which a call may fit whose place is only set aside for calls that run now

AMOUNTS = ("spent_tokens", "spent_cost", "reserved_tokens", "reserved_cost")
_CHANGE = Prepared(
    budgets.update()
    .where(budgets.c.id == sa.bindparam("budget"))
    .values({name: budgets.c[name] + sa.bindparam(f"more_{name}") for name in AMOUNTS})
)
_READ = Prepared(sa.select(budgets.c.id, *(budgets.c[name] for name in AMOUNTS)).where(among(budgets.c.id, "budgets")))
_LOCK = Prepared(  # in one order everywhere, so that no two wait for each other
    sa.select(budgets.c.id, *(budgets.c[name] for name in AMOUNTS))
    .where(among(budgets.c.id, "budgets"))
    .order_by(budgets.c.person_id.is_(None), budgets.c.id)
    .with_for_update()
)
_OPEN = Prepared(
    {
        "postgresql": postgresql.insert(budgets).on_conflict_do_nothing(index_elements=["id"]),
        "sqlite": sqlite.insert(budgets).on_conflict_do_nothing(index_elements=["id"]),
    },
    ("id", "person_id", "begins_at"),
)
_RESERVE = Prepared(reservations.insert(), ("id", "person_id", "budgets", "tokens", "cost", "made_at"))
_TAKE = Prepared(
    reservations.delete()
    .where(among(reservations.c.id, "calls"))
    .returning(reservations.c.id, reservations.c.budgets, reservations.c.tokens, reservations.c.cost)
)
_FORGET_BUDGETS = Prepared(budgets.delete().where(budgets.c.begins_at < sa.bindparam("before")))
_FORGET_RESERVATIONS = Prepared(reservations.delete().where(reservations.c.made_at < sa.bindparam("before")))


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

    @property
    def tokens(self) -> int:
        """Used or set aside."""
        return self.spent_tokens + self.reserved_tokens

    @property
    def cost(self) -> int:
        """Used or set aside."""
        return self.spent_cost + self.reserved_cost

    def after(self, change: "_Change | None") -> "_Held":
        """The same once the change is made."""
        if change is None:
            return self
        return _Held(
            id=self.id,
            spent_tokens=self.spent_tokens + change.spent_tokens,
            spent_cost=self.spent_cost + change.spent_cost,
            reserved_tokens=self.reserved_tokens + change.reserved_tokens,
            reserved_cost=self.reserved_cost + change.reserved_cost,
        )


@dataclass(slots=True)
class _Change:
    """What is to be added to a budget's row."""

    spent_tokens: int = 0
    spent_cost: int = 0
    reserved_tokens: int = 0
    reserved_cost: int = 0

    def add(self, spent_tokens: int, spent_cost: int, reserved_tokens: int, reserved_cost: int) -> None:
        self.spent_tokens += spent_tokens
        self.spent_cost += spent_cost
        self.reserved_tokens += reserved_tokens
        self.reserved_cost += reserved_cost

    def columns(self) -> dict[str, int]:
        """As parameters of `_CHANGE`."""
        return {f"more_{name}": getattr(self, name) for name in AMOUNTS}


class _Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A call that wants to set something aside."""

    id: str
    person_id: str | None
    lines: Sequence[_Line]
    tokens: int
    cost: int
    made_at: datetime


class _Word(msgspec.Struct, frozen=True, kw_only=True):
    """What a call that had set something aside has used."""

    reservation: str
    usage: Usage


_Refusal = tuple[_Line, _Held]  # the budget that has no room, and what it holds
_Asking = tuple[_Ask, asyncio.Future[_Refusal | None]]
_Telling = tuple[_Word, asyncio.Future[None]]


class Budgets:
    """A `ports.Budget` over all processes of the desk. Where there are no caps, nobody needs to ask it.

    Calls that ask or end at the same moment share one transaction: all of them change the desk's one row of the day.
    While a budget has much room, calls that ended wait a moment for others.
    """

    def __init__(self, database: Database, clock: Clock, ids: Ids, caps: Sequence[Cap] = ()) -> None:
        self.caps = tuple(caps)
        self._database = database
        self._clock = clock
        self._ids = ids
        self._asking: list[_Asking] = []
        self._unsettled: list[_Telling] = []
        self._booking: asyncio.Task[None] | None = None
        self._roomy: set[str] = set()  # reservations in budgets that had much room
        self._later: asyncio.TimerHandle | None = None

    async def reserve(self, account: str, tokens: int, cost: int) -> str:
        """Set aside the most that a call can use, and return the reservation's id.

        `account` is the request's (`store.calls.account`). Raises `BudgetSpent` when it fits a budget no more, whose
        `retry_after` says when it may again; `StoreUnavailable`.
        """
        now, person_id = self._clock.now(), account.split("/")[1] if account.count("/") else ""
        lines = self._lines(person_id or None, now)
        if not lines:
            return ""
        ask = _Ask(
            id=self._ids.new("bud"), person_id=person_id or None, lines=lines, tokens=tokens, cost=cost, made_at=now
        )
        answer: asyncio.Future[_Refusal | None] = asyncio.get_running_loop().create_future()
        self._asking.append((ask, answer))
        self._book_soon()
        if (refused := await answer) is not None:
            raise _spent(*refused, tokens=tokens, cost=cost, now=now)
        return ask.id

    async def settle(self, reservation: str, usage: Usage) -> None:
        """Replace what was set aside by what was used, at once or, where that is all the same to others, very soon.

        While the store is away the word is kept for the next time.
        """
        if not reservation:
            return
        word = _Word(reservation=reservation, usage=usage)
        if reservation not in self._roomy:
            await self._tell(word)
            return
        self._roomy.discard(reservation)
        self._unsettled.append((word, _nobody_waits()))
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(LATER, self._book_soon)

    async def settled(self) -> None:
        """Settle what is still to be settled."""
        if self._unsettled:
            self._book_soon()
        if self._booking is not None:
            await asyncio.shield(self._booking)

    async def left(self, person_id: str | None) -> list[Left]:
        """What is left now: of this person's caps, or of the desk's when `person_id` is None."""
        await self.settled()
        whose = "desk" if person_id is None else "person"
        lines = [line for line in self._lines(person_id, self._clock.now()) if line.cap.whose == whose]
        if not lines:
            return []
        held = _by_id(await self._database.run(_READ, {"budgets": [line.id for line in lines]}))
        return [
            Left(
                whose=line.cap.whose,
                period=line.cap.period,
                tokens=line.cap.tokens,
                tokens_used=row.tokens,
                cost=line.cap.cost,
                cost_used=row.cost,
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
                _Line(id=f"{owner or DESK} {label}", person_id=owner, cap=cap, begins_at=begins, ends_at=begins + lasts)
            )
        return sorted(lines, key=lambda line: (line.person_id is None, line.id))

    def _tell(self, word: _Word) -> asyncio.Future[None]:
        """The future is done when the word is stored, or kept because the store is away."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unsettled.append((word, told))
        self._book_soon()
        return told

    def _book_soon(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._booking is None:
            self._booking = asyncio.create_task(self._book_all(), name="budgets")

    async def _book_all(self) -> None:
        try:
            well = True
            while self._asking or (self._unsettled and well):
                asking, self._asking = self._asking, []
                telling, self._unsettled = self._unsettled, []
                try:
                    await self._book(asking, telling)
                except StoreUnavailable as error:
                    well = False
                    _fail(asking, error)
                    self._keep(telling)
                except Exception:  # one spoiled it for all (its person was erased meanwhile): each goes alone
                    well = bool(asking)
                    await self._one_by_one(asking)
                    self._keep(telling)
                else:
                    well = True
        finally:
            self._booking = None

    async def _book(self, asking: Sequence[_Asking], telling: Sequence[_Telling]) -> None:
        asks, words = [ask for ask, _ in asking], [word for word, _ in telling]
        refusals, roomy = await self._database.act(partial(_book, asks, words))
        self._roomy |= roomy
        _done(telling)
        for ask, answer in asking:
            if not answer.done():
                answer.set_result(refusals.get(ask.id))
            elif ask.id not in refusals:  # whoever asked has gone
                self._roomy.discard(ask.id)
                self._tell(_Word(reservation=ask.id, usage=Usage()))

    async def _one_by_one(self, asking: Sequence[_Asking]) -> None:
        for each in asking:
            try:
                await self._book([each], ())
            except Exception as error:
                _fail([each], error)

    def _keep(self, telling: Sequence[_Telling]) -> None:
        """For the next time."""
        self._unsettled = [*telling, *self._unsettled]
        _done(telling)


async def _book(
    asks: Sequence[_Ask], words: Sequence[_Word], connection: Connection
) -> tuple[dict[str, _Refusal], set[str]]:
    """Settle, then set aside for each call in every budget or in none. The refused ones, by id, and those whose budgets
    all have much room left.

    Each reservation is settled once, also when this is run again.
    """
    changes: dict[str, _Change] = {}
    for row in await _TAKE(connection, {"calls": [word.reservation for word in words]}) if words else ():
        usage = next(word.usage for word in words if word.reservation == row["id"])
        tokens = usage.prompt_tokens + usage.completion_tokens
        for budget in row["budgets"]:
            changes.setdefault(budget, _Change()).add(tokens, usage.cost, -row["tokens"], -row["cost"])
    if not asks:
        await _CHANGE.many(connection, [_changed(*each) for each in sorted(changes.items(), key=_in_order)])
        return {}, set()
    held = await _held(connection, [line for ask in asks for line in ask.lines], changes)
    refusals: dict[str, _Refusal] = {}
    roomy: set[str] = set()
    for ask in asks:
        for line in ask.lines:
            row = held[line.id].after(changes.get(line.id))
            if _over(row.tokens + ask.tokens, line.cap.tokens) or _over(row.cost + ask.cost, line.cap.cost):
                refusals[ask.id] = line, row
                break
        else:
            if all(_has_much_room(ask, line.cap, held[line.id].after(changes.get(line.id))) for line in ask.lines):
                roomy.add(ask.id)
            for line in ask.lines:
                changes.setdefault(line.id, _Change()).add(0, 0, ask.tokens, ask.cost)
    booked: list[Change] = [(_CHANGE, _changed(*each)) for each in changes.items()]
    booked += [(_RESERVE, _row(ask)) for ask in asks if ask.id not in refusals]
    await together(connection, booked)
    return refusals, roomy


def _changed(budget: str, change: _Change) -> Row:
    return {"budget": budget, **change.columns()}


def _in_order(each: tuple[str, object]) -> tuple[bool, str]:
    """The order of `_LOCK`: the desk's own come last."""
    return each[0].startswith(f"{DESK} "), each[0]


def _row(ask: _Ask) -> dict[str, object]:
    return {
        "id": ask.id,
        "person_id": ask.person_id,
        "budgets": tuple(dict.fromkeys(line.id for line in ask.lines)),
        "tokens": ask.tokens,
        "cost": ask.cost,
        "made_at": ask.made_at,
    }


async def _held(connection: Connection, lines: Sequence[_Line], more: Collection[str]) -> dict[str, _Held]:
    """What these budgets hold, locked until the end. Those of a new period are opened."""
    found = _by_id(await _LOCK(connection, {"budgets": {*(line.id for line in lines), *more}}))
    new = {line.id: line for line in lines if line.id not in found}
    if new:
        rows = [{"id": each.id, "person_id": each.person_id, "begins_at": each.begins_at} for each in new.values()]
        rows.sort(key=lambda row: (row["person_id"] is None, row["id"]))  # the order in which they are locked
        await _OPEN.many(connection, rows)
        found |= _by_id(await _LOCK(connection, {"budgets": list(new)}))
        for line in new.values():
            if line.person_id is None:  # the desk's own begin once a day: the time to forget those of long ago
                await _FORGET_BUDGETS(connection, {"before": line.begins_at - KEPT})
                await _FORGET_RESERVATIONS(connection, {"before": line.begins_at - KEPT})
    return found


def _by_id(rows: Sequence[Row]) -> dict[str, _Held]:
    return {row["id"]: _Held(**row) for row in rows}


def _done(telling: Sequence[_Telling]) -> None:
    for _, told in telling:
        if not told.done():
            told.set_result(None)


def _fail(asking: Sequence[_Asking], error: Exception) -> None:
    for _, answer in asking:
        if not answer.done():
            answer.set_exception(error)


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


def _has_much_room(ask: _Ask, cap: Cap, row: _Held) -> bool:
    return not (_over(row.tokens + ROOMY * ask.tokens, cap.tokens) or _over(row.cost + ROOMY * ask.cost, cap.cost))


def _nobody_waits() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


def _hour(now: datetime) -> datetime:
    return datetime(now.year, now.month, now.day, now.hour, tzinfo=UTC)
