"""The OpenAI chat-completions wire: OpenAI itself and every server that speaks like it (any `base_url`).

Source of the format: the API reference of chat completions (platform.openai.com/docs/api-reference/chat).
"""

import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal

import msgspec

from frontdesk.messages import (
    ImagePart,
    ModelDone,
    ModelEvent,
    ModelFacts,
    ModelRequest,
    Prompt,
    TextDelta,
    TextPart,
    ToolCallDelta,
    ToolSpec,
    Usage,
)
from frontdesk.models.failures import CallFailed
from frontdesk.models.options import OPENAI_URL, FactsOptions, ModelOptions
from frontdesk.models.prompting import render
from frontdesk.models.provider import Provider, decoded
from frontdesk.models.wire import Parts

DoneReason = Literal["stop", "length", "tool_calls", "content_filter"]

FINISHED: dict[str, DoneReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class OpenAIModel:
    """A model behind `POST {base_url}/chat/completions`."""

    def __init__(self, options: ModelOptions, parts: Parts) -> None:
        self._options = options
        self._parts = parts
        self._facts = (options.facts or FactsOptions()).facts()
        self._where = options.base_url or OPENAI_URL
        headers = {"authorization": f"Bearer {parts.key}"} if parts.key else {}
        self._provider = Provider(self._where, headers, connect=parts.time_outs.connect)

    @classmethod
    def build(cls, options: ModelOptions, parts: Parts) -> "OpenAIModel":
        return cls(options, parts)

    @property
    def name(self) -> str:
        return self._options.name

    @property
    def facts(self) -> ModelFacts:
        return self._facts

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        body = self._body(request)
        if not request.streamed:
            answer = decoded(_ANSWER, await self._provider.whole("/chat/completions", body), self._where)
            for event in self._events_of(answer):
                yield event
            return
        finish: str | None = None
        usage = Usage()
        async with aclosing(self._provider.events("/chat/completions", body)) as events:
            async for data in events:
                if data == b"[DONE]":
                    break
                chunk = decoded(_CHUNK, data, self._where)
                if bytes(chunk.error) != b"null":
                    raise CallFailed("The provider failed within its answer", reason="server_error", where=self._where)
                if chunk.usage is not None:
                    usage = _usage(chunk.usage)
                for choice in chunk.choices:
                    for event in _deltas(choice.delta):
                        yield event
                    finish = choice.finish_reason or finish
        if finish is None:
            raise CallFailed("The answer ended in the middle", reason="cut", where=self._where)
        yield ModelDone(reason=FINISHED.get(finish, "stop"), model=self.name, usage=usage)

    async def close(self) -> None:
        await self._provider.close()

    def _body(self, request: ModelRequest) -> bytes:
        options = self._options
        bound = request.max_tokens or self._parts.max_tokens
        body = _Body(
            model=self._parts.model,
            messages=[_message(prompt) for prompt in render(request, self._parts.ids)],
            stream=request.streamed,
            stream_options={"include_usage": True} if request.streamed else None,
            temperature=self._parts.temperature if request.temperature is None else request.temperature,
            top_p=request.top_p,
            stop=list(request.stop) or None,
            seed=request.seed,
            tools=[_tool(spec) for spec in request.tools] or None,
            tool_choice=_tool_choice(request),
            response_format=_response_format(request),
            max_tokens=bound if options.tokens_field == "max_tokens" else None,
            max_completion_tokens=bound if options.tokens_field == "max_completion_tokens" else None,
        )
        return msgspec.json.encode(body)

    def _events_of(self, answer: "_Answer") -> list[ModelEvent]:
        if not answer.choices:
            raise CallFailed("The provider's answer is empty", reason="malformed", where=self._where)
        choice = answer.choices[0]
        events = _deltas(choice.message)
        reason = FINISHED.get(choice.finish_reason or "stop", "stop")
        usage = _usage(answer.usage) if answer.usage else Usage()
        return [*events, ModelDone(reason=reason, model=self.name, usage=usage)]


# --- what is sent -----------------------------------------------------------


class _Function(msgspec.Struct, omit_defaults=True):
    name: str
    description: str = ""
    parameters: msgspec.Raw | None = None
    arguments: str | None = None


class _Tool(msgspec.Struct):
    function: _Function
    type: str = "function"
    id: str | msgspec.UnsetType = msgspec.UNSET


class _ImageUrl(msgspec.Struct):
    url: str


class _Content(msgspec.Struct, omit_defaults=True):
    type: str
    text: str | None = None
    image_url: _ImageUrl | None = None


class _Message(msgspec.Struct, omit_defaults=True):
    role: str
    content: str | list[_Content] | None = None
    tool_calls: list[_Tool] | None = None
    tool_call_id: str | None = None


class _Schema(msgspec.Struct):
    schema: msgspec.Raw
    name: str = "answer"
    strict: bool = False


class _ResponseFormat(msgspec.Struct, omit_defaults=True):
    type: str
    json_schema: _Schema | None = None


class _Body(msgspec.Struct, omit_defaults=True):
    model: str
    messages: list[_Message]
    stream: bool = False
    stream_options: dict[str, bool] | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: list[str] | None = None
    seed: int | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _Tool | None = None
    response_format: _ResponseFormat | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None


def _message(prompt: Prompt) -> _Message:
    return _Message(
        role=prompt.role,
        content=_content(prompt),
        tool_calls=[
            _Tool(id=call.id, function=_Function(name=call.name, arguments=call.arguments or "{}"))
            for call in prompt.tool_calls
        ]
        or None,
        tool_call_id=prompt.tool_call_id,
    )


def _content(prompt: Prompt) -> str | list[_Content] | None:
    if not any(isinstance(part, ImagePart) for part in prompt.parts):
        return prompt.text if prompt.parts or not prompt.tool_calls else None
    return [
        _Content(type="text", text=part.text)
        if isinstance(part, TextPart)
        else _Content(type="image_url", image_url=_ImageUrl(_data_url(part)))
        for part in prompt.parts
    ]


def _data_url(part: ImagePart) -> str:
    return f"data:{part.media_type};base64,{base64.b64encode(part.data).decode()}"


def _tool(spec: ToolSpec) -> _Tool:
    return _Tool(function=_Function(name=spec.name, description=spec.description, parameters=spec.parameters))


def _tool_choice(request: ModelRequest) -> str | _Tool | None:
    """None where it says nothing; a word; or the one function that must be called."""
    if not request.tools or request.tool_choice == "auto":
        return None
    if request.tool_choice in ("none", "required"):
        return request.tool_choice
    return _Tool(function=_Function(name=request.tool_choice))


def _response_format(request: ModelRequest) -> _ResponseFormat | None:
    if request.response_schema is not None:
        return _ResponseFormat(type="json_schema", json_schema=_Schema(request.response_schema))
    return _ResponseFormat(type="json_object") if request.response_json else None


# --- what comes back --------------------------------------------------------


class _Called(msgspec.Struct, frozen=True):
    name: str | None = None
    arguments: str | None = None


class _CallPiece(msgspec.Struct, frozen=True):
    index: int | None = None
    id: str | None = None
    function: _Called = _Called()


class _Said(msgspec.Struct, frozen=True):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_CallPiece] | None = None


class _ChunkChoice(msgspec.Struct, frozen=True):
    delta: _Said = _Said()
    finish_reason: str | None = None


class _Counted(msgspec.Struct, frozen=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Chunk(msgspec.Struct, frozen=True):
    choices: list[_ChunkChoice] = []
    usage: _Counted | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


class _AnswerChoice(msgspec.Struct, frozen=True):
    message: _Said
    finish_reason: str | None = None


class _Answer(msgspec.Struct, frozen=True):
    choices: list[_AnswerChoice]
    usage: _Counted | None = None


_CHUNK = msgspec.json.Decoder(_Chunk)
_ANSWER = msgspec.json.Decoder(_Answer)


def _deltas(said: _Said) -> list[ModelEvent]:
    events: list[ModelEvent] = []
    if text := said.content or said.refusal:
        events.append(TextDelta(text=text))
    for position, piece in enumerate(said.tool_calls or ()):
        events.append(
            ToolCallDelta(
                index=position if piece.index is None else piece.index,
                id=piece.id,
                name=piece.function.name,
                arguments=piece.function.arguments or "",
            )
        )
    return events


def _usage(counted: _Counted) -> Usage:
    return Usage(prompt_tokens=counted.prompt_tokens, completion_tokens=counted.completion_tokens)
