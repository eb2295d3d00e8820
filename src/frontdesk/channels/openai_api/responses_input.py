"""A Responses request as the house's."""

from frontdesk.channels.openai_api.chat_wire import given
from frontdesk.channels.openai_api.faults import unsupported
from frontdesk.channels.openai_api.prompting import NO_PARAMETERS, at_least_one, between, image
from frontdesk.channels.openai_api.responses_wire import (
    ChosenTool,
    FunctionTool,
    InputItem,
    InputPart,
    ResponsesBody,
    TextSettings,
)
from frontdesk.errors import BadRequest
from frontdesk.messages import ModelRequest, Part, Prompt, TextPart, ToolCall, ToolSpec


def model_request(body: ResponsesBody) -> ModelRequest:
    """The body as a request to a model. Raises `BadRequest` for what cannot be honoured."""
    for field, value in (
        ("background", body.background),
        ("conversation", given(body.conversation)),
        ("prompt", given(body.prompt)),
    ):
        if value:
            raise unsupported(field, "send the whole input, and wait for the answer or stream it")
    schema = given(body.text.format.schema) if body.text and body.text.format else None
    if schema is None and _form(body.text) == "json_schema":
        raise BadRequest("The schema is missing", where="text.format.schema")
    return ModelRequest(
        messages=tuple(_prompts(body)),
        tools=tuple(_tool(tool, f"tools[{number}]") for number, tool in enumerate(body.tools or ())),
        tool_choice=_choice(body.tool_choice),
        max_tokens=at_least_one(body.max_output_tokens, "max_output_tokens"),
        temperature=between(body.temperature, 0, 2, "temperature"),
        top_p=between(body.top_p, 0, 1, "top_p"),
        response_schema=schema if _form(body.text) == "json_schema" else None,
        response_json=_form(body.text) == "json_object",
        streamed=bool(body.stream),
    )


def _form(text: TextSettings | None) -> str:
    return text.format.type if text and text.format else "text"


def _prompts(body: ResponsesBody) -> list[Prompt]:
    prompts: list[Prompt] = []
    if body.instructions:
        prompts.append(Prompt(role="system", parts=(TextPart(text=body.instructions),)))
    if isinstance(body.input, str):
        return [*prompts, Prompt(role="user", parts=(TextPart(text=body.input),))]
    for number, item in enumerate(body.input):
        prompt = _prompt(item, f"input[{number}]")
        if prompt is None:
            continue
        if prompt.tool_calls and prompts and prompts[-1].role == "assistant":
            last = prompts.pop()  # calls of one answer stand in one message
            prompt = Prompt(role="assistant", parts=last.parts, tool_calls=last.tool_calls + prompt.tool_calls)
        prompts.append(prompt)
    if not prompts or (body.instructions and len(prompts) == 1):
        raise BadRequest("There is no message to answer", where="input")
    return prompts


def _prompt(item: InputItem, where: str) -> Prompt | None:
    match item.type:
        case "message" if item.role is not None:
            role = "system" if item.role == "developer" else item.role
            return Prompt(role=role, parts=_parts(item.content, where))
        case "function_call" if item.call_id and item.name:
            call = ToolCall(id=item.call_id, name=item.name, arguments=item.arguments or "{}")
            return Prompt(role="assistant", tool_calls=(call,))
        case "function_call_output" if item.call_id:
            return Prompt(role="tool", parts=_parts(item.output, where), tool_call_id=item.call_id)
        case "reasoning":
            return None  # another model's thoughts, which only that model can read
        case _:
            raise unsupported(where, f"an item of the type {item.type[:40]!r}, or without its fields")


def _parts(content: str | list[InputPart] | None, where: str) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (TextPart(text=content),) if content else ()
    return tuple(_part(part, f"{where}.content[{number}]") for number, part in enumerate(content or ()))


def _part(part: InputPart, where: str) -> Part:
    words = part.text if part.type in ("input_text", "output_text", "text") else part.refusal
    if words is not None:
        return TextPart(text=words)
    if part.type == "input_image" and part.image_url is not None:
        return image(part.image_url, f"{where}.image_url")
    raise unsupported(where, f"a part of the type {part.type[:40]!r}")


def _tool(tool: FunctionTool, where: str) -> ToolSpec:
    if tool.type != "function" or not tool.name:
        raise unsupported(where, "only functions can be offered")
    return ToolSpec(
        name=tool.name,
        description=tool.description or "",
        parameters=given(tool.parameters) or NO_PARAMETERS,
        server="",
    )


def _choice(choice: str | ChosenTool | None) -> str:
    match choice:
        case None:
            return "auto"
        case "auto" | "none" | "required":
            return choice
        case ChosenTool(type="function", name=name) if name:
            return name
        case _:
            raise BadRequest("`tool_choice` is auto, none, required or a function", where="tool_choice")
