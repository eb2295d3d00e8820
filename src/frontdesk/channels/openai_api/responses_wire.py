"""The Responses API on the wire: what clients send and what they get."""

from typing import Literal

import msgspec

from frontdesk.channels.openai_api.chat_wire import ABSENT

# --- what clients send ------------------------------------------------------


class InputPart(msgspec.Struct, frozen=True):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None


class InputItem(msgspec.Struct, frozen=True):
    """A message, a function's call or its output, told apart by `type` (a message where there is none)."""

    type: str = "message"
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: str | list[InputPart] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[InputPart] | None = None


class FunctionTool(msgspec.Struct, frozen=True):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: msgspec.Raw = ABSENT
    strict: bool | None = None


class ChosenTool(msgspec.Struct, frozen=True):
    type: str
    name: str | None = None


class TextFormat(msgspec.Struct, frozen=True):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: msgspec.Raw = ABSENT


class TextSettings(msgspec.Struct, frozen=True):
    format: TextFormat | None = None


class ResponsesBody(msgspec.Struct, frozen=True):
    """POST /v1/responses."""

    model: str
    input: str | list[InputItem]
    instructions: str | None = None
    previous_response_id: str | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: str | ChosenTool | None = None
    text: TextSettings | None = None
    metadata: dict[str, str] | None = None
    background: bool | None = None
    conversation: msgspec.Raw = ABSENT
    prompt: msgspec.Raw = ABSENT


# --- what clients get -------------------------------------------------------


class UrlCitation(msgspec.Struct, frozen=True, kw_only=True):
    start_index: int
    end_index: int
    title: str
    url: str
    type: str = "url_citation"


class OutputText(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    annotations: list[UrlCitation] = []
    logprobs: list[str] = []
    type: str = "output_text"


class MessageItem(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    status: str
    content: list[OutputText]
    role: str = "assistant"
    type: str = "message"


class CallItem(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    call_id: str
    name: str
    arguments: str
    status: str
    type: str = "function_call"


OutputItem = MessageItem | CallItem


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    message: str


class Incomplete(msgspec.Struct, frozen=True):
    reason: str


class Cached(msgspec.Struct, frozen=True, kw_only=True):
    cached_tokens: int = 0
    cache_write_tokens: int = 0


class Reasoned(msgspec.Struct, frozen=True, kw_only=True):
    reasoning_tokens: int = 0


class Used(msgspec.Struct, frozen=True, kw_only=True):
    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: Cached = Cached()
    output_tokens_details: Reasoned = Reasoned()


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """An answer. `tools` and `tool_choice` repeat the question's."""

    id: str
    created_at: int
    model: str
    status: str
    output: list[OutputItem] = []
    error: Problem | None = None
    incomplete_details: Incomplete | None = None
    instructions: str | None = None
    metadata: dict[str, str] = {}
    previous_response_id: str | None = None
    parallel_tool_calls: bool = True
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    tools: list[FunctionTool] = []
    tool_choice: str | ChosenTool = "auto"
    text: TextSettings = TextSettings(TextFormat("text"))
    usage: Used | None = None
    object: str = "response"


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event of a stream; which fields it has depends on its `type`."""

    type: str
    sequence_number: int
    response: Response | None = None
    item: OutputItem | None = None
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    part: OutputText | None = None
    delta: str | None = None
    text: str | None = None
    arguments: str | None = None
    name: str | None = None
    annotation: UrlCitation | None = None
    annotation_index: int | None = None
    logprobs: list[str] | None = None
