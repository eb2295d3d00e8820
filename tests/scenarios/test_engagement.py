"""Engagement as its users meet it: over HTTP, on a whole desk, from an event to what came of it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from frontdesk.messages import Role
from frontdesk.system.home import blueprint_file
from frontdesk.testing.desk import PATIENCE, ServedDesk, served_desk

PEOPLE = 24
BLUEPRINT = yaml.safe_load(blueprint_file("engagement").read_text())["engagement"]
ALWAYS_OPEN = {"engagement_rules": {"max_messages_per_week": 7, "quiet_from": 0, "quiet_until": 0}}
MESSAGES = [
    message | {"slots": ["now"], "brief": ""}
    for message in BLUEPRINT["messages"]
    if message["key"] in ("welcome", "tip")
]
SETTINGS: dict[str, object] = {
    "engagement.enabled": True,
    "engagement.mode": "fully_autonomous",
    "engagement.confidence_threshold": 0.0,
    "engagement.minimum_confidence": 0.0,
    "engagement.risk_tolerance": 1.0,
    "engagement.segments": {"default": ALWAYS_OPEN},
    "engagement.messages": MESSAGES,
}
SECTION_6 = {
    "ai_decisions_total": {"customer_segment", "objective", "confidence_level"},
    "ai_learning_events_total": {"event_type", "significance"},
    "ai_pattern_discoveries_total": {"pattern_type", "confidence"},
    "ai_strategy_fitness_score": {"strategy_type", "generation"},
    "ai_evolution_generation": {"strategy_type"},
    "ai_orchestration_errors_total": {"stage", "error_type"},
    "ai_decisions_per_second": set[str](),
    "process_resident_memory_bytes": set[str](),
}
BUCKETS = {
    "ai_decision_duration_seconds": {0.01, 0.05, 0.1, 0.5, 1, 2, 5},
    "ai_decision_confidence": {0.1, 0.3, 0.5, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0},
}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncGenerator[ServedDesk]:
    async with served_desk(tmp_path, settings=SETTINGS) as served:
        yield served


async def until(ask: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """The first answer that is not empty."""
    async with asyncio.timeout(PATIENCE):
        while not (found := await ask()):  # noqa: ASYNC110 — what is waited for happens in workers, behind HTTP
            await asyncio.sleep(0.02)
    return found


async def with_customers(client: httpx2.AsyncClient, segment: str = "default") -> list[str]:
    names = [f"customer-{number}" for number in range(PEOPLE)]
    for name in names:
        body = {
            "segment": segment,
            "name": "Ann",
            "consents": ["email", "in_app"],
            "addresses": {"email": "a@example.com"},
        }
        (await client.put(f"/api/v1/customers/{name}", json=body)).raise_for_status()
    return names


async def post_events(client: httpx2.AsyncClient, names: list[str]) -> list[str]:
    events = [{"id": f"signed-up-{name}", "customer_id": name, "type": "signed_up"} for name in names]
    told = (await client.post("/api/v1/events", json={"events": events})).raise_for_status().json()
    return [each["state"] for each in told["results"]]


async def items(client: httpx2.AsyncClient, path: str, **params: object) -> list[dict[str, Any]]:
    return (await client.get(path, params={"limit": 100, **params})).raise_for_status().json()["items"]


@pytest.mark.proves("engagement-1", "engagement-2", "engagement-20")
async def test_each_event_becomes_one_decision_and_each_that_acts_one_letter(served: ServedDesk) -> None:
    client = await served.client(Role.OPERATOR)
    names = await with_customers(client)
    assert set(await post_events(client, names)) == {"accepted"}
    assert set(await post_events(client, names)) == {"known"}

    async def decided() -> list[dict[str, Any]]:
        found = await items(client, "/api/v1/decisions")
        return found if len(found) >= PEOPLE else []

    decisions = await until(decided)
    assert sorted(each["event_id"] for each in decisions) == sorted(f"signed-up-{name}" for name in names)
    for each in decisions:
        assert 0 <= each["confidence"] <= 1
        assert 0 <= each["risk"] <= 1
        assert each["reasons"]
    acting = {each["id"] for each in decisions if each["state"] == "act"}
    assert acting

    async def sent() -> list[dict[str, Any]]:
        found = await items(client, "/api/v1/console/outbox", state="sent")
        return found if len(found) >= len(acting) else []

    letters = await until(sent)
    assert sorted(each["decision_id"] for each in letters) == sorted(acting)
    story = (await client.get(f"/api/v1/decisions/{letters[0]['decision_id']}")).json()
    assert story["message"]["body"] == letters[0]["body"]
    assert story["delivery"]["state"] == "sent"
    assert story["strategy"]["origin"] == "first"


@pytest.mark.proves("engagement-10")
async def test_an_unsubscription_ends_all_messages_and_is_counted(served: ServedDesk) -> None:
    client = await served.client(Role.OPERATOR)
    await post_events(client, await with_customers(client))

    async def acting() -> list[dict[str, Any]]:
        return await items(client, "/api/v1/decisions", state="act")

    decision = (await until(acting))[0]
    before = await _learned(client, "unsubscribe")
    outcome = {"id": "out-1", "decision_id": decision["id"], "kind": "unsubscribe"}
    (await client.post("/api/v1/feedback", json=outcome)).raise_for_status()
    customer = (await client.get(f"/api/v1/customers/{decision['customer_id']}")).json()
    assert decision["channel"] not in customer["consents"]
    asked = (await client.post("/api/v1/decisions", json={"customer_id": decision["customer_id"]})).json()
    assert not [arm for arm in asked["eligible"] if f"/{decision['channel']}/" in arm]
    assert await _learned(client, "unsubscribe") == before + 1


@pytest.mark.proves("engagement-3")
async def test_below_the_threshold_a_person_decides_and_below_the_floor_nobody(tmp_path: Path) -> None:
    unsure = SETTINGS | {"engagement.confidence_threshold": 1.0}
    async with served_desk(tmp_path, settings=unsure) as served:
        client = await served.client(Role.OPERATOR)
        await post_events(client, await with_customers(client))

        async def waiting() -> list[dict[str, Any]]:
            return await items(client, "/api/v1/outreach", state="approval")

        message = (await until(waiting))[0]
        assert not await items(client, "/api/v1/console/outbox", state="sent")
        verdict = {"verdict": "approve", "digest": message["digest"]}
        (await client.post(f"/api/v1/outreach/{message['id']}/verdict", json=verdict)).raise_for_status()

        async def sent() -> list[dict[str, Any]]:
            return await items(client, "/api/v1/console/outbox", state="sent")

        (letter,) = await until(sent)
        assert (letter["decision_id"], letter["body"]) == (message["decision_id"], message["body"])
        again = await client.post(f"/api/v1/outreach/{message['id']}/verdict", json=verdict)
        assert again.status_code == 409


@pytest.mark.proves("engagement-3")
async def test_what_is_held_reaches_nobody_until_a_person_overrules_and_approves_it(tmp_path: Path) -> None:
    holding = SETTINGS | {"engagement.confidence_threshold": 1.0, "engagement.minimum_confidence": 1.0}
    async with served_desk(tmp_path, settings=holding) as served:
        client = await served.client(Role.OPERATOR)
        await post_events(client, await with_customers(client))

        async def held() -> list[dict[str, Any]]:
            return await items(client, "/api/v1/decisions", state="hold")

        decision = (await until(held))[0]
        assert decision["reasons"][0] == "Held back: the confidence is below 1."
        assert not await items(client, "/api/v1/outreach")
        story = (await client.post(f"/api/v1/decisions/{decision['id']}/overrule")).raise_for_status().json()
        assert (story["decision"]["state"], story["decision"]["human"]) == ("hold", True)
        assert (await client.post(f"/api/v1/decisions/{decision['id']}/overrule")).status_code == 409

        async def waiting() -> list[dict[str, Any]]:
            return await items(client, "/api/v1/outreach", state="approval")

        (message,) = await until(waiting)
        assert not await items(client, "/api/v1/console/outbox")
        verdict = {"verdict": "approve", "digest": message["digest"]}
        (await client.post(f"/api/v1/outreach/{message['id']}/verdict", json=verdict)).raise_for_status()

        async def sent() -> list[dict[str, Any]]:
            return await items(client, "/api/v1/console/outbox", state="sent")

        (letter,) = await until(sent)
        assert letter["decision_id"] == decision["id"]
        owner = await served.client(Role.OWNER)
        acts = [each["act"] for each in await items(owner, "/api/v1/audit")]
        assert acts.count("decision.overrule") == 2, "the one that was refused stands there too"


@pytest.mark.proves("engagement-11")
async def test_every_metric_has_its_name_its_labels_and_its_buckets(served: ServedDesk) -> None:
    client = await served.client(Role.OPERATOR)
    await post_events(client, await with_customers(client))

    async def decided() -> bool:
        return len(await items(client, "/api/v1/decisions")) >= PEOPLE

    await until(decided)
    text = (await client.get("/metrics")).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for name, labels in SECTION_6.items():
        family = families[name.removesuffix("_total")]
        assert all(set(sample.labels) == labels for sample in family.samples if not sample.name.endswith("_created"))
    for name, edges in BUCKETS.items():
        told = {sample.labels["le"] for sample in families[name].samples if sample.name.endswith("_bucket")}
        assert {float(edge) for edge in told} == {*(float(edge) for edge in edges), float("inf")}
    made = sum(
        sample.value
        for sample in families["ai_decisions"].samples
        if sample.name == "ai_decisions_total" and sample.labels["customer_segment"] == "default"
    )
    assert made >= PEOPLE


async def test_the_desk_says_that_it_writes_of_its_own_accord(served: ServedDesk) -> None:
    stranger = await served.stranger()
    assert (await stranger.get("/api/v1/desk")).json()["engagement"] is True
    refused = await stranger.post("/api/v1/events", json={"id": "e", "customer_id": "c", "type": "t"})
    assert refused.status_code == 401


async def test_a_setting_holds_for_a_while_and_is_audited(served: ServedDesk) -> None:
    client = await served.client(Role.OPERATOR)
    until_then = datetime.now(UTC).replace(year=datetime.now(UTC).year + 1).isoformat()
    body = {"name": "learning_rate", "value": 0.15, "until": until_then}
    assert (await client.put("/api/v1/engagement/settings", json=body)).raise_for_status().json()["value"] == 0.15
    holding = {each["name"]: each["value"] for each in await items(client, "/api/v1/engagement/settings")}
    assert holding["learning_rate"] == 0.15
    acts = [each["act"] for each in await items(client, "/api/v1/audit")]
    assert any("setting" in act for act in acts)


async def _learned(client: httpx2.AsyncClient, kind: str) -> float:
    text = (await client.get("/metrics")).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "ai_learning_events_total" and sample.labels["event_type"] == kind
    )
