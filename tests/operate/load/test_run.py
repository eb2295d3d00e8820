"""Simulated people load a whole desk on loopback, by web chat and by Telegram, and each message finds its reply."""

from collections.abc import Callable
from pathlib import Path

import pytest

from frontdesk.errors import NotFound
from frontdesk.operate.load.orders import Orders, Script
from frontdesk.operate.load.people import Channel, Crowd
from frontdesk.operate.load.tally import Report, Tally
from frontdesk.operate.load.telegram import TelegramPeople
from frontdesk.operate.load.web import WebPeople
from frontdesk.testing.desk import served_desk
from frontdesk.testing.telegram import FakeTelegram
from frontdesk.testing.telegram.loading import loading

SCRIPTED = {
    "models.list": [{"name": "scripted", "wire": "scripted", "script": {"words": 5, "echo": r"n:\d+"}}],
    "models.order": ["scripted"],
}


async def run(channel: Channel, tally: Tally, people: int, *, seconds: float = 1) -> Report:
    orders = Orders(people=people, least=0.3, most=0.6, seconds=seconds, patience=30)
    shares: list[float] = []
    report = await Crowd(orders, channel, tally).run(shares.append)
    assert shares == sorted(shares)
    return report


@pytest.mark.proves("conversation-10")
async def test_people_on_the_web_chat_are_all_answered(tmp_path: Path, size: Callable[[int, int], int]) -> None:
    async with served_desk(tmp_path, settings=SCRIPTED | {"gate.visitors": True}) as served:
        tally = Tally(Script())
        report = await run(WebPeople(served.address, tally), tally, size(5, 50), seconds=size(1, 10))
    assert report.is_good
    assert report.answered == report.messages >= 5
    assert 0 < report.first.p50 <= report.latency.most


@pytest.mark.proves("conversation-10")
async def test_people_on_telegram_are_all_answered(tmp_path: Path, size: Callable[[int, int], int]) -> None:
    telegram = FakeTelegram()
    await telegram.start(routes=loading(telegram))
    settings = SCRIPTED | {
        "telegram.api_url": telegram.url,
        "telegram.typing.simulated": False,
        "telegram.messages_per_minute": 1000,
        "telegram.rates.all_per_second": 1000,
        "telegram.rates.chat_per_second": 100,
    }
    variables = {"TELEGRAM_BOT_TOKEN": telegram.token}
    try:
        async with served_desk(tmp_path, settings=settings, variables=variables):
            tally = Tally(Script())
            report = await run(TelegramPeople(telegram.url, tally), tally, size(5, 50), seconds=size(1, 10))
    finally:
        await telegram.close()
    assert report.is_good
    assert report.answered == report.messages >= 5


async def test_a_desk_that_refuses_is_reported_as_errors(tmp_path: Path) -> None:
    async with served_desk(tmp_path, settings=SCRIPTED | {"gate.visitors": False}) as served:
        tally = Tally(Script())
        report = await run(WebPeople(served.address, tally), tally, 2, seconds=0.5)
    assert report.error_kinds == {"status_401": report.messages}
    assert report.lost == 0
    assert not report.is_good


@pytest.mark.parametrize("channel", [WebPeople, TelegramPeople])
async def test_where_nobody_answers_it_says_what_to_start(
    channel: type[WebPeople] | type[TelegramPeople], unused_tcp_port: int
) -> None:
    tally = Tally(Script())
    with pytest.raises(NotFound) as failure:
        await run(channel(f"http://127.0.0.1:{unused_tcp_port}", tally), tally, 1)
    assert "frontdesk" in failure.value.hint
