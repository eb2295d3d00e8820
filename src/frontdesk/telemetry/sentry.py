"""Errors for Sentry: what the log tells of an error, and not a byte more.

The SDK instruments nothing here and gathers nothing: no local variables, no request, no header, no line of code. An
event is made from a line of the log, whose fields have passed its list, and from the error's types and places. The
lines before it come along as breadcrumbs.
"""

import traceback
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from frontdesk.errors import BadSetting, FrontdeskError, MissingExtra
from frontdesk.telemetry.logs import FRAMES, Line, Watch, causes, short_path

if TYPE_CHECKING:
    from sentry_sdk._types import Event

ERRORS = ("error", "critical", "exception")
CRUMBS = 30  # lines before an error that are told with it
CLOSE_SECONDS = 2.0  # at the process's end, for what has not been sent


def set_up(dsn: str, *, environment: str, version: str) -> tuple[Watch | None, Callable[[], None]]:
    """What watches the log for errors and sends them to `dsn`, and what ends it; with an empty address nothing.

    Raises `MissingExtra` when the SDK is absent.
    """
    if not dsn:
        return None, lambda: None
    try:
        from sentry_sdk import Client
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "SENTRY_DSN is set, and the SDK is absent", hint="pip install 'frontdesk[sentry]'"
        ) from error
    try:
        client = Client(dsn=dsn, **_quiet(environment, version))
    except ValueError as error:  # the SDK's BadDsn
        hint = "Copy it from the project's settings at Sentry: `https://key@host/number`."
        raise BadSetting("SENTRY_DSN is not an address of Sentry's", where="SENTRY_DSN", hint=hint) from error
    reporter = Reporter(lambda event: client.capture_event(event))
    return reporter, lambda: client.close(timeout=CLOSE_SECONDS)


def _quiet(environment: str, version: str) -> dict[str, Any]:
    """The SDK's options, with everything off that gathers by itself."""
    return {
        "environment": environment,
        "release": f"frontdesk@{version}",
        "server_name": "",
        "default_integrations": False,
        "auto_enabling_integrations": False,
        "include_local_variables": False,
        "include_source_context": False,
        "max_request_body_size": "never",
        "auto_session_tracking": False,
        "send_client_reports": False,
    }


class Reporter:
    """Turns lines of the log into events (develop.sentry.dev/sdk/data-model/event-payloads)."""

    def __init__(self, send: "Callable[[Event], object]") -> None:
        self._send = send
        self._crumbs: deque[Line] = deque(maxlen=CRUMBS)

    def __call__(self, line: Line, error: BaseException | None) -> None:
        """Keep the line for later, or send it if it tells an error."""
        if line["level"] not in ERRORS:
            self._crumbs.append(line)
            return
        event: Event = {
            "level": "error",
            "logger": str(line["logger"]),
            "message": str(line["event"]),
            "timestamp": datetime.now(UTC),
            "tags": {name: str(value) for name, value in _fields(line)},
            "breadcrumbs": {"values": [_crumb(each) for each in self._crumbs]},
        }
        if error is not None:
            event["exception"] = {"values": [_exception(each) for each in reversed(list(causes(error)))]}
        self._send(event)


def _fields(line: Line) -> Iterator[tuple[str, object]]:
    apart = ("at", "level", "logger", "event", "frames", "traceback", "left_out")
    return ((name, value) for name, value in line.items() if name not in apart)


def _crumb(line: Line) -> dict[str, Any]:
    return {
        "timestamp": line["at"],
        "level": line["level"],
        "category": line["logger"],
        "message": line["event"],
        "data": dict(_fields(line)),
    }


def _exception(error: BaseException) -> dict[str, Any]:
    """An error's type, its code as the only word, and its places, the innermost last."""
    frames = [
        {"filename": short_path(frame.filename), "function": frame.name, "lineno": frame.lineno}
        for frame in traceback.extract_tb(error.__traceback__, limit=-FRAMES)
    ]
    told: dict[str, object] = {"type": type(error).__name__, "module": type(error).__module__}
    told["value"] = error.code if isinstance(error, FrontdeskError) else ""
    return told | ({"stacktrace": {"frames": frames}} if frames else {})
