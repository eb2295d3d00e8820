"""What models were used for, and what it cost: one row for each model call."""

import asyncio
from datetime import datetime, timedelta
from functools import partial

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from frontdesk.messages import Usage
from frontdesk.ports import Clock, Ids
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.prepared import Prepared
from frontdesk.store.rows import Rows

calls = sa.Table(
    "model_calls",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    sa.Column("turn_id", sa.Text),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("prompt_tokens", sa.Integer, nullable=False, server_default="0"),
    sa.Column("completion_tokens", sa.Integer, nullable=False, server_default="0"),
    sa.Column("cost", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("day", sa.Text, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("duration_ms", sa.Integer),
    sa.Index("ix_model_calls_person_id_day", "person_id", "day"),
    sa.Index("ix_model_calls_day", "day"),
)


LATER = 0.25  # seconds that a call waits for others: nobody waits until it is booked
_BOOK = Prepared(calls.insert(), tuple(calls.c.keys()))


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A model call: `accepted` before it starts, then `done` or `failed`. `cost` is in millionths of the unit."""

    id: str
    person_id: str
    channel: str
    model: str
    state: str
    day: str
    at: datetime
    turn_id: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: int = 0
    duration_ms: int | None = None


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """The sum of a day's calls of one model."""

    day: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: int


def account(channel: str, person_id: str, turn_id: str = "") -> str:
    """The key under which a turn's model calls are booked (`ModelRequest.account`)."""
    return f"{channel}/{person_id}/{turn_id}"


class Calls:
    """The ledger of model calls (`ports.Ledger`): told of each call at once, it stores them in the background."""

    def __init__(self, database: Database, rows: Rows, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._rows = rows
        self._clock = clock
        self._ids = ids
        self._booking: set[asyncio.Future[None]] = set()
        self._later: asyncio.TimerHandle | None = None
        self._unstored: list[Call] = []

    def called(self, account: str, model: str, usage: Usage) -> None:
        """Book a call that happened. One without an account (a health check, say) is nobody's and not booked."""
        channel, _, rest = account.partition("/")
        person_id, _, turn_id = rest.partition("/")
        if not person_id:
            return
        call = self.begin(person_id, channel, model, turn_id or None)
        spent = msgspec.structs.asdict(usage)
        self._unstored.append(msgspec.structs.replace(call, state="done", **spent))
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(LATER, self._book)

    async def settled(self) -> None:
        """Return when every call that was booked is stored. Raises `StoreUnavailable`; the calls are kept for later."""
        self._book()
        outcomes = await asyncio.gather(*self._booking, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, IntegrityError):
                raise outcome

    def _book(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        calls, self._unstored = self._unstored, []
        for call in calls:
            done = self._rows.put(_BOOK, msgspec.structs.asdict(call))
            self._booking.add(done)
            done.add_done_callback(partial(self._booked, call))

    def _booked(self, call: Call, done: asyncio.Future[None]) -> None:
        self._booking.discard(done)
        if not done.cancelled() and isinstance(done.exception(), IntegrityError):
            return  # the person has been erased meanwhile, and what they used with them
        if done.cancelled() or done.exception() is not None:
            self._unstored.append(call)

    def begin(self, person_id: str, channel: str, model: str, turn_id: str | None = None) -> Call:
        """A call that is about to be made: not stored yet."""
        now = self._clock.now()
        return Call(
            id=self._ids.new("call"),
            person_id=person_id,
            channel=channel,
            model=model,
            state="accepted",
            day=now.date().isoformat(),
            at=now,
            turn_id=turn_id,
        )

    async def spent(self, person_id: str | None, days: int = 30) -> list[Spent]:
        """Sums by day and model of the last `days` days; of everybody when `person_id` is None."""
        await self.settled()  # so that a process tells what it has used itself
        since = (self._clock.now() - timedelta(days=days - 1)).date().isoformat()
        query = (
            sa.select(
                calls.c.day,
                calls.c.model,
                sa.func.count().label("calls"),
                sa.func.sum(calls.c.prompt_tokens).label("prompt_tokens"),
                sa.func.sum(calls.c.completion_tokens).label("completion_tokens"),
                sa.cast(sa.func.sum(calls.c.cost), sa.BigInteger).label("cost"),
            )
            .where(calls.c.day >= since)
            .group_by(calls.c.day, calls.c.model)
            .order_by(calls.c.day, calls.c.model)
        )
        if person_id is not None:
            query = query.where(calls.c.person_id == person_id)
        async with self._database.read() as connection:
            return [Spent(**row) for row in (await connection.execute(query)).mappings()]
