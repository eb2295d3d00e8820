"""Telegram's updates as the desk reads them (https://core.telegram.org/bots/api#update).

Only the fields that it uses are named; others pass unseen. What cannot be read is told apart from what is merely
unknown: Telegram sends nothing that is no update, and new kinds of updates all the time.
"""

import re
from typing import Literal

import msgspec

from frontdesk.errors import BadRequest
from frontdesk.store.updates import NewUpdate

CHANNEL = "telegram"
ALBUM_SECONDS = 1.0  # an album comes as one update for each picture, all within this time
LARGEST_NUMBER = 2**63 - 1
KINDS = ("message", "edited_message", "callback_query", "my_chat_member")  # what the desk asks for and understands
OTHER_KINDS = frozenset(
    {
        "channel_post",
        "edited_channel_post",
        "inline_query",
        "chosen_inline_result",
        "shipping_query",
        "pre_checkout_query",
        "poll",
        "poll_answer",
        "chat_member",
        "chat_join_request",
        "message_reaction",
        "message_reaction_count",
        "business_connection",
        "business_message",
    }
)
_NOTHING = msgspec.Raw()
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")


class NotAnUpdate(BadRequest):
    """The body is no update of Telegram's."""

    code = "not_an_update"
    default_hint = "Only Telegram posts here. An update is a JSON object with an `update_id`."


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody on Telegram. Names change and are handed on; the id is what stays."""

    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str = ""

    @property
    def name(self) -> str:
        """What they call themselves."""
        return plain(f"{self.first_name} {self.last_name}").strip()[:100] or "Somebody"


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    type: str = "private"
    title: str = ""

    @property
    def is_group(self) -> bool:
        return self.type != "private"


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """A marked part of a text; offset and length count UTF-16 code units."""

    type: str
    offset: int = 0
    length: int = 0
    user: User | None = None


class FileRef(msgspec.Struct, frozen=True, kw_only=True):
    """A file that can be fetched. A picture comes as several of them, in several sizes."""

    file_id: str
    file_size: int | None = None
    file_name: str = ""
    mime_type: str = ""
    width: int = 0


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The message that another one answers."""

    message_id: int
    from_: User | None = msgspec.field(default=None, name="from")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    message_id: int
    chat: Chat
    date: int = 0
    edit_date: int = 0
    from_: User | None = msgspec.field(default=None, name="from")
    sender_chat: Chat | None = None
    text: str | None = None
    caption: str | None = None
    entities: tuple[Entity, ...] = ()
    caption_entities: tuple[Entity, ...] = ()
    media_group_id: str | None = None
    message_thread_id: int | None = None
    is_topic_message: bool = False
    reply_to_message: Answered | None = None
    migrate_to_chat_id: int | None = None
    photo: tuple[FileRef, ...] = ()
    document: FileRef | None = None
    voice: FileRef | None = None
    audio: FileRef | None = None
    video: FileRef | None = None
    video_note: FileRef | None = None
    animation: FileRef | None = None
    sticker: msgspec.Raw = _NOTHING
    location: msgspec.Raw = _NOTHING
    venue: msgspec.Raw = _NOTHING
    contact: msgspec.Raw = _NOTHING
    poll: msgspec.Raw = _NOTHING
    dice: msgspec.Raw = _NOTHING
    story: msgspec.Raw = _NOTHING
    game: msgspec.Raw = _NOTHING
    paid_media: msgspec.Raw = _NOTHING
    checklist: msgspec.Raw = _NOTHING

    @property
    def is_service(self) -> bool:
        """Whether Telegram tells what happened in the chat, and nobody said anything."""
        things = (self.sticker, self.location, self.venue, self.contact, self.poll, self.dice)
        more = (self.story, self.game, self.paid_media, self.checklist)
        return self.text is None and not self.media and not any(bytes(thing) for thing in things + more)

    @property
    def media(self) -> bool:
        """Whether a picture, a document or a recording came."""
        others = (self.document, self.voice, self.audio, self.video, self.video_note, self.animation)
        return bool(self.photo) or any(other is not None for other in others)

    @property
    def place(self) -> str:
        """The desk's address of this chat, or of the topic in it."""
        if self.is_topic_message and self.message_thread_id is not None:
            return f"{self.chat.id}/{self.message_thread_id}"
        return str(self.chat.id)

    @property
    def words(self) -> str:
        """What was written, in the message or under its picture."""
        return plain(self.text if self.text is not None else self.caption or "").strip()

    @property
    def marks(self) -> tuple[Entity, ...]:
        """The marked parts of `text` or `caption`."""
        return self.entities if self.text is not None else self.caption_entities


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """The message under which a button was pressed; its text is gone when it is old."""

    message_id: int
    chat: Chat
    message_thread_id: int | None = None
    is_topic_message: bool = False


class Press(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody pressed a button."""

    id: str
    from_: User = msgspec.field(name="from")
    message: Shown | None = None
    data: str = ""


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    status: str


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """The bot was let into a chat, or thrown out."""

    chat: Chat
    from_: User = msgspec.field(name="from")
    new_chat_member: Membership

    @property
    def is_out(self) -> bool:
        return self.new_chat_member.status in ("kicked", "left")


class Update(msgspec.Struct, frozen=True, kw_only=True):
    update_id: int
    message: Message | None = None
    edited_message: Message | None = None
    callback_query: Press | None = None
    my_chat_member: Joined | None = None

    @property
    def chat(self) -> Chat | None:
        """Where it happened."""
        message = self.message or self.edited_message or self.my_chat_member
        if message is not None:
            return message.chat
        if self.callback_query is None:
            return None
        shown = self.callback_query.message
        return shown.chat if shown is not None else Chat(id=self.callback_query.from_.id)


_parts = msgspec.json.Decoder(dict[str, msgspec.Raw])
_number = msgspec.json.Decoder(int)
_update = msgspec.json.Decoder(Update)


def read(body: bytes) -> NewUpdate:
    """An update as the row that keeps it. Raises `NotAnUpdate`.

    One of an unknown kind, or of a known kind but an unknown form, is to be kept and not worked on.
    """
    try:
        parts = _parts.decode(body)
        number = _number.decode(parts["update_id"])
        text = body.decode()
    except (msgspec.DecodeError, UnicodeError, RecursionError, KeyError):
        raise NotAnUpdate("This is no update of Telegram's", where="body") from None
    if not 0 <= number <= LARGEST_NUMBER:
        raise NotAnUpdate("No update has this number", where="update_id")
    kind = kind_of(parts)
    try:
        update = _update.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _kept(number, kind, text, "unreadable")
    if kind not in KINDS or update.chat is None:
        return _kept(number, kind, text, "unknown_kind")
    message = update.message
    album = message.media_group_id if message is not None else None
    return NewUpdate(
        channel=CHANNEL,
        external_id=str(number),
        number=number,
        kind=kind,
        lane=f"{CHANNEL}:{update.chat.id}",
        body=text,
        album=None if album is None else plain(album)[:100],
        wait=0 if album is None else ALBUM_SECONDS,
    )


def parse(body: str) -> Update:
    """A stored update that was readable when it came."""
    return _update.decode(body)


def kind_of(parts: dict[str, msgspec.Raw]) -> str:
    """The update's kind: one of Telegram's names, or `other`."""
    return next((name for name in parts if name in KINDS or name in OTHER_KINDS), "other")


def plain(text: str) -> str:
    """Text without characters that nobody can see and databases refuse."""
    return _UNPRINTABLE.sub("", text)


def _kept(number: int, kind: str, text: str, problem: Literal["unreadable", "unknown_kind"]) -> NewUpdate:
    return NewUpdate(
        channel=CHANNEL,
        external_id=str(number),
        number=number,
        kind=kind,
        lane="",
        body=text,
        keep=True,
        problem=problem,
    )
