"""The assistant blueprint, end to end: a real desk on loopback, a scripted model."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from frontdesk.messages import Role
from frontdesk.telemetry import metrics
from frontdesk.testing.desk import EVENTS, events, served_desk, text_of
from frontdesk.testing.upstream import OpenAIWire, Received, Reply, ToolCall, Upstream


@pytest.mark.proves("assistant-2")
async def test_a_person_signs_in_by_link_and_reads_the_reply_as_it_comes(tmp_path: Path) -> None:
    go_on = asyncio.Event()
    async with served_desk(tmp_path, model=[Reply(pieces=("We open ", "at nine."), hold=go_on)]) as served:
        ann = await served.client()
        assert (await ann.get("/api/v1/me")).json()["person"]["name"] == "Ann"
        said = []
        async with ann.stream("POST", "/api/v1/chat", json={"text": "When do you open?"}, headers=EVENTS) as sent:
            async for event in events(sent):
                said.append(event)
                if event.tag == "text.added":
                    go_on.set()  # the first words are here before the model has said the others
        assert [said[0].tag, said[-1].tag] == ["turn.started", "turn.finished"]
        assert text_of(said) == "We open at nine."


@pytest.mark.proves("assistant-6")
async def test_the_61st_request_in_a_minute_is_refused_and_somebody_else_is_unaffected(tmp_path: Path) -> None:
    async with served_desk(tmp_path, settings={"gate.rate_limit_enabled": True}) as served:
        ann, ben = await served.client(), await served.client(name="Ben")
        answers = [await ann.get("/api/v1/me/export") for _ in range(61)]
        assert [answer.status_code for answer in answers] == [200] * 60 + [429]
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
        assert (await ben.get("/api/v1/me/export")).status_code == 200


@pytest.mark.proves("assistant-7")
async def test_a_page_of_another_site_is_refused(tmp_path: Path) -> None:
    async with served_desk(tmp_path, settings={"gate.allowed_origins": ["https://good.example"]}) as served:
        ann = await served.client()
        for origin, status in (("https://evil.example", 403), ("https://good.example", 200), (served.address, 200)):
            answer = await ann.post("/api/v1/chat", json={"text": "Hello"}, headers={"Origin": origin})
            assert answer.status_code == status, origin
        assert len(served.upstream.received) == 2


@pytest.mark.proves("assistant-8")
async def test_what_ann_told_is_remembered_for_ann_alone(tmp_path: Path) -> None:
    async with served_desk(tmp_path) as served:
        ann, ben = await served.client(), await served.client(name="Ben")
        await served.ask(ann, "Remember that my dog is called Rex")
        for person, knows in ((ann, True), (ben, False)):
            await served.ask(person, "What is my dog called?")
            assert (b"Rex" in served.upstream.received[-1].body) is knows
            assert bool((await person.get("/api/v1/memories")).json()["items"]) is knows


@pytest.mark.proves("assistant-10")
async def test_a_failing_model_is_tried_three_times_then_left_alone_then_asked_again(tmp_path: Path) -> None:
    replies = [Reply(status=500)] * 5 + [Reply(text="We open at nine.")]
    settings = {"models.circuit.pause": 0.5}
    async with served_desk(tmp_path, model=replies, settings=settings) as served:
        ann = await served.client()
        boss = await served.client(Role.OPERATOR, name="Boss")

        async def state() -> str:
            [model] = [
                each
                for each in (await boss.get("/api/v1/console/models")).json()["items"]
                if each["name"] == "scripted"
            ]
            return str(model["state"])

        asked = [await served.ask(ann, "When do you open?")]
        assert (len(served.upstream.received), await state()) == (3, "closed")
        asked.append(await served.ask(ann, "When do you open?"))
        assert len(served.upstream.received) == 5
        assert await state() in ("open", "half_open")
        for said in asked:
            assert text_of(said), "people are told something that they can read"
        async with asyncio.timeout(30):
            while text_of(await served.ask(ann, "When do you open?")) != "We open at nine.":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await state() == "closed"


@pytest.mark.proves("assistant-13")
async def test_a_body_over_10_mb_is_refused_and_a_long_stream_is_not_cut(
    tmp_path: Path, size: Callable[[int, int], int]
) -> None:
    pieces = tuple(f"{letter} " for letter in "abcdefgh" * size(1, 300 * 4 // 8))
    settings = {"gate.body_seconds": 0.3, "models.time_outs.between_tokens": 1.0}
    async with served_desk(tmp_path, model=[Reply(pieces=pieces, delay=0.25)], settings=settings) as served:
        ann = await served.client()
        assert await answer_to_head(served.address, f"content-length: {10 * 1024 * 1024 + 1}") == 413
        async with ann.stream("POST", "/api/v1/chat", json={"text": "Spell"}, headers=EVENTS) as sent:
            assert text_of([event async for event in events(sent)]) == "".join(pieces)


async def answer_to_head(address: str, header: str) -> int:
    """The status that a request gets before any of its body was sent."""
    host, _, port = address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST /api/v1/chat HTTP/1.1\r\nhost: {host}\r\n{header}\r\n\r\n".encode())
    async with asyncio.timeout(30):
        status = (await reader.readline()).split()[1]
    writer.close()
    await writer.wait_closed()
    return int(status)


def used() -> dict[str, float]:
    """Tokens by model, as /metrics has them."""
    sums: dict[str, float] = {}
    for metric in metrics.tokens_used.collect():
        for sample in metric.samples:
            if sample.name == "openai_tokens_used_total":
                sums[sample.labels["model"]] = sums.get(sample.labels["model"], 0) + sample.value
    return sums


@pytest.mark.proves("assistant-9")
async def test_the_usage_page_adds_up_to_the_metric_of_each_model(tmp_path: Path) -> None:
    def first(received: Received) -> Reply:
        asked = str(received.json()["messages"][-1])  # type: ignore[index]
        if "fail at once" in asked:
            return Reply(status=500)
        if "fail later" in asked:
            return Reply(text="One two three", fault="cut", fault_after=2, prompt_tokens=31)
        if "use a tool" in asked:
            return Reply(text="", calls=(ToolCall(id="call_1", name="no__tool", arguments="{}"),), prompt_tokens=17)
        return Reply(text="Fine.", prompt_tokens=11, completion_tokens=7)

    async with Upstream(OpenAIWire(), [Reply(text="One two three four", prompt_tokens=23)]) as second:
        models = [
            {"name": "spare", "wire": "openai", "model": "spare", "base_url": second.url},
        ]
        async with Upstream(OpenAIWire(), first) as main:
            models.append({"name": "main", "wire": "openai", "model": "main", "base_url": main.url})
            settings = {"models.list": models, "models.order": ["main", "spare"], "models.circuit.failures": 100}
            async with served_desk(tmp_path, settings=settings) as served:
                before = used()
                ann = await served.client()
                program = await served.program(ann)
                for text in ("Hello there", "fail at once", "fail later", "use a tool"):
                    await served.ask(ann, text)
                    for model in ("frontdesk", "main", "spare"):
                        for stream in (False, True):
                            asked = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}
                            await program.post("/v1/chat/completions", json=asked)
                        await program.post("/v1/responses", json={"model": model, "input": text})
                await served.desk.store.calls.settled()
                shown: dict[str, float] = {}
                for item in (await ann.get("/api/v1/usage")).json()["items"]:
                    tokens = item["prompt_tokens"] + item["completion_tokens"]
                    shown[item["model"]] = shown.get(item["model"], 0) + tokens
    counted = {model: total - before.get(model, 0) for model, total in used().items() if total != before.get(model, 0)}
    assert shown == counted
    assert set(shown) == {"main", "spare"}


@pytest.mark.proves("abuse-19")
async def test_parallel_calls_spend_no_more_than_the_day_allows(
    tmp_path: Path, size: Callable[[int, int], int]
) -> None:
    cap, calls = 200, size(60, 200)
    settings = {"models.budget.tokens_per_day": cap, "models.order": ["scripted"]}
    async with served_desk(tmp_path, settings=settings) as served:
        ann = await served.client()
        program = await served.program(ann)
        asked = {"model": "scripted", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20}
        answers = await asyncio.gather(*(program.post("/v1/chat/completions", json=asked) for _ in range(calls)))
        assert {answer.status_code for answer in answers} == {200, 429}
        huge = asked | {"messages": [{"role": "user", "content": "word " * 200_000}]}
        assert (await program.post("/v1/chat/completions", json=huge)).is_client_error
        await served.desk.store.calls.settled()
        items = (await ann.get("/api/v1/usage")).json()["items"]
        assert 0 < sum(item["prompt_tokens"] + item["completion_tokens"] for item in items) <= cap
