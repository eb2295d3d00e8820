"""One person on several channels, over HTTP: connected by proof, exported whole, erased everywhere."""

import asyncio
import json
from base64 import b64encode
from pathlib import Path

import httpx2
import pytest
from redis.asyncio import Redis

from frontdesk.messages import Role
from frontdesk.testing.desk import FROM_A_PAGE, ServedDesk, served_desk
from frontdesk.testing.upstream import Reply
from tests.servers import PostgresServer

TELEGRAM = ("telegram", "4711")
OPEN = {"gate.visitors": True}


async def visitor(served: ServedDesk) -> tuple[httpx2.AsyncClient, str]:
    """A browser in which nobody has signed in, and who it is."""
    client = await served.stranger(headers=FROM_A_PAGE)
    await served.ask(client, "Do you have canary-visitor-1 in stock?")
    return client, (await client.get("/api/v1/me")).json()["person"]["id"]


@pytest.mark.parametrize("role", [Role.MEMBER, Role.OPERATOR])
async def test_who_signs_in_keeps_what_they_said_before_in_this_browser_alone(tmp_path: Path, role: Role) -> None:
    async with served_desk(tmp_path, model=[Reply(text="Yes.")] * 3, settings=OPEN) as served:
        ann, before = await visitor(served)
        other, _ = await visitor(served)
        row = await served.desk.store.people.add(name="Ann", role=role)
        token = await served.desk.door.sign_in.invite(row.id)
        (await ann.post("/api/v1/auth/link", json={"token": token})).raise_for_status()
        found = (await ann.get("/api/v1/conversations", params={"query": "canary-visitor-1"})).json()["items"]
        assert len(found) == 1
        assert (await served.desk.store.people.get(before)).state == "absorbed"
        assert len((await other.get("/api/v1/conversations")).json()["items"]) == 1
        assert "fd_visitor" not in ann.cookies


async def test_a_code_connects_and_a_click_parts_again(tmp_path: Path) -> None:
    async with served_desk(tmp_path) as served:
        links, people = served.desk.store.links, served.desk.store.people
        ann = await served.client()
        ann_id = (await ann.get("/api/v1/me")).json()["person"]["id"]
        assert (await ann.get("/api/v1/me/links")).json() == {"items": [], "next": None}
        offered = (await ann.post("/api/v1/me/links")).json()
        chatting = await people.add(name="Ann", role=Role.VISITOR, identity=TELEGRAM)
        await links.redeem(offered["code"], person_id=chatting.id, channel="telegram")
        [link] = (await ann.get("/api/v1/me/links")).json()["items"]
        assert link["channel"] == "telegram"
        assert (await ann.delete("/api/v1/me/links/telegram")).status_code == 204
        assert (await ann.delete("/api/v1/me/links/telegram")).status_code == 404
        found = await people.by_identity(*TELEGRAM)
        assert found is not None
        code, _ = await links.offer(found.id, "telegram")
        connected = await ann.put("/api/v1/me/links", json={"code": code})
        assert connected.json() == {"channel": "telegram"}
        assert (await people.by_identity(*TELEGRAM)) == await people.get(ann_id)
        acts = {row.act for row in await served.desk.store.audit.page(limit=100)}
        assert {"me.link_offer", "me.link", "me.unlink", "person.link", "person.unlink"} <= acts


async def test_codes_cannot_be_guessed_and_keys_of_programs_connect_nothing(tmp_path: Path) -> None:
    async with served_desk(tmp_path) as served:
        ann = await served.client()
        answers = [await ann.put("/api/v1/me/links", json={"code": f"2222-222{n}"}) for n in range(7)]
        assert [answer.status_code for answer in answers] == [422] * 5 + [429] * 2
        assert int(answers[-1].headers["retry-after"]) > 0
        program = await served.program(ann)
        assert (await program.post("/api/v1/me/links")).status_code == 403
        for body in ({"code": "\0"}, {"code": ""}, {"code": 7}, {}):
            assert (await ann.put("/api/v1/me/links", json=body)).status_code == 422


async def test_an_export_gives_every_word_and_every_file(tmp_path: Path) -> None:
    async with served_desk(tmp_path, model=[Reply(text="canary-answer-2")]) as served:
        ann = await served.client(name="canary-name-3", email="canary-4@desk.example")
        sent = await ann.post("/api/v1/files", files={"file": ("canary-5.txt", b"canary-6", "text/plain")})
        said = await served.ask(ann, "canary-said-1", file_ids=[sent.json()["id"]])
        conversation_id, reply_id = str(said[0].data["conversation_id"]), str(said[0].data["reply_id"])
        await ann.put(f"/api/v1/messages/{reply_id}/feedback", json={"value": -1, "reason": "canary-opinion-7"})
        await ann.post("/api/v1/memories", json={"text": "canary-fact-8"})
        left = {"conversation_id": conversation_id, "text": "canary-left-9", "contact": "canary-contact-10"}
        await ann.post("/api/v1/handoffs", json=left)
        person_id = (await ann.get("/api/v1/me")).json()["person"]["id"]
        await served.desk.store.people.link(person_id, "telegram", "canary-chat-11")
        document = (await ann.get("/api/v1/me/export")).text
        canaries = ["said-1", "answer-2", "name-3", "4@", "5.txt", "opinion-7", "fact-8", "left-9", "contact-10"]
        canaries = [f"canary-{each}" for each in (*canaries, "chat-11")]
        assert [canary for canary in canaries if canary not in document] == []
        assert json.loads(document)["files"][0]["content"] == b64encode(b"canary-6").decode()
        assert "hash" not in document


@pytest.mark.proves("conversation-13", "abuse-20")
@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_erasure_leaves_nothing_in_postgresql_or_redis(
    empty_database_url: str, valkey_url: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    variables = {"DATABASE_URL": empty_database_url, "REDIS_URL": valkey_url}
    settings = OPEN | {"gate.rate_limit_enabled": True}
    async with served_desk(tmp_path, model=[Reply(text="Yes.")], settings=settings, variables=variables) as served:
        ann, person_id = await visitor(served)
        await served.desk.store.people.link(person_id, *TELEGRAM)
        await ann.post("/api/v1/memories", json={"text": "canary-fact-2"})
        before = await kept(empty_database_url, valkey_url, postgres)
        assert person_id in before
        assert "canary" not in before, "words are sealed"
        assert (await ann.delete("/api/v1/me")).status_code == 204
        after = await kept(empty_database_url, valkey_url, postgres)
        assert person_id not in "\n".join(line for line in after.splitlines() if "me.erase" not in line)
        assert TELEGRAM[1] not in after
        sealed = {word for word in before.split() if word.startswith("fd1$")}
        assert len(sealed) > 5
        assert [word for word in sealed if word in after] == []


async def kept(database_url: str, valkey_url: str, server: PostgresServer) -> str:
    """All that the database dumps, and every key and member in Redis."""
    command = [server.binaries / "pg_dump", "--data-only", database_url]
    dumping = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    lines = [(await dumping.communicate())[0].decode()]
    redis: Redis = Redis.from_url(valkey_url, decode_responses=True)
    async for key in redis.scan_iter():
        held = await redis.zrange(key, 0, -1) if await redis.type(key) == "zset" else await redis.get(key)
        lines.append(f"{key} {held}")
    await redis.aclose()
    return "\n".join(lines)
