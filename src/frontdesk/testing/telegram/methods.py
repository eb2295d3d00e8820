"""The methods of the Bot API that a desk uses, with the checks of the real one (https://core.telegram.org/bots/api)."""

import json
import re
from collections.abc import Callable, Mapping
from typing import cast

from frontdesk.testing.telegram.markup import BadMarkup, parsed, units
from frontdesk.testing.telegram.world import Chat, Json, Pressable, Refused, Sent, World

LONGEST = 4096
LONGEST_CAPTION = 1024
LARGEST_FILE = 20 * 1024 * 1024  # what getFile hands out
ACTIONS = re.compile(
    r"typing|(upload|record)_(video|voice|video_note)|upload_(photo|document)|choose_sticker|find_location"
)


class Asked:
    """A call's parameters, whether they came as JSON or as a form (where nested values are JSON text)."""

    def __init__(self, values: Mapping[str, object], uploads: Mapping[str, tuple[str, bytes]] | None = None) -> None:
        self.values = values
        self.uploads = uploads or {}

    def text(self, name: str) -> str:
        """A string, or nothing."""
        value = self.values.get(name)
        return value if isinstance(value, str) else "" if value is None else json.dumps(value)

    def number(self, name: str) -> int | None:
        """An integer, or None."""
        try:
            return int(str(self.values[name])) if self.values.get(name) is not None else None
        except ValueError:
            raise Refused(400, f"Bad Request: {name} must be an Integer") from None

    def nested(self, name: str) -> object:
        """A JSON value, or None."""
        value = self.values.get(name)
        if not isinstance(value, str) or not value:
            return value or None
        try:
            return json.loads(value)
        except ValueError:
            raise Refused(400, f"Bad Request: can't parse {name} JSON object") from None

    def mapping(self, name: str) -> Json:
        """A JSON object, empty when absent."""
        value = self.nested(name)
        return cast("Json", value) if isinstance(value, dict) else {}

    @property
    def chat(self) -> int | None:
        """The chat that the call is about."""
        value = self.values.get("chat_id")
        return int(str(value)) if re.fullmatch(r"-?\d+", str(value)) else None


class Methods:
    """Calls by name. Each takes what was asked and gives the answer's `result`, or raises `Refused`."""

    def __init__(self, world: World, bot: Json) -> None:
        self._world = world
        self._bot = bot
        self.by_name: dict[str, Callable[[Asked], object]] = {
            "getMe": lambda _: self._bot,
            "sendMessage": self._send_message,
            "sendMessageDraft": self._send_draft,
            "sendChatAction": self._send_action,
            "sendDocument": self._send_document,
            "sendPhoto": self._send_photo,
            "editMessageText": self._edit_text,
            "editMessageReplyMarkup": self._edit_buttons,
            "deleteMessage": self._delete,
            "answerCallbackQuery": self._answer_press,
            "setMyCommands": self._set_commands,
            "getMyCommands": lambda _: self._world.commands,
            "getFile": self._get_file,
            "getChat": lambda asked: self._chat(asked).plain(),
        }

    def _chat(self, asked: Asked) -> Chat:
        if asked.values.get("chat_id") in (None, ""):
            raise Refused(400, "Bad Request: chat_id is empty")
        if asked.chat is None:
            raise Refused(400, "Bad Request: chat not found")
        return self._world.reachable(asked.chat)

    def _send_message(self, asked: Asked) -> Json:
        chat = self._chat(asked)
        text, entities = _words(asked, "text", LONGEST)
        if not text:
            raise Refused(400, "Bad Request: message text is empty")
        return self._keep(asked, chat, "sendMessage", text, entities)

    def _send_document(self, asked: Asked) -> Json:
        return self._send_file(asked, "sendDocument", "document")

    def _send_photo(self, asked: Asked) -> Json:
        return self._send_file(asked, "sendPhoto", "photo")

    def _send_file(self, asked: Asked, method: str, name: str) -> Json:
        chat = self._chat(asked)
        upload = asked.uploads.get(name) or self._world.files.get(asked.text(name))
        if upload is None:
            raise Refused(400, f"Bad Request: there is no {name} in the request")
        text, entities = _words(asked, "caption", LONGEST_CAPTION)
        return self._keep(asked, chat, method, text, entities, upload)

    def _keep(
        self,
        asked: Asked,
        chat: Chat,
        method: str,
        text: str,
        entities: list[Json],
        upload: tuple[str, bytes] | None = None,
    ) -> Json:
        reply_to, buttons = self._reply_to(asked, chat), _buttons(asked)
        self._world.count(chat)
        sent = Sent(
            chat=chat.id,
            id=self._world.message_id(chat.id),
            method=method,
            text=text,
            at=self._world.clock.monotonic(),
            entities=entities,
            reply_to=reply_to,
            thread=asked.number("message_thread_id"),
            buttons=buttons,
        )
        if upload is not None:
            sent.file_name, sent.file = upload
        self._world.sent.append(sent)
        plain = self.plain(sent, chat)
        self._world.tell(chat.id, "message", plain)
        return plain

    def plain(self, sent: Sent, chat: Chat) -> Json:
        """The Bot API's `Message` for one of the bot's."""
        message: Json = {
            "message_id": sent.id,
            "date": int(self._world.clock.now().timestamp()),
            "chat": chat.plain(),
            "from": self._bot,
        }
        if sent.file is not None:
            message |= {"document": {"file_id": f"sent-{sent.id}", "file_name": sent.file_name}, "caption": sent.text}
        else:
            message |= {"text": sent.text, "entities": sent.entities}
        if sent.buttons:
            row = [{"text": button.label, "callback_data": button.data} for button in sent.buttons]
            message["reply_markup"] = {"inline_keyboard": [row]}
        if sent.thread is not None:
            message["message_thread_id"] = sent.thread
        return message

    def _reply_to(self, asked: Asked, chat: Chat) -> int | None:
        wanted = asked.mapping("reply_parameters")
        number = wanted.get("message_id", asked.number("reply_to_message_id"))
        if number is None:
            return None
        if (chat.id, int(str(number))) in self._world.known:
            return int(str(number))
        if wanted.get("allow_sending_without_reply") or asked.values.get("allow_sending_without_reply"):
            return None
        raise Refused(400, "Bad Request: message to be replied not found")

    def _send_draft(self, asked: Asked) -> bool:
        chat = self._chat(asked)
        draft = asked.number("draft_id")
        if chat.kind != "private":
            raise Refused(400, "Bad Request: TEXTDRAFT_PEER_INVALID")
        if not draft:
            raise Refused(400, "Bad Request: draft_id must be non-zero")
        text, _ = _words(asked, "text", LONGEST)
        self._world.drafts.append((chat.id, draft, text, self._world.clock.monotonic()))
        self._world.tell(chat.id, "draft", {"draft_id": draft, "text": text})
        return True

    def _send_action(self, asked: Asked) -> bool:
        chat, action = self._chat(asked), asked.text("action")
        if not ACTIONS.fullmatch(action):
            raise Refused(400, "Bad Request: wrong parameter action in request")
        self._world.typing.append((chat.id, action, self._world.clock.monotonic()))
        self._world.tell(chat.id, "typing", {"action": action})
        return True

    def _edit_text(self, asked: Asked) -> Json:
        chat, sent = self._own(asked, "edit")
        text, entities = _words(asked, "text", LONGEST)
        buttons = _buttons(asked)
        if not text:
            raise Refused(400, "Bad Request: message text is empty")
        if (text, entities, buttons) == (sent.text, sent.entities, sent.buttons):
            raise Refused(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly the "
                "same as a current content and reply markup of the message",
            )
        self._world.count(chat)
        sent.versions.append(sent.text)
        sent.text, sent.entities, sent.buttons = text, entities, buttons
        plain = self.plain(sent, chat)
        self._world.tell(chat.id, "edited", plain)
        return plain

    def _edit_buttons(self, asked: Asked) -> Json:
        chat, sent = self._own(asked, "edit")
        buttons = _buttons(asked)
        if buttons == sent.buttons:
            raise Refused(400, "Bad Request: message is not modified")
        sent.buttons = buttons
        plain = self.plain(sent, chat)
        self._world.tell(chat.id, "edited", plain)
        return plain

    def _delete(self, asked: Asked) -> bool:
        chat, sent = self._own(asked, "delete")
        self._world.sent.remove(sent)
        self._world.known.discard((chat.id, sent.id))
        self._world.tell(chat.id, "deleted", {"message_id": sent.id})
        return True

    def _own(self, asked: Asked, act: str) -> tuple[Chat, Sent]:
        chat, number = self._chat(asked), asked.number("message_id")
        for sent in reversed(self._world.sent):
            if sent.chat == chat.id and sent.id == number:
                return chat, sent
        raise Refused(400, f"Bad Request: message to {act} not found")

    def _answer_press(self, asked: Asked) -> bool:
        query = asked.text("callback_query_id")
        if self._world.answered.get(query) != "":
            raise Refused(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        self._world.answered[query] = asked.text("text") or "✓"
        self._world.tell(0, "answered", {"id": query, "text": asked.text("text")})
        return True

    def _set_commands(self, asked: Asked) -> bool:
        commands = asked.nested("commands")
        for command in cast("list[Json]", commands) if isinstance(commands, list) else []:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", str(command.get("command"))):
                raise Refused(400, "Bad Request: BOT_COMMAND_INVALID")
            if not 1 <= len(str(command.get("description", ""))) <= 256:
                raise Refused(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
        self._world.commands = cast("list[Json]", commands or [])
        return True

    def _get_file(self, asked: Asked) -> Json:
        found = self._world.files.get(asked.text("file_id"))
        if found is None:
            raise Refused(400, "Bad Request: invalid file_id")
        path, content = found
        if len(content) > LARGEST_FILE:
            raise Refused(400, "Bad Request: file is too big")
        file_id = asked.text("file_id")
        return {"file_id": file_id, "file_unique_id": file_id, "file_size": len(content), "file_path": path}


def _words(asked: Asked, name: str, longest: int) -> tuple[str, list[Json]]:
    """A text and its entities, checked as Telegram checks them."""
    source, mode = asked.text(name), asked.text("parse_mode")
    given = asked.nested("caption_entities" if name == "caption" else "entities")
    entities = cast("list[Json]", given) if isinstance(given, list) else []
    text = source
    if mode.lower() == "html":
        try:
            text, entities = parsed(source)
        except BadMarkup as wrong:
            raise Refused(400, f"Bad Request: can't parse entities: {wrong}") from None
    elif mode:
        raise Refused(400, "Bad Request: unsupported parse_mode (this stand-in knows HTML and entities)")
    text = text.strip()
    if units(text) > longest:
        what = "message caption is too long" if name == "caption" else "message is too long"
        raise Refused(400, f"Bad Request: {what}")
    for entity in entities:
        offset, length = int(str(entity.get("offset"))), int(str(entity.get("length")))
        if offset < 0 or length < 0 or offset + length > units(source):
            raise Refused(400, "Bad Request: ENTITY_BOUNDS_INVALID")
    return text, entities


def _buttons(asked: Asked) -> tuple[Pressable, ...]:
    rows = cast("list[list[Json]]", asked.mapping("reply_markup").get("inline_keyboard") or [])
    buttons = tuple(
        Pressable(str(button.get("text", "")), str(button.get("callback_data", ""))) for row in rows for button in row
    )
    for button in buttons:
        if not button.label:
            raise Refused(400, "Bad Request: text buttons must be non-empty")
        if not 1 <= len(button.data.encode()) <= 64:
            raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
    return buttons
