"""The native API of a turn."""

import asyncio
import json
import random
from collections.abc import Callable

import httpx2
import pytest

from frontdesk.api.sse import frame
from frontdesk.events import TextAdded
from tests.channels.desk import ScriptedConversation

STREAM = {"Accept": "text/event-stream"}


def frames_of(text: str) -> list[tuple[int, str, dict[str, object]]]:
    """The complete frames of a stream, comments left out."""
    found = []
    for block in text.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


async def test_a_question_gets_its_whole_answer_as_json(ann: httpx2.AsyncClient) -> None:
    reply = await ann.post("/api/v1/chat", json={"text": "When do you open?"})
    assert reply.status_code == 200
    body = reply.json()
    assert body["message"]["text"] == "We open at nine."
    assert body["message"]["state"] == "complete"
    assert body["message"]["grounding"] == "sourced"
    conversation = (await ann.get(f"/api/v1/conversations/{body['conversation_id']}")).json()
    said = {message["role"]: message["text"] for message in conversation["messages"]}
    assert said == {"user": "When do you open?", "assistant": "We open at nine."}
    assert conversation["running_turn_id"] is None


async def test_a_streamed_answer_is_numbered_and_ends_by_itself(ann: httpx2.AsyncClient) -> None:
    reply = await ann.post("/api/v1/chat", json={"text": "When?"}, headers=STREAM)
    assert reply.headers["content-type"].startswith("text/event-stream")
    frames = frames_of(reply.text)
    assert [seq for seq, _, _ in frames] == [1, 2, 3, 4]
    assert [tag for _, tag, _ in frames] == ["turn.started", "text.added", "text.added", "turn.finished"]
    assert "type" not in frames[1][2]


@pytest.mark.proves("promise-14")
async def test_what_the_reader_holds_after_any_cuts_equals_what_the_desk_holds(
    ann: httpx2.AsyncClient,
    converse: ScriptedConversation,
    chance: random.Random,
    size: Callable[[int, int], int],
) -> None:
    converse.script = [TextAdded(text=f"wörd{number} \n") for number in range(40)]
    accepted = (await ann.post("/api/v1/chat", json={"text": "Count"})).json()
    path = f"/api/v1/turns/{accepted['turn_id']}/events"
    whole = [(numbered.seq, frame(numbered)) for numbered in await converse.turns.events(accepted["turn_id"])]
    text = b"".join(piece for _, piece in whole)
    for _ in range(size(25, 1000)):
        held = b""
        seen = 0
        while seen < len(whole):
            by_header = chance.random() < 0.5
            headers = {"Last-Event-ID": str(seen)} if by_header else {}
            async with ann.stream("GET", path, headers=headers, params={} if by_header else {"after": seen}) as reply:
                stop_after = chance.randrange(1, len(text))
                got = b""
                async for piece in reply.aiter_raw():
                    got += piece
                    if len(got) >= stop_after:
                        got = got[:stop_after]
                        break
            kept = got[: got.rfind(b"\n\n") + 2] if b"\n\n" in got else b""
            held += kept
            seen += kept.count(b"\n\n")
        assert held == text


async def test_a_reader_who_leaves_does_not_stop_the_turn(
    ann: httpx2.AsyncClient, converse: ScriptedConversation
) -> None:
    converse.held = True
    converse.go_on()
    async with ann.stream("POST", "/api/v1/chat", json={"text": "When?"}, headers=STREAM) as reply:
        async for piece in reply.aiter_raw():
            started = frames_of(piece.decode())[0][2]
            break
    converse.go_on(3)
    rest = await ann.get(f"/api/v1/turns/{started['turn_id']}/events", headers={"Last-Event-ID": "1"})
    assert [tag for _, tag, _ in frames_of(rest.text)] == ["text.added", "text.added", "turn.finished"]


async def test_events_arrive_while_the_turn_still_runs(ann: httpx2.AsyncClient, converse: ScriptedConversation) -> None:
    converse.held = True
    got = ""
    converse.go_on(2)
    async with ann.stream("POST", "/api/v1/chat", json={"text": "When?"}, headers=STREAM) as reply:
        async with asyncio.timeout(30):
            async for piece in reply.aiter_text():
                got += piece
                if "We open " in got:
                    converse.go_on(2)
    assert frames_of(got)[-1][1] == "turn.finished"


async def test_the_same_key_is_the_same_question(ann: httpx2.AsyncClient, converse: ScriptedConversation) -> None:
    key = {"Idempotency-Key": "order-1"}
    replies = await asyncio.gather(*(ann.post("/api/v1/chat", json={"text": "When?"}, headers=key) for _ in range(10)))
    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.json()["turn_id"] for reply in replies}) == 1
    assert len(converse.accepted) == 1
    other = await ann.post("/api/v1/chat", json={"text": "Where?"}, headers=key)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "conflict")


async def test_another_persons_key_is_another_question(
    ann: httpx2.AsyncClient, ben: httpx2.AsyncClient, converse: ScriptedConversation
) -> None:
    for client in (ann, ben):
        reply = await client.post("/api/v1/chat", json={"text": "When?"}, headers={"Idempotency-Key": "k"})
        assert reply.status_code == 200
    assert len(converse.accepted) == 2


async def test_nothing_of_a_turn_is_anybody_elses(
    ann: httpx2.AsyncClient, ben: httpx2.AsyncClient, converse: ScriptedConversation
) -> None:
    mine = (await ann.post("/api/v1/chat", json={"text": "When?"})).json()
    turn, conversation, message = mine["turn_id"], mine["conversation_id"], mine["message"]["id"]
    for method, path, body in (
        ("GET", f"/api/v1/turns/{turn}/events", None),
        ("POST", f"/api/v1/turns/{turn}/stop", None),
        ("GET", f"/api/v1/conversations/{conversation}", None),
        ("PATCH", f"/api/v1/conversations/{conversation}", {"title": "Mine now"}),
        ("DELETE", f"/api/v1/conversations/{conversation}", None),
        ("PUT", f"/api/v1/messages/{message}/feedback", {"value": 1, "reason": ""}),
        ("POST", "/api/v1/handoffs", {"conversation_id": conversation, "text": "Hello", "contact": ""}),
        ("POST", "/api/v1/chat", {"conversation_id": conversation, "text": "More"}),
        ("POST", "/api/v1/chat", {"conversation_id": conversation, "regenerate": message}),
    ):
        reply = await ben.request(method, path, json=body)
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "not_found"), path
    assert (await ben.get("/api/v1/conversations")).json()["items"] == []
    assert converse.stopped == []


async def test_a_stop_reaches_the_turn(ann: httpx2.AsyncClient, converse: ScriptedConversation) -> None:
    mine = (await ann.post("/api/v1/chat", json={"text": "When?"})).json()
    reply = await ann.post(f"/api/v1/turns/{mine['turn_id']}/stop")
    assert reply.status_code == 204
    assert converse.stopped == [mine["turn_id"]]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"text": "\\ud800 alone"}', 422, "unprocessable"),
        (b'{"text": "nul \\u0000"}', 422, "unprocessable"),
        (b'{"text": "\xff\xfe"}', 400, "bad_request"),
        (b'{"text": ', 400, "bad_request"),
        (b'{"text": "hi", "temperature": 1}', 422, "unprocessable"),
        (b'{"text": "hi", "regenerate": "msg_1"}', 422, "unprocessable"),
        (b'{"text": "hi", "conversation_id": "../../etc"}', 422, "unprocessable"),
        (b'{"text": ""}', 422, "unprocessable"),
        (b"[]", 422, "unprocessable"),
        (b"[" * 5000, 400, "bad_request"),
    ],
)
async def test_a_broken_question_is_refused_with_its_place(
    ann: httpx2.AsyncClient, converse: ScriptedConversation, body: bytes, status: int, code: str
) -> None:
    reply = await ann.post("/api/v1/chat", content=body, headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert reply.json()["error"]["where"].startswith("body")
    assert converse.accepted == []


async def test_a_stranger_is_asked_to_sign_in(native: str) -> None:
    async with httpx2.AsyncClient(base_url=native) as stranger:
        reply = await stranger.post("/api/v1/chat", json={"text": "Hello"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "not_signed_in")
