"""Replies on their way to Telegram: as bodies of letters, and what is seen of them before they are sent."""

import zlib
from collections import deque
from datetime import datetime
from typing import NamedTuple

import msgspec

from frontdesk.channels.telegram.client import CallFailed, LimitReached, TelegramClient
from frontdesk.channels.telegram.formatting import Formatted, Span, Style, formatted, plain
from frontdesk.channels.telegram.methods import (
    InlineButton,
    Keyboard,
    LinkPreview,
    ReplyParameters,
    SendChatAction,
    SendMessage,
    SendMessageDraft,
)
from frontdesk.channels.telegram.options import TelegramOptions
from frontdesk.channels.telegram.splitting import entities, split
from frontdesk.errors import TelegramTokenRefused
from frontdesk.outgoing import Button, Reply, Rhythm
from frontdesk.ports import Clock

THUMBS = {"up": "👍", "down": "👎"}  # the first word of a pressed button's action, and its label
BETWEEN_PREVIEWS = 1.0  # seconds, in one chat
MOST_PREVIEWS = 20  # a second, in all: on a busy desk replies need the bot's rate, and previews are a courtesy
MOST_PLACES = 1000  # whose last preview is remembered


class Where(NamedTuple):
    """A place on Telegram: a chat, and a topic in it where the chat has topics. People's own chats are positive."""

    chat_id: int
    thread_id: int | None = None

    @classmethod
    def of(cls, place: str) -> "Where":
        """`-100123/45` is topic 45 of a group. Raises `ValueError` for what is no place."""
        chat, _, thread = place.partition("/")
        return cls(int(chat), int(thread) if thread else None)


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A letter's body: one message. `is_last` marks the one that completes the reply, for the metrics."""

    message: SendMessage
    is_last: bool = True
    apology: bool = False
    asked_at: datetime | None = None


class TelegramOutlet:
    """A `ports.Outlet`."""

    def __init__(self, client: TelegramClient, options: TelegramOptions, clock: Clock) -> None:
        self._client = client
        self._options = options
        self._clock = clock
        self._shown: dict[str, float] = {}  # place → when its preview was last shown
        self._previews: deque[float] = deque(maxlen=MOST_PREVIEWS)  # when the last ones were
        self._quiet_until = 0.0

    @property
    def rhythm(self) -> Rhythm | None:
        typing = self._options.typing
        if not typing.simulated:
            return None
        return Rhythm(per_second=typing.per_second, least=typing.least, most=typing.most, renew=typing.renew)

    def letters(self, reply: Reply) -> tuple[str, ...]:
        where = Where.of(reply.place)
        parts = split(_written(reply))
        bodies: list[str] = []
        for number, part in enumerate(parts, start=1):
            is_last = number == len(parts)
            message = SendMessage(
                chat_id=where.chat_id,
                text=part.text,
                entities=entities(part),
                message_thread_id=where.thread_id,
                reply_parameters=ReplyParameters(message_id=int(reply.reply_to))
                if reply.reply_to and number == 1
                else None,
                reply_markup=self._buttons(reply) if is_last else None,
                link_preview_options=LinkPreview(is_disabled=True),  # else Telegram calls addresses that a model wrote
            )
            body = Body(message=message, is_last=is_last, apology=reply.apology, asked_at=reply.asked_at)
            bodies.append(msgspec.json.encode(body).decode())
        return tuple(bodies)

    async def typing(self, place: str) -> None:
        where = Where.of(place)
        await self._show(
            "sendChatAction",
            SendChatAction(chat_id=where.chat_id, action="typing", message_thread_id=where.thread_id),
        )

    async def preview(self, place: str, turn_id: str, text: str) -> None:
        where, now = Where.of(place), self._clock.monotonic()
        if where.chat_id < 0 or not self._options.previews:  # drafts are for people's own chats
            return
        if now - self._shown.get(place, -BETWEEN_PREVIEWS) < BETWEEN_PREVIEWS:
            return
        if len(self._previews) == MOST_PREVIEWS and now - self._previews[0] < 1:
            return
        parts = split(formatted(text))
        if not parts:
            return
        if len(self._shown) >= MOST_PLACES:
            self._shown.clear()
        self._shown[place] = now
        self._previews.append(now)
        draft = SendMessageDraft(
            chat_id=where.chat_id,
            draft_id=zlib.crc32(turn_id.encode()) or 1,
            text=parts[-1].text,
            entities=entities(parts[-1]),
            message_thread_id=where.thread_id,
        )
        await self._show("sendMessageDraft", draft)

    async def _show(self, method: str, parameters: SendChatAction | SendMessageDraft) -> None:
        if self._clock.monotonic() < self._quiet_until:
            return
        try:
            await self._client.call(method, parameters, bool)
        except LimitReached as error:
            self._quiet_until = self._clock.monotonic() + error.retry_after
        except (CallFailed, TelegramTokenRefused):
            pass  # the reply itself will tell whether the chat can be reached

    def _buttons(self, reply: Reply) -> Keyboard | None:
        buttons = reply.buttons
        if not buttons and self._options.feedback and reply.author == "desk" and reply.message_id:
            buttons = tuple(Button(label=label, action=f"{word}:{reply.message_id}") for word, label in THUMBS.items())
        if not buttons:
            return None
        row = tuple(InlineButton(text=button.label, callback_data=button.action) for button in buttons)
        return Keyboard(inline_keyboard=(row,))


def _written(reply: Reply) -> Formatted:
    """The reply as it is seen: a person's words as they were typed, under their name; a short notice in italics."""
    if reply.author == "person":
        words, name = plain(reply.text), " ".join(reply.author_name.split())
        if not name or not words.text:
            return words
        return Formatted(text=f"{name}\n{words.text}", spans=(Span(0, len(name), Style("bold")),))
    written = formatted(reply.text, reply.citations)
    if reply.author == "notice" and not written.spans and "\n" not in written.text:
        return Formatted(text=written.text, spans=(Span(0, len(written.text), Style("italic")),))
    return written
