"""Calls of the Bot API end in an answer or in a failure that says whether the call had an effect."""

import asyncio
import traceback
from collections.abc import AsyncGenerator

import msgspec
import pytest

from frontdesk.channels.telegram.client import (
    CallFailed,
    File,
    LimitReached,
    NotReached,
    Refused,
    TelegramClient,
    Unclear,
)
from frontdesk.channels.telegram.methods import SendMessage, SentMessage
from frontdesk.errors import TelegramTokenRefused
from frontdesk.testing.telegram import FakeTelegram, Fault, running_telegram

ANN = 7


class SendDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    chat_id: int
    caption: str = ""


@pytest.fixture
async def telegram() -> AsyncGenerator[FakeTelegram]:
    async with running_telegram() as telegram:
        telegram.chat(ANN)
        yield telegram


@pytest.fixture
def patience() -> float:
    """Seconds that a call may take; a test of a server that never answers asks for fewer."""
    return 30


@pytest.fixture
async def client(telegram: FakeTelegram, patience: float) -> AsyncGenerator[TelegramClient]:
    client = TelegramClient(telegram.token, telegram.url, seconds=patience)
    yield client
    await client.close()


async def say(client: TelegramClient, text: str = "Hello", chat: int = ANN) -> SentMessage:
    return await client.call("sendMessage", SendMessage(chat_id=chat, text=text), SentMessage)


async def test_a_call_returns_what_the_method_returns(telegram: FakeTelegram, client: TelegramClient) -> None:
    sent = await say(client)
    assert sent.message_id == telegram.sent[0].id
    assert telegram.texts(ANN) == ["Hello"]


async def test_a_file_goes_along(telegram: FakeTelegram, client: TelegramClient) -> None:
    file = File(field="document", name="export.json", media_type="application/json", data=b'{"a": 1}')
    await client.call("sendDocument", SendDocument(chat_id=ANN, caption="7"), SentMessage, files=[file])
    (sent,) = telegram.sent
    assert (sent.file_name, sent.file, sent.text) == ("export.json", b'{"a": 1}', "7")


async def test_a_file_is_fetched_up_to_a_size(telegram: FakeTelegram, client: TelegramClient) -> None:
    telegram.document(ANN, b"x" * 100, "notes.txt")
    (path, _) = next(iter(telegram.world.files.values()))
    assert await client.download(path, largest=100) == b"x" * 100
    with pytest.raises(Refused, match="413"):
        await client.download(path, largest=99)


@pytest.mark.parametrize(
    ("fault", "patience", "kind", "reason"),
    [
        (Fault(status=400, description="Bad Request: chat not found"), 30, Refused, "status_400"),
        (Fault(status=403, description="Forbidden: bot was blocked by the user"), 30, Refused, "status_403"),
        (Fault(status=429, retry_after=17), 30, LimitReached, "rate_limited"),
        (Fault(status=502), 30, Unclear, "status_502"),
        (Fault(hang=True), 0.3, Unclear, "TimeoutError"),
        (Fault(cut=True), 30, Unclear, "ServerDisconnectedError"),
    ],
)
async def test_failures_are_told_apart(
    telegram: FakeTelegram, client: TelegramClient, fault: Fault, kind: type[CallFailed], reason: str
) -> None:
    telegram.fail(fault)
    with pytest.raises(CallFailed) as failure:
        await say(client)
    assert type(failure.value) is kind
    assert failure.value.reason == reason
    if isinstance(failure.value, LimitReached):
        assert failure.value.retry_after == 17


async def test_a_group_that_moved_tells_its_new_address(telegram: FakeTelegram, client: TelegramClient) -> None:
    telegram.migrate(-5, -1005)
    with pytest.raises(Refused) as failure:
        await say(client, chat=-5)
    assert failure.value.migrated_to == -1005


async def test_a_server_that_is_not_there_was_not_reached(unused_tcp_port: int) -> None:
    client = TelegramClient("1:a", f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(NotReached):
        await say(client)
    await client.close()


async def test_a_wrong_token_is_named_with_what_to_do(telegram: FakeTelegram) -> None:
    client = TelegramClient("110201543:another", telegram.url)
    with pytest.raises(TelegramTokenRefused) as failure:
        await say(client)
    assert "@BotFather" in failure.value.hint
    await client.close()


@pytest.mark.proves("abuse-20")
@pytest.mark.parametrize("address", ["{url}", "http://127.0.0.1:9", "http://[bad", "nonsense"])
@pytest.mark.parametrize("fault", [Fault(hang=True), Fault(cut=True), Fault(status=500), Fault(status=400)])
async def test_no_failure_tells_the_token(telegram: FakeTelegram, address: str, fault: Fault) -> None:
    telegram.fail(fault)
    client = TelegramClient(telegram.token, address.format(url=telegram.url), seconds=0.1)
    with pytest.raises(CallFailed) as failure:
        await say(client)
    assert telegram.token not in "".join(traceback.format_exception(failure.value))
    await client.close()


@pytest.mark.parametrize("answer", [b"<html>Bad Gateway</html>", b'{"ok": true, "result": 1}', b"", b'{"ok": "x"}'])
async def test_an_answer_that_cannot_be_read_leaves_it_unclear(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(answer), answer))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = TelegramClient("1:a", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    with pytest.raises(Unclear):
        await say(client)
    await client.close()
    server.close()
    await server.wait_closed()
