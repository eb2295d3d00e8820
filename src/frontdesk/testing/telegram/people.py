"""What people do in Telegram, as the updates that tell a bot of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from frontdesk.testing.telegram.markup import units
from frontdesk.testing.telegram.posting import Posting
from frontdesk.testing.telegram.world import Chat, ChatKind, Json, Pressable, Sent, World

_MARKS = re.compile(r"(?P<bot_command>(?<!\S)/[A-Za-z0-9_]+(?:@\w+)?)|(?P<mention>(?<!\w)@\w{3,})")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc00000030101"
    "00c9fe92ef0000000049454e44ae426082"
)  # a picture of one pixel

FileKind = Literal["photo", "voice", "audio", "document", "video"]


@dataclass(frozen=True)
class Written:
    """What somebody wrote: its message's and its update's ids."""

    chat: int
    message_id: int
    update_id: int


class People:
    """People who write to the bot. A positive chat is a person's own; in a group (negative) say who writes."""

    def __init__(self, world: World, posting: Posting, bot: Json) -> None:
        self._world = world
        self._posting = posting
        self._bot = bot
        self._presses = 0
        self._albums = 0

    def chat(self, chat_id: int, *, title: str = "", kind: ChatKind | None = None, username: str = "") -> Chat:
        """The chat of that id; the first time it begins."""
        if chat_id not in self._world.chats:
            kind = kind or ("private" if chat_id > 0 else "supergroup")
            name = title or (f"Person {chat_id}" if kind == "private" else f"Group {-chat_id}")
            self._world.chats[chat_id] = Chat(chat_id, kind, name, username)
        return self._world.chats[chat_id]

    def say(
        self,
        chat: int,
        text: str,
        *,
        sender: int | None = None,
        reply_to: Sent | Written | int | None = None,
        thread: int | None = None,
    ) -> Written:
        """Write a text. `reply_to` is a message of the bot, of somebody, or its id; `thread` a topic of the chat."""
        return self._write(chat, {"text": text, "entities": marks(text)}, sender, reply_to, thread)

    def send(self, chat: int, content: Json, *, sender: int | None = None) -> Written:
        """Send a message of any content: a sticker, a place, a contact, a poll, or something yet unknown."""
        return self._write(chat, content, sender)

    def file(
        self,
        chat: int,
        kind: FileKind,
        data: bytes = PNG,
        *,
        name: str = "",
        media_type: str = "",
        caption: str = "",
        sender: int | None = None,
        album: str = "",
    ) -> Written:
        """Send a file of this kind."""
        file_id = f"file-{len(self._world.files) + 1}"
        self._world.files[file_id] = (f"{kind}s/{name or file_id}", data)
        facts: Json = {"file_id": file_id, "file_unique_id": file_id, "file_size": len(data)}
        if kind == "photo":
            small = {**facts, "width": 90, "height": 90, "file_size": 1}
            content: Json = {"photo": [small, {**facts, "width": 1280, "height": 1280}]}
        else:
            facts |= {"file_name": name} if name else {}
            facts |= {"mime_type": media_type} if media_type else {}
            facts |= {"duration": 2} if kind in ("voice", "audio", "video") else {}
            content = {kind: facts}
        content |= {"caption": caption, "caption_entities": marks(caption)} if caption else {}
        content |= {"media_group_id": album} if album else {}
        return self._write(chat, content, sender)

    def photo(self, chat: int, data: bytes = PNG, *, caption: str = "", sender: int | None = None) -> Written:
        """Send a picture."""
        return self.file(chat, "photo", data, caption=caption, sender=sender)

    def voice(self, chat: int, data: bytes = b"OggS", *, sender: int | None = None) -> Written:
        """Send a voice note."""
        return self.file(chat, "voice", data, media_type="audio/ogg", sender=sender)

    def document(
        self, chat: int, data: bytes, name: str, media_type: str = "text/plain", *, caption: str = ""
    ) -> Written:
        """Send a document."""
        return self.file(chat, "document", data, name=name, media_type=media_type, caption=caption)

    def album(self, chat: int, pictures: Sequence[bytes], *, caption: str = "") -> list[Written]:
        """Send several pictures as one album: as many updates, with the caption on the first."""
        self._albums += 1
        name = f"album-{self._albums}"
        return [
            self.file(chat, "photo", data, caption=caption if index == 0 else "", album=name)
            for index, data in enumerate(pictures)
        ]

    def edit(self, written: Written, text: str, *, sender: int | None = None) -> Written:
        """Change what was written."""
        message = self._message(self._world.chats[written.chat], sender, written.message_id)
        message |= {"text": text, "entities": marks(text), "edit_date": self._date()}
        update = self._posting.put(written.chat, {"edited_message": message})
        return Written(written.chat, written.message_id, update)

    def press(self, sent: Sent, button: str | int = 0, *, sender: int | None = None) -> str:
        """Press a button under a message of the bot, by its label or number; the query's id."""
        found = sent.buttons[button] if isinstance(button, int) else _labelled(sent, button)
        self._presses += 1
        query = f"press-{self._presses}"
        self._world.answered[query] = ""
        chat = self._world.chats[sent.chat]
        message: Json = {"message_id": sent.id, "date": self._date(), "chat": chat.plain(), "from": self._bot}
        content: Json = {
            "id": query,
            "from": self.user(sender if sender is not None else sent.chat),
            "message": message | {"text": sent.text},
            "chat_instance": str(sent.chat),
            "data": found.data,
        }
        self._posting.put(sent.chat, {"callback_query": content})
        return query

    def block(self, chat: int, *, blocked: bool = True) -> None:
        """Block the bot (throw it out of a group), or let it in again."""
        known = self.chat(chat)
        known.blocked = blocked
        private = known.kind == "private"
        states = ("member", "kicked" if private else "left")
        old, new = states if blocked else states[::-1]
        content: Json = {
            "chat": known.plain(),
            "from": self.user(chat if private else 1),
            "date": self._date(),
            "old_chat_member": {"status": old, "user": self._bot},
            "new_chat_member": {"status": new, "user": self._bot},
        }
        self._posting.put(chat, {"my_chat_member": content})

    def migrate(self, chat: int, to: int) -> None:
        """Turn a group into a supergroup, which has another id."""
        old = self.chat(chat, kind="group")
        old.migrated_to = to
        self.chat(to, title=old.title, kind="supergroup")
        self._write(chat, {"migrate_to_chat_id": to}, sender=1)
        self._write(to, {"migrate_from_chat_id": chat}, sender=1)

    def user(self, number: int) -> Json:
        """The Bot API's `User` for somebody."""
        known = self._world.chats.get(number)
        name = known.title if known is not None and known.kind == "private" else f"Person {number}"
        user: Json = {"id": number, "is_bot": False, "first_name": name, "language_code": "en"}
        return user | ({"username": known.username} if known is not None and known.username else {})

    def _write(
        self,
        chat: int,
        content: Json,
        sender: int | None = None,
        reply_to: Sent | Written | int | None = None,
        thread: int | None = None,
    ) -> Written:
        known = self.chat(chat)
        message = self._message(known, sender, self._world.message_id(chat)) | content
        number = int(str(message["message_id"]))
        if thread is not None:
            message |= {"message_thread_id": thread, "is_topic_message": True}
        if reply_to is not None:
            message["reply_to_message"] = self._answered(known, reply_to)
        update = self._posting.put(chat, {"message": message})
        self._world.tell(chat, "said", message)
        return Written(chat, number, update)

    def _message(self, chat: Chat, sender: int | None, number: int) -> Json:
        who = self.user(sender if sender is not None else chat.id if chat.id > 0 else 1)
        return {"message_id": number, "date": self._date(), "chat": chat.plain(), "from": who}

    def _answered(self, chat: Chat, message: Sent | Written | int) -> Json:
        number = (
            message if isinstance(message, int) else message.id if isinstance(message, Sent) else message.message_id
        )
        ours = next((sent for sent in self._world.sent if (sent.chat, sent.id) == (chat.id, number)), None)
        plain = self._message(chat, None, number) | {"text": ours.text if ours else ""}
        return plain | ({"from": self._bot} if ours else {})

    def _date(self) -> int:
        return int(self._world.clock.now().timestamp())


def marks(text: str) -> list[Json]:
    """The commands and mentions in a text, as Telegram marks them."""
    return [
        {"type": found.lastgroup, "offset": units(text[: found.start()]), "length": units(found.group())}
        for found in _MARKS.finditer(text)
    ]


def _labelled(sent: Sent, label: str) -> Pressable:
    for button in sent.buttons:
        if label in button.label:
            return button
    raise AssertionError(f"No button {label!r} under {sent.text[:60]!r}: {[each.label for each in sent.buttons]}")
