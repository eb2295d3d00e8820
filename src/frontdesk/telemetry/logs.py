"""Structured logs on stderr: one JSON object a line, or short lines for a person at a terminal.

Nothing that people write, and no secret, can get in: an event is a name, the fields that may be logged are listed here,
and their values must look like names, ids or numbers. What does not is left out, and the line says so (`left_out`).
Other libraries' messages are shown by their template, without the values that they put in. An error is logged by its
type, code and the places in the code, without its words; only DEBUG, which production refuses, adds those.
"""

import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import msgspec
import structlog
from opentelemetry import trace
from structlog.typing import Processor

from frontdesk.errors import FrontdeskError

FIELDS = frozenset(
    """
    action address_kind attempt bytes channel check code conversation_id count document_id error frames kind
    message_id method milliseconds model outcome path pid place port process reason_code request_id role row run seconds
    server signal state status step tool turn turn_id wire worker workers
    """.split()  # noqa: SIM905 — a column of sixty quoted words reads worse
)
NAME = re.compile(r"[a-z][a-z0-9_.]{0,60}")
PLAIN = re.compile(r"[\w.:/{}*+\-]{0,120}")
FRAMES = 8  # innermost places of an error that are told

_HEAD = ("at", "level", "logger", "event", "traceback")  # what a short line shows in a place of its own, or not at all

_encode = msgspec.json.Encoder().encode
Event = MutableMapping[str, Any]  # structlog's own type of a line in the making
Line = dict[str, object]  # what may be told, by name
Watch = Callable[[Line, BaseException | None], None]


def set_up(
    level: str = "INFO",
    *,
    as_json: bool = True,
    details: bool = False,
    stream: TextIO | None = None,
    watch: Watch | None = None,
) -> None:
    """Send structlog's and the standard library's logs to `stream` (stderr) from `level` on.

    `details` adds the words of errors: for a developer's own machine. `watch` is shown each line, and the error that
    it tells. May be called again.
    """
    target = stream or sys.stderr
    lines = _Lines(as_json=as_json, details=details, watch=watch)
    number = logging.getLevelNamesMapping()[level]
    processors: list[Processor] = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, lines]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *names: _Out(target, str(names[0]) if names else "frontdesk"),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Bridge)]:
        root.removeHandler(handler)
    root.addHandler(_Bridge(lines, target))
    root.setLevel(max(number, logging.WARNING))  # below that, other libraries chat, and quote what passes through them
    logging.getLogger("frontdesk").setLevel(number)


class _Out:
    """Where structlog's lines go. Its methods are the levels; all write."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self.name = name
        self._stream = stream

    def msg(self, line: str) -> None:
        """Write a line."""
        self._stream.write(line)
        self._stream.flush()

    debug = info = warning = error = critical = exception = msg


class _Lines:
    """The last step: what may be logged, as a line of text."""

    def __init__(self, *, as_json: bool, details: bool, watch: Watch | None) -> None:
        self._watch = watch
        self._as_json = as_json
        self._details = details

    def __call__(self, logger: object, method: str, event: Event) -> str:
        """Structlog's protocol of a processor."""
        return self.text(self.line(str(getattr(logger, "name", "frontdesk")), method, event))

    def line(self, logger: str, method: str, event: Event) -> Line:
        """What of `event` may be logged."""
        name, level, failure = str(event.pop("event", "")), event.pop("level", method), event.pop("exc_info", None)
        line: Line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": level,
            "logger": logger,
            "event": name if NAME.fullmatch(name) else "unnamed",
        }
        line.update(_trace_ids())
        left_out = [key for key, value in event.items() if not _may_pass(key, value)]
        line.update((key, value) for key, value in event.items() if key not in left_out)
        if left_out:
            line["left_out"] = sorted(key if PLAIN.fullmatch(key) else "?" for key in left_out)
        error = _error_of(failure) if failure else None
        if error is not None:
            line.update(self._told(error))
        if self._watch is not None:
            self._watch({name: value for name, value in line.items() if name != "traceback"}, error)
        return line

    def text(self, line: Line) -> str:
        """The line, ended."""
        if self._as_json:
            return _encode(line).decode() + "\n"
        rest = "  ".join(f"{key}={value}" for key, value in line.items() if key not in _HEAD)
        words = f"{str(line['at'])[11:19]} {line['level']:<8} {line['event']}  {rest}".rstrip()
        return f"{words}\n{line.get('traceback', '')}".rstrip("\n") + "\n"

    def _told(self, error: BaseException) -> Iterator[tuple[str, object]]:
        yield "error", " < ".join(type(cause).__name__ for cause in causes(error))
        if isinstance(error, FrontdeskError):
            yield "code", error.code
        yield (
            "frames",
            [
                f"{short_path(frame.filename)}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(error.__traceback__, limit=-FRAMES)
            ],
        )
        if self._details:
            yield "traceback", "".join(traceback.format_exception(error))


class _Bridge(logging.Handler):
    """Brings the lines of the standard library's loggers into the same form."""

    def __init__(self, lines: _Lines, stream: TextIO) -> None:
        super().__init__()
        self._lines = lines
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        """A message with arguments has a template, a constant of the code: it is told, the arguments are not.

        A message without arguments may have been put together with anything in it: only its place in the code is told.
        """
        template = record.msg if isinstance(record.msg, str) and record.args else ""
        event: Event = {
            "event": "library",
            "place": f"{record.module}:{record.lineno}",
            "exc_info": record.exc_info,
        }
        line = self._lines.line(record.name, record.levelname.lower(), event)
        if template:
            line["template"] = template[:200]
        try:
            self._stream.write(self._lines.text(line))
            self._stream.flush()
        except (OSError, ValueError):
            self.handleError(record)


def _may_pass(key: str, value: object) -> bool:
    if key not in FIELDS:
        return False
    if isinstance(value, str):
        return PLAIN.fullmatch(value) is not None
    return value is None or isinstance(value, int | float)


def _trace_ids() -> Iterator[tuple[str, str]]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        yield "trace_id", trace.format_trace_id(context.trace_id)
        yield "span_id", trace.format_span_id(context.span_id)


def _error_of(failure: object) -> BaseException | None:
    """The error that `exc_info` speaks of, in each of its forms (PEP 282 and structlog's)."""
    if isinstance(failure, BaseException):
        return failure
    if isinstance(failure, tuple):
        found: object = failure[1]  # pyright: ignore[reportUnknownVariableType] — `exc_info` may be any tuple
        return found if isinstance(found, BaseException) else None
    return sys.exc_info()[1]


def short_path(filename: str) -> str:
    """The end of a path, which tells the place in the code and nothing of the machine."""
    return "/".join(Path(filename).parts[-3:])


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what led to it."""
    seen: set[int] = set()
    step: BaseException | None = error
    while step is not None and id(step) not in seen and len(seen) < FRAMES:
        seen.add(id(step))
        yield step
        step = step.__cause__ or (None if step.__suppress_context__ else step.__context__)
