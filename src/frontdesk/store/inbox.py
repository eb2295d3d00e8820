"""What comes in: a message becomes rows in one transaction, however often and wherever it arrives."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from frontdesk.errors import Conflict, NotFound
from frontdesk.events import Accepted, Inbound, ToolCalled
from frontdesk.ports import Clock, Ids
from frontdesk.store import words
from frontdesk.store.conversations import Conversation, conversations, find, messages
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.files import files
from frontdesk.store.prepared import Change, Connection, Prepared, among, together
from frontdesk.store.sealed import Sealed
from frontdesk.store.turns import TICK, is_open, turn_events, turns

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("external_id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("turn_id", sa.Text, sa.ForeignKey("turns.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("message", Sealed[Inbound](Inbound), nullable=False),
    sa.Column("received_at", UtcDateTime, nullable=False),
)

TITLE_LENGTH = 80

_KNOWN = Prepared(
    sa.select(inbox.c.message, turns.c.id, turns.c.conversation_id, turns.c.message_id, turns.c.reply_id)
    .join(turns, turns.c.id == inbox.c.turn_id)
    .where(inbox.c.channel == sa.bindparam("channel"), inbox.c.external_id == sa.bindparam("outside"))
)
_AT_PLACE = Prepared(
    sa.select(conversations)
    .where(conversations.c.channel == sa.bindparam("channel"), conversations.c.place == sa.bindparam("place"))
    .with_for_update()
)
_OPEN = Prepared(conversations.insert(), ("id", "person_id", "channel", "place", "title", "created_at", "updated_at"))
_WRITE = Prepared(
    messages.insert(),
    (
        *("id", "conversation_id", "person_id", "parent_id", "role", "text", "state"),
        *("turn_id", "file_ids", "external_id", "created_at"),
    ),
)
_BEGIN = Prepared(
    turns.insert(),
    ("id", "conversation_id", "person_id", "message_id", "reply_id", "inbound", "state", "created_at"),
)
_RECEIVE = Prepared(inbox.insert(), tuple(inbox.c.keys()))
_HEARD = Prepared(
    conversations.update()
    .where(conversations.c.id == sa.bindparam("conversation"))
    .values(
        head_id=sa.bindparam("head"),
        updated_at=sa.bindparam("now"),
        last_from="person",
        status="open",
        closed_at=None,
        waiting_since=sa.bindparam("since"),
    )
)
_SET_ASIDE = Prepared(
    turns.update()
    .where(turns.c.conversation_id == sa.bindparam("conversation"), is_open(turns.c.state))
    .values(state=sa.bindparam("ended"), finished_at=sa.bindparam("now"), lease_until=None)
    .returning(turns.c.message_id, turns.c.reply_id)
)
_UNANSWERED = Prepared(  # held, so that none of them calls a tool while it is looked at
    sa.select(turns.c.id)
    .where(turns.c.conversation_id == sa.bindparam("conversation"), is_open(turns.c.state))
    .order_by(turns.c.id)
    .with_for_update()
)
_SAID = Prepared(sa.select(turn_events.c.event).where(among(turn_events.c.turn_id, "those")))
_FOLLOW = Prepared(
    messages.update()
    .where(messages.c.conversation_id == sa.bindparam("conversation"), messages.c.parent_id == sa.bindparam("reply"))
    .values(parent_id=sa.bindparam("message"))
)
_DROP = Prepared(messages.delete().where(messages.c.id == sa.bindparam("reply")))
_MESSAGE = Prepared(
    sa.select(messages.c.role).where(
        messages.c.id == sa.bindparam("message"), messages.c.conversation_id == sa.bindparam("conversation")
    )
)
_FILE = Prepared(
    sa.select(files.c.id).where(files.c.id == sa.bindparam("file"), files.c.person_id == sa.bindparam("person"))
)


class Inbox:
    """Accepting messages. `wants_person` says whether a text asks for a human being: then the person waits for one."""

    def __init__(
        self, database: Database, clock: Clock, ids: Ids, *, wants_person: Callable[[str], bool] | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._wants_person = wants_person

    async def accept(self, inbound: Inbound) -> Accepted:
        """Store message, reply and turn in one transaction; the same (channel, external id) gives the same answer.

        Raises `NotFound` for a conversation, parent, message or file that is not the person's, `Conflict` when the
        same external id comes with another message.
        """

        async def store(connection: Connection) -> Accepted:
            return await self._store(connection, inbound)

        async def look_first(connection: Connection) -> Accepted:
            return await _known(connection, inbound) or await store(connection)

        try:
            return await self._database.act(store)
        except (IntegrityError, NotFound):  # it may be known, or another process has begun the same chat
            return await self._database.act(look_first)

    async def _store(self, connection: Connection, inbound: Inbound) -> Accepted:
        await _own_files(connection, inbound.file_ids, inbound.person_id)
        conversation = await self._conversation(connection, inbound)
        # Turns are worked on in order of time, and the conversation is locked: time moves with every message in it.
        now = max(self._clock.now(), conversation.updated_at + TICK)
        head_id = conversation.head_id
        if inbound.merge and conversation.held_by is None and await may_set_aside(connection, conversation.id):
            head_id = await set_aside(connection, conversation, "merged", now)
        turn_id, reply_id = self._ids.new("turn"), self._ids.new("msg")
        row = {"conversation_id": conversation.id, "person_id": inbound.person_id, "created_at": now}
        written = {**row, "turn_id": turn_id, "file_ids": None, "external_id": None}
        message = await self._message(connection, inbound, conversation, head_id, written)
        message_id = inbound.regenerate or str(message["id"])
        fresh = [message] if message else []
        if conversation.held_by is None:
            head_id = reply_id
            reply = {"id": reply_id, "parent_id": message_id, "role": "assistant", "state": "running", "text": ""}
            fresh.append({**written, **reply})
        elif not inbound.regenerate:
            head_id = message_id
        changes: list[Change] = [(_WRITE, row) for row in fresh]
        if message:
            changes.append(await words.indexing(connection, conversation.id, message_id, str(message["text"])))
        state = "queued" if conversation.held_by is None else "held"
        turn = {"id": turn_id, "message_id": message_id, "reply_id": reply_id, "inbound": inbound, "state": state}
        received = {
            "channel": inbound.channel,
            "external_id": inbound.external_id,
            "person_id": inbound.person_id,
            "turn_id": turn_id,
            "message": inbound,
            "received_at": now,
        }
        heard = {
            "conversation": conversation.id,
            "head": head_id,
            "now": now,
            "since": self._waiting_since(conversation, inbound, now),
        }
        await together(connection, [*changes, (_BEGIN, row | turn), (_RECEIVE, received), (_HEARD, heard)])
        return Accepted(turn_id=turn_id, conversation_id=conversation.id, message_id=message_id, reply_id=reply_id)

    def _waiting_since(self, conversation: Conversation, inbound: Inbound, now: datetime) -> datetime | None:
        asks = self._wants_person is not None and self._wants_person(inbound.text)
        waits = asks or conversation.held_by is not None
        return conversation.waiting_since or (now if waits else None)

    async def _message(
        self,
        connection: Connection,
        inbound: Inbound,
        conversation: Conversation,
        head_id: str | None,
        written: Mapping[str, object],
    ) -> dict[str, object]:
        """The row of the person's message; one without contents when its reply is only to be made anew."""
        if inbound.regenerate:
            await _own_message(connection, inbound.regenerate, conversation.id, role="user")
            return {}
        if inbound.parent_id and not inbound.at_start:
            await _own_message(connection, inbound.parent_id, conversation.id)
        parent_id = None if inbound.at_start else inbound.parent_id or head_id
        if conversation.held_by is not None:  # branches are for talks with the desk: to a person one speaks in order
            parent_id = head_id
        return {
            **written,
            "id": self._ids.new("msg"),
            "parent_id": parent_id,
            "role": "user",
            "text": f"{inbound.sender}: {inbound.text}" if inbound.sender else inbound.text,
            "state": "complete",
            "file_ids": inbound.file_ids or None,
            "external_id": inbound.reply_to,
        }

    async def _conversation(self, connection: Connection, inbound: Inbound) -> Conversation:
        if inbound.conversation_id is not None:
            return await find(connection, inbound.conversation_id, inbound.person_id, locked=True)
        if inbound.place is not None:
            known = await _AT_PLACE.one(connection, {"channel": inbound.channel, "place": inbound.place})
            if known is not None and known["person_id"] != inbound.person_id:
                raise NotFound("There is no such conversation", where=known["id"])
            if known is not None:
                return Conversation(**known)
        now = self._clock.now()
        begun = {
            "id": self._ids.new("conv"),
            "person_id": inbound.person_id,
            "channel": inbound.channel,
            "place": inbound.place,
            "title": _title(inbound.text),
            "created_at": now,
            "updated_at": now,
        }
        await _OPEN(connection, begun)
        return await find(connection, str(begun["id"]), inbound.person_id)


async def may_set_aside(connection: Connection, conversation_id: str) -> bool:
    """Whether turns wait for an answer, and none has called a tool: what a tool has done, its own turn must tell."""
    waiting = [row["id"] for row in await _UNANSWERED(connection, {"conversation": conversation_id})]
    if not waiting:
        return False
    said = await _SAID(connection, {"those": waiting})
    return not any(isinstance(row["event"], ToolCalled) for row in said)


async def set_aside(
    connection: Connection, conversation: Conversation, state: Literal["merged", "held"], now: datetime
) -> str | None:
    """End the turns that have not been answered, their replies with them, and say what the next message follows.

    Whoever works on such a turn finds its lease gone, and so sends nothing.
    """
    head_id = conversation.head_id
    for row in await _SET_ASIDE(connection, {"conversation": conversation.id, "ended": state, "now": now}):
        moved = {"conversation": conversation.id, "reply": row["reply_id"], "message": row["message_id"]}
        await _FOLLOW(connection, moved)
        await _DROP(connection, {"reply": row["reply_id"]})
        if head_id == row["reply_id"]:
            head_id = row["message_id"]
    return head_id


async def _known(connection: Connection, inbound: Inbound) -> Accepted | None:
    row = await _KNOWN.one(connection, {"channel": inbound.channel, "outside": inbound.external_id})
    if row is None:
        return None
    if msgspec.structs.replace(row["message"], trace=None) != msgspec.structs.replace(inbound, trace=None):
        raise Conflict("This idempotency key was used for another message", hint="Use a new key for a new message.")
    return Accepted(
        turn_id=row["id"],
        conversation_id=row["conversation_id"],
        message_id=row["message_id"],
        reply_id=row["reply_id"],
        is_new=False,
    )


async def _own_message(connection: Connection, message_id: str, conversation_id: str, role: str | None = None) -> None:
    row = await _MESSAGE.one(connection, {"message": message_id, "conversation": conversation_id})
    if row is None or (role is not None and row["role"] != role):
        raise NotFound("There is no such message in this conversation", where=message_id)


async def _own_files(connection: Connection, file_ids: tuple[str, ...], person_id: str) -> None:
    for file_id in file_ids:
        if not await _FILE(connection, {"file": file_id, "person": person_id}):
            raise NotFound("There is no such file", where=file_id)


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rsplit(" ", 1)[0] + "…"
