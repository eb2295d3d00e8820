"""What spans carry outside."""

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from frontdesk.telemetry import tracing

CANARY = "canary: my password is hunter2"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> trace.Tracer:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(tracing.Cleaned(exporter)))
    tracer = provider.get_tracer("test")
    monkeypatch.setattr(tracing, "_tracer", tracer)
    return tracer


@pytest.mark.proves("abuse-20")
def test_a_span_leaves_with_listed_attributes_alone(tracer: trace.Tracer, exporter: InMemorySpanExporter) -> None:
    with tracer.start_as_current_span("chat openai") as span:
        span.set_attributes({"gen_ai.request.model": "gpt-4", "prompt": CANARY, "frontdesk.tool.outcome": "ok"})
        span.set_attribute("frontdesk.text", CANARY * 10)
        span.add_event("exception", {"exception.message": CANARY})
        span.set_status(trace.StatusCode.ERROR, CANARY)
    (sent,) = exporter.get_finished_spans()
    assert dict(sent.attributes or {}) == {"gen_ai.request.model": "gpt-4", "frontdesk.tool.outcome": "ok"}
    assert "hunter2" not in sent.to_json()
    assert sent.status.status_code is trace.StatusCode.ERROR


def test_spans_within_spans_are_one_trace(tracer: trace.Tracer, exporter: InMemorySpanExporter) -> None:
    with (
        tracing.span("turn"),
        pytest.raises(ValueError, match="canary"),
        tracing.span("chat", gen_ai__request__model="gpt-4"),
    ):
        raise ValueError(CANARY)
    inner, outer = exporter.get_finished_spans()
    assert inner.parent is not None
    assert outer.context is not None
    assert inner.parent.span_id == outer.context.span_id
    assert dict(inner.attributes or {}) == {"gen_ai.request.model": "gpt-4", "error.type": "ValueError"}


def test_without_an_endpoint_nothing_is_set_up() -> None:
    before = trace.get_tracer_provider()
    tracing.set_up("", name="desk", version="1")()
    assert trace.get_tracer_provider() is before
