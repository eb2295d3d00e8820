"""Any endpoint that speaks the OpenAI embeddings API."""

import asyncio
import random

import httpx2
import msgspec
import numpy as np

from frontdesk.errors import BadSetting, ModelUnavailable
from frontdesk.knowledge.embedding import EmbedderKind
from frontdesk.knowledge.options import EmbedderOptions

TRIES = 3
AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504})
HOSTED = "https://api.openai.com/v1"


class _Row(msgspec.Struct, frozen=True):
    index: int
    embedding: list[float]


class _Answer(msgspec.Struct, frozen=True):
    data: list[_Row]


class EndpointEmbedder:
    """Asks the endpoint; three tries, as with models."""

    def __init__(self, options: EmbedderOptions) -> None:
        self._model = options.model
        self._dimensions = options.dimensions
        headers = {"Authorization": f"Bearer {options.api_key}"} if options.api_key else {}
        self._client = httpx2.AsyncClient(base_url=options.base_url.rstrip("/") + "/", headers=headers, timeout=30)

    @property
    def name(self) -> str:
        return f"openai/{self._model}/{self._dimensions}"

    @property
    def dimensions(self) -> int:
        return self._dimensions

    async def embed_query(self, text: str) -> bytes:
        return (await self.embed_passages([text]))[0]

    async def embed_passages(self, texts: list[str]) -> list[bytes]:
        """Raises `ModelUnavailable` when the endpoint does not do its work."""
        body = msgspec.json.encode({"model": self._model, "input": texts, "encoding_format": "float"})
        data = await self._post(body)
        try:
            rows = sorted(msgspec.json.decode(data, type=_Answer).data, key=lambda row: row.index)
        except msgspec.MsgspecError as error:
            raise ModelUnavailable("The embeddings endpoint answers in another form", where=self.name) from error
        if len(rows) != len(texts) or any(len(row.embedding) != self._dimensions for row in rows):
            raise ModelUnavailable(
                f"The embeddings endpoint answers other vectors than {len(texts)} × {self._dimensions}",
                where=self.name,
                hint="Set `knowledge.embedder.dimensions` to what the model gives.",
            )
        return [_unit(row.embedding) for row in rows]

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _post(self, body: bytes) -> bytes:
        problem = "no answer"
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(random.uniform(0.2, 0.5) * 2**attempt)  # noqa: S311 jitter, no secret
            try:
                response = await self._client.post(
                    "embeddings", content=body, headers={"Content-Type": "application/json"}
                )
            except httpx2.HTTPError as error:
                problem = str(error) or type(error).__name__
                continue
            if response.status_code == 200:
                return response.content
            problem = f"status {response.status_code}"
            if response.status_code not in AGAIN:
                break
        raise ModelUnavailable(f"The embeddings endpoint does not answer: {problem}", where=self.name)


def _unit(values: list[float]) -> bytes:
    vector = np.asarray(values, dtype="<f4")
    length = float(np.linalg.norm(vector))
    return (vector / length if length else vector).tobytes()


def open_endpoint(options: EmbedderOptions) -> EndpointEmbedder:
    """Raises `BadSetting` where the hosted endpoint is chosen without a key."""
    if options.base_url.rstrip("/") == HOSTED and not options.api_key:
        raise BadSetting("The embeddings endpoint needs a key", where="EMBEDDING_API_KEY")
    return EndpointEmbedder(options)


kind = EmbedderKind(open_endpoint)
