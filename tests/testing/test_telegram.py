"""The stand-in for Telegram is as strict as Telegram."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from frontdesk.testing.clock import FakeClock
from frontdesk.testing.telegram import FakeTelegram, Fault, Limits, running_telegram

Json = dict[str, Any]


class Bot:
    """A bot that says what it is told to."""

    def __init__(self, telegram: FakeTelegram, http: aiohttp.ClientSession) -> None:
        self.telegram = telegram
        self.http = http

    async def __call__(self, method: str, **parameters: object) -> Json:
        url = f"{self.telegram.url}/bot{self.telegram.token}/{method}"
        async with self.http.post(url, json=parameters) as answer:
            body: Json = await answer.json()
            assert body["ok"] == (answer.status == 200)
            return body


@pytest.fixture
async def telegram(clock: FakeClock) -> AsyncGenerator[FakeTelegram]:
    async with running_telegram(clock=clock) as telegram:
        yield telegram


@pytest.fixture
async def bot(telegram: FakeTelegram) -> AsyncGenerator[Bot]:
    async with aiohttp.ClientSession() as http:
        yield Bot(telegram, http)


async def test_a_text_arrives_as_people_see_it(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.chat(7)
    words = 'A <b>bold <i>word</i></b> &amp; <pre><code class="language-python">1 &lt; 2</code></pre>'
    answer = await bot("sendMessage", chat_id=7, text=words, parse_mode="HTML")
    (sent,) = telegram.to(7)
    assert sent.text == "A bold word & 1 < 2"
    assert [(each["type"], each["offset"], each["length"]) for each in sent.entities] == [
        ("bold", 2, 9),
        ("italic", 7, 4),
        ("pre", 14, 5),
    ]
    assert answer["result"]["message_id"] == sent.id


@pytest.mark.parametrize(
    ("call", "status", "words"),
    [
        ({"chat_id": 9, "text": "Hello"}, 400, "chat not found"),
        ({"chat_id": 7, "text": " "}, 400, "message text is empty"),
        ({"chat_id": 7, "text": "x" * 4097}, 400, "message is too long"),
        ({"chat_id": 7, "text": "😀" * 2049}, 400, "message is too long"),
        ({"chat_id": 7, "text": "<p>x", "parse_mode": "HTML"}, 400, 'Unsupported start tag "p" at byte offset 0'),
        ({"chat_id": 7, "text": "<b>x", "parse_mode": "HTML"}, 400, 'find end tag corresponding to start tag "b"'),
        ({"chat_id": 7, "text": "<b>x</i>", "parse_mode": "HTML"}, 400, "Unmatched end tag"),
        ({"chat_id": 7, "text": "1 < 2", "parse_mode": "HTML"}, 400, "Unsupported start tag"),
        ({"chat_id": 7, "text": "x", "reply_parameters": {"message_id": 99}}, 400, "message to be replied not found"),
        ({"chat_id": 8, "text": "x"}, 403, "bot was blocked by the user"),
    ],
)
async def test_what_telegram_refuses_is_refused(
    telegram: FakeTelegram, bot: Bot, call: Json, status: int, words: str
) -> None:
    telegram.chat(7)
    telegram.block(8)
    answer = await bot("sendMessage", **call)
    assert (answer["error_code"], words in answer["description"]) == (status, True), answer
    assert telegram.sent == []


async def test_4096_characters_are_not_too_many(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.chat(7)
    await bot("sendMessage", chat_id=7, text="<b>" + "x" * 4096 + "</b>", parse_mode="HTML")
    assert telegram.texts(7) == ["x" * 4096]


async def test_rates_are_kept(telegram: FakeTelegram, bot: Bot, clock: FakeClock) -> None:
    telegram.limit(Limits())
    telegram.chat(7)
    await bot("sendMessage", chat_id=7, text="1")
    refused = await bot("sendMessage", chat_id=7, text="2")
    assert refused["parameters"] == {"retry_after": 1}
    clock.advance(1)
    assert (await bot("sendMessage", chat_id=7, text="2"))["ok"]
    telegram.chat(-5)
    for number in range(20):
        clock.advance(1)
        assert (await bot("sendMessage", chat_id=-5, text=str(number)))["ok"]
    clock.advance(1)
    assert (await bot("sendMessage", chat_id=-5, text="21"))["error_code"] == 429


async def test_a_message_can_arrive_though_the_line_was_cut(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.chat(7)
    telegram.fail(Fault(cut=True, taken=True))
    with pytest.raises(aiohttp.ClientError):
        await bot("sendMessage", chat_id=7, text="Hello")
    telegram.fail(Fault(status=500))
    assert (await bot("sendMessage", chat_id=7, text="Hello"))["error_code"] == 500
    telegram.fail(Fault(hang=True))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bot("sendMessage", chat_id=7, text="Hello"), 0.05)
    assert telegram.texts(7) == ["Hello"]


async def test_updates_are_posted_until_they_are_taken(telegram: FakeTelegram, bot: Bot) -> None:
    got: list[tuple[str, str]] = []

    async def hook(request: web.Request) -> web.Response:
        body: Json = await request.json()
        got.append((request.headers["X-Telegram-Bot-Api-Secret-Token"], body["message"]["text"]))
        return web.Response(status=500 if len(got) == 1 else 200)

    async with _site(hook) as url:
        telegram.say(7, "one")
        await bot("setWebhook", url=url, secret_token="word")
        telegram.say(7, "two")
        await telegram.until(lambda: len(telegram.posting.delivered) == 2)
        assert got == [("word", "one"), ("word", "one"), ("word", "two")]
        telegram.posting.held = True
        for number in range(5):
            telegram.say(7, str(number))
        got.clear()
        await telegram.posting.release(random.Random(1), copies=3)
        assert {text for _, text in got} == set("01234")
        assert [text for _, text in got] != sorted(text for _, text in got)


async def test_a_bad_webhook_is_refused(bot: Bot) -> None:
    assert (
        "unallowed characters" in (await bot("setWebhook", url="https://a.example", secret_token="a b"))["description"]
    )
    assert "HTTPS" in (await bot("setWebhook", url="http://a.example"))["description"]
    assert "ports" in (await bot("setWebhook", url="https://a.example:444/"))["description"]


async def test_updates_are_handed_out_until_they_are_confirmed(telegram: FakeTelegram, bot: Bot) -> None:
    waiting = asyncio.create_task(bot("getUpdates", timeout=10))
    await telegram.until(lambda: bool(telegram.posting.polls))
    written = telegram.say(7, "/start now @desk_bot")
    first = (await waiting)["result"]
    assert [each["update_id"] for each in first] == [written.update_id]
    assert [each["type"] for each in first[0]["message"]["entities"]] == ["bot_command", "mention"]
    assert (await bot("getUpdates"))["result"] == first
    assert (await bot("getUpdates", offset=written.update_id + 1))["result"] == []


async def test_two_who_poll_are_told_of_each_other(telegram: FakeTelegram, bot: Bot) -> None:
    waiting = asyncio.create_task(bot("getUpdates", timeout=10))
    await telegram.until(lambda: telegram.posting.polls == 1)
    await bot("getUpdates")
    assert "other getUpdates" in (await waiting)["description"]
    await bot("setWebhook", url="https://a.example")
    assert "webhook is active" in (await bot("getUpdates"))["description"]


async def test_files_can_be_fetched_and_sent(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.document(7, b"words", "a.txt")
    (file_id,) = telegram.world.files
    path = (await bot("getFile", file_id=file_id))["result"]["file_path"]
    async with bot.http.get(f"{telegram.url}/file/bot{telegram.token}/{path}") as answer:
        assert await answer.read() == b"words"
    form = aiohttp.FormData({"chat_id": "7", "caption": "Here"})
    form.add_field("document", b"data", filename="export.json")
    async with bot.http.post(f"{telegram.url}/bot{telegram.token}/sendDocument", data=form) as answer:
        assert answer.status == 200
    (sent,) = telegram.to(7)
    assert (sent.file, sent.file_name, sent.text) == (b"data", "export.json", "Here")


async def test_buttons_come_back(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.chat(7)
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}, {"text": "No", "callback_data": "n"}]]}
    await bot("sendMessage", chat_id=7, text="Sure?", reply_markup=keyboard)
    query = telegram.press(telegram.sent[0], "No")
    (update,) = (await bot("getUpdates"))["result"]
    assert update["callback_query"]["data"] == "n"
    assert (await bot("answerCallbackQuery", callback_query_id=query))["ok"]
    assert "too old" in (await bot("answerCallbackQuery", callback_query_id=query))["description"]
    keyboard["inline_keyboard"][0][0]["callback_data"] = "x" * 65
    refused = await bot("sendMessage", chat_id=7, text="Sure?", reply_markup=keyboard)
    assert "BUTTON_DATA_INVALID" in refused["description"]


async def test_an_edit_that_changes_nothing_is_refused(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.chat(7)
    number = (await bot("sendMessage", chat_id=7, text="one"))["result"]["message_id"]
    assert "not modified" in (await bot("editMessageText", chat_id=7, message_id=number, text="one"))["description"]
    assert (await bot("editMessageText", chat_id=7, message_id=number, text="two"))["ok"]
    assert (telegram.sent[0].text, telegram.sent[0].versions) == ("two", ["one"])


async def test_drafts_are_for_private_chats(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.chat(7)
    telegram.chat(-7)
    assert (await bot("sendMessageDraft", chat_id=7, draft_id=1, text="so far"))["ok"]
    assert "PEER_INVALID" in (await bot("sendMessageDraft", chat_id=-7, draft_id=1, text="x"))["description"]
    assert telegram.world.drafts == [(7, 1, "so far", 0.0)]


async def test_a_wrong_token_is_nobody(telegram: FakeTelegram, bot: Bot) -> None:
    async with bot.http.post(f"{telegram.url}/bot1:x/getMe") as answer:
        assert answer.status == 401
    assert (await bot("getMe"))["result"]["username"] == "desk_bot"
    assert (await bot("danceTango"))["error_code"] == 404


@asynccontextmanager
async def _site(handler: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncGenerator[str]:
    app = web.Application()
    app.router.add_post("/webhook", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/webhook"
    finally:
        await runner.cleanup()
