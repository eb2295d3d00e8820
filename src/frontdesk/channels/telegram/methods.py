"""What the desk sends to the Bot API, as its methods take it (https://core.telegram.org/bots/api#available-methods).

Fields that are at their default are left out.
"""

import msgspec


class Entity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A styled stretch of a text; `offset` and `length` count UTF-16 code units."""

    type: str
    offset: int
    length: int
    url: str = ""
    language: str = ""


class ReplyParameters(msgspec.Struct, frozen=True, kw_only=True):
    """The message that is answered. One that is gone since does not keep the answer from being sent."""

    message_id: int
    allow_sending_without_reply: bool = True


class InlineButton(msgspec.Struct, frozen=True, kw_only=True):
    """A button under a message; `callback_data` (1 to 64 bytes) comes back when it is pressed."""

    text: str
    callback_data: str


class Keyboard(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of buttons."""

    inline_keyboard: tuple[tuple[InlineButton, ...], ...]


class LinkPreview(msgspec.Struct, frozen=True, kw_only=True):
    """Whether Telegram fetches the first address of a text and shows what is there."""

    is_disabled: bool


class SendMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`sendMessage`"""

    chat_id: int
    text: str
    entities: tuple[Entity, ...] = ()
    message_thread_id: int | None = None
    reply_parameters: ReplyParameters | None = None
    reply_markup: Keyboard | None = None
    link_preview_options: LinkPreview | None = None


class SendMessageDraft(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`sendMessageDraft`: part of a message that is being written, in a private chat, seen for 30 s at most.

    Drafts of the same `draft_id` (not 0) replace each other; the message itself takes the draft's place.
    """

    chat_id: int
    draft_id: int
    text: str
    entities: tuple[Entity, ...] = ()
    message_thread_id: int | None = None


class SendChatAction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`sendChatAction`: shown for 5 s, or until a message arrives."""

    chat_id: int
    action: str
    message_thread_id: int | None = None


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What `sendMessage` returns, as far as the desk reads it."""

    message_id: int
