"""Traces by OTLP over HTTP. Without an endpoint nothing is recorded, and a span costs about a microsecond.

What a span may carry is listed here, as for logs: other attributes, and the words of errors, are dropped.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, Status
from opentelemetry.util.types import AttributeValue

from frontdesk.errors import MissingExtra

# Names of OpenTelemetry's semantic conventions (HTTP, generative AI, MCP) and the desk's own.
ATTRIBUTES = frozenset(
    {
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "error.type",
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.response.model",
        "gen_ai.tool.name",
        "gen_ai.tool.type",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "mcp.method.name",
        "mcp.protocol.version",
        "mcp.session.id",
        "network.transport",
        "server.address",
        "server.port",
    }
)
OWN = "frontdesk."  # attributes of this prefix pass too: the product sets them, and holds itself to names and numbers
LONGEST = 120  # characters of an attribute

_tracer = trace.get_tracer("frontdesk")


def set_up(endpoint: str, *, name: str, version: str) -> Callable[[], None]:
    """Send traces to `endpoint` (like `http://collector:4318`), from now on; empty: nowhere. Returns what ends it.

    Raises `MissingExtra` when the exporter's package is absent.
    """
    if not endpoint:
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ModuleNotFoundError as error:
        raise MissingExtra("Traces need the OTLP exporter", hint="pip install 'frontdesk[otlp]'") from error
    address = endpoint if endpoint.endswith("/v1/traces") else f"{endpoint.rstrip('/')}/v1/traces"
    provider = provider_of(OTLPSpanExporter(endpoint=address), name=name, version=version)
    trace.set_tracer_provider(provider)
    return provider.shutdown


def provider_of(exporter: SpanExporter, *, name: str, version: str) -> TracerProvider:
    """A provider whose spans go to `exporter`, cleaned."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": name, "service.version": version}), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(Cleaned(exporter)))
    return provider


@contextmanager
def span(name: str, **attributes: AttributeValue) -> Generator[Span]:
    """A span within the current one; `gen_ai__request__model="x"` sets `gen_ai.request.model`.

    An error that passes through marks the span with its type, never with its words.
    """
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    with _tracer.start_as_current_span(
        name, attributes=named, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_status(trace.StatusCode.ERROR, type(error).__name__)
            current.set_attribute("error.type", type(error).__name__)
            raise


class Cleaned(SpanExporter):
    """Passes spans on with listed attributes alone, without events, and with the code word of their status."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([_clean(recorded) for recorded in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _clean(recorded: ReadableSpan) -> ReadableSpan:
    attributes = {key: value for key, value in (recorded.attributes or {}).items() if _may_pass(key, value)}
    return ReadableSpan(
        name=recorded.name[:LONGEST],
        context=recorded.context,
        parent=recorded.parent,
        resource=recorded.resource,
        attributes=attributes,
        links=recorded.links,
        kind=recorded.kind,
        status=Status(recorded.status.status_code),
        start_time=recorded.start_time,
        end_time=recorded.end_time,
        instrumentation_scope=recorded.instrumentation_scope,
    )


def _may_pass(key: str, value: AttributeValue) -> bool:
    if key not in ATTRIBUTES and not key.startswith(OWN):
        return False
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= LONGEST)
