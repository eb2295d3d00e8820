"""Feedback, policies, off-policy estimates, calibration and temporary settings over HTTP, on both databases."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import httpx2
import pytest
from fastapi import FastAPI

from frontdesk.api import errors
from frontdesk.channels.engagement import feedback as feedback_face
from frontdesk.channels.engagement import learning as learning_face
from frontdesk.channels.engagement import off_policy as off_policy_face
from frontdesk.channels.engagement import policies as policies_face
from frontdesk.channels.engagement import settings as settings_face
from frontdesk.decision.comparing import Comparing
from frontdesk.decision.feedback import Feedback
from frontdesk.decision.learning import Learner
from frontdesk.decision.options import LearningOptions
from frontdesk.decision.policies import PolicySource, first
from frontdesk.decision.settings import Effective
from frontdesk.engagement import Genes
from frontdesk.gate.caller import caller_of
from frontdesk.messages import Caller, Person, Role
from frontdesk.store.audit import Audit
from frontdesk.store.database import Database
from frontdesk.store.learners import Learners
from frontdesk.store.logged import DecisionLog
from frontdesk.store.patterns import Patterns
from frontdesk.store.policies import Policies
from frontdesk.store.tunings import Tunings
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.decision.examples import OPTIONS
from tests.decision.logged import WINDOW, Desk

ANN = Caller(person=Person(id="person_ann", name="Ann", role=Role.OPERATOR), credential="session", credential_id="s")
EVERYBODY = OPTIONS.model_copy(update={"learning": LearningOptions(holdout_share=0.0)})
SETTINGS = "/api/v1/engagement/settings"


@pytest.fixture
async def http(database: Database, clock: FakeClock, ids: CountingIds) -> AsyncGenerator[httpx2.AsyncClient]:
    policies, decisions, patterns = Policies(database, clock, ids), DecisionLog(database), Patterns(database)
    effective = Effective(EVERYBODY, Tunings(database, clock), clock, Audit(database, clock, b"key"))
    await policies.start(first("p1", Genes(), clock.now()))
    learner = Learner(policies, Learners(database), decisions, patterns, lambda: effective.options, clock, ids)
    source = PolicySource(policies, clock)
    app = FastAPI()
    for router in (
        feedback_face.router(Feedback(database, clock), clock),
        policies_face.router(policies),
        off_policy_face.router(Comparing(decisions, source, lambda: effective.options), policies, clock),
        learning_face.router(learner, policies, patterns),
        settings_face.router(effective),
    ):
        app.include_router(router)
    app.dependency_overrides[caller_of] = lambda: ANN
    errors.install(app)
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://desk") as client:
        yield client


@pytest.fixture
async def desk(database: Database, clock: FakeClock, ids: CountingIds) -> Desk:
    desk = Desk(database, clock, ids)
    await desk.customer()
    return desk


@pytest.mark.proves("engagement-10")
async def test_feedback_is_taken_alone_or_together_and_what_is_wrong_is_told_of_each(
    http: httpx2.AsyncClient, desk: Desk
) -> None:
    await desk.decide("d1")
    one = {"id": "o1", "decision_id": "d1", "kind": "click"}
    alone = await http.post("/api/v1/feedback", json=one)
    assert (alone.status_code, alone.json()["state"]) == (202, "counted")
    many = [one, {**one, "id": "o2", "decision_id": "ghost"}, {**one, "id": "o3", "kind": "conversion", "value": 20}]
    answers = (await http.post("/api/v1/feedback", json={"outcomes": many})).json()["results"]
    assert [answer["state"] for answer in answers] == ["repeated", "refused", "counted"]
    assert answers[1]["error"]["code"] == "unknown_decision"
    unknown = await http.post("/api/v1/feedback", json={**one, "id": "o4", "decision_id": "ghost"})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_decision")
    for wrong in (
        {**one, "kind": "applause"},
        {**one, "id": ""},
        {**one, "at": "2026-01-05T12:00:00"},
        {"outcomes": []},
    ):
        assert (await http.post("/api/v1/feedback", json=wrong)).status_code == 422


async def test_what_was_learned_serves_and_can_be_traced(
    http: httpx2.AsyncClient, desk: Desk, clock: FakeClock
) -> None:
    assert (await http.get("/api/v1/policies/serving")).json()["champion_id"] == "p1"
    await desk.decide("d1")
    await http.post("/api/v1/feedback", json={"id": "o1", "decision_id": "d1", "kind": "conversion"})
    clock.advance(WINDOW.total_seconds())
    [learned] = (await http.post("/api/v1/learning")).json()["items"]
    assert (await http.get("/api/v1/policies/serving")).json()["champion_id"] == learned
    lineage = (await http.get(f"/api/v1/policies/{learned}/lineage")).json()["items"]
    assert [line["id"] for line in lineage] == [learned, "p1"]
    policy = (await http.get(f"/api/v1/policies/{learned}")).json()
    assert (policy["outcomes"], policy["origin"], policy["genes"]["margin"]) == (1.0, "learned", Genes().margin)
    assert {"feature", "reward", "reward_deviation", "harm", "harm_deviation"} == policy["weights"][0].keys()
    page = (await http.get("/api/v1/policies", params={"limit": 1})).json()
    rest = (await http.get("/api/v1/policies", params={"cursor": page["next"]})).json()
    assert [line["id"] for line in page["items"] + rest["items"]] == [learned, "p1"]
    assert (await http.get("/api/v1/policies/moves")).json()["items"] == []
    assert (await http.get("/api/v1/policies/ghost")).status_code == 404
    calibration = (await http.get("/api/v1/calibration")).json()
    assert calibration["policy_id"] == learned
    assert (await http.get("/api/v1/patterns")).json()["items"] == []


async def test_off_policy_estimates_say_when_the_log_cannot_tell(
    http: httpx2.AsyncClient, desk: Desk, clock: FakeClock
) -> None:
    await desk.decide("d1")
    clock.advance(WINDOW.total_seconds())
    await http.post("/api/v1/learning")
    [champion] = (await http.get("/api/v1/off-policy")).json()["items"]
    [first_one] = (await http.get("/api/v1/off-policy", params={"policy_id": "p1"})).json()["items"]
    assert (champion["decisions"], champion["logged"]) == (0, 1), "it has learned from the only one"
    assert first_one["decisions"] == 1
    assert {estimate["method"] for estimate in first_one["estimates"]} == {"doubly_robust", "snips", "ips"}
    assert not any(estimate["enough"] for estimate in first_one["estimates"])
    assert (await http.get("/api/v1/off-policy", params={"policy_id": "ghost"})).status_code == 404


async def test_a_setting_is_set_for_a_while_by_somebody(http: httpx2.AsyncClient, clock: FakeClock) -> None:
    until = (clock.now() + timedelta(hours=1)).isoformat()
    body = {"name": "learning_rate", "value": 0.15, "until": until}
    answer = (await http.put(SETTINGS, json=body)).json()
    assert (answer["value"], answer["base"], answer["set_by"]) == (0.15, 0.10, "person_ann")
    rows = {row["name"]: row for row in (await http.get(SETTINGS)).json()["items"]}
    assert (rows["learning_rate"]["value"], rows["exploration_rate"]["until"]) == (0.15, None)
    assert (await http.delete(f"{SETTINGS}/learning_rate")).status_code == 204
    assert (await http.delete(f"{SETTINGS}/learning_rate")).status_code == 404
    for wrong in ({**body, "name": "nonsense"}, {**body, "value": 7}, {**body, "until": "2020-01-01T00:00:00Z"}):
        assert (await http.put(SETTINGS, json=wrong)).status_code in (404, 422)
