"""A whole desk on Telegram: people write, and get their answers."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from frontdesk.testing.desk import Replies, ServedDesk, served_desk
from frontdesk.testing.telegram import FakeTelegram, running_telegram
from frontdesk.testing.upstream import Reply

QUICK = {"telegram.typing.simulated": False, "telegram.previews": False}


@dataclass
class Bot:
    """The desk, and Telegram round it."""

    telegram: FakeTelegram
    served: ServedDesk

    async def ask(self, chat: int, text: str) -> str:
        """What the bot answers."""
        before = len(self.telegram.to(chat))
        self.telegram.say(chat, text)
        return (await self.telegram.replies(chat, before + 1))[before]


@asynccontextmanager
async def bot_desk(
    home: Path, *, model: Replies = (), settings: Mapping[str, object] | None = None
) -> AsyncGenerator[Bot]:
    """A desk that polls the stand-in."""
    async with AsyncExitStack() as stack:
        telegram = await stack.enter_async_context(running_telegram())
        variables = {"TELEGRAM_BOT_TOKEN": telegram.token, "TELEGRAM_API_URL": telegram.url}
        served = await stack.enter_async_context(
            served_desk(home, model=model, settings=QUICK | dict(settings or {}), variables=variables)
        )
        yield Bot(telegram, served)


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncGenerator[Bot]:
    async with bot_desk(tmp_path, model=[Reply(text="We open at nine.")]) as bot:
        yield bot


async def test_a_message_gets_one_reply(bot: Bot) -> None:
    assert "nine" in await bot.ask(7, "When do you open?")
