"""GET /v1/models and /v1/models/{id}."""

from typing import Any, cast

import msgspec
from starlette.types import Receive, Scope, Send

from frontdesk.channels.openai_api.answers import DESK, Answers
from frontdesk.channels.openai_api.exchange import send_json
from frontdesk.errors import UnknownModel
from frontdesk.ports import Embedder


class ModelLine(msgspec.Struct, frozen=True, kw_only=True):
    """A model as OpenAI lists it."""

    id: str
    owned_by: str
    object: str = "model"
    created: int = 0


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    data: list[ModelLine]
    object: str = "list"


class ModelNames:
    """ASGI endpoints for the names that can be asked for: the desk's own first."""

    def __init__(self, answers: Answers, embedder: Embedder | None) -> None:
        self._answers = answers
        self._embedder = embedder

    async def every(self, scope: Scope, receive: Receive, send: Send) -> None:
        """All of them."""
        await send_json(send, ModelList(data=self._lines()))

    async def one(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The one that the path names."""
        name = cast("dict[str, Any]", scope["path_params"])["id"]
        for line in self._lines():
            if line.id == name:
                await send_json(send, line)
                return
        raise UnknownModel(f"There is no model {name!r} at this desk", where="model")

    def _lines(self) -> list[ModelLine]:
        names = [*self._answers.names, *([self._embedder.name] if self._embedder else [])]
        return [ModelLine(id=name, owned_by=DESK) for name in names]
