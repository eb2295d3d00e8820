"""A release rolled out while people write and programs ask: nothing is lost or doubled; undo brings the former back."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest
import yaml

from frontdesk.operate.ports import free_port
from frontdesk.operate.running.ending import end
from frontdesk.operate.running.state import folder_of, instances
from frontdesk.testing.telegram import TOKEN, FakeTelegram, running_telegram
from tests.scenarios.processes import nested
from tests.scenarios.test_engagement import SETTINGS

PATIENCE = 300.0  # seconds: twelve processes start one after the other, on a busy machine
CHATS = 6
PAUSE = 0.25  # seconds between two messages of a person, and between two questions of a program


@pytest.fixture
def home(tmp_path: Path) -> Generator[Path]:
    """Whatever still runs of it in the end is ended."""
    folder = tmp_path / "home"
    folder.mkdir()
    yield folder
    for instance in instances(folder):
        end(instance, folder_of(folder, instance.name), print)


def described(telegram: FakeTelegram, port: int) -> dict[str, object]:
    """Web processes and a worker on Valkey, whose model says every message back."""
    model = {"name": "scripted", "wire": "scripted", "script": {"words": 1, "echo": r"n:\d+"}}
    return nested(
        {
            **SETTINGS,
            "desk.name": "Before",
            "knowledge": {"own_documentation": False, "embedder": {"kind": "none"}},
            "models": {"list": [model], "order": ["scripted"]},
            "tools": {"discovery_urls": []},
            "gate": {"visitors": True, "rate_limit_enabled": False},
            "telegram": {
                "webhook_url": f"http://127.0.0.1:{port}/webhook",
                "api_url": telegram.url,
                "messages_per_minute": 1000,
            },
            "services.web": {"role": "web", "port": port, "needs": ["redis"]},
            "services.worker": {"role": "worker", "needs": ["redis"]},
        }
    )


async def frontdesk(home: Path, *words: str) -> tuple[str, str]:
    """A command; its data, and what it says with them. It must succeed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "frontdesk.cli", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "FRONTDESK_HOME": str(home), "TELEGRAM_BOT_TOKEN": TOKEN},
    )
    data, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    return data.decode(), said.decode()


class Load:
    """People who write on Telegram, and a program that asks for decisions, until they are stopped."""

    def __init__(self, telegram: FakeTelegram, address: str, key: str) -> None:
        self._telegram = telegram
        self._address = address
        self._headers = {"Authorization": f"Bearer {key}"}
        self._stop = asyncio.Event()
        self.written: dict[int, list[str]] = {chat: [] for chat in range(1, CHATS + 1)}
        self.answered: list[int] = []
        self.decisions: set[str] = set()

    async def run(self) -> None:
        await asyncio.gather(self._ask("ann"), self._ask("ben"), *(self._write(chat) for chat in self.written))

    def stop(self) -> None:
        self._stop.set()

    async def _write(self, chat: int) -> None:
        while not self._stop.is_set():
            text = f"n:{chat * 10_000 + len(self.written[chat])}"
            self.written[chat].append(text)
            self._telegram.say(chat, text)
            await self._pause()

    async def _ask(self, customer: str) -> None:
        """Each question on a connection of its own, as a new caller's is."""
        while not self._stop.is_set():
            async with httpx2.AsyncClient(headers=self._headers, timeout=60, trust_env=False) as client:
                body = {"customer_id": customer, "event_id": f"{customer}:{len(self.answered)}"}
                answer = await client.post(f"{self._address}/api/v1/decisions", json=body)
            self.answered.append(answer.status_code)
            self.decisions.add(str(answer.json().get("id") or answer.json().get("decision_id")))
            await self._pause()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE):
                await self._stop.wait()

    def missing(self) -> dict[int, list[str]]:
        """Messages of each chat that have no reply yet."""
        lost = {chat: [text for text in said if text not in self._said_to(chat)] for chat, said in self.written.items()}
        return {chat: texts for chat, texts in lost.items() if texts}

    def doubled(self) -> dict[str, int]:
        """Messages that were answered more than once."""
        counts = Counter(text for chat in self.written for text in self._said_to(chat))
        return {text: count for text, count in counts.items() if count > 1}

    def _said_to(self, chat: int) -> list[str]:
        words = [word.strip(".,") for text in self._telegram.texts(chat) for word in text.split()]
        return [word for word in words if word.startswith("n:")]


@pytest.mark.proves("conversation-17", "engagement-15")
async def test_a_release_under_load_loses_nothing_and_undo_brings_the_former_back(home: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    file = home / "system.yaml"
    async with running_telegram() as telegram, asyncio.timeout(PATIENCE):
        file.write_text(yaml.safe_dump(described(telegram, port)))
        key = (await frontdesk(home, "keys", "create", "load", "--scope", "engagement"))[0].strip()
        await frontdesk(home, "up", "--processes", "--detach")
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, trust_env=False) as client:
            for customer in ("ann", "ben"):
                body = {"name": customer, "consents": ["email"], "addresses": {"email": "a@example.com"}}
                (await client.put(f"{address}/api/v1/customers/{customer}", json=body)).raise_for_status()
        load = Load(telegram, address, key)
        running = asyncio.create_task(load.run())
        try:
            file.write_text(file.read_text().replace("name: Before", "name: After"))
            _, rolled = await frontdesk(home, "release", "roll", "--watch", "1", "--why", "a new name")
            assert "Release 1 → 2, version 0.1.0 → 0.1.0" in rolled
            assert await _name(address) == "After"
            _, undone = await frontdesk(home, "release", "undo", "--watch", "1")
            assert "Release 2 → 1" in undone
            assert await _name(address) == "Before"
        finally:
            load.stop()
            await running
        assert set(load.answered) == {200}
        assert len(load.decisions) == len(load.answered) > 10
        await telegram.until(lambda: not load.missing(), seconds=60)
        assert load.doubled() == {}
        (told,) = json.loads((await frontdesk(home, "ps", "--json"))[0])
        assert {process["release"] for process in told["processes"]} == {1, None}
        await frontdesk(home, "down", "--yes")


async def _name(address: str) -> str:
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
        return str((await client.get(f"{address}/api/v1/desk")).json()["name"])
