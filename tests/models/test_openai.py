"""The OpenAI wire: what it sends, and what it makes of what comes."""

import base64

import msgspec
import pytest

from frontdesk.errors import ModelRefused
from frontdesk.messages import ImagePart, ModelRequest, Prompt, TextPart, ToolCall, Usage
from frontdesk.models.failures import CallFailed
from frontdesk.models.openai import OpenAIModel
from frontdesk.testing.upstream import OpenAIWire, Reply, Upstream
from tests.models.asking import WEATHER, ask, hear, options, parts

CALLS = (
    ToolCall(id="c1", name="weather", arguments='{"city": "Rome"}'),
    ToolCall(id="c2", name="weather", arguments='{"city": "Oslo"}'),
)


async def exchange(reply: Reply, request: ModelRequest, **more: object):
    async with Upstream(OpenAIWire(), [reply]) as upstream:
        model = OpenAIModel.build(options("openai", upstream.url, **more), parts(temperature=0.7))
        try:
            return await hear(model, request), upstream.received[0]
        finally:
            await model.close()


@pytest.mark.parametrize("streamed", [True, False])
async def test_text_reason_and_usage_arrive(streamed: bool) -> None:
    said, received = await exchange(Reply(text="Grüße, 世界 🙂", finish="length"), ask(streamed=streamed))
    assert said.text == "Grüße, 世界 🙂"
    assert said.done is not None
    assert (said.done.reason, said.done.usage) == ("length", Usage(prompt_tokens=10, completion_tokens=5))
    assert received.path == "/chat/completions"
    assert received.headers["authorization"] == "Bearer k"


@pytest.mark.parametrize("streamed", [True, False])
async def test_tool_calls_arrive_whole(streamed: bool) -> None:
    said, received = await exchange(Reply(text="", calls=CALLS), ask(tools=(WEATHER,), streamed=streamed))
    assert {index: (p[0], p[1], "".join(p[2:])) for index, p in said.calls.items()} == {
        index: (call.id, call.name, call.arguments) for index, call in enumerate(CALLS)
    }
    assert said.done is not None
    assert said.done.reason == "tool_calls"
    function = {"name": "weather", "description": "Tells the weather.", "parameters": {"type": "object"}}
    assert received.json()["tools"] == [{"type": "function", "function": function}]


async def test_a_conversation_with_tools_and_images_is_sent_as_the_api_wants_it() -> None:
    request = ModelRequest(
        messages=(
            Prompt(role="system", parts=(TextPart(text="Be kind."),)),
            Prompt(role="user", parts=(TextPart(text="What?"), ImagePart(media_type="image/png", data=b"PNG"))),
            Prompt(role="assistant", tool_calls=CALLS[:1]),
            Prompt(role="tool", parts=(TextPart(text="Sunny"),), tool_call_id="c1"),
        )
    )
    _, received = await exchange(Reply(), request)
    system, user, assistant, tool = received.json()["messages"]
    assert system["content"].startswith("Be kind.\n\n")
    url = f"data:image/png;base64,{base64.b64encode(b'PNG').decode()}"
    assert user["content"] == [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": url}}]
    assert assistant == {
        "role": "assistant",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
        ],
    }
    assert tool["tool_call_id"] == "c1"
    assert "\nSunny\n" in tool["content"]


async def test_settings_of_the_request_win_over_those_of_the_model() -> None:
    request = ask(max_tokens=7, temperature=0.0, top_p=0.5, stop=("\n",), seed=3)
    _, received = await exchange(Reply(), request, tokens_field="max_completion_tokens")
    body = received.json()
    assert {name: body[name] for name in ("max_completion_tokens", "temperature", "top_p", "stop", "seed")} == {
        "max_completion_tokens": 7,
        "temperature": 0.0,
        "top_p": 0.5,
        "stop": ["\n"],
        "seed": 3,
    }
    assert "max_tokens" not in body
    _, received = await exchange(Reply(), ask())
    assert (received.json()["temperature"], received.json()["max_tokens"]) == (0.7, 4096)


async def test_json_by_schema_and_without() -> None:
    schema = msgspec.Raw(b'{"type":"object","properties":{"a":{"type":"integer"}}}')
    _, received = await exchange(Reply(text='{"a":1}'), ask(response_schema=schema))
    assert received.json()["response_format"]["json_schema"]["schema"] == msgspec.json.decode(schema)
    _, received = await exchange(Reply(text="{}"), ask(response_json=True))
    assert received.json()["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [("auto", None), ("none", "none"), ("required", "required"), ("weather", {"name": "weather"})],
)
async def test_tool_choice(choice: str, sent: object) -> None:
    _, received = await exchange(Reply(), ask(tools=(WEATHER,), tool_choice=choice))
    got = received.json().get("tool_choice")
    assert (got["function"] if isinstance(got, dict) else got) == sent


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        (401, "bad key", "credentials"),
        (403, "no", "credentials"),
        (404, "no such model", "not_found"),
        (408, "slow", "time_out"),
        (429, "slow down", "rate_limited"),
        (500, "oops", "server_error"),
        (529, "overloaded", "server_error"),
        (400, "maximum context length is 8192 tokens", "too_long"),
        (302, "elsewhere", None),
        (422, "bad value", None),
    ],
)
async def test_every_status_has_its_meaning(status: int, error: str, reason: str | None) -> None:
    expected = ModelRefused if reason is None else CallFailed
    with pytest.raises(expected, match=error) as caught:
        await exchange(Reply(status=status, error=error, retry_after="7"), ask())
    if isinstance(caught.value, CallFailed):
        assert (caught.value.reason, caught.value.retry_after) == (reason, 7)


async def test_retry_after_may_be_a_date() -> None:
    with pytest.raises(CallFailed) as caught:
        await exchange(Reply(status=429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"), ask())
    assert caught.value.retry_after == 0


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"error": 5}', '{"error": "plain"}', "\udcff"])
async def test_any_error_body_is_survived(text: str) -> None:
    class Odd(OpenAIWire):
        pass

    async with Upstream(Odd(), [Reply(status=500, error=text.encode("utf-8", "replace").decode())]) as upstream:
        model = OpenAIModel.build(options("openai", upstream.url), parts())
        with pytest.raises(CallFailed):
            await hear(model, ask())
        await model.close()


async def test_the_key_appears_in_no_error() -> None:
    async with Upstream(OpenAIWire(), [Reply(status=401)]) as upstream:
        model = OpenAIModel.build(options("openai", upstream.url), parts(key="sk-very-secret"))
        with pytest.raises(CallFailed) as caught:
            await hear(model, ask())
        await model.close()
    assert "very-secret" not in f"{caught.value} {caught.value.hint} {caught.value!r} {caught.value.__cause__!r}"


async def test_a_failure_within_the_stream_may_be_asked_again() -> None:
    with pytest.raises(CallFailed) as caught:
        await exchange(Reply(fault="error_event"), ask())
    assert (caught.value.reason, caught.value.again) == ("server_error", True)
