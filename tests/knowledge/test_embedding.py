"""Where vectors come from: the engine in the package, and endpoints that speak the OpenAI API."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np
import pytest

from frontdesk.errors import BadSetting, ModelUnavailable
from frontdesk.knowledge.embedding import open_embedder
from frontdesk.knowledge.embedding.endpoint import EndpointEmbedder
from frontdesk.knowledge.embedding.nano import DIMENSIONS, has_avx2
from frontdesk.knowledge.options import EmbedderOptions


async def test_the_engine_puts_a_question_next_to_its_answer_in_any_language() -> None:
    embedder = open_embedder(EmbedderOptions())
    assert embedder is not None
    passages = ["We open at nine in the morning.", "Invoices are paid within thirty days.", "The cat sleeps."]
    rows = np.array([np.frombuffer(row, "<f4") for row in await embedder.embed_passages(passages)])
    assert rows.shape == (3, embedder.dimensions) == (3, DIMENSIONS)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(3), abs=1e-3)
    for question in ("When do you open?", "Wann macht ihr auf?", "¿A qué hora abren?"):
        vector = np.frombuffer(await embedder.embed_query(question), "<f4")
        assert int(np.argmax(rows @ vector)) == 0
    assert await embedder.embed_passages([]) == []


def test_the_processor_is_asked_before_the_engine_is_loaded(tmp_path: Path) -> None:
    flags = tmp_path / "cpuinfo"
    flags.write_text("flags\t\t: fpu sse sse2\n")
    old = has_avx2(flags)
    flags.write_text("flags\t\t: fpu sse avx2\n")
    assert has_avx2(flags)
    assert has_avx2(tmp_path / "absent")
    import platform

    assert old == (platform.machine().lower() not in ("x86_64", "amd64"))


def test_no_embedder_may_be_chosen_and_a_hosted_one_needs_its_key() -> None:
    assert open_embedder(EmbedderOptions(kind="none")) is None
    with pytest.raises(BadSetting):
        open_embedder(EmbedderOptions(kind="openai"))
    with pytest.raises(BadSetting):
        open_embedder(EmbedderOptions(kind="no-such-kind"))


class Endpoint:
    """A loopback server that answers what the test says, one answer a call."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, object]] = []
        self.asked: list[dict[str, object]] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        self.asked.append(json.loads(await reader.readexactly(length)) | {"head": head})
        status, value = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        body = json.dumps(value).encode()
        writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


@pytest.fixture
async def endpoint() -> AsyncGenerator[Endpoint]:
    endpoint = Endpoint()
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    endpoint.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server:
        yield endpoint


@pytest.fixture
async def embedder(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[EndpointEmbedder]:
    monkeypatch.setattr("frontdesk.knowledge.embedding.endpoint.random.uniform", lambda *_: 0.0)
    options = EmbedderOptions(kind="openai", base_url=endpoint.url, model="m", dimensions=2, api_key="word")
    opened = open_embedder(options)
    assert isinstance(opened, EndpointEmbedder)
    yield opened
    await opened.close()


def rows(*vectors: list[float]) -> dict[str, object]:
    return {"data": [{"index": n, "embedding": vector} for n, vector in reversed(list(enumerate(vectors)))]}


async def test_an_endpoint_is_asked_once_for_a_batch_and_vectors_come_in_order(
    endpoint: Endpoint, embedder: EndpointEmbedder
) -> None:
    endpoint.answers = [(200, rows([3.0, 4.0], [0.0, 2.0]))]
    one, two = await embedder.embed_passages(["a", "b"])
    assert np.frombuffer(one, "<f4").tolist() == pytest.approx([0.6, 0.8])
    assert np.frombuffer(two, "<f4").tolist() == [0.0, 1.0]
    assert (endpoint.asked[0]["input"], endpoint.asked[0]["model"]) == (["a", "b"], "m")
    assert "authorization: bearer word" in str(endpoint.asked[0]["head"])


async def test_a_busy_endpoint_is_asked_again(endpoint: Endpoint, embedder: EndpointEmbedder) -> None:
    endpoint.answers = [(429, {}), (503, {}), (200, rows([1.0, 0.0]))]
    assert len(await embedder.embed_query("a")) == 8
    assert len(endpoint.asked) == 3


@pytest.mark.parametrize(
    ("answer", "calls"),
    [
        ((401, {}), 1),
        ((500, {}), 3),
        ((200, {"data": "x"}), 1),
        ((200, rows([1.0, 0.0, 0.0])), 1),
        ((200, rows([1.0, 0.0], [1.0, 0.0])), 1),
    ],
)
async def test_an_endpoint_that_does_not_do_its_work_is_unavailable(
    answer: tuple[int, object], calls: int, endpoint: Endpoint, embedder: EndpointEmbedder
) -> None:
    endpoint.answers = [answer]
    with pytest.raises(ModelUnavailable):
        await embedder.embed_query("a")
    assert len(endpoint.asked) == calls
