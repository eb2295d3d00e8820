"""The native API beside the turn: conversations, files, memories, passages, feedback, usage."""

import httpx2
import pytest

from tests.channels.desk import ScriptedConversation


async def test_conversations_come_newest_first_page_by_page_and_by_words(ann: httpx2.AsyncClient) -> None:
    for number in range(5):
        await ann.post("/api/v1/chat", json={"text": f"Question {number} about {'cats' if number % 2 else 'dogs'}"})
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (
            await ann.get("/api/v1/conversations", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        ).json()
        seen += [item["title"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(seen) == sorted({*seen})
    assert len(seen) == 5
    cats = (await ann.get("/api/v1/conversations", params={"query": "cats"})).json()["items"]
    assert len(cats) == 2


@pytest.mark.parametrize(
    "cursor", ["x", "2020-01-01~c", "2020-13-01T00:00:00+00:00~c", "\0", "9999-12-31T23:59:59+00:00~c"]
)
async def test_a_made_up_cursor_is_no_error_of_the_desk(ann: httpx2.AsyncClient, cursor: str) -> None:
    answer = await ann.get("/api/v1/conversations", params={"cursor": cursor})
    assert answer.status_code in (200, 404, 422)


async def test_a_conversation_is_renamed_branched_and_erased(ann: httpx2.AsyncClient) -> None:
    first = (await ann.post("/api/v1/chat", json={"text": "One"})).json()
    path = f"/api/v1/conversations/{first['conversation_id']}"
    again = {"conversation_id": first["conversation_id"], "regenerate": first["message"]["parent_id"]}
    second = (await ann.post("/api/v1/chat", json=again)).json()
    assert second["message"]["parent_id"] == first["message"]["parent_id"]
    assert (await ann.patch(path, json={"title": "Hours", "head_id": first["message"]["id"]})).status_code == 204
    shown = (await ann.get(path)).json()
    assert (shown["title"], shown["head_id"]) == ("Hours", first["message"]["id"])
    assert len(shown["messages"]) == 3
    assert (await ann.delete(path)).status_code == 204
    assert (await ann.get(path)).status_code == 404


async def test_a_thumb_and_its_reason_stay_with_the_answer(ann: httpx2.AsyncClient) -> None:
    said = (await ann.post("/api/v1/chat", json={"text": "One"})).json()
    path = f"/api/v1/messages/{said['message']['id']}/feedback"
    assert (await ann.put(path, json={"value": -1, "reason": "Too short"})).status_code == 204
    shown = (await ann.get(f"/api/v1/conversations/{said['conversation_id']}")).json()
    opinions = [message["feedback"] for message in shown["messages"] if message["role"] == "assistant"]
    assert opinions == [{"value": -1, "reason": "Too short"}]
    await ann.put(path, json={"value": 0})
    shown = (await ann.get(f"/api/v1/conversations/{said['conversation_id']}")).json()
    assert all(message["feedback"] is None for message in shown["messages"])
    assert (await ann.put(path, json={"value": 2})).status_code == 422


async def test_a_message_for_a_person_is_kept(ann: httpx2.AsyncClient) -> None:
    said = (await ann.post("/api/v1/chat", json={"text": "One"})).json()
    left = {"conversation_id": said["conversation_id"], "text": "Please call", "contact": "ann@example.com"}
    assert (await ann.post("/api/v1/handoffs", json=left)).status_code == 201


async def test_a_file_is_shown_to_its_owner_alone_and_only_images_in_place(
    ann: httpx2.AsyncClient, ben: httpx2.AsyncClient, converse: ScriptedConversation
) -> None:
    sent = await ann.post(
        "/api/v1/files", files={"file": ("../../a\r\nb.html", b"<script>alert(1)</script>", "text/html")}
    )
    assert sent.status_code == 201
    file = sent.json()
    assert "/" not in file["name"]
    assert "\n" not in file["name"]
    got = await ann.get(f"/api/v1/files/{file['id']}")
    assert got.content == b"<script>alert(1)</script>"
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"].startswith("attachment")
    assert (await ben.get(f"/api/v1/files/{file['id']}")).status_code == 404
    await ann.post("/api/v1/chat", json={"text": "Read this", "file_ids": [file["id"]]})
    assert converse.accepted[0].file_ids == (file["id"],)
    image = (await ann.post("/api/v1/files", files={"file": ("a.png", b"\x89PNG", "image/png")})).json()
    shown = await ann.get(f"/api/v1/files/{image['id']}")
    assert shown.headers["content-type"] == "image/png"
    assert shown.headers["content-disposition"].startswith("inline")


async def test_a_file_that_is_too_large_is_refused(ann: httpx2.AsyncClient) -> None:
    sent = await ann.post("/api/v1/files", files={"file": ("a.bin", b"x" * 100_001, "application/octet-stream")})
    assert (sent.status_code, sent.json()["error"]["code"]) == (413, "too_large")


async def test_memories_are_seen_changed_and_erased_by_their_person_alone(
    ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    kept = (await ann.post("/api/v1/memories", json={"text": "I like tea"})).json()
    other = (await ann.post("/api/v1/memories", json={"text": "I like milk"})).json()
    assert (await ben.get("/api/v1/memories")).json()["items"] == []
    assert (await ben.patch(f"/api/v1/memories/{kept['id']}", json={"text": "x"})).status_code == 404
    assert (await ben.delete(f"/api/v1/memories/{kept['id']}")).status_code == 404
    assert (await ann.patch(f"/api/v1/memories/{kept['id']}", json={"text": "I like coffee"})).status_code == 204
    assert (await ann.patch(f"/api/v1/memories/{other['id']}", json={"text": "I like coffee"})).status_code == 409
    assert (await ann.delete(f"/api/v1/memories/{kept['id']}")).status_code == 204
    assert [item["text"] for item in (await ann.get("/api/v1/memories")).json()["items"]] == ["I like milk"]


async def test_a_citations_passage_is_shown_in_its_place(ann: httpx2.AsyncClient) -> None:
    shown = (await ann.get("/api/v1/passages/pas_hours")).json()
    assert shown["before"] + shown["text"] + shown["after"] == "# Hours\nWe open at nine.\nWe close at six."
    assert (await ann.get("/api/v1/passages/pas_other")).status_code == 404


async def test_usage_without_calls_is_empty(ann: httpx2.AsyncClient) -> None:
    usage = (await ann.get("/api/v1/usage", params={"days": 7})).json()
    nothing = {"calls": 0, "prompt_tokens": 0, "completion_tokens": 0, "cost": 0}
    assert usage == {"items": [], "totals": nothing, "budgets": []}


async def test_what_nobody_foresaw_is_a_500_that_tells_nothing(
    ann: httpx2.AsyncClient, converse: ScriptedConversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(turn_id: str) -> None:
        raise RuntimeError("secret words")

    said = (await ann.post("/api/v1/chat", json={"text": "One"})).json()
    monkeypatch.setattr(converse, "stop", broken)
    answer = await ann.post(f"/api/v1/turns/{said['turn_id']}/stop")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "secret" not in answer.text


async def test_the_openapi_document_describes_every_route(ann: httpx2.AsyncClient) -> None:
    document = (await ann.get("/api/v1/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            assert operation["responses"], (method, path)
            assert "422" in operation["responses"], (method, path)
