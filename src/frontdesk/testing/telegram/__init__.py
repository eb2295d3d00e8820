"""Telegram on the loopback: for tests, load runs, and for trying the desk without a bot.

    async with running_telegram() as telegram:
        ...  # the desk with TELEGRAM_API_URL=telegram.url, TELEGRAM_BOT_TOKEN=telegram.token
        telegram.say(7, "Hello")
        await telegram.replies(7, 1)

It speaks the Bot API, checks what Telegram checks, and refuses in Telegram's words. Updates are posted to the webhook
that the bot has set, or handed out by `getUpdates`. `python -m frontdesk.testing.telegram` runs it with a page to chat.
"""

from frontdesk.testing.telegram.fake import TOKEN, FakeTelegram, running_telegram
from frontdesk.testing.telegram.people import PNG, Written
from frontdesk.testing.telegram.posting import Posting
from frontdesk.testing.telegram.world import Call, Fault, Limits, Refused, Sent

__all__ = [
    "PNG",
    "TOKEN",
    "Call",
    "FakeTelegram",
    "Fault",
    "Limits",
    "Posting",
    "Refused",
    "Sent",
    "Written",
    "running_telegram",
]
