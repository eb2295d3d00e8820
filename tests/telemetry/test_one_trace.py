"""A whole desk: one trace from the request through the turn to the model, and no word of anybody in any of it."""

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import generate_latest

from frontdesk.app.rooms import open_desk
from frontdesk.messages import Role
from frontdesk.system.load import load
from frontdesk.telemetry import logs, metrics
from frontdesk.telemetry.tracing import Cleaned
from frontdesk.testing.upstream import OpenAIWire, Reply, Upstream

SYSTEM = """\
knowledge: {own_documentation: false, embedder: {kind: none}}
models: {order: [openai], retry: {tries: 1}}
tools: {discovery_urls: []}
"""
ASKED, SAID = "canary-asked-4711", "canary-said-0815"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """The spans of the whole process, whose one provider stays; each test has an exporter of its own."""
    exporter = InMemorySpanExporter()
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider(shutdown_on_exit=False)
        trace.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(Cleaned(exporter)))
    return exporter


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    logs.set_up("DEBUG", stream=stream)
    yield stream
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if type(handler).__module__ == logs.__name__]:
        root.removeHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("frontdesk").setLevel(logging.NOTSET)
    structlog.reset_defaults()


@pytest.mark.proves("abuse-20")
@pytest.mark.parametrize("reply", [Reply(text=SAID), Reply(status=500, error=SAID), Reply(text=SAID, fault="cut")])
async def test_a_question_is_one_trace_and_nobodys_words_are_in_it(
    tmp_path: Path, spans: InMemorySpanExporter, log: io.StringIO, reply: Reply
) -> None:
    file = tmp_path / "system.yaml"
    file.write_text(SYSTEM)
    async with Upstream(OpenAIWire(), [reply]) as upstream:
        variables = {"OPENAI_API_KEY": "sk-canary-key", "OPENAI_BASE_URL": upstream.url}
        async with open_desk(load(file, home=tmp_path / "home", variables=variables)) as desk:
            person = await desk.store.people.add(name="canary-name", role=Role.MEMBER, email="canary@example.com")
            _, key = await desk.store.keys.create(person.id, name="test", scopes=("chat",))
            async with httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app=desk.asgi()), base_url="http://desk.localhost"
            ) as client:
                headers = {"Authorization": f"Bearer {key}"}
                answer = await client.post("/api/v1/chat", json={"text": ASKED}, headers=headers)
    assert answer.status_code == 200
    by_name = {span.name.partition(" ")[0]: span for span in spans.get_finished_spans()}
    request, turn, model = by_name["POST"], by_name["turn"], by_name["chat"]
    assert request.context is not None
    assert turn.context is not None
    assert turn.parent is not None
    assert model.parent is not None
    assert turn.parent.span_id == request.context.span_id
    assert model.parent.span_id == turn.context.span_id
    told = log.getvalue() + "".join(span.to_json() for span in spans.get_finished_spans())
    told += generate_latest(metrics.registry).decode()
    assert '"path":"/api/v1/chat"' in told
    for canary in (ASKED, SAID, "canary", key):
        assert canary not in told
