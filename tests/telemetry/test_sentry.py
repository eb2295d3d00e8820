"""Errors reach Sentry with their types and places, and without a word that anybody wrote."""

import asyncio
import gzip
import io
import json
import logging
from collections.abc import AsyncGenerator, Generator

import pytest
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from frontdesk.errors import BadSetting, ModelRefused
from frontdesk.telemetry import logs, sentry
from frontdesk.testing.serve import serve

SAID, PROMPT, HEADER = "canary-said-1", "canary-prompt-2", "Bearer canary-header-3"
LOCAL, ARGUMENT, SECRET = "canary-local-4", "canary-argument-5", "canary-secret-6"
CANARIES = tuple(text.rpartition(" ")[2] for text in (SAID, PROMPT, HEADER, LOCAL, ARGUMENT, SECRET))


class Sentry:
    """Plays Sentry: takes envelopes (develop.sentry.dev/sdk/data-model/envelopes) and keeps their bytes and events."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.arrived = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.received.append(repr(sorted(request.headers.items())).encode() + b"\n" + body)
        self.arrived.set()
        await JSONResponse({"id": "1"})(scope, receive, send)

    async def event(self) -> dict[str, object]:
        """The newest event."""
        async with asyncio.timeout(30):
            await self.arrived.wait()
        self.arrived.clear()
        event: dict[str, object] = json.loads(self.received[-1].splitlines()[-1])
        return event


@pytest.fixture
def playing() -> Sentry:
    return Sentry()


@pytest.fixture
def quiet() -> Generator[io.StringIO]:
    """Where the log goes meanwhile."""
    stream = io.StringIO()
    yield stream
    logs.set_up("INFO", stream=io.StringIO())
    structlog.reset_defaults()
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if type(handler).__module__ != "frontdesk.telemetry.logs"]


@pytest.fixture
async def told(playing: Sentry, quiet: io.StringIO) -> AsyncGenerator[Sentry]:
    async with serve(playing) as address:
        dsn = address.replace("http://", "http://publickey@") + "/7"
        watch, end = sentry.set_up(dsn, environment="staging", version="1.2.3")
        logs.set_up("INFO", stream=quiet, watch=watch)
        yield playing
        await asyncio.to_thread(end)


def answer(text: str, headers: dict[str, str]) -> None:
    """Breaks with all that it was given in its variables and its words."""
    prompt = f"{PROMPT}: {text} {headers}"
    try:
        raise ValueError(f"The provider said {SECRET} to {prompt}")
    except ValueError as error:
        raise ModelRefused(f"Refused {prompt}", where=LOCAL, hint=ARGUMENT) from error


async def test_an_error_arrives_with_types_code_and_places_and_without_anybodys_words(told: Sentry) -> None:
    log = structlog.get_logger("frontdesk.test")
    log.info("turn_finished", turn="turn_1", text=SAID)
    log.warning("tool_failed", tool="pay", action=f"{SAID} and more")
    try:
        answer(SAID, {"authorization": HEADER})
    except ModelRefused:
        log.error("turn_failed", turn="turn_2", prompt=PROMPT, exc_info=True)
    event = await told.event()
    assert (event["environment"], event["release"], event["level"]) == ("staging", "frontdesk@1.2.3", "error")
    assert event["message"] == "turn_failed"
    assert event["tags"]["turn"] == "turn_2"  # type: ignore[index]
    values = event["exception"]["values"]  # type: ignore[index]
    assert [(value["type"], value["value"]) for value in values] == [
        ("ValueError", ""),
        ("ModelRefused", "model_refused"),
    ]
    assert values[-1]["stacktrace"]["frames"][-1]["function"] == "answer"
    crumbs = event["breadcrumbs"]["values"]  # type: ignore[index]
    assert [crumb["message"] for crumb in crumbs] == ["turn_finished", "tool_failed"]
    assert "vars" not in told.received[-1].decode()
    assert [canary for canary in CANARIES if canary in b"".join(told.received).decode()] == []


async def test_what_other_libraries_log_is_told_by_its_place(told: Sentry) -> None:
    try:
        answer(SAID, {"authorization": HEADER})
    except ModelRefused:
        logging.getLogger("some.library").exception("Failed with %s", ARGUMENT)
    event = await told.event()
    assert event["logger"] == "some.library"
    assert event["tags"]["place"].startswith("test_sentry:")  # type: ignore[index]
    assert [canary for canary in CANARIES if canary in b"".join(told.received).decode()] == []


async def test_lines_that_are_no_errors_are_sent_nowhere(told: Sentry, quiet: io.StringIO) -> None:
    structlog.get_logger("frontdesk.test").warning("limit_reached", count=3)
    structlog.get_logger("frontdesk.test").error("job_failed", row="job_1")
    event = await told.event()
    assert event["message"] == "job_failed"
    assert "exception" not in event
    assert len(told.received) == 1
    assert "limit_reached" in quiet.getvalue()


def test_without_an_address_nothing_watches() -> None:
    watch, end = sentry.set_up("", environment="production", version="1")
    assert watch is None
    end()


def test_a_wrong_address_is_told() -> None:
    with pytest.raises(BadSetting) as told:
        sentry.set_up("nonsense", environment="production", version="1")
    assert told.value.where == "SENTRY_DSN"
