"""The desk as an MCP server: other assistants search its knowledge and ask it, each for the person who calls.

Streamable HTTP without sessions, so any replica answers any call, in both eras of the protocol. The gate stands before
it as before every route: it checks Origin, credential, scope and limits.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

import mcp_types as mcp
import msgspec
from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from frontdesk.errors import BadRequest, FrontdeskError
from frontdesk.events import ApprovalAsked, Cited, Failed, Finished, Inbound, PersonAnswers, TextAdded
from frontdesk.gate.caller import caller_of
from frontdesk.messages import Found
from frontdesk.ports import Converse, Ids, Search

LONGEST_QUESTION = 8_000  # characters
ASK_SECONDS = 120.0  # the turn goes on after that; only this caller stops waiting

logging.getLogger("mcp.server").setLevel(logging.WARNING)  # its lines below quote questions and answers

Context = ServerRequestContext[dict[str, object], Request]

_QUESTION = {"type": "string", "minLength": 1, "maxLength": LONGEST_QUESTION}
TOOLS = [
    mcp.Tool(
        name="search_knowledge",
        description="Find passages in the owner's documents that answer a question, with their sources.",
        input_schema={
            "type": "object",
            "properties": {"question": _QUESTION, "limit": {"type": "integer", "minimum": 1, "maximum": 10}},
            "required": ["question"],
            "additionalProperties": False,
        },
    ),
    mcp.Tool(
        name="ask",
        description="Ask the desk. It answers from its owner's documents, with sources, or says it does not know.",
        input_schema={
            "type": "object",
            "properties": {
                "question": _QUESTION,
                "conversation_id": {"type": "string", "description": "Go on with this conversation of yours."},
            },
            "required": ["question"],
            "additionalProperties": False,
        },
    ),
]


class _SearchArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    question: str
    limit: int = 6


class _AskArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    question: str
    conversation_id: str | None = None


class DeskServer:
    """An ASGI application for `/mcp`. Enter `run` once, in the task that ends it, before the first call."""

    def __init__(self, search: Search, converse: Converse, ids: Ids) -> None:
        self._search = search
        self._converse = converse
        self._ids = ids
        server = Server[dict[str, object]](
            "frontdesk",
            version=version("frontdesk"),
            instructions="A front desk that knows its owner's documents.",
            on_list_tools=self._list,
            on_call_tool=self._call,
        )
        self._sessions = StreamableHTTPSessionManager(server, json_response=True, stateless=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._sessions.handle_request(scope, receive, send)

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Serve calls while inside."""
        async with self._sessions.run():
            yield

    async def _list(self, _context: Context, _params: mcp.PaginatedRequestParams | None) -> mcp.ListToolsResult:
        return mcp.ListToolsResult(tools=TOOLS)

    async def _call(self, context: Context, params: mcp.CallToolRequestParams) -> mcp.CallToolResult:
        try:
            return await self._answer(context, params)
        except FrontdeskError as error:
            return _refusal(f"{error.what}. {error.hint}".strip())
        except msgspec.ValidationError as error:
            return _refusal(f"The arguments do not fit: {error}")

    async def _answer(self, context: Context, params: mcp.CallToolRequestParams) -> mcp.CallToolResult:
        if context.request is None:
            raise BadRequest("This server is called over HTTP")
        person_id = caller_of(context.request).person.id
        match params.name:
            case "search_knowledge":
                wanted = msgspec.convert(params.arguments or {}, _SearchArguments)
                _check(wanted.question)
                return _passages(await self._search.search(wanted.question, limit=max(1, min(wanted.limit, 10))))
            case "ask":
                question = msgspec.convert(params.arguments or {}, _AskArguments)
                _check(question.question)
                return await self._ask(person_id, question)
            case _:
                return _refusal(f"There is no tool {params.name!r}; there are: search_knowledge, ask.")

    async def _ask(self, person_id: str, question: _AskArguments) -> mcp.CallToolResult:
        accepted = await self._converse.accept(
            Inbound(
                channel="mcp",
                external_id=self._ids.new("mcp"),
                person_id=person_id,
                text=question.question,
                conversation_id=question.conversation_id,
            )
        )
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await self._reply(accepted.turn_id, accepted.conversation_id)
        except TimeoutError:
            return _refusal(f"The answer is still being written; it will stand in {accepted.conversation_id}.")

    async def _reply(self, turn_id: str, conversation_id: str) -> mcp.CallToolResult:
        text, cited = "", Cited(citations=())
        async for numbered in self._converse.follow(turn_id):
            match numbered.event:
                case TextAdded() as added:
                    text += added.text
                case Cited() as cited:
                    pass
                case ApprovalAsked():
                    return _refusal("A tool call waits for your approval on the desk's own pages.")
                case Failed() as failed:
                    return _refusal(f"{failed.message} {failed.hint}".strip())
                case PersonAnswers(name=name):
                    return _refusal(f"{name or 'A person of the team'} has this conversation, and answers there.")
                case Finished() as finished:
                    return _reply(text, cited, finished, conversation_id)
                case _:
                    pass
        return _refusal("The answer broke off.")


def _reply(text: str, cited: Cited, finished: Finished, conversation_id: str) -> mcp.CallToolResult:
    sources = "\n".join(f"[{one.number}] {one.title}, {one.source}" for one in cited.citations)
    return mcp.CallToolResult(
        content=[mcp.TextContent(text=f"{text}\n\n{sources}".strip())],
        structured_content={
            "answer": text,
            "grounding": finished.grounding.value,
            "model": finished.model,
            "conversation_id": conversation_id,
            "citations": [
                {"number": one.number, "title": one.title, "source": one.source, "quote": one.quote}
                for one in cited.citations
            ],
        },
    )


def _passages(found: Found) -> mcp.CallToolResult:
    texts = [
        f"[{number}] {passage.title} > {passage.heading} ({passage.source})\n{passage.text}"
        for number, passage in enumerate(found.passages, 1)
    ]
    return mcp.CallToolResult(
        content=[mcp.TextContent(text="\n\n".join(texts) or "Nothing in the documents fits this question.")],
        structured_content={
            "confidence": found.confidence,
            "passages": [
                {"title": one.title, "heading": one.heading, "source": one.source, "text": one.text, "id": one.id}
                for one in found.passages
            ],
        },
    )


def _check(question: str) -> None:
    if not question.strip() or len(question) > LONGEST_QUESTION:
        raise BadRequest(f"A question has 1 to {LONGEST_QUESTION} characters", where="question")


def _refusal(text: str) -> mcp.CallToolResult:
    return mcp.CallToolResult(content=[mcp.TextContent(text=text)], is_error=True)
