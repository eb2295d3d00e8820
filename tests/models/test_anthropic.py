"""The Anthropic wire: what it sends, and what it makes of what comes."""

import msgspec
import pytest

from frontdesk.messages import ImagePart, ModelRequest, Prompt, TextPart, ToolCall, Usage
from frontdesk.models.anthropic import AnthropicModel
from frontdesk.models.failures import CallFailed
from frontdesk.testing.upstream import AnthropicWire, Reply, Upstream
from tests.models.asking import WEATHER, ask, hear, options, parts

CALL = ToolCall(id="t1", name="weather", arguments='{"city":"Rome"}')


async def exchange(reply: Reply, request: ModelRequest):
    async with Upstream(AnthropicWire(), [reply]) as upstream:
        model = AnthropicModel.build(options("anthropic", upstream.url), parts(temperature=0.7))
        try:
            return await hear(model, request), upstream.received[0]
        finally:
            await model.close()


@pytest.mark.parametrize("streamed", [True, False])
async def test_text_arrives_without_the_thinking(streamed: bool) -> None:
    said, received = await exchange(Reply(text="Grüße an alle", thinking="Hm"), ask(streamed=streamed))
    assert said.text == "Grüße an alle"
    assert said.done is not None
    assert (said.done.reason, said.done.usage) == ("stop", Usage(prompt_tokens=10, completion_tokens=5))
    assert received.path == "/v1/messages"
    assert (received.headers["x-api-key"], received.headers["anthropic-version"]) == ("k", "2023-06-01")


@pytest.mark.parametrize("streamed", [True, False])
async def test_tool_calls_arrive_whole(streamed: bool) -> None:
    said, received = await exchange(Reply(text="Let me see.", calls=(CALL,)), ask(tools=(WEATHER,), streamed=streamed))
    assert [(p[0], p[1], "".join(p[2:])) for p in said.calls.values()] == [(CALL.id, CALL.name, CALL.arguments)]
    assert said.done is not None
    assert said.done.reason == "tool_calls"
    assert received.json()["tools"] == [
        {"name": "weather", "description": "Tells the weather.", "input_schema": {"type": "object"}}
    ]


@pytest.mark.parametrize(
    ("stop", "reason"), [("max_tokens", "length"), ("refusal", "content_filter"), ("stop_sequence", "stop")]
)
async def test_every_stop_reason_has_its_meaning(stop: str, reason: str) -> None:
    said, _ = await exchange(Reply(finish=stop), ask())
    assert said.done is not None
    assert said.done.reason == reason


async def test_a_conversation_is_sent_in_alternating_turns() -> None:
    request = ModelRequest(
        messages=(
            Prompt(role="system", parts=(TextPart(text="Be kind."),)),
            Prompt(role="user", parts=(TextPart(text="See"), ImagePart(media_type="image/png", data=b"PNG"))),
            Prompt(role="assistant", parts=(TextPart(text="I look."),), tool_calls=(CALL,)),
            Prompt(role="tool", parts=(TextPart(text="Sunny"),), tool_call_id="t1"),
            Prompt(role="user", parts=(TextPart(text="And?"),)),
        ),
        tools=(WEATHER,),
        tool_choice="required",
        stop=("END",),
    )
    _, received = await exchange(Reply(), request)
    body = received.json()
    assert body["system"].startswith("Be kind.")
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    first, second, third = (turn["content"] for turn in body["messages"])
    assert first[1] == {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "UE5H"}}
    assert second[1] == {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Rome"}}
    assert (third[0]["type"], third[0]["tool_use_id"], third[1]["text"]) == ("tool_result", "t1", "And?")
    assert body["tool_choice"] == {"type": "any"}
    assert body["stop_sequences"] == ["END"]
    assert "temperature" not in body


async def test_json_by_schema() -> None:
    schema = msgspec.Raw(b'{"type":"object"}')
    _, received = await exchange(Reply(text="{}"), ask(response_schema=schema))
    assert received.json()["output_config"] == {"format": {"type": "json_schema", "schema": {"type": "object"}}}


async def test_an_interrupted_answer_is_taken_up_without_prefill() -> None:
    _, received = await exchange(Reply(), ask(continue_from="The capital is Par"))
    turns = received.json()["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[1]["content"][0]["text"] == "The capital is Par"


async def test_an_overloaded_provider_says_so_within_the_stream() -> None:
    with pytest.raises(CallFailed) as caught:
        await exchange(Reply(fault="error_event"), ask())
    assert caught.value.reason == "server_error"
