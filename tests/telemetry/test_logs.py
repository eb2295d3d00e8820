"""What gets into the log, and what never does."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from frontdesk.errors import ModelUnavailable
from frontdesk.telemetry import logs

CANARY = "canary-7f3a said my password is hunter2"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    target = io.StringIO()
    logs.set_up("INFO", stream=target)
    yield target
    root = logging.getLogger()
    for handler in list(root.handlers):
        if type(handler).__module__ == logs.__name__:
            root.removeHandler(handler)
    root.setLevel(logging.WARNING)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_level_event_and_listed_fields(stream: io.StringIO) -> None:
    structlog.get_logger("frontdesk.x").info("turn_failed", turn="trn_1", attempt=2)
    (line,) = lines(stream)
    assert line.pop("at").endswith("+00:00")
    assert line == {"level": "info", "logger": "frontdesk.x", "event": "turn_failed", "turn": "trn_1", "attempt": 2}


@pytest.mark.proves("abuse-20")
@pytest.mark.parametrize(
    "fields",
    [{"text": CANARY}, {"model": CANARY}, {"turn": {"text": CANARY}}, {"path": "/c?q=" + CANARY}, {CANARY: 1}],
)
def test_text_of_people_is_left_out_whatever_the_field(stream: io.StringIO, fields: dict[str, Any]) -> None:
    structlog.get_logger().info("turn_failed", **fields)
    assert "hunter2" not in stream.getvalue()
    assert lines(stream)[0]["left_out"]


@pytest.mark.proves("abuse-20")
def test_an_event_that_is_no_name_is_left_out(stream: io.StringIO) -> None:
    structlog.get_logger().info(f"got {CANARY}")
    assert lines(stream)[0]["event"] == "unnamed"
    assert "hunter2" not in stream.getvalue()


@pytest.mark.proves("abuse-20")
def test_an_error_is_told_by_type_code_and_place_without_its_words(stream: io.StringIO) -> None:
    def fail() -> None:
        try:
            raise ValueError(CANARY)
        except ValueError as error:
            raise ModelUnavailable(CANARY, where=CANARY) from error

    try:
        fail()
    except ModelUnavailable:
        structlog.get_logger().exception("turn_failed", turn="trn_1")
    (line,) = lines(stream)
    assert "hunter2" not in stream.getvalue()
    assert (line["error"], line["code"]) == ("ModelUnavailable < ValueError", "model_unavailable")
    assert line["frames"][-1].endswith(" fail")


@pytest.mark.proves("abuse-20")
def test_other_libraries_lines_show_their_template_alone(stream: io.StringIO) -> None:
    logger = logging.getLogger("some.library")
    logger.warning("refused %s from %s", CANARY, "1.2.3.4")
    logger.warning(f"refused {CANARY}")
    try:
        raise RuntimeError(CANARY)
    except RuntimeError:
        logger.exception("broken: %s", CANARY)
    told = lines(stream)
    assert "hunter2" not in stream.getvalue()
    assert told[0]["template"] == "refused %s from %s"
    assert told[0]["logger"] == "some.library"
    assert "template" not in told[1]
    assert told[1]["place"].startswith("test_logs:")
    assert told[2]["error"] == "RuntimeError"


def test_the_words_of_an_error_are_shown_to_a_developer_who_asks(stream: io.StringIO) -> None:
    logs.set_up("DEBUG", details=True, stream=stream)
    try:
        raise ValueError("what went wrong")
    except ValueError:
        structlog.get_logger().exception("turn_failed")
    assert "what went wrong" in lines(stream)[0]["traceback"]


def test_debug_never_lets_other_libraries_speak_of_what_passes_through_them(stream: io.StringIO) -> None:
    logs.set_up("DEBUG", stream=stream)
    logging.getLogger("httpx2").debug("body %s", CANARY)
    assert stream.getvalue() == ""


def test_a_person_gets_short_lines(stream: io.StringIO) -> None:
    logs.set_up("INFO", as_json=False, stream=stream)
    structlog.get_logger().info("http", method="GET", path="/health", status=200)
    assert stream.getvalue()[8:] == " info     http  method=GET  path=/health  status=200\n"


def test_the_request_id_of_the_context_stands_on_every_line(stream: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="req_1"):
        structlog.get_logger().warning("lease_lost")
    assert lines(stream)[0]["request_id"] == "req_1"
