"""Replies become letters that Telegram takes, and what is seen before them costs nobody anything."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import msgspec
import pytest

from frontdesk.channels.telegram.client import TelegramClient
from frontdesk.channels.telegram.options import TelegramOptions, TypingOptions
from frontdesk.channels.telegram.outlet import Body, TelegramOutlet, Where
from frontdesk.messages import Citation
from frontdesk.outgoing import Button, Reply
from frontdesk.testing.clock import FakeClock
from frontdesk.testing.telegram import FakeTelegram, Fault, running_telegram

ANN, TEAM = 7, -1009


@pytest.fixture
async def telegram(clock: FakeClock) -> AsyncGenerator[FakeTelegram]:
    async with running_telegram(clock=clock) as telegram:
        telegram.chat(ANN)
        telegram.chat(TEAM)
        yield telegram


@pytest.fixture
async def client(telegram: FakeTelegram) -> AsyncGenerator[TelegramClient]:
    client = TelegramClient(telegram.token, telegram.url)
    yield client
    await client.close()


@pytest.fixture
def outlet(client: TelegramClient, clock: FakeClock) -> TelegramOutlet:
    return TelegramOutlet(client, TelegramOptions(), clock)


def bodies(outlet: TelegramOutlet, reply: Reply) -> list[Body]:
    return [msgspec.json.decode(body, type=Body) for body in outlet.letters(reply)]


# --- letters --------------------------------------------------------------------


@pytest.mark.parametrize(("place", "where"), [("7", Where(7)), ("-1009/45", Where(-1009, 45))])
def test_a_place_is_a_chat_and_perhaps_a_topic(place: str, where: Where) -> None:
    assert Where.of(place) == where


def test_a_long_reply_threads_its_first_part_and_has_buttons_under_its_last(outlet: TelegramOutlet) -> None:
    reply = Reply(place="-1009/45", text="word " * 1800, reply_to="31", message_id="msg_1")
    first, second, third = (body.message for body in bodies(outlet, reply))
    assert first.reply_parameters is not None
    assert first.reply_parameters.message_id == 31
    assert second.reply_parameters is third.reply_parameters is None
    assert first.reply_markup is second.reply_markup is None
    assert third.reply_markup is not None
    assert [button.callback_data for button in third.reply_markup.inline_keyboard[0]] == ["up:msg_1", "down:msg_1"]
    assert {message.message_thread_id for message in (first, second, third)} == {45}
    assert {message.chat_id for message in (first, second, third)} == {-1009}


def test_the_last_part_completes_the_reply_for_the_metrics(outlet: TelegramOutlet) -> None:
    asked_at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    first, last = bodies(outlet, Reply(place="7", text="word " * 1000, asked_at=asked_at, apology=True))
    assert (first.is_last, last.is_last, last.apology, last.asked_at) == (False, True, True, asked_at)


def test_telegram_is_told_not_to_fetch_addresses(outlet: TelegramOutlet) -> None:
    (body,) = bodies(outlet, Reply(place="7", text="See https://evil.example/?q=secret"))
    assert body.message.link_preview_options is not None
    assert body.message.link_preview_options.is_disabled


def test_sources_are_listed(outlet: TelegramOutlet) -> None:
    hours = Citation(
        number=1, passage_id="p", document_id="d", title="Hours", source="https://a.example/", heading="", quote="Nine."
    )
    (body,) = bodies(outlet, Reply(place="7", text="At **nine** [1].", citations=(hours,)))
    assert body.message.text == "At nine [1].\n\n[1] Hours"


def test_a_persons_words_stand_under_their_name_as_they_were_typed(outlet: TelegramOutlet) -> None:
    (body,) = bodies(
        outlet, Reply(place="7", text="2 * 3 * 4 = 24", author="person", author_name="Ann", message_id="m")
    )
    assert body.message.text == "Ann\n2 * 3 * 4 = 24"
    assert [(entity.type, entity.length) for entity in body.message.entities] == [("bold", 3)]
    assert body.message.reply_markup is None


def test_a_notice_is_in_italics_and_asks_for_no_opinion(outlet: TelegramOutlet) -> None:
    (body,) = bodies(outlet, Reply(place="7", text="Ann has joined.", author="notice", message_id="m"))
    assert [entity.type for entity in body.message.entities] == ["italic"]
    assert body.message.reply_markup is None


def test_buttons_of_a_reply_are_its_own(outlet: TelegramOutlet) -> None:
    (body,) = bodies(outlet, Reply(place="7", text="How was it?", buttons=(Button(label="5", action="score:5"),)))
    assert body.message.reply_markup is not None
    assert body.message.reply_markup.inline_keyboard[0][0].callback_data == "score:5"


def test_thumbs_can_be_off(client: TelegramClient, clock: FakeClock) -> None:
    (body,) = bodies(
        TelegramOutlet(client, TelegramOptions(feedback=False), clock), Reply(place="7", text="Hi", message_id="m")
    )
    assert body.message.reply_markup is None


def test_an_empty_reply_is_no_letter(outlet: TelegramOutlet) -> None:
    assert outlet.letters(Reply(place="7", text=" \n")) == ()


# --- what is seen before ----------------------------------------------------------


@pytest.mark.proves("conversation-5")
def test_typing_lasts_as_long_as_the_text_takes_unless_it_is_off(client: TelegramClient, clock: FakeClock) -> None:
    rhythm = TelegramOutlet(client, TelegramOptions(), clock).rhythm
    assert rhythm is not None
    assert [rhythm.seconds(length) for length in (1, 100, 10_000)] == [0.8, 4, 8]
    off = TelegramOptions(typing=TypingOptions(simulated=False))
    assert TelegramOutlet(client, off, clock).rhythm is None


async def test_typing_shows_in_the_chat(telegram: FakeTelegram, outlet: TelegramOutlet) -> None:
    await outlet.typing("-1009/45")
    assert telegram.typing == [(TEAM, "typing", 0.0)]
    assert telegram.calls[0].parameters["message_thread_id"] == 45


async def test_the_answer_so_far_shows_in_a_persons_own_chat(
    telegram: FakeTelegram, outlet: TelegramOutlet, clock: FakeClock
) -> None:
    await outlet.preview("7", "turn_1", "**Hel")
    await outlet.preview("7", "turn_1", "**Hello**")  # too soon after the first
    clock.advance(1)
    await outlet.preview("7", "turn_1", "**Hello** there")
    await outlet.preview(str(TEAM), "turn_2", "Hello")
    drafts = telegram.world.drafts
    assert [(chat, text) for chat, _, text, _ in drafts] == [(ANN, "**Hel"), (ANN, "Hello there")]
    assert drafts[0][1] == drafts[1][1] != 0


async def test_on_a_busy_desk_previews_give_way(
    telegram: FakeTelegram, outlet: TelegramOutlet, clock: FakeClock
) -> None:
    for chat in range(100, 130):
        telegram.chat(chat)
        await outlet.preview(str(chat), f"turn_{chat}", "Hello")
    assert len(telegram.world.drafts) == 20
    clock.advance(1)
    await outlet.preview("129", "turn_129", "Hello")
    assert len(telegram.world.drafts) == 21


async def test_previews_can_be_off(telegram: FakeTelegram, client: TelegramClient, clock: FakeClock) -> None:
    await TelegramOutlet(client, TelegramOptions(previews=False), clock).preview("7", "turn_1", "Hello")
    assert telegram.calls == []


async def test_a_failure_before_the_reply_is_nobodys_concern(
    telegram: FakeTelegram, outlet: TelegramOutlet, clock: FakeClock
) -> None:
    telegram.fail(Fault(method="", status=403, times=2))
    await outlet.typing("7")
    await outlet.preview("7", "turn_1", "Hello")
    assert [call.status for call in telegram.calls] == [403, 403]


async def test_signals_stop_for_as_long_as_telegram_asks(
    telegram: FakeTelegram, outlet: TelegramOutlet, clock: FakeClock
) -> None:
    telegram.fail(Fault(method="sendChatAction", status=429, retry_after=3))
    await outlet.typing("7")
    await outlet.typing("7")
    clock.advance(3)
    await outlet.typing("7")
    assert [call.status for call in telegram.calls] == [429, 200]
