"""POST /v1/embeddings."""

import base64
from array import array

import msgspec
from starlette.types import Receive, Scope, Send

from frontdesk.channels.openai_api.exchange import read, send_json
from frontdesk.channels.openai_api.faults import unsupported
from frontdesk.errors import BadRequest, UnknownModel
from frontdesk.ports import Embedder

MOST_INPUTS = 2048
BYTES_A_TOKEN = 4  # an estimate: the embedder does not count


class EmbeddingsBody(msgspec.Struct, frozen=True):
    """What clients send."""

    model: str
    input: str | list[str | int | list[int]]
    encoding_format: str = "float"
    dimensions: int | None = None


class Embedding(msgspec.Struct, frozen=True, kw_only=True):
    """A vector as numbers, or as base64 of little-endian float32."""

    index: int
    embedding: list[float] | str
    object: str = "embedding"


class Tokens(msgspec.Struct, frozen=True):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(msgspec.Struct, frozen=True, kw_only=True):
    data: list[Embedding]
    model: str
    usage: Tokens
    object: str = "list"


_body = msgspec.json.Decoder(EmbeddingsBody)


class Embeddings:
    """An ASGI endpoint."""

    def __init__(self, embedder: Embedder | None) -> None:
        self._embedder = embedder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read(receive, _body)
        embedder = self._embedder
        if embedder is None or body.model != embedder.name:
            raise UnknownModel(f"There is no embedding model {body.model!r} at this desk", where="model")
        texts = _texts(body)
        if body.dimensions not in (None, embedder.dimensions):
            raise unsupported("dimensions", f"{embedder.name} has {embedder.dimensions}")
        vectors = await embedder.embed_passages(texts)
        size = sum(len(text.encode()) for text in texts) // BYTES_A_TOKEN
        answer = EmbeddingList(
            data=[
                Embedding(index=index, embedding=_encoded(vector, body.encoding_format))
                for index, vector in enumerate(vectors)
            ],
            model=embedder.name,
            usage=Tokens(prompt_tokens=size, total_tokens=size),
        )
        await send_json(send, answer)


def _texts(body: EmbeddingsBody) -> list[str]:
    texts = [body.input] if isinstance(body.input, str) else body.input
    if not texts or len(texts) > MOST_INPUTS:
        raise BadRequest(f"Between 1 and {MOST_INPUTS} texts", where="input")
    words = [text for text in texts if isinstance(text, str) and text]
    if len(words) != len(texts):
        raise unsupported("input", "send texts that are not empty; token numbers belong to other models")
    return words


def _encoded(vector: bytes, form: str) -> list[float] | str:
    if form == "base64":
        return base64.b64encode(vector).decode()
    if form == "float":
        return array("f", vector).tolist()
    raise BadRequest("`encoding_format` is float or base64", where="encoding_format")
