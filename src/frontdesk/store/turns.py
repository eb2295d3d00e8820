"""Turns and their events: who works on a reply, and what its readers have been shown.

A turn is leased: `claim` hands out a fence, a number that grows with every claim, and each write names it. A process
that was paused while another took the turn over finds its fence outdated and can write nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import NotFound
from frontdesk.events import Failed, Finished, Inbound, Numbered, PersonAnswers, TurnEvent
from frontdesk.messages import Citation, Grounding
from frontdesk.ports import Clock, Ids
from frontdesk.store import words
from frontdesk.store.conversations import Fault, ToolUse, conversations, messages
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.outbox import NewLetter, writing
from frontdesk.store.people import people
from frontdesk.store.prepared import Change, Connection, Prepared, Row, among, together
from frontdesk.store.sealed import Sealed

turns = sa.Table(
    "turns",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("conversation_id", sa.Text, sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("reply_id", sa.Text, nullable=False),
    sa.Column("inbound", Sealed[Inbound](Inbound), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
    sa.Column("claims", sa.Integer, nullable=False, server_default="0"),
    sa.Column("lease_owner", sa.Text),
    sa.Column("lease_until", UtcDateTime),
    sa.Column("last_seq", sa.Integer, nullable=False, server_default="0"),
    sa.Column("stop_requested", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("finished_at", UtcDateTime),
    sa.Index("ix_turns_conversation_id_created_at", "conversation_id", "created_at"),
    sa.Index("ix_turns_state_lease_until", "state", "lease_until"),
)

turn_events = sa.Table(
    "turn_events",
    metadata,
    sa.Column("turn_id", sa.Text, sa.ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("event", Sealed[TurnEvent](TurnEvent), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)

OPEN = ("queued", "running")


def is_open(state: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether a turn of this state has yet to end."""
    return sa.or_(state == "queued", state == "running")


_THOSE = among(turns.c.id, "those")
_RUN = sa.select(turns.c.id, turns.c.fence, turns.c.stop_requested).where(_THOSE, turns.c.state == "running")
_RUNNING = Prepared(_RUN)
_HELD_FAST = Prepared(_RUN.order_by(turns.c.id).with_for_update())  # in one order, so that no two wait
_KEEP = Prepared(turns.update().where(_THOSE).values(lease_until=sa.bindparam("until")))
_LAST_SEQ = Prepared(turns.update().where(turns.c.id == sa.bindparam("turn")).values(last_seq=sa.bindparam("seq")))
TICK = timedelta(microseconds=1)
_NOW = sa.bindparam("now", type_=UtcDateTime)
_EARLIER = turns.alias("earlier")
_FREE = (
    sa.select(turns.c.id)
    .where(
        sa.or_(
            turns.c.state == "queued",
            sa.and_(turns.c.state == "running", turns.c.lease_until < _NOW),
        ),
        ~sa.exists().where(
            _EARLIER.c.conversation_id == turns.c.conversation_id,
            is_open(_EARLIER.c.state),
            sa.tuple_(_EARLIER.c.created_at, _EARLIER.c.id) < sa.tuple_(turns.c.created_at, turns.c.id),
        ),
    )
    .order_by(turns.c.created_at)
    .limit(1)
    .with_for_update(skip_locked=True, of=turns)  # SQLite has one writer, and no such words
)
_QUICK = sa.select(conversations.c.quick).where(conversations.c.id == turns.c.conversation_id).scalar_subquery()


def _taking(free: sa.Select[tuple[str]]) -> Prepared:
    """Takes the turn that `free` selects, and gives its row with its conversation's `quick`."""
    change = turns.update().where(turns.c.id == free.scalar_subquery())
    change = change.values(
        state="running",
        fence=turns.c.fence + 1,
        claims=turns.c.claims + 1,
        lease_owner=sa.bindparam("owner"),
        lease_until=sa.bindparam("until"),
    )
    return Prepared(change.returning(*(turns.c[name] for name in _LEASED), _QUICK.label("quick")))


_LEASED = (
    *("id", "conversation_id", "person_id", "message_id", "reply_id", "inbound"),
    *("fence", "last_seq", "claims", "created_at", "lease_until"),
)
_TAKE = _taking(_FREE)
_TAKE_IT = _taking(_FREE.where(turns.c.id == sa.bindparam("turn")))
_IN_CONVERSATION = turns.c.conversation_id == sa.bindparam("conversation")
_FOLLOWING = Prepared(
    sa.select(turns.c.id)
    .where(_IN_CONVERSATION, is_open(turns.c.state))
    .order_by(turns.c.created_at, turns.c.id)
    .limit(1)
)
_SPOKE = Prepared(
    conversations.update()
    .where(conversations.c.id == sa.bindparam("conversation"))
    .values(
        # Whichever is later: a conversation's time never runs backwards, whatever the machines' clocks say.
        updated_at=sa.case((conversations.c.updated_at < _NOW, _NOW), else_=conversations.c.updated_at),
        last_from="desk",
    )
)
_NEXT = turns.alias("next")
_END = Prepared(
    turns.update()
    .where(turns.c.id == sa.bindparam("turn"), turns.c.fence == sa.bindparam("held"), turns.c.state == "running")
    .values(state=sa.bindparam("ended"), last_seq=sa.bindparam("seq"), finished_at=_NOW, lease_until=None)
    .returning(
        sa.select(_NEXT.c.id)
        .where(  # by values: in what is returned, SQLAlchemy leaves the tables' names out on SQLite
            _NEXT.c.conversation_id == sa.bindparam("conversation"),
            is_open(_NEXT.c.state),
            _NEXT.c.id != sa.bindparam("turn"),
        )
        .order_by(_NEXT.c.created_at, _NEXT.c.id)
        .limit(1)
        .scalar_subquery()
        .label("following")
    )
)
_STATE = Prepared(sa.select(turns.c.state).where(turns.c.id == sa.bindparam("turn")))
_SAID = Prepared(
    sa.select(turn_events.c.seq, turn_events.c.event, turn_events.c.at)
    .where(turn_events.c.turn_id == sa.bindparam("turn"), turn_events.c.seq > sa.bindparam("after"))
    .order_by(turn_events.c.seq)
)
_SAY = Prepared(turn_events.insert(), ("turn_id", "seq", "event", "at"))


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to run a turn until `until`, proved by `fence`. `last_seq` is the last event that is stored, `claims`
    how often the turn has been taken without coming to its end."""

    turn_id: str
    conversation_id: str
    person_id: str
    message_id: str
    reply_id: str
    inbound: Inbound
    fence: int
    last_seq: int
    claims: int
    created_at: datetime
    until: datetime
    quick: bool = False


class LostLease(Exception):  # a signal between the runner and the turn, not an error anyone sees
    """Another process has taken this turn over, or it has ended."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What follows the end of a turn: the ids of its letters, and the turn of its conversation that waited for it."""

    letters: tuple[str, ...] = ()
    following: str | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished turn leaves in its reply."""

    text: str
    state: Literal["complete", "stopped", "failed"]
    grounding: Grounding | None = None
    model: str | None = None
    citations: tuple[Citation, ...] = ()
    tools: tuple[ToolUse, ...] = ()
    can_leave_message: bool = False
    error: Fault | None = None


_ANSWER = Prepared(
    messages.update()
    .where(messages.c.id == sa.bindparam("reply"))
    .values({name: sa.bindparam(f"its_{name}") for name in Outcome.__struct_fields__})
)


class Turns:
    """The turns of all conversations."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def claim(self, owner: str, seconds: float, turn_id: str | None = None) -> Lease | None:
        """Take the turn, or the oldest one that is free, for `seconds`; None when there is none.

        Free is a turn that is queued, or whose lease has run out, and before which its conversation has no open one.
        """
        now = self._clock.now()
        values: dict[str, object] = {"now": now, "owner": owner, "until": now + timedelta(seconds=seconds)}
        if turn_id is None:
            taken = await self._database.run(_TAKE, values)
        else:
            taken = await self._database.run(_TAKE_IT, values | {"turn": turn_id})
        return _lease(taken[0]) if taken else None

    async def keep(self, held: Mapping[str, int], seconds: float) -> None:
        """Keep the leases of these turns (id → fence) for `seconds` from now; those that are lost stay so."""
        until = self._clock.now() + timedelta(seconds=seconds)

        async def work(connection: Connection) -> None:
            running = await _HELD_FAST(connection, {"those": list(held)})
            mine = [row["id"] for row in running if held[row["id"]] == row["fence"]]
            await _KEEP(connection, {"those": mine, "until": until})

        await self._database.act(work)

    async def append(self, lease: Lease, events: list[Numbered]) -> bool:
        """Store events and say whether a stop is wanted. Raises `LostLease`, and then nothing is stored."""
        [result] = await self.append_all([(lease, events)])
        if isinstance(result, LostLease):
            raise result
        return result

    async def append_all(self, batch: Sequence[tuple[Lease, list[Numbered]]]) -> list[bool | LostLease]:
        """Store the events of many turns in one transaction; one that is lost harms no other."""

        async def work(connection: Connection) -> list[bool | LostLease]:
            rows = await _HELD_FAST(connection, {"those": [lease.turn_id for lease, _ in batch]})
            stops = {(row["id"], row["fence"]): row["stop_requested"] for row in rows}
            held = [(lease, events) for lease, events in batch if (lease.turn_id, lease.fence) in stops]
            await _LAST_SEQ.many(connection, [{"turn": lease.turn_id, "seq": said[-1].seq} for lease, said in held])
            await _SAY.many(connection, [row for lease, events in held for row in _rows(lease.turn_id, events)])
            return [stops.get((lease.turn_id, lease.fence), LostLease()) for lease, _ in batch]

        return await self._database.act(work)

    async def unwanted(self, held: Mapping[str, int]) -> set[str]:
        """Which of these turns (id → fence) should end: a stop was asked for, or they are another's now."""
        if not held:
            return set()
        rows = await self._database.run(_RUNNING, {"those": list(held)})
        wanted = {row["id"] for row in rows if held[row["id"]] == row["fence"] and not row["stop_requested"]}
        return held.keys() - wanted

    async def finish(
        self,
        lease: Lease,
        last: list[Numbered],
        outcome: Outcome,
        letters: Sequence[NewLetter] = (),
        *,
        dead: bool = False,
    ) -> Ended:
        """Store the last events, the reply, the turn's end and the letters that bring the reply in one transaction.

        `dead` marks a turn that is given up. Raises `LostLease`.
        """

        ended = "failed" if outcome.state == "failed" else "finished"

        async def work(connection: Connection) -> Ended:
            now = self._clock.now()
            # The conversation before its turn, as whoever accepts a message or takes over locks them: no deadlock.
            await _SPOKE(connection, {"conversation": lease.conversation_id, "now": now})
            end = {"turn": lease.turn_id, "held": lease.fence, "ended": "dead" if dead else ended}
            end |= {"conversation": lease.conversation_id, "seq": last[-1].seq, "now": now}
            row = await _END.one(connection, end)
            if row is None:
                raise LostLease
            made = [self._ids.new("out") for _ in letters]
            changes: list[Change] = [(_SAY, said) for said in _rows(lease.turn_id, last)]
            changes.append((_ANSWER, {"reply": lease.reply_id, **_written(outcome)}))
            changes.append(await words.indexing(connection, lease.conversation_id, lease.reply_id, outcome.text))
            for number, letter in enumerate(letters):  # they leave in the order of their times
                changes.append(writing(made[number], now + number * TICK, letter))
            await together(connection, changes)
            return Ended(letters=tuple(made), following=row["following"])

        return await self._database.act(work)

    async def request_stop(self, turn_id: str) -> bool:
        """Ask whoever runs the turn to end it; False when it has ended already."""

        async def work(connection: AsyncConnection) -> bool:
            change = turns.update().where(turns.c.id == turn_id, turns.c.state.in_(OPEN)).values(stop_requested=True)
            return (await connection.execute(change)).rowcount > 0

        return await self._database.commit(work)

    async def events(self, turn_id: str, after: int = 0) -> list[Numbered]:
        """The stored events with `seq > after`."""
        rows = await self._database.run(_SAID, {"turn": turn_id, "after": after})
        return [Numbered(seq=row["seq"], event=row["event"], at=row["at"]) for row in rows]

    async def owner(self, turn_id: str, person_id: str | None = None) -> str:
        """The person whose turn it is. Raises `NotFound`, also when it is not `person_id`'s."""
        query = sa.select(turns.c.person_id).where(turns.c.id == turn_id)
        if person_id is not None:
            query = query.where(turns.c.person_id == person_id)
        async with self._database.read() as connection:
            found = (await connection.execute(query)).scalar_one_or_none()
        if found is None:
            raise NotFound("There is no such turn", where=turn_id)
        return found

    async def state(self, turn_id: str) -> str:
        """`queued`, `running`, or how it ended. Raises `NotFound`."""
        found = await self._database.run(_STATE, {"turn": turn_id})
        if not found:
            raise NotFound("There is no such turn", where=turn_id)
        return found[0]["state"]

    async def holder(self, turn_id: str) -> str:
        """The name of whoever of the team holds the turn's conversation; empty when nobody does."""
        query = (
            sa.select(people.c.name)
            .join(conversations, conversations.c.held_by == people.c.id)
            .join(turns, turns.c.conversation_id == conversations.c.id)
            .where(turns.c.id == turn_id)
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one_or_none() or ""

    async def open_in(self, conversation_id: str) -> str | None:
        """The oldest turn of the conversation that has not ended."""
        found = await self._database.run(_FOLLOWING, {"conversation": conversation_id})
        return found[0]["id"] if found else None

    async def waiting(self) -> list[str]:
        """Turns that are queued, or whose lease has run out: what a sweeper hands out again."""
        now = self._clock.now()
        query = (
            sa.select(turns.c.id)
            .where(sa.or_(turns.c.state == "queued", sa.and_(turns.c.state == "running", turns.c.lease_until < now)))
            .order_by(turns.c.created_at)
            .limit(500)
        )
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())

    async def count(self, state: str) -> int:
        """How many turns are in `state`."""
        query = sa.select(sa.func.count()).select_from(turns).where(turns.c.state == state)
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one()


def _rows(turn_id: str, events: list[Numbered]) -> list[dict[str, object]]:
    return [{"turn_id": turn_id, "seq": item.seq, "event": item.event, "at": item.at} for item in events]


def _written(outcome: Outcome) -> dict[str, object]:
    return {f"its_{name}": value for name, value in msgspec.structs.asdict(outcome).items()}


def _lease(row: Row) -> Lease:
    same = {name: value for name, value in row.items() if name not in ("id", "lease_until")}
    return Lease(turn_id=row["id"], until=row["lease_until"], **same)


def is_last(event: TurnEvent) -> bool:
    """Whether a stream ends with this event."""
    return isinstance(event, Finished | Failed | PersonAnswers)
