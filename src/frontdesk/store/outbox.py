"""What goes out: rows written in the transaction of what caused them, sent afterwards, each under one idempotency key.

Sending is leased as turns are: a process that was paused while another took its row over cannot settle it.
"""

from datetime import datetime, timedelta
from typing import Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.ports import Clock, Ids
from frontdesk.store.conversations import conversations
from frontdesk.store.customers import customers
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.prepared import Change, Connection, Prepared
from frontdesk.store.sealed import SealedText

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), index=True),
    sa.Column("customer_id", sa.Text, sa.ForeignKey(customers.c.id, ondelete="CASCADE"), index=True),
    sa.Column("conversation_id", sa.Text, sa.ForeignKey("conversations.id", ondelete="CASCADE"), index=True),
    sa.Column("message_id", sa.Text),
    sa.Column("place", sa.Text),
    sa.Column("body", SealedText, nullable=False),
    sa.Column("machine", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("proactive", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("repeatable", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("external_id", sa.Text),
    sa.Column("problem", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
    sa.Column("due_at", UtcDateTime, nullable=False),
    sa.Column("not_after", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("settled_at", UtcDateTime),
    sa.Index("ix_outbox_state_due_at", "state", "due_at"),
    sa.Index("ix_outbox_channel_place_created_at", "channel", "place", "created_at"),
)


LetterState = Literal["waiting", "sending", "sent", "failed", "unknown", "withdrawn"]


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to send, leased under `fence`. `key` lets the receiver tell a repetition from a second letter.

    After `not_after` it may not be sent any more.
    """

    id: str
    key: str
    channel: str
    body: str
    attempts: int
    fence: int
    place: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    person_id: str | None = None
    customer_id: str | None = None
    proactive: bool = False
    not_after: datetime | None = None


class LostLetter(Exception):  # a signal to its sender, not an error anyone sees
    """Another process has taken this letter over."""


class NewLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A letter to be written, to a person or to a customer. `place` and `conversation_id` are empty for letters that
    belong to no chat.

    `machine` letters are the desk's own words: they stop when a person takes the conversation over. `proactive` ones
    answer nothing that anybody asked. A `repeatable` one may be sent again when its outcome is unknown, because its
    receiver tells a repetition by the key. None is sent after `not_after`.
    """

    key: str
    channel: str
    body: str
    person_id: str | None = None
    customer_id: str | None = None
    place: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    machine: bool = True
    proactive: bool = False
    repeatable: bool = False
    not_after: datetime | None = None


_PUT = Prepared(outbox.insert(), (*NewLetter.__struct_fields__, "id", "state", "due_at", "created_at"))


async def put(connection: Connection, ids: Ids, now: datetime, letter: NewLetter) -> str:
    """Write a letter in the caller's transaction and return its id. The same key again is the database's error."""
    letter_id = ids.new("out")
    statement, row = writing(letter_id, now, letter)
    await statement(connection, row)
    return letter_id


def writing(letter_id: str, now: datetime, letter: NewLetter) -> Change:
    """The same for a letter of this id, to be made together with other changes."""
    row = msgspec.structs.asdict(letter) | {"id": letter_id, "state": "waiting", "due_at": now, "created_at": now}
    return _PUT, row


_NOW = sa.bindparam("now", type_=UtcDateTime)
_EARLIER = outbox.alias("earlier")
_BEHIND_ANOTHER = sa.exists().where(  # of its place, that has not ended yet
    _EARLIER.c.channel == outbox.c.channel,
    _EARLIER.c.place == outbox.c.place,
    sa.or_(_EARLIER.c.state == "waiting", _EARLIER.c.state == "sending"),
    sa.tuple_(_EARLIER.c.created_at, _EARLIER.c.id) < sa.tuple_(outbox.c.created_at, outbox.c.id),
)
_HOLDER = sa.select(conversations.c.held_by).where(conversations.c.id == outbox.c.conversation_id).scalar_subquery()
_HELD = _HOLDER.is_not(None)  # by its key: for an `EXISTS` PostgreSQL may gather all that are held
_DUE = (
    sa.select(outbox.c.id)
    .where(outbox.c.state.in_(("waiting", "sending")), outbox.c.due_at <= _NOW, ~_BEHIND_ANOTHER)
    .order_by(outbox.c.due_at)
    .limit(500)
)
_TAKE = Prepared(
    outbox.update()
    .where(
        outbox.c.id == sa.bindparam("letter"),
        sa.or_(outbox.c.state == "waiting", sa.and_(outbox.c.state == "sending", outbox.c.repeatable)),
        outbox.c.due_at <= _NOW,
        ~_BEHIND_ANOTHER,
        ~sa.and_(outbox.c.machine, _HELD),
    )
    .values(
        state="sending",
        due_at=sa.bindparam("until", type_=UtcDateTime),
        fence=outbox.c.fence + 1,
        attempts=outbox.c.attempts + 1,
    )
    .returning(*(outbox.c[name] for name in Letter.__struct_fields__))
)
_LEFT = Prepared(
    outbox.update()
    .where(outbox.c.id == sa.bindparam("letter"), outbox.c.state == "sending", outbox.c.due_at <= _NOW)
    .values(state="unknown", settled_at=_NOW, problem="its sender ended in the middle", fence=outbox.c.fence + 1)
)
_NEXT = outbox.alias("next")
_SETTLE = Prepared(
    outbox.update()
    .where(outbox.c.id == sa.bindparam("letter"), outbox.c.fence == sa.bindparam("held"), outbox.c.state == "sending")
    .values(
        state=sa.bindparam("ended"),
        settled_at=_NOW,
        external_id=sa.bindparam("outside"),
        problem=sa.bindparam("why"),
    )
    .returning(
        sa.select(_NEXT.c.id)
        .where(  # by values: in what is returned, SQLAlchemy leaves the tables' names out on SQLite
            _NEXT.c.channel == sa.bindparam("by"), _NEXT.c.place == sa.bindparam("at"), _NEXT.c.state == "waiting"
        )
        .order_by(_NEXT.c.created_at, _NEXT.c.id)
        .limit(1)
        .scalar_subquery()
        .label("following")
    )
)


class Outbox:
    """Claiming letters and settling them.

    Letters of one place leave one at a time, in the order in which they were written. A letter is `waiting`, `sending`
    while a process has it, and then `sent`, `failed`, `withdrawn`, or `unknown`: perhaps it arrived, so nobody sends it
    again unasked. A process that dies while it sends leaves its letter to be found `unknown`.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def due(self) -> list[str]:
        """Letters whose time has come, and those that a process has left in the middle of sending."""
        async with self._database.read() as connection:
            return list((await connection.execute(_DUE, {"now": self._clock.now()})).scalars())

    async def claim(self, letter_id: str, seconds: float) -> Letter | None:
        """Take the letter for `seconds`; None when it is not due, sent, another's, or behind another of its place.

        A machine's letter is not taken while a person holds its conversation. A letter that somebody left in the
        middle of sending becomes `unknown` here.
        """
        now = self._clock.now()
        which = {"letter": letter_id, "now": now}
        taken = await self._database.run(_TAKE, which | {"until": now + timedelta(seconds=seconds)})
        if not taken:
            await self._database.run(_LEFT, which)
        return Letter(**taken[0]) if taken else None

    async def settle(
        self,
        letter: Letter,
        state: Literal["sent", "failed", "unknown"],
        *,
        external_id: str | None = None,
        problem: str | None = None,
    ) -> str | None:
        """Note how it ended and return the id of the next letter of its place, if one waits.

        Raises `LostLetter` when the letter has been taken over meanwhile.
        """
        values = {
            "letter": letter.id,
            "held": letter.fence,
            "by": letter.channel,
            "at": letter.place,
            "ended": state,
            "now": self._clock.now(),
            "outside": external_id,
            "why": problem,
        }
        settled = await self._database.run(_SETTLE, values)
        if not settled:
            raise LostLetter
        return settled[0]["following"]

    async def again(self, letter: Letter, seconds: float, *, counted: bool = True, problem: str | None = None) -> None:
        """Try again after `seconds`. Without `counted` this was no try: a limit had no room."""

        async def work(connection: AsyncConnection) -> None:
            due_at = self._clock.now() + timedelta(seconds=seconds)
            attempts = letter.attempts if counted else letter.attempts - 1
            await connection.execute(
                _mine(letter).values(state="waiting", due_at=due_at, attempts=attempts, problem=problem)
            )

        await self._database.commit(work)

    async def decide(self, letter_id: str, decision: Literal["sent", "send_again"]) -> bool:
        """A person's word on a letter of unknown outcome; False when it is not one.

        One that is sent again is a person's from now on: it leaves also while somebody holds the conversation.
        """
        now = self._clock.now()
        again = {"state": "waiting", "due_at": now, "machine": False}
        known = {"state": "sent", "settled_at": now} if decision == "sent" else again
        change = outbox.update().where(outbox.c.id == letter_id, outbox.c.state == "unknown").values(known)

        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(change)).rowcount > 0

        return await self._database.commit(work)

    async def count(self, state: LetterState) -> int:
        """How many letters are in `state`."""
        query = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.state == state)
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one()


def _mine(letter: Letter) -> sa.Update:
    return outbox.update().where(outbox.c.id == letter.id, outbox.c.fence == letter.fence, outbox.c.state == "sending")
