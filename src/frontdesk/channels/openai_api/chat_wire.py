"""Chat completions on the wire: what clients send and what they get.

Unknown fields are passed over, as OpenAI's own servers do with fields of other versions; fields that would change the
answer and cannot be honoured are named and refused (`prompting`).
"""

from typing import Literal

import msgspec

ABSENT = msgspec.Raw(b"null")  # raw JSON cannot be optional in msgspec: null stands for absent


def given(raw: msgspec.Raw) -> msgspec.Raw | None:
    """The JSON, or None where the field is null or absent."""
    return None if raw == ABSENT else raw


# --- what clients send ------------------------------------------------------


class ImageUrl(msgspec.Struct, frozen=True):
    url: str
    detail: str = "auto"


class ContentPart(msgspec.Struct, frozen=True):
    type: str
    text: str | None = None
    image_url: ImageUrl | None = None
    refusal: str | None = None


class CalledFunction(msgspec.Struct, frozen=True):
    name: str
    arguments: str = "{}"


class CalledTool(msgspec.Struct, frozen=True):
    id: str
    function: CalledFunction
    type: str = "function"


class ChatMessage(msgspec.Struct, frozen=True):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ContentPart] | None = None
    tool_calls: list[CalledTool] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None


class Function(msgspec.Struct, frozen=True):
    name: str
    description: str | None = None
    parameters: msgspec.Raw = ABSENT


class Tool(msgspec.Struct, frozen=True):
    type: str
    function: Function | None = None


class NamedFunction(msgspec.Struct, frozen=True):
    name: str


class NamedTool(msgspec.Struct, frozen=True):
    type: str
    function: NamedFunction | None = None


class JsonSchema(msgspec.Struct, frozen=True):
    name: str
    schema: msgspec.Raw = ABSENT
    strict: bool | None = None


class ResponseFormat(msgspec.Struct, frozen=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool | None = None


class ChatBody(msgspec.Struct, frozen=True):
    """POST /v1/chat/completions."""

    model: str
    messages: list[ChatMessage]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    tools: list[Tool] | None = None
    tool_choice: str | NamedTool | None = None
    response_format: ResponseFormat | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    modalities: list[str] | None = None
    audio: msgspec.Raw = ABSENT
    functions: msgspec.Raw = ABSENT
    function_call: msgspec.Raw = ABSENT


# --- what clients get -------------------------------------------------------


class UrlCitation(msgspec.Struct, frozen=True, kw_only=True):
    """`start_index` and `end_index` bound the mark in the text that cites this source."""

    start_index: int
    end_index: int
    title: str
    url: str


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    url_citation: UrlCitation
    type: str = "url_citation"


class AnsweredTool(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    function: CalledFunction
    type: str = "function"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    content: str | None
    role: str = "assistant"
    refusal: str | None = None
    annotations: list[Annotation] = []
    tool_calls: list[AnsweredTool] | msgspec.UnsetType = msgspec.UNSET


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    message: Answer
    finish_reason: str
    index: int = 0
    logprobs: None = None


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    created: int
    model: str
    choices: list[Choice]
    usage: Counted
    object: str = "chat.completion"
    system_fingerprint: str | None = None


class PieceOfFunction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    arguments: str
    name: str | None = None


class PieceOfTool(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    index: int
    function: PieceOfFunction
    id: str | None = None
    type: str | None = None


class Delta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    role: str | None = None
    content: str | None = None
    tool_calls: list[PieceOfTool] | None = None
    annotations: list[Annotation] | None = None


class ChunkChoice(msgspec.Struct, frozen=True, kw_only=True):
    delta: Delta
    finish_reason: str | None = None
    index: int = 0
    logprobs: None = None


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Counted | msgspec.UnsetType | None = msgspec.UNSET
    object: str = "chat.completion.chunk"
    system_fingerprint: str | None = None
