"""Every call that the OpenAPI document names × everybody else × the ids of what is Ann's."""

import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from frontdesk.api.fields import ID_PATTERN
from frontdesk.gate.policy import Policy, at_least
from frontdesk.messages import Role, ToolCall
from frontdesk.testing.desk import ServedDesk, served_desk
from frontdesk.testing.upstream import Reply

CANARY = "quokka-7731"  # stands in everything that is Ann's
SHARED = ("/api/v1/passages/{id}",)  # what one person may read there, all may
MANAGED = ("/api/v1/keys/{id}", "/api/v1/approvals/{id}")  # what operators may end or decide for others
NAMED = ("/api/v1/me/links/{channel}",)  # what is named in the path is no id, and everybody has their own of it
WITHOUT_PEOPLE = ("/api/v1/widget/config",)  # what anybody may know of a site that they can name
POLICY = Policy()
WITH_ALL: dict[str, object] = {"gate.visitors": True, "engagement.enabled": True}

# A body that would be accepted if the ids in it were the caller's own. A new call with a body needs its line here.
BODIES: dict[str, dict[str, object]] = {
    "POST /api/v1/chat": {"text": "Hello"},
    "PATCH /api/v1/conversations/{id}": {"title": "Mine now"},
    "PUT /api/v1/messages/{id}/feedback": {"value": -1, "reason": "not mine"},
    "POST /api/v1/handoffs": {"conversation_id": "conv_none", "text": "Call me"},
    "PATCH /api/v1/memories/{id}": {"text": "Changed"},
    "POST /api/v1/approvals/{id}": {"decision": "approve", "digest": "0" * 64},
    "PATCH /api/v1/people/{id}": {"role": "operator"},
    "POST /api/v1/tools/{name}": {"state": "disabled"},
    "PATCH /api/v1/console/handoffs/{id}": {"state": "done"},
    "POST /api/v1/console/work/unknown/{id}": {"decision": "sent"},
    "PUT /api/v1/conversations/{id}/satisfaction": {"score": 1},
    "POST /api/v1/console/inbox/{id}/hand-back": {"close": True},
    "POST /api/v1/console/inbox/{id}/reply": {"text": "Not theirs"},
    "POST /api/v1/console/inbox/{id}/notes": {"text": "Not theirs"},
    "PUT /api/v1/console/inbox/{id}/assignee": {"person_id": None},
    "PUT /api/v1/console/inbox/{id}/status": {"status": "closed"},
    "PUT /api/v1/console/canned/{id}": {"shortcut": "a", "title": "b", "text": "c"},
    "PUT /api/v1/customers/{id}": {"name": "Not theirs"},
    "POST /api/v1/decisions/{id}/overrule": {},
    "POST /api/v1/outreach/{id}/verdict": {"verdict": "approve", "digest": "0" * 64},
    "POST /api/v1/bias/findings/{id}": {"note": "Not theirs"},
    "POST /api/v1/rollbacks": {"to": "policy_none", "reason": "Not theirs"},
    "POST /api/v1/events": {"id": "event_none", "customer_id": "nobody", "type": "session"},
    "POST /api/v1/feedback": {"id": "outcome_none", "decision_id": "dec_none", "kind": "click"},
}


@dataclass(frozen=True)
class Call:
    """A call of the document. `fields` are those of its body that hold ids."""

    method: str
    path: str
    body: dict[str, object] | None
    fields: tuple[str, ...]

    @property
    def takes_id(self) -> bool:
        return "{" in self.path and self.path not in NAMED

    def lets(self, role: Role) -> bool:
        """Whether the policy lets that role make the call at all."""
        [rule] = [rule for rule in POLICY.rules if rule.path == self.path and self.method in rule.methods]
        return not rule.needs_caller or at_least(role, rule.who)

    @property
    def is_operators(self) -> bool:
        return not self.lets(Role.MEMBER)


def calls_of(document: Mapping[str, Any]) -> Iterator[Call]:
    """Every call of an OpenAPI document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            schema = document["components"]["schemas"].get(name, {})
            fields = tuple(key for key, kind in schema.get("properties", {}).items() if ID_PATTERN in _patterns(kind))
            key = f"{method.upper()} {path}"
            needed = fields or (schema and "{" in path and "/auth/" not in path)
            yield Call(method.upper(), path, BODIES[key] if needed else None, fields)


def _patterns(kind: Any) -> Iterator[str]:
    if isinstance(kind, dict):
        if "pattern" in kind:
            yield kind["pattern"]
        for inner in kind.values():
            yield from _patterns(inner)
    elif isinstance(kind, list):
        for inner in kind:
            yield from _patterns(inner)


async def belongings(served: ServedDesk, ann: httpx2.AsyncClient) -> dict[str, str]:
    """One of each thing that a person can have, with its id."""
    said = await served.ask(ann, f"My word is {CANARY}")
    started = said[0].data
    conversation = str(started["conversation_id"])
    upload = await ann.post("/api/v1/files", files={"file": (f"{CANARY}.txt", CANARY.encode(), "text/plain")})
    memory = await ann.post("/api/v1/memories", json={"text": f"My word is {CANARY}"})
    handoff = await ann.post("/api/v1/handoffs", json={"conversation_id": conversation, "text": CANARY})
    key = await ann.post("/api/v1/keys", json={"name": CANARY})
    person = (await ann.get("/api/v1/me")).json()["person"]["id"]
    call = ToolCall(id="call_1", name="example__time", arguments=json.dumps({"zone": CANARY}))
    approval = await served.desk.approvals.ask(str(started["turn_id"]), person, call)
    return {
        "person": person,
        "conversation": conversation,
        "turn": str(started["turn_id"]),
        "message": str(started["message_id"]),
        "reply": str(started["reply_id"]),
        "file": upload.raise_for_status().json()["id"],
        "memory": memory.raise_for_status().json()["id"],
        "handoff": handoff.raise_for_status().json()["id"],
        "key": key.raise_for_status().json()["id"],
        "approval": approval.id,
    }


async def own_conversation(served: ServedDesk, client: httpx2.AsyncClient) -> str:
    return str((await served.ask(client, "Mine"))[0].data["conversation_id"])


@pytest.mark.proves("abuse-1")
async def test_nobody_reaches_what_is_anns_by_its_id(tmp_path: Path, size: Callable[[int, int], int]) -> None:
    every = size(0, 1) == 1
    async with served_desk(tmp_path, model=[Reply(text="Yes.")], settings=WITH_ALL) as served:
        ann = await served.client()
        things = await belongings(served, ann)
        kept = await everything(ann, things)
        document = (await ann.get("/api/v1/openapi.json")).json()
        calls = [call for call in calls_of(document) if (call.takes_id or call.fields) and "/auth/" not in call.path]
        assert len(calls) > 15
        wrong: list[str] = []
        for role in (Role.VISITOR, Role.MEMBER, Role.OPERATOR):
            client = await other(served, role)
            own = await own_conversation(served, client)
            for call in calls:
                if not call.lets(role):
                    allowed = {401, 403}
                elif call.path in SHARED or call.is_operators or (role is Role.OPERATOR and call.path in MANAGED):
                    continue
                else:
                    allowed = {404}
                for kind, answer in [each async for each in attempts(client, call, things, own, every=every)]:
                    if answer.status_code not in allowed or CANARY in answer.text:
                        wrong.append(f"{call.method} {call.path} {kind} as {role}: {answer.status_code}")
        assert not wrong, "\n".join(wrong)
        assert await everything(ann, things) == kept


async def other(served: ServedDesk, role: Role) -> httpx2.AsyncClient:
    """Somebody who is not Ann."""
    if role is Role.VISITOR:
        return await served.stranger(headers={"X-Frontdesk": "1"})
    return await served.client(role, name=role.value)


async def attempts(
    client: httpx2.AsyncClient, call: Call, things: Mapping[str, str], own: str, *, every: bool
) -> AsyncGenerator[tuple[str, httpx2.Response]]:
    """The call with Ann's ids in its path, then in each field of its body: those that fit there, or every one."""
    if call.takes_id:
        place = call.path.partition("/{")[0].rpartition("/")[2]
        for kind in things if every else fitting(place, things):
            path = call.path.replace("{id}", things[kind]).replace("{name}", things[kind])
            yield f"path={kind}", await client.request(call.method, path, json=call.body)
    for field in call.fields:
        path = call.path.replace("{id}", own)
        for kind in things if every else fitting(field, things):
            body = {**(call.body or {}), "conversation_id": own} if "conversation_id" in call.fields else {}
            if field == "regenerate":
                del body["text"]
            body[field] = [things[kind]] if field.endswith("_ids") else things[kind]
            yield f"{field}={kind}", await client.request(call.method, path, json=body)


def fitting(place: str, things: Mapping[str, str]) -> list[str]:
    """The kinds of id that belong into a part of a path or a field of a body, by their names."""
    return [kind for kind in things if place.startswith(kind[:3])] or ["message", "reply"]


async def everything(ann: httpx2.AsyncClient, things: Mapping[str, str]) -> list[object]:
    """All that the desk tells Ann about her things."""
    paths = ("/api/v1/me", f"/api/v1/conversations/{things['conversation']}", "/api/v1/memories", "/api/v1/approvals")
    told = [(await ann.get(path)).raise_for_status().json() for path in paths]
    keys = (await ann.get("/api/v1/keys")).json()["items"]
    return [*told, [(key["id"], key["name"]) for key in keys], (await ann.get(f"/api/v1/files/{things['file']}")).text]


@pytest.mark.proves("abuse-1")
async def test_no_list_shows_what_is_anns(tmp_path: Path) -> None:
    async with served_desk(tmp_path, model=[Reply(text="Yes.")], settings=WITH_ALL) as served:
        ann = await served.client()
        things = await belongings(served, ann)
        document = (await ann.get("/api/v1/openapi.json")).json()
        lists = [call for call in calls_of(document) if call.method == "GET" and call.path not in WITHOUT_PEOPLE]
        lists = [call for call in lists if "{" not in call.path]
        assert len(lists) > 10
        for role in (Role.VISITOR, Role.MEMBER):
            client = await other(served, role)
            for call in lists:
                answer = await client.get(call.path, params={"query": CANARY})
                if not call.lets(role):
                    assert answer.status_code in (401, 403), call
                else:
                    assert answer.status_code < 300, (call, answer.text)
                assert not [kind for kind, one in things.items() if one in answer.text], call
                assert CANARY not in answer.text, call


@pytest.mark.proves("abuse-1")
async def test_programs_cannot_go_on_from_anns_answers_either(tmp_path: Path) -> None:
    async with served_desk(tmp_path, model=[Reply(text="Yes.")]) as served:
        ann = await served.client()
        things = await belongings(served, ann)
        program = await served.program(await served.client(name="Ben"))
        for one in things.values():
            body = {"model": "frontdesk", "input": "Go on", "previous_response_id": f"resp_{one}"}
            assert (await program.post("/v1/responses", json=body)).status_code == 404
            called = await program.post(
                "/mcp",
                json={
                    "jsonrpc": "2.0",
                    "id": 1,
                    "method": "tools/call",
                    "params": {"name": "ask", "arguments": {"question": "Go on", "conversation_id": one}},
                },
                headers={"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"},
            )
            assert called.json()["result"]["isError"], called.text
