"""`frontdesk telegram` against the stand-in, which it also runs."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cli.conftest import Command


@dataclass(frozen=True)
class StandIn:
    """`frontdesk telegram fake`, running."""

    url: str
    token: str

    def call(self, path: str, **body: object) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.url}{path}", data=json.dumps(body).encode() if body else None)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found

    def bot(self, method: str, **body: object) -> Any:
        return self.call(f"/bot{self.token}/{method}", **body)["result"]


@pytest.fixture(scope="module")
def stand_in() -> Generator[StandIn]:
    command = [sys.executable, "-c", "from frontdesk.cli.main import main; main()", "telegram", "fake", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        told = dict(process.stdout.readline().strip().split("=", 1) for _ in range(2))
        yield StandIn(told["TELEGRAM_API_URL"], told["TELEGRAM_BOT_TOKEN"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.fixture
def configured(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    monkeypatch.setenv("TELEGRAM_API_URL", stand_in.url)
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", stand_in.token)
    return stand_in


def test_status_tells_who_the_bot_is_and_where_updates_go(frontdesk: Command, configured: StandIn) -> None:
    configured.bot("deleteWebhook")
    told = json.loads(frontdesk("telegram", "status", "--json").out)
    assert (told["username"], told["webhook"]) == ("desk_bot", "")
    assert "fetched by polling" in frontdesk("telegram", "status").out


def test_set_webhook_tells_telegram_where_to_post(
    frontdesk: Command, configured: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = frontdesk("telegram", "set-webhook")
    assert refused.code == 2
    assert "TELEGRAM_WEBHOOK_URL" in refused.err
    monkeypatch.setenv("TELEGRAM_WEBHOOK_URL", "https://desk.example/webhook")
    ended = frontdesk("telegram", "set-webhook")
    assert ended.code == 0, ended.err
    assert json.loads(frontdesk("telegram", "status", "--json").out)["webhook"] == "https://desk.example/webhook"
    assert configured.bot("getMyCommands")
    monkeypatch.setenv("TELEGRAM_WEBHOOK_URL", "http://desk.example/webhook")
    assert "HTTPS" in frontdesk("telegram", "set-webhook").err
    configured.bot("deleteWebhook")


def test_without_a_bot_or_telegram_the_mending_act_is_named(
    frontdesk: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "@BotFather" in frontdesk("telegram", "status").err
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "1:x")
    monkeypatch.setenv("TELEGRAM_API_URL", "http://127.0.0.1:9")
    assert "TELEGRAM_API_URL" in frontdesk("telegram", "status").err


def test_a_wrong_token_is_told_without_showing_it(
    frontdesk: Command, configured: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "1:other-token")
    ended = frontdesk("telegram", "status")
    assert "TELEGRAM_BOT_TOKEN" in ended.err
    assert "other-token" not in ended.err


def test_the_stand_in_is_driven_from_another_process(stand_in: StandIn) -> None:
    with urllib.request.urlopen(f"{stand_in.url}/", timeout=10) as page:
        assert b"Write to the bot" in page.read()
    stand_in.call("/people/7/say", text="Hello")
    (update,) = stand_in.bot("getUpdates", timeout=0)
    assert update["message"]["text"] == "Hello"
    stand_in.call("/faults", method="sendMessage", status=500)
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}
    with pytest.raises(urllib.error.HTTPError):
        stand_in.bot("sendMessage", chat_id=7, text="Hi")
    sent = stand_in.bot("sendMessage", chat_id=7, text="Hi", reply_markup=keyboard)
    told = stand_in.call("/sent")
    assert [each["text"] for each in told["sent"]] == ["Hi"]
    stand_in.call("/people/7/press", message_id=sent["message_id"], button=0)
    pressed = stand_in.bot("getUpdates", offset=update["update_id"] + 1)[0]
    assert pressed["callback_query"]["data"] == "y"
