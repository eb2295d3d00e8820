"""A person's words and the desk's secrets, marked, used everywhere, and then looked for where they must not be."""

import re
import signal
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from frontdesk.testing.desk import EVENTS, FROM_A_PAGE, events, served_desk
from frontdesk.testing.serve import serve
from frontdesk.testing.upstream import OpenAIWire, Received, Reply, Upstream
from tests.scenarios.processes import Process, process

MODEL_KEY = "sk-canary-modelkey-4417abcdefgh"
SECRETS = {
    "MODEL_KEY": MODEL_KEY,
    "MCP_SERVICE_TOKEN": "canary-mcptoken-5528-long-enough-to-count",
    "SECRET_KEY": "canary-secretkey-6639-long-enough-to-count",
    "JWT_SECRET_KEY": "canary-jwtkey-7740-long-enough-to-count",
}
NAME, EMAIL, PASSWORD = "Zebulon Canaryname", "zebulon.canary@desk.example", "canary-Passw0rd-8851"
SAID = "My locker is canary-locker-9962"
FACT = "I keep a canary-parrot-1073"
FILE, FILE_NAME = b"The code is canary-file-2184", "canary-filename-3295.txt"
HANDOFF, CONTACT = "Please call about canary-handoff-4306", "+49 canary-phone-5417"
ANSWER = "Noted: canary-answer-6528."
OPINION = "canary-opinion-7639"
PERSONAL = (NAME, EMAIL, SAID, FACT, FILE.decode(), FILE_NAME, HANDOFF, CONTACT, ANSWER, OPINION)


class Collector:
    """Takes what a desk exports as OTLP over HTTP, and keeps the bytes."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.received.append(await Request(scope, receive).body())
        await Response(b"", media_type="application/x-protobuf")(scope, receive, send)


class Session:
    """Zebulon's browser. Keeps every body of an answer from 400 up, and every credential that it was given."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client
        self.errors: list[str] = []
        self.credentials: list[str] = []

    async def call(self, method: str, path: str, **more: object) -> httpx2.Response:
        answer = await self.client.request(method, path, **more)  # type: ignore[arg-type]
        if answer.is_error:
            self.errors.append(answer.text)
        return answer

    async def say(self, text: str, **more: object) -> str:
        """Say something, read the whole stream, and return the conversation's id."""
        async with self.client.stream("POST", "/api/v1/chat", json={"text": text} | more, headers=EVENTS) as sent:
            said = [event async for event in events(sent)]
        self.errors += [str(event.data) for event in said if event.tag == "turn.failed"]
        return str(said[0].data["conversation_id"])


@asynccontextmanager
async def zebulon(desk: Process) -> AsyncGenerator[Session]:
    """Invited by the owner, signed in by his link."""
    async with desk.owner() as owner:
        made = await owner.post("/api/v1/people", json={"name": NAME, "email": EMAIL, "role": "member"})
        token = made.raise_for_status().json()["link"].partition("#token=")[2]
    async with httpx2.AsyncClient(base_url=desk.address, headers=FROM_A_PAGE, timeout=30) as client:
        session = Session(client)
        await session.call("POST", "/api/v1/auth/link", json={"token": token})
        session.credentials = [token, *client.cookies.values()]
        yield session


async def live_a_day(session: Session) -> None:
    """Use everything that takes words, rightly and wrongly."""
    await session.call("PUT", "/api/v1/me/password", json={"password": PASSWORD})
    await session.call("POST", "/api/v1/auth/sign-in", json={"email": EMAIL, "password": PASSWORD + "?"})
    await session.call("POST", "/api/v1/auth/sign-in", json={"email": EMAIL, "password": PASSWORD, "also": SAID})
    uploaded = await session.call("POST", "/api/v1/files", files={"file": (FILE_NAME, FILE, "text/plain")})
    conversation = await session.say(SAID, file_ids=[uploaded.json()["id"]])
    await session.say(f"Remember that {FACT}", conversation_id=conversation)
    await session.say(f"{SAID}: now fail", conversation_id=conversation)
    shown = (await session.call("GET", f"/api/v1/conversations/{conversation}", params={"query": SAID})).json()
    reply = next(message for message in shown["messages"] if message["role"] == "assistant")
    await session.call("PUT", f"/api/v1/messages/{reply['id']}/feedback", json={"value": -1, "reason": OPINION})
    await session.call("GET", "/api/v1/conversations", params={"query": SAID})
    await session.call("POST", "/api/v1/memories", json={"text": FACT})
    await session.call("POST", "/api/v1/memories", json={"text": FACT, "extra": SAID})
    await session.call(
        "POST", "/api/v1/handoffs", json={"conversation_id": conversation, "text": HANDOFF, "contact": CONTACT}
    )
    made = (await session.call("POST", "/api/v1/keys", json={"name": "canary-keyname", "scopes": ["chat"]})).json()
    session.credentials.append(made["key"])
    body = {"model": "frontdesk", "messages": [{"role": "user", "content": SAID}]}
    program = {"Authorization": f"Bearer {made['key']}"}
    await session.call("POST", "/v1/chat/completions", json=body, headers=program)
    await session.call("POST", "/v1/chat/completions", json=body | {"n": 7, "tools": [{"type": SAID}]}, headers=program)
    await session.call("POST", "/v1/chat/completions", content=f'{{"{SAID}', headers=program)
    await session.call("GET", f"/api/v1/{SAID}")
    await session.call("GET", "/api/v1/conversations", headers={"Authorization": f"Bearer {made['key']}-wrong"})


def provider(received: Received) -> Reply:
    """Answers; told to fail, it fails and blabs what it was told and by whom."""
    body = received.body.decode()
    if "now fail" in body:
        return Reply(status=400, error=f"{received.headers.get('authorization')} said {body}")
    return Reply(text=ANSWER)


@pytest.mark.proves("abuse-20")
async def test_no_canary_leaves_by_logs_traces_metrics_or_errors_and_none_outlives_erasure(tmp_path: Path) -> None:
    collector, home = Collector(), tmp_path / "home"
    async with Upstream(OpenAIWire(), provider) as upstream, serve(collector) as collecting:
        settings = {
            "models.list": [
                {
                    "name": "scripted",
                    "wire": "openai",
                    "model": "scripted-1",
                    "base_url": upstream.url,
                    "key_variable": "MODEL_KEY",
                }
            ],
            "telemetry.log_level": "DEBUG",
            "telemetry.otlp_endpoint": collecting,
        }
        async with process(home, model=upstream.url, settings=settings, variables=SECRETS) as desk:
            async with zebulon(desk) as session:
                await live_a_day(session)
                assert len(session.errors) > 6
                metrics = (await session.client.get("/metrics")).text
                assert any(MODEL_KEY in call.headers.get("authorization", "") for call in upstream.received)
                sealed = sealed_words(home)
                assert len(sealed) > 20
                assert files_with((NAME, *sealed), home), "the search finds what is there"
                assert files_with((SAID, FACT, ANSWER, FILE_NAME), home) == [], "and words are sealed"
                (await session.call("DELETE", "/api/v1/me")).raise_for_status()
                left_alive = files_with((*PERSONAL, *sealed), home)
            desk.send(signal.SIGTERM)
            assert await desk.ended() == 0
        left = files_with((*PERSONAL, *sealed), home)
        log = desk.log.read_text()
        errors, traces = "\n".join(session.errors), b"".join(collector.received).decode("utf-8", "replace")
    secrets = (*SECRETS.values(), PASSWORD, *session.credentials)
    assert collector.received
    assert found((*PERSONAL, *secrets), log) == []
    assert found((*PERSONAL, *secrets), traces) == []
    assert found((*PERSONAL, *secrets), metrics) == []
    assert found(secrets, errors) == []
    assert left_alive == []
    assert left == []


def found(canaries: tuple[str, ...], text: str) -> list[str]:
    """Those of the canaries, or their last words, that stand in the text."""
    return [canary for canary in canaries if canary in text or canary.rpartition(" ")[2] in text]


def sealed_words(home: Path) -> tuple[str, ...]:
    """All that lies sealed in the desk's database, as it lies there."""
    database = sqlite3.connect(home / "desk.db")
    kept = [line for line in database.iterdump() if "fd1$" in line]
    database.close()
    return tuple(re.findall(r"fd1\$[0-9a-f]{8}\$[A-Za-z0-9+/=]+", "\n".join(kept)))


def files_with(canaries: tuple[str, ...], folder: Path) -> list[str]:
    """Files below `folder`, but for the log, whose bytes hold a canary."""
    holding: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".log":
            data = path.read_bytes()
            words = (canary.rpartition(" ")[2] for canary in canaries)
            holding += [f"{path.name}: {word}" for word in words if word.encode() in data]
    return holding


@pytest.mark.proves("abuse-20")
async def test_a_deleted_conversation_leaves_no_byte_and_its_key_is_free_again(tmp_path: Path) -> None:
    async with served_desk(tmp_path) as served:
        ann = await served.client()
        key = {"Idempotency-Key": "a-key"}
        asked = await ann.post("/api/v1/chat", json={"text": OPINION}, headers=key)
        sealed = sealed_words(tmp_path)
        assert len(files_with(sealed, tmp_path)) >= len(sealed)
        await ann.delete(f"/api/v1/conversations/{asked.json()['conversation_id']}")
        assert files_with((OPINION, *sealed), tmp_path) == []
        again = await ann.post("/api/v1/chat", json={"text": "Something else"}, headers=key)
        assert again.status_code == 200
        assert again.json()["turn_id"] != asked.json()["turn_id"]
