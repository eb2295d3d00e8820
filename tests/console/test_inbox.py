"""The team's inbox on a whole desk: what operators see, and what they do in conversations."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import msgspec
import pytest

from frontdesk.console.inbox import in_a_sentence
from frontdesk.messages import Role
from frontdesk.testing.desk import PATIENCE, ServedDesk, served_desk
from frontdesk.testing.upstream import Reply

INBOX = "/api/v1/console/inbox"


@asynccontextmanager
async def team(home: Path) -> AsyncGenerator[tuple[ServedDesk, httpx2.AsyncClient, httpx2.AsyncClient, str]]:
    """A desk, Olga who is an operator, Ann who has asked something, and the id of Ann's conversation."""
    async with served_desk(home, model=lambda _: Reply(text="We open at nine.")) as served:
        olga, ann = await served.client(Role.OPERATOR, "Olga"), await served.client(Role.MEMBER, "Ann")
        said = await ann.post("/api/v1/chat", json={"text": "When do you open?"})
        yield served, olga, ann, said.raise_for_status().json()["conversation_id"]


@asynccontextmanager
async def news(client: httpx2.AsyncClient, path: str) -> AsyncGenerator["asyncio.Queue[tuple[str, dict[str, str]]]"]:
    """What a page hears at `path`, from now on."""
    heard: asyncio.Queue[tuple[str, dict[str, str]]] = asyncio.Queue()

    async def read(answer: httpx2.Response) -> None:
        tag = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                tag = line.removeprefix("event: ")
            elif line.startswith("data: "):
                heard.put_nowait((tag, msgspec.json.decode(line.removeprefix("data: "), type=dict[str, str])))

    async with client.stream("GET", path) as answer:
        answer.raise_for_status()
        reading = asyncio.create_task(read(answer))
        yield heard
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def hears(heard: "asyncio.Queue[tuple[str, dict[str, str]]]", tag: str) -> dict[str, str]:
    """The data of the next event of this tag."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found, data = await heard.get()
            if found == tag:
                return data


async def texts(client: httpx2.AsyncClient, conversation: str) -> list[tuple[str, str]]:
    """Role and text of the current branch, as the person's page shows it."""
    read = (await client.get(f"/api/v1/conversations/{conversation}")).raise_for_status().json()
    by_id = {message["id"]: message for message in read["messages"]}
    path, at = [], by_id.get(read["head_id"])
    while at is not None:
        path.append((at["role"], at["text"]))
        at = by_id.get(at["parent_id"])
    return path[::-1]


async def test_an_operator_takes_over_answers_and_gives_back(tmp_path: Path) -> None:
    async with team(tmp_path) as (_, olga, ann, conversation):
        path = f"{INBOX}/{conversation}"
        refused = await olga.post(f"{path}/reply", json={"text": "Hello"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_holder")

        assert (await olga.post(f"{path}/take")).status_code == 204
        assert (await olga.post(f"{path}/take")).status_code == 204
        shown = (await ann.get(f"/api/v1/conversations/{conversation}")).json()
        assert shown["held_by"]["name"] == "Olga"
        assert shown["messages"][-1]["text"] == "Olga has joined"
        assert shown["messages"][-1]["role"] == "notice"

        asked = await ann.post(
            "/api/v1/chat",
            json={"text": "And on Sunday?", "conversation_id": conversation},
            headers={"Accept": "text/event-stream"},
        )
        assert "turn.handed" in asked.text
        said = await olga.post(f"{path}/reply", json={"text": "Closed on Sundays."})
        assert (said.status_code, said.json()["message"]["author"]["name"]) == (201, "Olga")

        assert (await olga.post(f"{path}/hand-back", json={})).status_code == 204
        assert await texts(ann, conversation) == [
            ("user", "When do you open?"),
            ("assistant", "We open at nine."),
            ("notice", "Olga has joined"),
            ("user", "And on Sunday?"),
            ("assistant", "Closed on Sundays."),
            ("notice", "Olga has left; the desk answers again"),
        ]
        again = await ann.post("/api/v1/chat", json={"text": "Thanks", "conversation_id": conversation})
        assert again.json()["message"]["text"] == "We open at nine."


async def test_the_desk_answers_what_was_left_unanswered_when_it_is_told_to(tmp_path: Path) -> None:
    async with team(tmp_path) as (_, olga, ann, conversation):
        await olga.post(f"{INBOX}/{conversation}/take")
        held = {"text": "Are you there?", "conversation_id": conversation}
        await ann.post("/api/v1/chat", json=held, headers={"Accept": "text/event-stream"})
        [line] = (await olga.get(INBOX, params={"view": "waiting"})).json()["items"]
        assert (line["last_text"], line["last_from"], line["running"]) == ("Are you there?", "person", False)

        async with news(ann, f"/api/v1/conversations/{conversation}/events") as heard:
            await olga.post(f"{INBOX}/{conversation}/hand-back", json={"answer": True})
            async with asyncio.timeout(PATIENCE):
                while (told := await texts(ann, conversation))[-1] != ("assistant", "We open at nine."):
                    await heard.get()
        assert told[-3:-1] == [("user", "Are you there?"), ("notice", "Olga has left; the desk answers again")]
        assert (await olga.get(INBOX, params={"view": "waiting"})).json()["items"] == []


async def test_programs_are_told_that_a_person_has_the_conversation(tmp_path: Path) -> None:
    async with team(tmp_path) as (served, olga, ann, conversation):
        reply_id = (await ann.get(f"/api/v1/conversations/{conversation}")).json()["head_id"]
        await olga.post(f"{INBOX}/{conversation}/take")
        plain = await ann.post("/api/v1/chat", json={"text": "Hello?", "conversation_id": conversation})
        assert (plain.json()["message"], plain.json()["handed_to"]) == (None, "Olga")
        program = await served.program(ann)
        further = {"model": "frontdesk", "input": "Hello?", "previous_response_id": f"resp_{reply_id}"}
        refused = await program.post("/v1/responses", json=further)
        assert (refused.status_code, "Olga has this conversation" in refused.text) == (409, True)
        call = {"name": "ask", "arguments": {"question": "Hello?", "conversation_id": conversation}}
        answer = await program.post(
            "/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call},
            headers={"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"},
        )
        assert "Olga has this conversation" in answer.text
        assert [text for role, text in await texts(ann, conversation) if role == "user"][-1] == "Hello?"


async def test_a_reply_with_one_key_is_one_message(tmp_path: Path) -> None:
    async with team(tmp_path) as (_, olga, ann, conversation):
        path = f"{INBOX}/{conversation}"
        await olga.post(f"{path}/take")
        key = {"Idempotency-Key": "one"}
        copies = [olga.post(f"{path}/reply", json={"text": "Hello Ann"}, headers=key) for _ in range(5)]
        answers = await asyncio.gather(*copies)
        assert {answer.json()["message"]["id"] for answer in answers} == {answers[0].json()["message"]["id"]}
        assert [text for _, text in await texts(ann, conversation)].count("Hello Ann") == 1
        changed = await olga.post(f"{path}/reply", json={"text": "Hello Ben"}, headers=key)
        assert changed.status_code == 409


async def test_a_colleague_may_take_over_and_the_first_one_has_nothing_to_say_then(tmp_path: Path) -> None:
    async with team(tmp_path) as (served, olga, ann, conversation):
        otto = await served.client(Role.OPERATOR, "Otto")
        path = f"{INBOX}/{conversation}"
        await olga.post(f"{path}/take")
        assert (await otto.post(f"{path}/take")).status_code == 204
        assert (await texts(ann, conversation))[-1] == ("notice", "Otto has joined in place of Olga")
        for late in (
            olga.post(f"{path}/reply", json={"text": "Mine"}),
            olga.post(f"{path}/hand-back", json={}),
            olga.post(f"{path}/typing"),
            olga.put(f"{path}/status", json={"status": "closed"}),
        ):
            answer = await late
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_holder")


async def test_views_counts_search_and_pages(tmp_path: Path) -> None:
    async with team(tmp_path) as (served, olga, _ann, first):
        ben = await served.client(Role.MEMBER, "Ben")
        second = (await ben.post("/api/v1/chat", json={"text": "I want to talk to a human"})).json()["conversation_id"]
        third = (await ben.post("/api/v1/chat", json={"text": "Where is the zebra?"})).json()["conversation_id"]
        olgas_id = (await olga.get("/api/v1/me")).json()["person"]["id"]
        await olga.post(f"{INBOX}/{first}/take")
        assert (await olga.put(f"{INBOX}/{third}/assignee", json={"person_id": olgas_id})).status_code == 204

        async def shown(**params: str) -> list[str]:
            page = (await olga.get(INBOX, params=params)).raise_for_status().json()
            return [line["id"] for line in page["items"]]

        whole = (await olga.get(INBOX)).json()
        counts = {"open": 3, "mine": 2, "unassigned": 1, "held": 1, "waiting": 1, "closed": 0, "all": 3}
        assert whole["counts"] == counts
        assert whole["answer"] == "One person waits for somebody of the team."
        assert set(await shown()) == {first, second, third}
        assert set(await shown(view="mine")) == {first, third}
        assert await shown(view="unassigned") == [second]
        assert await shown(view="held") == [first]
        assert await shown(view="waiting") == [second]
        assert await shown(query="zebra") == [third]
        assert await shown(channel="telegram") == []
        lines = {line["id"]: line for line in whole["items"]}
        assert [lines[one]["unhappy"] for one in (first, second, third)] == [False, True, False]
        assert lines[second]["person"]["name"] == "Ben"
        assert lines[first]["last_text"] == "We open at nine."

        page = (await olga.get(INBOX, params={"limit": 2})).json()
        rest = (await olga.get(INBOX, params={"limit": 2, "cursor": page["next"]})).json()
        assert {line["id"] for line in page["items"] + rest["items"]} == {first, second, third}
        assert rest["next"] is None

        assert (await olga.put(f"{INBOX}/{second}/status", json={"status": "closed"})).status_code == 204
        assert await shown(view="closed") == [second]
        assert await shown(view="waiting") == []
        assert set(await shown()) == {first, third}
        assert set(await shown(view="all")) == {first, second, third}
        assert await shown(view="all", query="human") == [second]
        await ben.post("/api/v1/chat", json={"text": "One more thing", "conversation_id": second})
        assert await shown(view="closed") == []


async def test_a_file_is_opened_from_the_conversation_that_it_came_with_and_nowhere_else(tmp_path: Path) -> None:
    async with team(tmp_path) as (_, olga, ann, conversation):
        page, picture, unsent = [
            (await ann.post("/api/v1/files", files={"file": file})).json()["id"]
            for file in (
                ("page.html", b"<script>alert(1)</script>", "text/html"),
                ("door.png", b"\x89PNG", "image/png"),
                ("draft.txt", b"not sent", "text/plain"),
            )
        ]
        other = (await ann.post("/api/v1/chat", json={"text": "Something else"})).json()["conversation_id"]
        await ann.post(
            "/api/v1/chat", json={"text": "Look", "conversation_id": conversation, "file_ids": [page, picture]}
        )

        saved = await olga.get(f"{INBOX}/{conversation}/files/{page}")
        assert saved.content == b"<script>alert(1)</script>"
        assert saved.headers["content-type"] == "application/octet-stream"
        assert saved.headers["content-disposition"].startswith("attachment")
        shown = await olga.get(f"{INBOX}/{conversation}/files/{picture}")
        assert shown.headers["content-type"] == "image/png"
        assert shown.headers["content-disposition"].startswith("inline")
        for hidden in (f"{conversation}/files/{unsent}", f"{other}/files/{page}", f"conv_none/files/{page}"):
            assert (await olga.get(f"{INBOX}/{hidden}")).status_code == 404
        assert (await ann.get(f"{INBOX}/{conversation}/files/{page}")).status_code == 403
        read = (await olga.get("/api/v1/audit", params={"query": "conversation.file"})).json()["items"]
        assert [(row["outcome"], row["subject"]) for row in read if row["outcome"] == 200] == [
            (200, picture),
            (200, page),
        ]
        assert {row["outcome"] for row in read} == {200, 403, 404}


async def test_only_people_of_the_team_take_care_of_conversations(tmp_path: Path) -> None:
    async with team(tmp_path) as (_, olga, ann, conversation):
        anns_id = (await ann.get("/api/v1/me")).json()["person"]["id"]
        answer = await olga.put(f"{INBOX}/{conversation}/assignee", json={"person_id": anns_id})
        assert answer.status_code == 409
        assert (await olga.get(f"{INBOX}/{conversation}")).json()["assigned_to"] is None


async def test_notes_are_the_teams_and_no_part_of_what_the_person_gets(tmp_path: Path) -> None:
    async with team(tmp_path) as (served, olga, ann, conversation):
        otto, owner = await served.client(Role.OPERATOR, "Otto"), await served.client(Role.OWNER, "Ola")
        path = f"{INBOX}/{conversation}/notes"
        note = (await olga.post(path, json={"text": "A regular, be kind"})).json()["note"]
        assert note["author"]["name"] == "Olga"
        [kept] = (await olga.get(f"{INBOX}/{conversation}")).json()["notes"]
        assert kept == note
        assert "regular" not in (await ann.get(f"/api/v1/conversations/{conversation}")).text
        assert "regular" not in (await ann.get("/api/v1/me/export")).text
        assert (await otto.delete(f"{path}/{note['id']}")).status_code == 404
        assert (await owner.delete(f"{path}/{note['id']}")).status_code == 204
        assert (await olga.get(f"{INBOX}/{conversation}")).json()["notes"] == []


async def test_ready_replies_are_kept_for_the_team(tmp_path: Path) -> None:
    async with team(tmp_path) as (_, olga, ann, _conversation):
        path = "/api/v1/console/canned"
        reply = {"shortcut": "hi", "title": "Greeting", "text": "Hello {name}!"}
        kept = (await olga.post(path, json=reply)).json()
        assert (await olga.post(path, json=reply)).status_code == 409
        changed = reply | {"text": "Good day {name}!"}
        assert (await olga.put(f"{path}/{kept['id']}", json=changed)).json() == kept | {"text": "Good day {name}!"}
        assert [one["shortcut"] for one in (await olga.get(path)).json()["items"]] == ["hi"]
        assert (await ann.get(path)).status_code == 403
        assert (await olga.delete(f"{path}/{kept['id']}")).status_code == 204
        assert (await olga.put(f"{path}/{kept['id']}", json=changed)).status_code == 404


async def test_the_person_is_asked_at_the_end_and_the_team_reads_the_answers(tmp_path: Path) -> None:
    async with team(tmp_path) as (_, olga, ann, conversation):
        own = f"/api/v1/conversations/{conversation}"
        assert (await ann.put(f"{own}/satisfaction", json={"score": 5})).status_code == 404
        await olga.post(f"{INBOX}/{conversation}/take")
        await olga.post(f"{INBOX}/{conversation}/hand-back", json={"close": True, "survey": True})
        shown = (await ann.get(own)).json()
        assert (shown["status"], shown["held_by"], shown["survey"]["score"]) == ("closed", None, None)
        assert (await ann.put(f"{own}/satisfaction", json={"score": 6})).status_code == 422
        answer = {"score": 2, "comment": "Too slow"}
        assert (await ann.put(f"{own}/satisfaction", json=answer)).status_code == 204
        assert (await ann.get(own)).json()["survey"]["score"] == 2

        told = (await olga.get("/api/v1/console/satisfaction")).json()
        assert (told["asked"], told["answered"], told["average"]) == (1, 1, 2.0)
        assert told["by_score"] == {"1": 0, "2": 1, "3": 0, "4": 0, "5": 0}
        assert [(one["comment"], one["person"]["name"]) for one in told["items"]] == [("Too slow", "Ann")]
        [line] = (await olga.get(INBOX, params={"view": "closed"})).json()["items"]
        assert line["unhappy"] is True
        [survey] = (await ann.get("/api/v1/me/export")).json()["surveys"]
        assert (survey["score"], survey["comment"]) == (2, "Too slow")


async def test_both_sides_see_the_other_type_and_hear_of_changes(tmp_path: Path) -> None:
    async with team(tmp_path) as (_, olga, ann, conversation):
        own = f"/api/v1/conversations/{conversation}"
        await olga.post(f"{INBOX}/{conversation}/take")
        async with news(olga, "/api/v1/console/events") as at_the_desk, news(ann, f"{own}/events") as at_home:
            assert (await ann.post(f"{own}/typing")).status_code == 204
            told = {"conversation_id": conversation, "name": "Ann"}
            assert await hears(at_the_desk, "typing") == told
            assert (await olga.post(f"{INBOX}/{conversation}/typing")).status_code == 204
            assert await hears(at_home, "answering") == {"name": "Olga"}
            await olga.post(f"{INBOX}/{conversation}/reply", json={"text": "Here I am"})
            assert await hears(at_home, "changed") == {}
            assert (await hears(at_the_desk, "changed"))["conversation_id"] == conversation


async def test_a_draft_is_made_as_an_answer_is_and_leaves_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as (_, olga, ann, conversation):
        before = await texts(ann, conversation)
        await olga.post(f"{INBOX}/{conversation}/take")
        draft = await olga.post(f"{INBOX}/{conversation}/draft")
        assert "event: text.added" in draft.text
        assert "event: draft.finished" in draft.text
        assert (await texts(ann, conversation))[:-1] == before
        used = (await olga.get("/api/v1/usage")).json()["totals"]["calls"]
        assert (used, (await ann.get("/api/v1/usage")).json()["totals"]["calls"]) == (1, 1)


async def test_what_a_program_reads_cannot_be_taken_over(tmp_path: Path) -> None:
    async with team(tmp_path) as (served, olga, ann, _conversation):
        program = await served.program(ann)
        asked = {"model": "frontdesk", "input": "When do you open?"}
        (await program.post("/v1/responses", json=asked)).raise_for_status()
        assert len((await olga.get(INBOX)).json()["items"]) == 1
        [line] = (await olga.get(INBOX, params={"channel": "openai"})).json()["items"]
        answer = await olga.post(f"{INBOX}/{line['id']}/take")
        assert answer.status_code == 409


async def test_what_operators_do_stands_in_the_audit_log(tmp_path: Path) -> None:
    async with team(tmp_path) as (_, olga, _ann, conversation):
        path = f"{INBOX}/{conversation}"
        await olga.get(path)
        await olga.post(f"{path}/take")
        await olga.post(f"{path}/reply", json={"text": "Hello"})
        await olga.post(f"{path}/hand-back", json={})
        lines = (await olga.get("/api/v1/audit")).json()["items"]
        acts = [line["act"] for line in lines if line["subject"] == conversation]
        assert acts[::-1] == [f"conversation.{act}" for act in ("read", "take", "reply", "hand_back")]


async def test_members_and_strangers_have_no_business_here(tmp_path: Path) -> None:
    async with team(tmp_path) as (served, _, ann, conversation):
        ben = await served.client(Role.MEMBER, "Ben")
        for path in (INBOX, f"{INBOX}/{conversation}", "/api/v1/console/events", "/api/v1/console/satisfaction"):
            assert (await ann.get(path)).status_code == 403
        own = f"/api/v1/conversations/{conversation}"
        assert (await ben.get(f"{own}/events")).status_code == 404
        assert (await ben.post(f"{own}/typing")).status_code == 404
        assert (await ben.put(f"{own}/satisfaction", json={"score": 1})).status_code == 404


@pytest.mark.parametrize(
    ("waiting", "answer"),
    [
        (0, "Nobody waits for a person."),
        (1, "One person waits for somebody of the team."),
        (7, "7 people wait for the team."),
    ],
)
def test_the_inbox_says_who_waits(waiting: int, answer: str) -> None:
    assert in_a_sentence(waiting) == answer
