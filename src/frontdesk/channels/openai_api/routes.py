"""The addresses of the OpenAI-compatible API."""

from starlette.routing import Route

from frontdesk.channels.openai_api.answers import Answers
from frontdesk.channels.openai_api.chat import ChatCompletions
from frontdesk.channels.openai_api.embeddings import Embeddings
from frontdesk.channels.openai_api.exchange import Guarded
from frontdesk.channels.openai_api.models import ModelNames
from frontdesk.channels.openai_api.responses import Responses
from frontdesk.ports import Clock, Converse, Embedder, Ids, Models
from frontdesk.store.conversations import Conversations
from frontdesk.store.files import Files
from frontdesk.store.requests import Requests


def routes(
    converse: Converse,
    conversations: Conversations,
    models: Models,
    embedder: Embedder | None,
    requests: Requests,
    files: Files,
    clock: Clock,
    ids: Ids,
) -> list[Route]:
    """Raw routes, to stand before all others: the first one is the desk's hottest."""
    answers = Answers(models, converse, conversations, requests, files, ids)
    names = ModelNames(answers, embedder)
    endpoints = (
        ("POST", "/v1/chat/completions", ChatCompletions(answers, clock, ids)),
        ("POST", "/v1/responses", Responses(answers, clock, ids)),
        ("POST", "/v1/embeddings", Embeddings(embedder)),
        ("GET", "/v1/models", names.every),
        ("GET", "/v1/models/{id:path}", names.one),
    )
    return [Route(path, endpoint=Guarded(endpoint), methods=[method]) for method, path, endpoint in endpoints]
