"""OpenAI's request as the house's: prompts, tools and settings, with what cannot be honoured refused by name."""

import base64
import binascii
import re

import msgspec

from frontdesk.channels.openai_api.chat_wire import (
    CalledTool,
    ChatBody,
    ChatMessage,
    ContentPart,
    NamedTool,
    ResponseFormat,
    Tool,
    given,
)
from frontdesk.channels.openai_api.faults import unsupported
from frontdesk.errors import BadRequest
from frontdesk.messages import ImagePart, ModelRequest, Part, Prompt, TextPart, ToolCall, ToolSpec

DATA_URL = re.compile(r"data:(image/(?:png|jpeg|webp|gif));base64,", re.IGNORECASE)
MOST_STOPS = 4
NO_PARAMETERS = msgspec.Raw(b'{"type":"object","properties":{}}')


def model_request(body: ChatBody) -> ModelRequest:
    """The body as a request to a model. Raises `BadRequest` for what cannot be honoured."""
    _refuse_unsupported(body)
    schema, as_json = response_format(body.response_format)
    return ModelRequest(
        messages=tuple(prompts(body.messages)),
        tools=tuple(tool_specs(body.tools or [])),
        tool_choice=tool_choice(body.tool_choice),
        max_tokens=at_least_one(body.max_completion_tokens or body.max_tokens, "max_completion_tokens"),
        temperature=between(body.temperature, 0, 2, "temperature"),
        top_p=between(body.top_p, 0, 1, "top_p"),
        stop=_stops(body.stop),
        seed=body.seed,
        response_schema=schema,
        response_json=as_json,
        streamed=bool(body.stream),
    )


def prompts(messages: list[ChatMessage]) -> list[Prompt]:
    """The conversation as prompts. Raises `BadRequest`."""
    if not messages:
        raise BadRequest("There is no message to answer", where="messages")
    return [_prompt(message, f"messages[{number}]") for number, message in enumerate(messages)]


def image(url: str, where: str) -> ImagePart:
    """The image of a `data:` URL. Raises `BadRequest` for other addresses: the desk fetches nothing on request."""
    found = DATA_URL.match(url)
    if found is None:
        raise unsupported(where, "send PNG, JPEG, WebP or GIF images as `data:image/…;base64,…`; none is fetched")
    try:
        return ImagePart(media_type=found[1].lower(), data=base64.b64decode(url[found.end() :], validate=True))
    except (binascii.Error, ValueError) as error:
        raise BadRequest("The image's data is not base64", where=where) from error


def tool_specs(tools: list[Tool]) -> list[ToolSpec]:
    """The tools that the client runs itself."""
    return [_tool(tool, f"tools[{number}]") for number, tool in enumerate(tools)]


def tool_choice(choice: str | NamedTool | None) -> str:
    """`auto`, `none`, `required` or the name of the one function that must be called."""
    match choice:
        case None:
            return "auto"
        case "auto" | "none" | "required":
            return choice
        case NamedTool(type="function", function=function) if function is not None:
            return function.name
        case _:
            raise BadRequest("`tool_choice` is auto, none, required or a function", where="tool_choice")


def response_format(wanted: ResponseFormat | None) -> tuple[msgspec.Raw | None, bool]:
    """The JSON Schema that the answer must fit, and whether it must be JSON at all."""
    if wanted is None or wanted.type == "text":
        return None, False
    if wanted.type == "json_object":
        return None, True
    schema = given(wanted.json_schema.schema) if wanted.json_schema else None
    if schema is None:
        raise BadRequest("The schema is missing", where="response_format.json_schema")
    return schema, False


def between(value: float | None, low: float, high: float, where: str) -> float | None:
    """The value, if it lies there. Raises `BadRequest`."""
    if value is not None and not low <= value <= high:
        raise BadRequest(f"`{where}` lies between {low} and {high}", where=where)
    return value


def at_least_one(value: int | None, where: str) -> int | None:
    """The value, if it is positive. Raises `BadRequest`."""
    if value is not None and value < 1:
        raise BadRequest(f"`{where}` is at least 1", where=where)
    return value


def _prompt(message: ChatMessage, where: str) -> Prompt:
    role = "system" if message.role == "developer" else message.role
    if role == "tool" and not message.tool_call_id:
        raise BadRequest("A tool's answer names its call", where=f"{where}.tool_call_id")
    return Prompt(
        role=role,
        parts=_parts(message, where),
        tool_calls=tuple(_called(call) for call in message.tool_calls or ()),
        tool_call_id=message.tool_call_id,
    )


def _parts(message: ChatMessage, where: str) -> tuple[Part, ...]:
    if isinstance(message.content, str):
        return (TextPart(text=message.content),) if message.content else ()
    parts = message.content or ()
    return tuple(_part(part, f"{where}.content[{number}]") for number, part in enumerate(parts))


def _part(part: ContentPart, where: str) -> Part:
    if part.type == "text" and part.text is not None:
        return TextPart(text=part.text)
    if part.type == "refusal" and part.refusal is not None:
        return TextPart(text=part.refusal)
    if part.type == "image_url" and part.image_url is not None:
        return image(part.image_url.url, f"{where}.image_url")
    raise unsupported(where, f"a part of the type {part.type[:40]!r}")


def _called(call: CalledTool) -> ToolCall:
    return ToolCall(id=call.id, name=call.function.name, arguments=call.function.arguments)


def _tool(tool: Tool, where: str) -> ToolSpec:
    if tool.type != "function" or tool.function is None:
        raise unsupported(where, "only functions can be offered")
    function = tool.function
    return ToolSpec(
        name=function.name,
        description=function.description or "",
        parameters=given(function.parameters) or NO_PARAMETERS,
        server="",
    )


def _refuse_unsupported(body: ChatBody) -> None:
    if body.n not in (None, 1):
        raise unsupported("n", "ask once for each answer")
    if body.logprobs or body.top_logprobs:
        raise unsupported("logprobs", "not every model has them")
    if given(body.audio) or "audio" in (body.modalities or ()):
        raise unsupported("modalities", "answers are text")
    if given(body.functions) or given(body.function_call):
        raise unsupported("functions", "use `tools`, which has replaced it")


def _stops(stop: str | list[str] | None) -> tuple[str, ...]:
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if len(stops) > MOST_STOPS:
        raise BadRequest(f"At most {MOST_STOPS} stop sequences", where="stop")
    return stops
