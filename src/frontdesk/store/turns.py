"""Inbox, turns and their events: what came in, who works on it, and what its readers have been shown.

A turn is leased: `claim` hands out a fence, a number that grows with every claim, and each write names it. A process
that was paused while another took the turn over finds its fence outdated and can write nothing.
"""

from datetime import datetime, timedelta
from typing import Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import Conflict, NotFound
from frontdesk.messages import Accepted, Citation, Failed, Finished, Grounding, Inbound, Numbered, TurnEvent
from frontdesk.ports import Clock, Ids
from frontdesk.store.conversations import Fault, ToolUse, conversations, find, messages
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.files import files
from frontdesk.store.typed import Typed

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("external_id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("turn_id", sa.Text, sa.ForeignKey("turns.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("message", Typed[Inbound](Inbound), nullable=False),
    sa.Column("received_at", UtcDateTime, nullable=False),
)

turns = sa.Table(
    "turns",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("conversation_id", sa.Text, sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("reply_id", sa.Text, nullable=False),
    sa.Column("inbound", Typed[Inbound](Inbound), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
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
    sa.Column("event", Typed[TurnEvent](TurnEvent), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)

OPEN = ("queued", "running")
TITLE_LENGTH = 80


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to run a turn until `until`, proved by `fence`. `last_seq` is the last event that is stored."""

    turn_id: str
    conversation_id: str
    person_id: str
    message_id: str
    reply_id: str
    inbound: Inbound
    fence: int
    last_seq: int
    until: datetime


class LostLease(Exception):  # a signal between the runner and the turn, not an error anyone sees
    """Another process has taken this turn over, or it has ended."""


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


class Turns:
    """The inbox and the turns of all conversations."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def accept(self, inbound: Inbound) -> Accepted:
        """Store message, reply and turn in one transaction; the same (channel, external id) gives the same answer.

        Raises `NotFound` for a conversation, parent, message or file that is not the person's, `Conflict` when the
        same external id comes with another message.
        """

        async def work(connection: AsyncConnection) -> Accepted:
            known = await _known(connection, inbound)
            return known or await self._store(connection, inbound)

        try:
            return await self._database.commit(work)
        except IntegrityError:  # another process stored the same message meanwhile: now it is known
            return await self._database.commit(work)

    async def claim(self, owner: str, seconds: float, turn_id: str | None = None) -> Lease | None:
        """Take the turn, or the oldest one that is free, for `seconds`; None when there is none.

        Free is a turn that is queued, or whose lease has run out, and before which its conversation has no open one.
        """
        now = self._clock.now()
        earlier = turns.alias("earlier")
        free = (
            sa.select(turns.c.id)
            .where(
                sa.or_(turns.c.state == "queued", sa.and_(turns.c.state == "running", turns.c.lease_until < now)),
                ~sa.exists().where(
                    earlier.c.conversation_id == turns.c.conversation_id,
                    earlier.c.state.in_(OPEN),
                    sa.tuple_(earlier.c.created_at, earlier.c.id) < sa.tuple_(turns.c.created_at, turns.c.id),
                ),
            )
            .order_by(turns.c.created_at)
            .limit(1)
        )
        if turn_id is not None:
            free = free.where(turns.c.id == turn_id)
        if not self._database.is_sqlite:  # SQLite has one writer, so nobody else can pick the same row meanwhile
            free = free.with_for_update(skip_locked=True, of=turns)

        async def work(connection: AsyncConnection) -> Lease | None:
            chosen = (await connection.execute(free)).scalar_one_or_none()
            if chosen is None:
                return None
            change = turns.update().where(turns.c.id == chosen)
            change = change.values(
                state="running",
                fence=turns.c.fence + 1,
                lease_owner=owner,
                lease_until=now + timedelta(seconds=seconds),
            )
            return _lease((await connection.execute(change.returning(turns))).mappings().one())

        return await self._database.commit(work)

    async def renew(self, lease: Lease, seconds: float) -> bool:
        """Keep the lease for `seconds` from now and say whether a stop is wanted. Raises `LostLease`."""
        until = self._clock.now() + timedelta(seconds=seconds)

        async def work(connection: AsyncConnection) -> bool:
            change = _held(lease).values(lease_until=until).returning(turns.c.stop_requested)
            return _or_lost((await connection.execute(change)).scalar_one_or_none())

        return await self._database.commit(work)

    async def append(self, lease: Lease, events: list[Numbered]) -> bool:
        """Store events and say whether a stop is wanted. Raises `LostLease`, and then nothing is stored."""

        async def work(connection: AsyncConnection) -> bool:
            change = _held(lease).values(last_seq=events[-1].seq).returning(turns.c.stop_requested)
            stop = _or_lost((await connection.execute(change)).scalar_one_or_none())
            await _insert_events(connection, lease.turn_id, events)
            return stop

        return await self._database.commit(work)

    async def finish(self, lease: Lease, last: list[Numbered], outcome: Outcome) -> None:
        """Store the last events, the reply and the turn's end in one transaction. Raises `LostLease`."""

        async def work(connection: AsyncConnection) -> None:
            now = self._clock.now()
            change = _held(lease).values(
                state="failed" if outcome.state == "failed" else "finished",
                last_seq=last[-1].seq,
                finished_at=now,
                lease_until=None,
            )
            _or_lost((await connection.execute(change.returning(turns.c.stop_requested))).scalar_one_or_none())
            await _insert_events(connection, lease.turn_id, last)
            await connection.execute(
                messages.update().where(messages.c.id == lease.reply_id).values(**msgspec.structs.asdict(outcome))
            )
            await connection.execute(
                conversations.update().where(conversations.c.id == lease.conversation_id).values(updated_at=now)
            )

        await self._database.commit(work)

    async def request_stop(self, turn_id: str) -> bool:
        """Ask whoever runs the turn to end it; False when it has ended already."""

        async def work(connection: AsyncConnection) -> bool:
            change = turns.update().where(turns.c.id == turn_id, turns.c.state.in_(OPEN)).values(stop_requested=True)
            return (await connection.execute(change)).rowcount > 0

        return await self._database.commit(work)

    async def events(self, turn_id: str, after: int = 0) -> list[Numbered]:
        """The stored events with `seq > after`."""
        query = (
            sa.select(turn_events.c.seq, turn_events.c.event, turn_events.c.at)
            .where(turn_events.c.turn_id == turn_id, turn_events.c.seq > after)
            .order_by(turn_events.c.seq)
        )
        async with self._database.read() as connection:
            return [Numbered(seq=row.seq, event=row.event, at=row.at) for row in await connection.execute(query)]

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

    async def open_in(self, conversation_id: str) -> str | None:
        """The oldest turn of the conversation that has not ended."""
        query = (
            sa.select(turns.c.id)
            .where(turns.c.conversation_id == conversation_id, turns.c.state.in_(OPEN))
            .order_by(turns.c.created_at, turns.c.id)
            .limit(1)
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

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

    async def _store(self, connection: AsyncConnection, inbound: Inbound) -> Accepted:
        now = self._clock.now()
        await _own_files(connection, inbound.file_ids, inbound.person_id)
        conversation_id, head_id = await self._conversation(connection, inbound, now)
        turn_id, reply_id = self._ids.new("turn"), self._ids.new("msg")
        message_id = inbound.regenerate or self._ids.new("msg")
        row = {"conversation_id": conversation_id, "person_id": inbound.person_id, "created_at": now}
        if inbound.regenerate:
            await _own_message(connection, inbound.regenerate, conversation_id, role="user")
        else:
            parent_id = None if inbound.at_start else inbound.parent_id or head_id
            if inbound.parent_id and not inbound.at_start:
                await _own_message(connection, inbound.parent_id, conversation_id)
            await connection.execute(
                messages.insert(),
                row
                | {
                    "id": message_id,
                    "parent_id": parent_id,
                    "role": "user",
                    "text": inbound.text,
                    "state": "complete",
                    "file_ids": inbound.file_ids or None,
                    "turn_id": turn_id,
                },
            )
        reply = {"id": reply_id, "parent_id": message_id, "role": "assistant", "state": "running", "turn_id": turn_id}
        await connection.execute(messages.insert(), row | reply | {"text": ""})
        await connection.execute(
            turns.insert(),
            row
            | {"id": turn_id, "message_id": message_id, "reply_id": reply_id, "inbound": inbound, "state": "queued"},
        )
        await connection.execute(
            inbox.insert(),
            {
                "channel": inbound.channel,
                "external_id": inbound.external_id,
                "person_id": inbound.person_id,
                "turn_id": turn_id,
                "message": inbound,
                "received_at": now,
            },
        )
        await connection.execute(
            conversations.update().where(conversations.c.id == conversation_id).values(head_id=reply_id, updated_at=now)
        )
        return Accepted(turn_id=turn_id, conversation_id=conversation_id, message_id=message_id, reply_id=reply_id)

    async def _conversation(
        self, connection: AsyncConnection, inbound: Inbound, now: datetime
    ) -> tuple[str, str | None]:
        if inbound.conversation_id is not None:
            conversation = await find(connection, inbound.conversation_id, inbound.person_id)
            return conversation.id, conversation.head_id
        conversation_id = self._ids.new("conv")
        await connection.execute(
            conversations.insert(),
            {
                "id": conversation_id,
                "person_id": inbound.person_id,
                "channel": inbound.channel,
                "title": _title(inbound.text),
                "created_at": now,
                "updated_at": now,
            },
        )
        return conversation_id, None


async def _known(connection: AsyncConnection, inbound: Inbound) -> Accepted | None:
    query = (
        sa.select(inbox.c.message, turns.c.id, turns.c.conversation_id, turns.c.message_id, turns.c.reply_id)
        .join(turns, turns.c.id == inbox.c.turn_id)
        .where(inbox.c.channel == inbound.channel, inbox.c.external_id == inbound.external_id)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    if msgspec.structs.replace(row.message, trace=None) != msgspec.structs.replace(inbound, trace=None):
        raise Conflict("This idempotency key was used for another message", hint="Use a new key for a new message.")
    return Accepted(
        turn_id=row.id,
        conversation_id=row.conversation_id,
        message_id=row.message_id,
        reply_id=row.reply_id,
        is_new=False,
    )


async def _own_message(
    connection: AsyncConnection, message_id: str, conversation_id: str, role: str | None = None
) -> None:
    query = sa.select(messages.c.id).where(messages.c.id == message_id, messages.c.conversation_id == conversation_id)
    if role is not None:
        query = query.where(messages.c.role == role)
    if (await connection.execute(query)).scalar_one_or_none() is None:
        raise NotFound("There is no such message in this conversation", where=message_id)


async def _own_files(connection: AsyncConnection, file_ids: tuple[str, ...], person_id: str) -> None:
    if not file_ids:
        return
    query = sa.select(files.c.id).where(files.c.id.in_(file_ids), files.c.person_id == person_id)
    own = set((await connection.execute(query)).scalars())
    for file_id in file_ids:
        if file_id not in own:
            raise NotFound("There is no such file", where=file_id)


async def _insert_events(connection: AsyncConnection, turn_id: str, events: list[Numbered]) -> None:
    await connection.execute(
        turn_events.insert(),
        [{"turn_id": turn_id, "seq": item.seq, "event": item.event, "at": item.at} for item in events],
    )


def _held(lease: Lease) -> sa.Update:
    return turns.update().where(turns.c.id == lease.turn_id, turns.c.fence == lease.fence, turns.c.state == "running")


def _or_lost(stop_requested: bool | None) -> bool:
    if stop_requested is None:
        raise LostLease
    return stop_requested


def _lease(row: sa.RowMapping) -> Lease:
    names = ("conversation_id", "person_id", "message_id", "reply_id", "inbound", "fence", "last_seq")
    return Lease(turn_id=row["id"], until=row["lease_until"], **{name: row[name] for name in names})


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rsplit(" ", 1)[0] + "…"


def is_last(event: TurnEvent) -> bool:
    """Whether a stream ends with this event."""
    return isinstance(event, Finished | Failed)
