"""The official Python client against the OpenAI-compatible API."""

import base64
from collections.abc import AsyncGenerator

import openai
import pytest
import sqlalchemy as sa
from openai import AsyncOpenAI
from pydantic import BaseModel

from frontdesk.events import Cited, TextAdded
from frontdesk.messages import Citation, ImagePart, ToolCall
from frontdesk.models.scripted import Rule
from frontdesk.store.database import Database
from frontdesk.store.requests import requests
from frontdesk.testing.clock import CountingIds, FakeClock
from frontdesk.testing.serve import serve
from tests.channels import desk

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
RULES = (
    Rule(pattern="weather", calls=(ToolCall(id="call_1", name="weather", arguments='{"city":"Oslo"}'),)),
    Rule(pattern="break", answer=("Half ", "of it"), fails="server_error", fail_after=1),
    Rule(pattern="json", answer='{"colour": "red"}'),
    Rule(answer="Hello from the script."),
)


@pytest.fixture
async def bench(
    database: Database, clock: FakeClock, ids: CountingIds, converse: desk.ScriptedConversation
) -> desk.Bench:
    return desk.openai_app(database, clock, ids, converse, RULES)


@pytest.fixture
async def address(bench: desk.Bench) -> AsyncGenerator[str]:
    async with serve(bench.app) as address:
        yield f"{address}/v1"
    await bench.calls.settled()


@pytest.fixture
async def client(address: str) -> AsyncGenerator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=address, api_key="ann", max_retries=0) as client:
        yield client


def ask(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


# --- chat completions -------------------------------------------------------


async def test_a_completion_is_whole_and_counted(client: AsyncOpenAI) -> None:
    done = await client.chat.completions.create(model="scripted", messages=ask("Hello"))
    assert done.choices[0].message.content == "Hello from the script."
    assert done.choices[0].finish_reason == "stop"
    assert done.usage is not None
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens > 0


async def test_a_streamed_completion_says_the_same_and_counts_when_asked(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="scripted", messages=ask("Hello"), stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Hello from the script."
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert all(chunk.usage is None for chunk in chunks[:-1])


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_tool_call_ends_with_tool_calls_streamed_or_not(client: AsyncOpenAI) -> None:
    done = await client.chat.completions.create(model="scripted", messages=ask("weather?"), tools=[WEATHER])
    assert done.choices[0].finish_reason == "tool_calls"
    assert done.choices[0].message.content is None
    [call] = done.choices[0].message.tool_calls or []
    assert (call.id, call.function.name, call.function.arguments) == ("call_1", "weather", '{"city":"Oslo"}')
    async with client.chat.completions.stream(model="scripted", messages=ask("weather?"), tools=[WEATHER]) as stream:
        async for _ in stream:
            pass
        final = await stream.get_final_completion()
    assert final.choices[0].finish_reason == "tool_calls"
    [call] = final.choices[0].message.tool_calls or []
    assert (call.id, call.function.name, call.function.arguments) == ("call_1", "weather", '{"city":"Oslo"}')


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_tools_answer_goes_back_to_the_model(client: AsyncOpenAI, bench: desk.Bench) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        *ask("How warm is it?"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "12 degrees"},
    ]
    await client.chat.completions.create(model="scripted", messages=messages, tools=[WEATHER], tool_choice="none")
    [request] = bench.model.asked
    assert [prompt.role for prompt in request.messages] == ["user", "assistant", "tool"]
    assert request.messages[1].tool_calls[0].name == "weather"
    assert request.messages[2].tool_call_id == "call_1"
    assert request.tool_choice == "none"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_settings_and_images_reach_the_model(client: AsyncOpenAI, bench: desk.Bench) -> None:
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
    ]
    await client.chat.completions.create(
        model="scripted",
        messages=[{"role": "developer", "content": "Be brief."}, {"role": "user", "content": content}],
        temperature=0.2,
        top_p=0.9,
        seed=7,
        stop=["END"],
        max_completion_tokens=99,
    )
    [request] = bench.model.asked
    assert request.messages[0].role == "system"
    assert request.messages[1].parts[1] == ImagePart(media_type="image/png", data=base64.b64decode(PIXEL))
    assert (request.temperature, request.top_p, request.seed) == (0.2, 0.9, 7)
    assert (request.stop, request.max_tokens, request.streamed) == (("END",), 99, False)


class Colour(BaseModel):
    colour: str


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_an_answer_in_a_schema_is_parsed_by_the_client(client: AsyncOpenAI, bench: desk.Bench) -> None:
    done = await client.chat.completions.parse(model="scripted", messages=ask("as json"), response_format=Colour)
    assert done.choices[0].message.parsed == Colour(colour="red")
    assert b'"colour"' in bytes(bench.model.asked[0].response_schema or b"")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"temperature": 9}, "temperature"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://a/b.png"}}]}
                ]
            },
            "messages[0].content[0].image_url",
        ),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
    ],
)
async def test_what_cannot_be_honoured_is_refused_by_name(
    client: AsyncOpenAI, changes: dict[str, object], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.chat.completions.create(**({"model": "scripted", "messages": ask("Hello")} | changes))
    assert refused.value.param is not None
    assert refused.value.param.startswith(param)
    assert refused.value.type == "invalid_request_error"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_an_unknown_model_is_not_found(client: AsyncOpenAI) -> None:
    for stream in (False, True):
        with pytest.raises(openai.NotFoundError) as refused:
            await client.chat.completions.create(model="gpt-9", messages=ask("Hello"), stream=stream)
        assert refused.value.code == "model_not_found"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_stranger_is_refused(address: str) -> None:
    async with AsyncOpenAI(base_url=address, api_key="nobody", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.chat.completions.create(model="scripted", messages=ask("Hello"))


async def test_every_request_is_booked_with_its_end(client: AsyncOpenAI, bench: desk.Bench, database: Database) -> None:
    await client.chat.completions.create(model="scripted", messages=ask("Hello"))
    await client.chat.completions.create(model="scripted", messages=ask("Hello"), stream=False)
    async for _ in await client.chat.completions.create(model="scripted", messages=ask("Hello"), stream=True):
        pass
    async with database.read() as connection:
        rows = (await connection.execute(sa.select(requests))).all()
    assert [row.state for row in rows] == ["done"] * 3
    assert all(row.prompt_tokens and row.completion_tokens and row.settled_at for row in rows)
    await bench.calls.settled()
    [spent] = await bench.calls.spent("per_ann")
    assert (spent.calls, spent.model) == (3, "scripted")
    assert spent.completion_tokens == sum(row.completion_tokens for row in rows)


# --- the desk itself --------------------------------------------------------


async def test_the_desk_answers_as_a_model_with_its_sources(
    client: AsyncOpenAI, converse: desk.ScriptedConversation
) -> None:
    source = Citation(
        number=1, passage_id="p", document_id="d", title="Hours", source="https://a.example/h", heading="", quote="nine"
    )
    converse.script = [TextAdded(text="We open at nine [1]."), Cited(citations=(source,))]
    messages = [
        {"role": "system", "content": "Be kind."},
        *ask("Hi"),
        {"role": "assistant", "content": "Hello!"},
        *ask("When do you open?"),
    ]
    done = await client.chat.completions.create(model="frontdesk", messages=messages)
    message = done.choices[0].message
    assert message.content == "We open at nine [1]."
    [annotation] = message.annotations or []
    assert annotation.url_citation.url == "https://a.example/h"
    place = slice(annotation.url_citation.start_index, annotation.url_citation.end_index)
    assert message.content[place] == "[1]"
    [inbound] = converse.accepted
    assert inbound.text == "When do you open?"
    assert [prompt.role for prompt in inbound.context] == ["system", "user", "assistant"]
    assert inbound.person_id == "per_ann"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_the_desk_streams_as_a_model(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="frontdesk", messages=ask("When?"), stream=True)
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "We open at nine."
    assert chunks[-1].choices[0].finish_reason == "stop"


# --- responses --------------------------------------------------------------


@pytest.mark.parametrize("model", ["scripted", "frontdesk"])
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_response_is_the_same_whole_or_streamed(client: AsyncOpenAI, model: str) -> None:
    whole = await client.responses.create(model=model, input="Hello", instructions="Be brief.")
    assert whole.status == "completed"
    assert whole.output_text in ("Hello from the script.", "We open at nine.")
    assert whole.usage is not None
    stream = await client.responses.create(model=model, input="Hello", stream=True)
    events = [event async for event in stream]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == whole.output_text
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == whole.output_text


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_response_calls_functions_and_takes_their_output(client: AsyncOpenAI, bench: desk.Bench) -> None:
    function = {"type": "function", **WEATHER["function"], "strict": False}
    async with client.responses.stream(model="scripted", input="weather?", tools=[function]) as stream:
        async for _ in stream:
            pass
        final = await stream.get_final_response()
    [call] = final.output
    assert call.type == "function_call"
    assert (call.name, call.arguments) == ("weather", '{"city":"Oslo"}')
    given = [
        {"role": "user", "content": "How warm?"},
        call.model_dump(exclude_none=True),
        {"type": "function_call_output", "call_id": call.call_id, "output": "12 degrees"},
    ]
    done = await client.responses.create(model="scripted", input=given, tools=[function])
    assert done.output_text == "Hello from the script."
    assert [prompt.role for prompt in bench.model.asked[-1].messages] == ["user", "assistant", "tool"]


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_response_of_the_desk_goes_on_from_an_earlier_one(
    client: AsyncOpenAI, converse: desk.ScriptedConversation, address: str
) -> None:
    first = await client.responses.create(model="frontdesk", input="When?")
    await client.responses.create(model="frontdesk", input="And Sundays?", previous_response_id=first.id)
    assert converse.accepted[1].conversation_id is not None
    assert f"resp_{converse.accepted[1].parent_id}" == first.id
    async with AsyncOpenAI(base_url=address, api_key="ben", max_retries=0) as other:
        with pytest.raises(openai.NotFoundError):
            await other.responses.create(model="frontdesk", input="And mine?", previous_response_id=first.id)


# --- embeddings and models --------------------------------------------------


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_embeddings_come_as_numbers_and_as_base64(client: AsyncOpenAI) -> None:
    plain = await client.embeddings.create(model="counter", input=["two words", "x"], encoding_format="float")
    assert [one.embedding for one in plain.data] == [[2.0, 9.0], [1.0, 1.0]]
    packed = await client.embeddings.create(model="counter", input="two words")  # the client asks for base64 itself
    assert list(packed.data[0].embedding) == [2.0, 9.0]
    with pytest.raises(openai.NotFoundError):
        await client.embeddings.create(model="other", input="x")
    with pytest.raises(openai.BadRequestError):
        await client.embeddings.create(model="counter", input=[])


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_models_are_listed_the_desk_first(client: AsyncOpenAI) -> None:
    names = [model.id async for model in await client.models.list()]
    assert names == ["frontdesk", "scripted", "counter"]
    assert (await client.models.retrieve("scripted")).id == "scripted"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("nothing/here")
