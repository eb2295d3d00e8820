"""The Anthropic messages wire.

Source of the format: the API reference of messages and of their streaming (platform.claude.com/docs/en/api/messages).
Thinking is not shown, but counts as a sign of life: it comes as an empty `TextDelta`.
"""

import base64
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Literal

import msgspec

from frontdesk.messages import (
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
from frontdesk.models.options import ANTHROPIC_URL, FactsOptions, ModelOptions
from frontdesk.models.prompting import render
from frontdesk.models.provider import Provider, decoded
from frontdesk.models.wire import Parts

VERSION = "2023-06-01"  # the header anthropic-version

FINISHED: dict[str, Literal["stop", "length", "tool_calls", "content_filter"]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class AnthropicModel:
    """A model behind `POST {base_url}/v1/messages`."""

    def __init__(self, options: ModelOptions, parts: Parts) -> None:
        self._options = options
        self._parts = parts
        self._facts = (options.facts or FactsOptions(images=True, context_tokens=200_000)).facts()
        self._where = options.base_url or ANTHROPIC_URL
        headers = {"x-api-key": parts.key, "anthropic-version": VERSION}
        self._provider = Provider(self._where, headers, connect=parts.time_outs.connect)

    @classmethod
    def build(cls, options: ModelOptions, parts: Parts) -> "AnthropicModel":
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
            answer = decoded(_ANSWER, await self._provider.whole("/v1/messages", body), self._where)
            for event in self._events_of(answer):
                yield event
            return
        stop: str | None = None
        counted = _Counted()
        async with aclosing(self._provider.events("/v1/messages", body)) as events:
            async for data in events:
                event = decoded(_EVENT, data, self._where)
                if event.type == "error":
                    raise CallFailed("The provider failed within its answer", reason="server_error", where=self._where)
                counted = counted.with_(event.message.usage if event.message else event.usage)
                if event.delta is not None and event.delta.stop_reason:
                    stop = event.delta.stop_reason
                if (shown := _delta(event)) is not None:
                    yield shown
                if event.type == "message_stop":
                    break
        if stop is None:
            raise CallFailed("The answer ended in the middle", reason="cut", where=self._where)
        yield ModelDone(reason=FINISHED.get(stop, "stop"), model=self.name, usage=counted.usage())

    async def close(self) -> None:
        await self._provider.close()

    def _body(self, request: ModelRequest) -> bytes:
        prompts = render(request, self._parts.ids)
        temperature = self._options.temperature if request.temperature is None else request.temperature
        body = _Body(
            model=self._parts.model,
            max_tokens=request.max_tokens or self._parts.max_tokens,
            system="\n\n".join(prompt.text for prompt in prompts if prompt.role == "system"),
            messages=_turns([prompt for prompt in prompts if prompt.role != "system"]),
            stream=request.streamed,
            temperature=None if temperature is None else min(temperature, 1.0),
            top_p=request.top_p if temperature is None else None,  # the API takes one of the two
            stop_sequences=list(request.stop) or None,
            tools=[_tool(spec) for spec in request.tools] or None,
            tool_choice=_tool_choice(request),
            output_config=_OutputConfig(_Format(request.response_schema)) if request.response_schema else None,
        )
        return msgspec.json.encode(body)

    def _events_of(self, answer: "_Answer") -> list[ModelEvent]:
        events: list[ModelEvent] = []
        for index, block in enumerate(answer.content):
            if block.type == "text":
                events.append(TextDelta(text=block.text))
            elif block.type == "tool_use":
                arguments = bytes(block.input).decode()
                events.append(ToolCallDelta(index=index, id=block.id, name=block.name, arguments=arguments))
        reason = FINISHED.get(answer.stop_reason or "end_turn", "stop")
        return [*events, ModelDone(reason=reason, model=self.name, usage=answer.usage.usage())]


# --- what is sent -----------------------------------------------------------


class _Source(msgspec.Struct):
    media_type: str
    data: str
    type: str = "base64"


class _Block(msgspec.Struct, omit_defaults=True):
    type: str
    text: str | None = None
    source: _Source | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw | None = None
    tool_use_id: str | None = None
    content: str | None = None


class _Turn(msgspec.Struct):
    role: str
    content: list[_Block]


class _Tool(msgspec.Struct):
    name: str
    description: str
    input_schema: msgspec.Raw


class _ToolChoice(msgspec.Struct, omit_defaults=True):
    type: str
    name: str | None = None


class _Format(msgspec.Struct):
    schema: msgspec.Raw
    type: str = "json_schema"


class _OutputConfig(msgspec.Struct):
    format: _Format


class _Body(msgspec.Struct, omit_defaults=True):
    model: str
    max_tokens: int
    messages: list[_Turn]
    system: str = ""
    stream: bool = False
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: list[str] | None = None
    tools: list[_Tool] | None = None
    tool_choice: _ToolChoice | None = None
    output_config: _OutputConfig | None = None


def _turns(prompts: Sequence[Prompt]) -> list[_Turn]:
    """Prompts as turns: a tool's result belongs to the user's side, and neighbours on one side are one turn."""
    turns: list[_Turn] = []
    for prompt in prompts:
        role = "assistant" if prompt.role == "assistant" else "user"
        blocks = _blocks(prompt)
        if turns and turns[-1].role == role:
            turns[-1].content.extend(blocks)
        elif blocks:
            turns.append(_Turn(role, blocks))
    return turns


def _blocks(prompt: Prompt) -> list[_Block]:
    if prompt.role == "tool":
        return [_Block(type="tool_result", tool_use_id=prompt.tool_call_id or "", content=prompt.text)]
    blocks: list[_Block] = []
    for part in prompt.parts:
        if isinstance(part, TextPart):
            if part.text.strip():  # the API refuses blank text
                blocks.append(_Block(type="text", text=part.text))
        else:
            source = _Source(media_type=part.media_type, data=base64.b64encode(part.data).decode())
            blocks.append(_Block(type="image", source=source))
    for call in prompt.tool_calls:
        arguments = msgspec.Raw((call.arguments or "{}").encode())
        blocks.append(_Block(type="tool_use", id=call.id, name=call.name, input=arguments))
    return blocks


def _tool(spec: ToolSpec) -> _Tool:
    return _Tool(name=spec.name, description=spec.description, input_schema=spec.parameters)


def _tool_choice(request: ModelRequest) -> _ToolChoice | None:
    if not request.tools or request.tool_choice == "auto":
        return None
    if request.tool_choice == "none":
        return _ToolChoice(type="none")
    if request.tool_choice == "required":
        return _ToolChoice(type="any")
    return _ToolChoice(type="tool", name=request.tool_choice)


# --- what comes back --------------------------------------------------------


class _Counted(msgspec.Struct, frozen=True):
    """Input read from or written to the provider's cache counts as prompt too."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None

    def with_(self, later: "_Counted | None") -> "_Counted":
        """The newest value of each field: counts in a stream are cumulative."""
        if later is None:
            return self
        fields = self.__struct_fields__
        return _Counted(
            *(new if (new := getattr(later, field)) is not None else getattr(self, field) for field in fields)
        )

    def usage(self) -> Usage:
        cached = (self.cache_read_input_tokens or 0) + (self.cache_creation_input_tokens or 0)
        return Usage(prompt_tokens=(self.input_tokens or 0) + cached, completion_tokens=self.output_tokens or 0)


class _ContentBlock(msgspec.Struct, frozen=True):
    type: str
    text: str = ""
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Delta(msgspec.Struct, frozen=True):
    type: str = ""
    text: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


class _Started(msgspec.Struct, frozen=True):
    usage: _Counted = _Counted()


class _Event(msgspec.Struct, frozen=True):
    type: str
    index: int = 0
    message: _Started | None = None
    content_block: _ContentBlock | None = None
    delta: _Delta | None = None
    usage: _Counted | None = None


class _Answer(msgspec.Struct, frozen=True):
    content: list[_ContentBlock]
    stop_reason: str | None = None
    usage: _Counted = _Counted()


_EVENT = msgspec.json.Decoder(_Event)
_ANSWER = msgspec.json.Decoder(_Answer)


def _delta(event: _Event) -> ModelEvent | None:
    if event.type == "content_block_start" and event.content_block is not None:
        block = event.content_block
        if block.type == "tool_use":
            return ToolCallDelta(index=event.index, id=block.id, name=block.name)
        return TextDelta(text=block.text)
    if event.type == "content_block_delta" and event.delta is not None:
        if event.delta.type == "input_json_delta":
            return ToolCallDelta(index=event.index, arguments=event.delta.partial_json)
        return TextDelta(text=event.delta.text)
    return None
