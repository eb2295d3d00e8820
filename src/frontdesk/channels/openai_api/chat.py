"""POST /v1/chat/completions."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from frontdesk.api.errors import Internal
from frontdesk.api.sse import EventStream
from frontdesk.channels.openai_api import faults
from frontdesk.channels.openai_api.answers import Answers, Asked, Piece, places
from frontdesk.channels.openai_api.chat_wire import (
    Annotation,
    Answer,
    AnsweredTool,
    CalledFunction,
    ChatBody,
    Choice,
    Chunk,
    ChunkChoice,
    Completion,
    Counted,
    Delta,
    PieceOfFunction,
    PieceOfTool,
    UrlCitation,
)
from frontdesk.channels.openai_api.exchange import log, read, send_json
from frontdesk.channels.openai_api.prompting import model_request
from frontdesk.errors import FrontdeskError
from frontdesk.events import Cited, Started
from frontdesk.gate.caller import caller_of
from frontdesk.messages import Citation, ModelDone, TextDelta, ToolCallDelta, Usage
from frontdesk.ports import Clock, Ids

_body = msgspec.json.Decoder(ChatBody)
_encode = msgspec.json.Encoder().encode


class ChatCompletions:
    """An ASGI endpoint: the hottest route of the desk, so without a framework's price."""

    def __init__(self, answers: Answers, clock: Clock, ids: Ids) -> None:
        self._answers = answers
        self._clock = clock
        self._ids = ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read(receive, _body)
        request = Request(scope)
        asked = Asked(
            model=body.model,
            request=model_request(body),
            caller=caller_of(request),
            idempotency_key=request.headers.get("idempotency-key"),
        )
        pieces = self._answers.ask(asked)
        heading = (self._ids.new("chatcmpl"), int(self._clock.now().timestamp()), body.model)
        async with aclosing(pieces):
            if not body.stream:
                await send_json(send, await _whole(pieces, *heading))
                return
            first = await anext(pieces)  # what goes wrong before the first word is answered with its own status
            with_usage = bool(body.stream_options and body.stream_options.include_usage)
            await EventStream(_chunks(first, pieces, *heading, with_usage=with_usage))(scope, receive, send)


async def _whole(pieces: AsyncGenerator[Piece], identity: str, created: int, model: str) -> Completion:
    text: list[str] = []
    calls: dict[int, list[ToolCallDelta]] = {}
    citations: tuple[Citation, ...] = ()
    done: ModelDone | None = None
    async for piece in pieces:
        match piece:
            case TextDelta():
                text.append(piece.text)
            case ToolCallDelta():
                calls.setdefault(piece.index, []).append(piece)
            case Cited():
                citations = piece.citations
            case ModelDone():
                done = piece
            case Started():
                pass
    assert done is not None, "every stream of pieces ends with ModelDone or raises"
    content = "".join(text)
    answer = Answer(
        content=content if content or not calls else None,
        annotations=annotations(content, citations),
        tool_calls=[_called(calls[index]) for index in sorted(calls)] or msgspec.UNSET,
    )
    choice = Choice(message=answer, finish_reason="tool_calls" if calls else done.reason)
    return Completion(id=identity, created=created, model=model, choices=[choice], usage=counted(done.usage))


async def _chunks(
    first: Piece, pieces: AsyncGenerator[Piece], identity: str, created: int, model: str, *, with_usage: bool
) -> AsyncGenerator[bytes]:
    """The answer as server-sent events. What goes wrong on the way is the last event: clients raise it."""

    def chunk(delta: Delta, finish_reason: str | None = None) -> bytes:
        choice = ChunkChoice(delta=delta, finish_reason=finish_reason)
        value = Chunk(
            id=identity,
            created=created,
            model=model,
            choices=[choice],
            usage=None if with_usage else msgspec.UNSET,
        )
        return b"data: %s\n\n" % _encode(value)

    before, after = chunk(Delta(content="\uffff")).split(_encode("\uffff"))
    said: list[str] = []
    called: set[int] = set()
    yield chunk(Delta(role="assistant", content=""))
    piece: Piece | None = first
    try:
        while piece is not None:
            match piece:
                case TextDelta():
                    said.append(piece.text)
                    yield before + _encode(piece.text) + after
                case ToolCallDelta():
                    yield chunk(Delta(tool_calls=[_piece_of_call(piece, is_first=piece.index not in called)]))
                    called.add(piece.index)
                case Cited():
                    citations = piece.citations
                    yield chunk(Delta(annotations=annotations("".join(said), citations)))
                case ModelDone():
                    yield chunk(Delta(), "tool_calls" if called else piece.reason)
                    if with_usage:
                        yield _usage_chunk(identity, created, model, piece.usage)
                case Started():
                    pass
            piece = await anext(pieces, None)
    except FrontdeskError as error:
        yield b"data: %s\n\n" % _encode(faults.fault(error))
        return
    except Exception:
        log.exception("stream_failed")
        yield b"data: %s\n\n" % _encode(faults.fault(Internal()))
        return
    yield b"data: [DONE]\n\n"


def _usage_chunk(identity: str, created: int, model: str, usage: Usage) -> bytes:
    value = Chunk(id=identity, created=created, model=model, choices=[], usage=counted(usage))
    return b"data: %s\n\n" % _encode(value)


def _piece_of_call(piece: ToolCallDelta, *, is_first: bool) -> PieceOfTool:
    return PieceOfTool(
        index=piece.index,
        id=piece.id,
        type="function" if is_first else None,
        function=PieceOfFunction(name=piece.name, arguments=piece.arguments),
    )


def _called(pieces: list[ToolCallDelta]) -> AnsweredTool:
    return AnsweredTool(
        id=next((piece.id for piece in pieces if piece.id), ""),
        function=CalledFunction(
            name=next((piece.name for piece in pieces if piece.name), ""),
            arguments="".join(piece.arguments for piece in pieces),
        ),
    )


def annotations(text: str, citations: tuple[Citation, ...]) -> list[Annotation]:
    """Citations as chat completions show them."""
    return [
        Annotation(
            url_citation=UrlCitation(start_index=start, end_index=end, title=citation.title, url=citation.source)
        )
        for citation, start, end in places(text, citations)
    ]


def counted(usage: Usage) -> Counted:
    """Usage as OpenAI counts it."""
    return Counted(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
    )
