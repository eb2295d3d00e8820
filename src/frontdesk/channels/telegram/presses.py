"""Buttons that were pressed: thumbs, scores, and whether everything is to be erased."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from frontdesk.channels.telegram import words
from frontdesk.channels.telegram.answers import Answer
from frontdesk.channels.telegram.client import CallFailed, TelegramClient
from frontdesk.channels.telegram.updates import Press, Shown
from frontdesk.channels.telegram.visitors import Visitors
from frontdesk.errors import Conflict, NotFound, Unprocessable
from frontdesk.ports import Clock

FORGET_SECONDS = 600  # how long the question whether to erase everything stands
THUMBS = {"up": 1, "down": -1}

Erase = Callable[[str], Awaitable[None]]  # a person's id


class Opinions(Protocol):
    """Thumbs; the store fulfils it."""

    async def give(self, person_id: str, message_id: str, value: int, reason: str) -> None: ...


class Scores(Protocol):
    """Answers to the question how it was; the store fulfils it."""

    async def answer(self, survey_id: str, person_id: str, score: int) -> object: ...


class AnswerCallbackQuery(msgspec.Struct, frozen=True, kw_only=True):
    """https://core.telegram.org/bots/api#answercallbackquery"""

    callback_query_id: str
    text: str


class EditMessageText(msgspec.Struct, frozen=True, kw_only=True):
    """https://core.telegram.org/bots/api#editmessagetext; the buttons go."""

    chat_id: int
    message_id: int
    text: str


class Presses:
    """Does what a button says. Only somebody of the chat in which it stands can press it; that chat decides whose it
    is, whatever the button's action names."""

    def __init__(
        self,
        client: TelegramClient,
        visitors: Visitors,
        opinions: Opinions,
        scores: Scores,
        erase: Erase,
        clock: Clock,
    ) -> None:
        self._client = client
        self._visitors = visitors
        self._opinions = opinions
        self._scores = scores
        self._erase = erase
        self._clock = clock

    async def press(self, press: Press) -> Answer:
        """Carry it out and tell the one who pressed."""
        said = words.PRESS_TOO_OLD
        if press.message is not None:
            word, _, rest = press.data.partition(":")
            person = await self._visitors.known(press.message.chat.id)
            with contextlib.suppress(NotFound, Unprocessable, ValueError):
                if word == "forget":
                    said = await self._forget(press, press.message, rest, person.id if person is not None else None)
                elif word == "keep":
                    said = await self._edit(press.message, words.FORGET_KEPT)
                elif person is not None and word in THUMBS:
                    await self._opinions.give(person.id, rest, THUMBS[word], "")
                    said = words.THANKS_UP if THUMBS[word] > 0 else words.THANKS_DOWN
                elif person is not None and word == "csat":
                    survey_id, _, score = rest.rpartition(":")
                    await self._scores.answer(survey_id, person.id, int(score))
                    said = words.THANKS_SCORE
        with contextlib.suppress(CallFailed):  # the one who pressed has seen nothing; what they wanted is done
            await self._client.call(
                "answerCallbackQuery", AnswerCallbackQuery(callback_query_id=press.id, text=said), bool
            )
        return Answer()

    async def _forget(self, press: Press, shown: Shown, asked: str, person_id: str | None) -> str:
        if shown.chat.is_group or press.from_.id != shown.chat.id:
            return words.ONLY_ALONE
        if self._clock.now().timestamp() - int(asked) > FORGET_SECONDS:
            return await self._edit(shown, words.FORGET_LATE)
        try:
            if person_id is not None:
                await self._erase(person_id)
        except Conflict:
            return await self._edit(shown, words.FORGET_OWNER)
        except NotFound:
            pass  # the update is done again after it was cut off: they are erased already
        return await self._edit(shown, words.FORGOTTEN)

    async def _edit(self, shown: Shown, text: str) -> str:
        """Put the outcome in the place of the question. Nobody is left to whom a letter could be addressed."""
        edit = EditMessageText(chat_id=shown.chat.id, message_id=shown.message_id, text=text)
        with contextlib.suppress(CallFailed):
            await self._client.call("editMessageText", edit, msgspec.Raw)
        return text
