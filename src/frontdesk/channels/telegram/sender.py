"""Letters to Telegram: sent at the pace that Telegram allows, and never twice.

Telegram's rates are a message a second in a chat, 30 a second in all and 20 a minute in a group
(https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this). The Bot API knows no idempotency key,
so a message that may have arrived is not sent again.
"""

from collections import OrderedDict

import msgspec
import structlog

from frontdesk.channels.telegram.client import LimitReached, NotReached, Refused, TelegramClient, Unclear
from frontdesk.channels.telegram.methods import SendMessage, SentMessage
from frontdesk.channels.telegram.outlet import Body
from frontdesk.delivery.delivery import NotSent
from frontdesk.errors import RateLimited, TelegramTokenRefused
from frontdesk.ports import Clock, Limiter
from frontdesk.store.outbox import Letter
from frontdesk.telemetry import metrics

log = structlog.get_logger("frontdesk.telegram")

MOST_LETTERS = 1000  # of which it is remembered that they have room already, and wait for more
UNREACHABLE_SECONDS = 5.0
WRONG_TOKEN_SECONDS = 60.0
FORBIDDEN = 403  # blocked by the person, thrown out of the group, or the account is gone


class TelegramSender:
    """Delivery's `Sender` for the channel `telegram`. The limiters count for the bot, over all processes that send."""

    def __init__(
        self, client: TelegramClient, *, chats: Limiter, groups: Limiter, everyone: Limiter, clock: Clock
    ) -> None:
        self._client = client
        self._chats = chats
        self._groups = groups
        self._everyone = everyone
        self._clock = clock
        self._has_room: OrderedDict[str, int] = OrderedDict()  # letter → in how many limits it has taken its place
        self._quiet: dict[int, float] = {}  # chat → until when Telegram wants no message there
        self._decoder = msgspec.json.Decoder(Body)

    async def send(self, letter: Letter) -> str:
        body = self._decoder.decode(letter.body)
        try:
            await self._room(letter.id, body.message.chat_id)
            sent = await self._send(body.message)
        except NotSent as error:
            if error.final and body.is_last:
                metrics.replies.labels("failed").inc()
            raise
        if body.is_last:
            metrics.replies.labels("fallback" if body.apology else "sent").inc()
            if body.asked_at is not None:
                metrics.reply_latency.observe((self._clock.now() - body.asked_at).total_seconds())
        return str(sent.message_id)

    async def _send(self, message: SendMessage) -> SentMessage:
        try:
            return await self._client.call("sendMessage", message, SentMessage)
        except Refused as error:
            if error.migrated_to is not None and error.migrated_to != message.chat_id:
                return await self._send(msgspec.structs.replace(message, chat_id=error.migrated_to))
            if message.entities and "entit" in error.description.lower():
                log.warning("telegram_formatting_refused", code=error.reason)
                return await self._send(msgspec.structs.replace(message, entities=()))
            reason = "blocked" if error.status == FORBIDDEN else error.reason
            raise NotSent(reason, final=True) from error
        except LimitReached as error:
            self._be_quiet(message.chat_id, error.retry_after)
            raise NotSent(error.reason, retry_after=error.retry_after) from error
        except NotReached as error:
            raise NotSent(error.reason, retry_after=UNREACHABLE_SECONDS) from error
        except Unclear as error:
            raise NotSent(error.reason, ambiguous=True) from error
        except TelegramTokenRefused as error:
            raise NotSent(error.code, retry_after=WRONG_TOKEN_SECONDS) from error

    async def _room(self, letter_id: str, chat_id: int) -> None:
        """Take the letter's place in each of Telegram's rates, once. Raises `NotSent` until one has room: so a letter
        never counts as being sent while it waits."""
        if (seconds := self._quiet_seconds(chat_id)) > 0:
            raise NotSent("rate_limited", retry_after=seconds)
        limits = [(self._chats, str(chat_id)), (self._everyone, "all")]
        if chat_id < 0:
            limits.insert(0, (self._groups, str(chat_id)))
        taken = self._has_room.pop(letter_id, 0)
        for number, (limiter, key) in enumerate(limits[taken:], start=taken):
            try:
                await limiter.hit(key)
            except RateLimited as error:
                self._has_room[letter_id] = number
                if len(self._has_room) > MOST_LETTERS:
                    self._has_room.popitem(last=False)
                raise NotSent("pace", retry_after=error.retry_after or 1.0) from error

    # --- what Telegram asked for ------------------------------------------------

    def _be_quiet(self, chat_id: int, seconds: float) -> None:
        now = self._clock.monotonic()
        self._quiet = {chat: until for chat, until in self._quiet.items() if until > now} | {chat_id: now + seconds}

    def _quiet_seconds(self, chat_id: int) -> float:
        """How long to write nothing to this chat. Telegram does not say whether it means a chat or the bot: when it has
        said so of two chats, it means the bot."""
        now = self._clock.monotonic()
        waiting = {chat: until - now for chat, until in self._quiet.items() if until > now}
        return max(waiting.values()) if len(waiting) > 1 else waiting.get(chat_id, 0.0)
