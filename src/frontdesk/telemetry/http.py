"""Measures every HTTP request: id, metrics, a span, a line in the log. Wraps the whole application.

Labels and lines hold the route's template, never the path that was asked for.
"""

import re
import time
from collections.abc import Callable

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from frontdesk.telemetry import metrics

UNMATCHED = "unmatched"  # the label of a path that no route knows
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
PROBES = frozenset({"/health", "/ready", "/metrics"})  # asked every few seconds: logged only with DEBUG
CLIENT_GONE = 499  # nobody was left to answer (nginx's number for it)

_GIVEN_ID = re.compile(rb"[\w-]{8,64}", re.ASCII)
_tracer = trace.get_tracer("frontdesk.http")


class Measured:
    """Wraps `app`. `template` tells the route's template of an answered request, or None when no route knew its path.

    The request's id is `scope["state"]["request_id"]`, the answer's header `X-Request-Id`, and on every log line that
    is written meanwhile. A caller's own `X-Request-Id` is kept when it looks like an id.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        template: Callable[[Scope], str | None],
        new_id: Callable[[], str],
        monotonic: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._template = template
        self._new_id = new_id
        self._monotonic = monotonic
        self._log = structlog.get_logger("frontdesk.http").bind()  # bound once: binding anew costs more than the line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = _given_id(scope) or self._new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        tokens = bind_contextvars(request_id=request_id)
        try:
            if scope["type"] == "http":
                await self._measure(scope, receive, send, request_id)
            else:
                await self._app(scope, receive, send)
        finally:
            reset_contextvars(**tokens)

    async def _measure(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        answer = _Answer(send, request_id.encode(), self._monotonic)
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        with _tracer.start_as_current_span(
            method,
            context=_caller_of(scope),
            kind=SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                await self._app(scope, receive, answer)
            except BaseException:
                answer.status = answer.status or 500
                raise
            finally:
                path, status = self._template(scope) or UNMATCHED, answer.status or CLIENT_GONE
                seconds = answer.seconds()
                metrics.http_requests.labels(method, path, status).inc()
                metrics.http_request_duration.labels(method, path).observe(seconds)
                metrics.requests.labels(path, method, status).inc()
                metrics.response_time.labels(path).observe(seconds)
                if span.is_recording():
                    span.update_name(f"{method} {path}")
                    span.set_attributes(
                        {"http.request.method": method, "http.route": path, "http.response.status_code": status}
                    )
                    if status >= 500:
                        span.set_status(StatusCode.ERROR)
                write = self._log.debug if path in PROBES else self._log.info
                write("http", method=method, path=path, status=status, milliseconds=round(seconds * 1000, 1))


class _Answer:
    """Sends on, and notes status and time: of the last byte, or of a stream's first one."""

    def __init__(self, send: Send, request_id: bytes, monotonic: Callable[[], float]) -> None:
        self._send = send
        self._request_id = request_id
        self._monotonic = monotonic
        self._began = monotonic()
        self._ended: float | None = None
        self._streams = False
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [pair for pair in message.get("headers", ()) if pair[0] != b"x-request-id"]
            self._streams = any(
                name == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers
            )
            message["headers"] = [*headers, (b"x-request-id", self._request_id)]
        elif self._streams and self._ended is None and message.get("body"):
            self._ended = self._monotonic()
        await self._send(message)

    def seconds(self) -> float:
        """How long the answer took, as the metric counts it."""
        return (self._ended or self._monotonic()) - self._began


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode() if _GIVEN_ID.fullmatch(value) else None
    return None


def _caller_of(scope: Scope) -> Context | None:
    """The caller's trace, where the request tells one (W3C Trace Context, header `traceparent`)."""
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return extract({"traceparent": value.decode("latin-1")})
    return None
