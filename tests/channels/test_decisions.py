"""Decisions over HTTP: asking for them by both ways in, reading them, making them again."""

from collections.abc import AsyncGenerator

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from frontdesk.api import errors
from frontdesk.channels.engagement.deciding import MOST_ASKS, Deciding
from frontdesk.channels.engagement.decisions import hot, router
from frontdesk.decision.overruling import Overruling
from frontdesk.engagement import Outcome
from frontdesk.store.database import Database
from frontdesk.store.outcomes import put
from frontdesk.store.outreach import outreach, outreach_votes
from frontdesk.store.stories import Stories
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.decision.deciding import Desk, customer, options, policy, served

ONE, MANY = "/api/v1/decisions", "/api/v1/decisions/batch"
database_kinds = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


class Past:
    """Calls the hot endpoints past the framework, as the desk does."""

    def __init__(self, app: ASGIApp, endpoints: dict[str, ASGIApp]) -> None:
        self._app, self._endpoints = app, endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path"]) if scope["method"] == "POST" else None
        await (endpoint or self._app)(scope, receive, send)


@pytest.fixture
async def desk(database: Database, clock: FakeClock, ids: CountingIds) -> Desk:
    desk = Desk(database, clock, ids)
    await desk.customers.put_many([customer("ann"), customer("ben")])
    return desk


@pytest.fixture(params=["past the framework", "through the framework"])
async def http(request: pytest.FixtureRequest, desk: Desk) -> AsyncGenerator[httpx2.AsyncClient]:
    app, settings = FastAPI(), lambda: desk.options
    deciding = Deciding(desk.engine, settings)
    overruling = Overruling(desk.database, desk.decisions, desk.policies, settings, desk.clock, CountingIds())
    app.include_router(
        router(deciding, desk.decisions, Stories(desk.database), desk.policies, overruling, settings, desk.bell)
    )
    errors.install(app)
    face = Past(app, hot(deciding) if request.param == "past the framework" else {})
    transport = httpx2.ASGITransport(face, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://desk") as client:
        yield client


@database_kinds
async def test_a_question_gets_a_decision_with_its_reasons(http: httpx2.AsyncClient, desk: Desk) -> None:
    answer = await http.post(ONE, json={"customer_id": "ann", "context": {"intent": 0.5}})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["customer_id"], told["state"], told["features"]) == ("ann", "act", [])
    assert told["reasons"][0].startswith(f"`{told['arm']}` does better than nothing")
    assert told["contributions"]
    assert (await desk.decisions.get(told["id"])).arm == told["arm"]


@database_kinds
async def test_the_same_event_id_gets_the_same_decision(http: httpx2.AsyncClient) -> None:
    asked = [await http.post(ONE, json={"customer_id": "ann", "event_id": "mine:1"}) for _ in range(3)]
    assert len({answer.json()["id"] for answer in asked}) == 1
    other = await http.post(ONE, json={"customer_id": "ben", "event_id": "mine:1"})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "conflict")


@database_kinds
async def test_features_are_shown_where_the_audit_is_comprehensive(http: httpx2.AsyncClient, desk: Desk) -> None:
    desk.options = options(safety={"audit_logging": "comprehensive"})
    assert len((await http.post(ONE, json={"customer_id": "ann"})).json()["features"]) > 10


@database_kinds
@pytest.mark.parametrize(
    ("body", "status", "code", "where"),
    [
        ({"customer_id": "nobody"}, 404, "unknown_customer", "nobody"),
        ({"customer_id": "ann", "objective": "annoy"}, 422, "unprocessable", "body.objective"),
        ({"customer_id": "ann", "context": {"mood": 1}}, 422, "bad_feature", "context.mood"),
        ({"customer_id": "ann", "context": {"intent": "high"}}, 422, "unprocessable", "body.context[...]"),
        ({"customer_id": "a b"}, 422, "unprocessable", "body.customer_id"),
        ({"customer_id": "ann", "colour": 1}, 422, "unprocessable", "body"),
        ({}, 422, "unprocessable", "body"),
        ("{", 400, "bad_request", "body"),
    ],
)
async def test_a_wrong_question_is_told_what_is_wrong(
    http: httpx2.AsyncClient, body: object, status: int, code: str, where: str
) -> None:
    answer = await (http.post(ONE, content=body) if isinstance(body, str) else http.post(ONE, json=body))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["where"] == where


@database_kinds
async def test_each_question_of_a_batch_has_its_own_answer(http: httpx2.AsyncClient) -> None:
    asks = [{"customer_id": "ann"}, {"customer_id": "nobody"}, {"customer_id": "ben", "objective": "annoy"}]
    told = (await http.post(MANY, json={"asks": [*asks, {"customer_id": "ben"}]})).json()
    assert (told["decided"], told["refused"]) == (2, 2)
    assert [answer.get("error", {}).get("code") for answer in told["results"]] == [
        None,
        "unknown_customer",
        "unprocessable",
        None,
    ]
    assert told["results"][2]["error"]["where"] == "asks[2].objective"
    assert told["results"][3]["decision"]["customer_id"] == "ben"


@database_kinds
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"asks": []}, 422),
        ({"asks": [{"customer_id": "ann"}] * (MOST_ASKS + 1)}, 413),
        ([], 422),
        ({"questions": []}, 422),
        ("{", 400),
    ],
)
async def test_a_batch_that_is_none_is_refused(http: httpx2.AsyncClient, body: object, status: int) -> None:
    answer = await (http.post(MANY, content=body) if isinstance(body, str) else http.post(MANY, json=body))
    assert answer.status_code == status


@database_kinds
async def test_lists_show_the_newest_first_page_by_page(http: httpx2.AsyncClient, desk: Desk) -> None:
    made = [(await desk.decide(name)).id for name in ("ann", "ben", "ann")]
    first = (await http.get(ONE, params={"limit": 2})).json()
    assert [each["id"] for each in first["items"]] == made[:0:-1]
    rest = (await http.get(ONE, params={"limit": 2, "cursor": first["next"]})).json()
    assert ([each["id"] for each in rest["items"]], rest["next"]) == (made[:1], None)
    assert len((await http.get(ONE, params={"customer_id": "ann", "state": "act"})).json()["items"]) == 2
    assert (await http.get(ONE, params={"state": "maybe"})).status_code == 422


@pytest.mark.proves("engagement-20")
async def test_one_question_tells_inputs_strategy_reasons_approver_delivery_and_outcome(
    http: httpx2.AsyncClient, desk: Desk
) -> None:
    decision = await desk.decide(event_id="evt_1")
    ((_, outreach_id),) = desk.bell.rung
    now = desk.clock.now()

    async def follow(connection: AsyncConnection) -> None:
        values = {"subject": "Hello", "body": "Hello Ann", "digest": "d1", "model": "template", "state": "scheduled"}
        await connection.execute(sa.update(outreach).where(outreach.c.id == outreach_id).values(values))
        vote = {"outreach_id": outreach_id, "person_id": "per_1", "verdict": "approve", "digest": "d1", "note": "fine"}
        await connection.execute(sa.insert(outreach_votes).values({**vote, "at": now}))

    await desk.database.commit(follow)
    click = Outcome(id="o1", decision_id=decision.id, kind="click", at=now)
    await desk.database.act(lambda connection: put(connection, click, "ann", now, counted=True))
    story = (await http.get(f"{ONE}/{decision.id}")).json()
    assert story["decision"]["event_id"] == "evt_1"
    assert story["decision"]["reasons"]
    assert story["message"]["body"] == "Hello Ann"
    assert [(vote["person_id"], vote["verdict"]) for vote in story["votes"]] == [("per_1", "approve")]
    assert [outcome["kind"] for outcome in story["outcomes"]] == ["click"]
    assert story["delivery"] is None
    assert story["outcome_due_at"] > story["decision"]["send_at"]
    assert (await http.get(f"{ONE}/dec_none")).status_code == 404


@database_kinds
async def test_a_decision_is_made_again_over_http(http: httpx2.AsyncClient, desk: Desk) -> None:
    desk.policies.now = served(policy(sure=False))
    decision = await desk.decide()
    told = (await http.post(f"{ONE}/{decision.id}/replay")).json()
    assert (told["same"], told["arm"], told["same_probabilities"]) == (True, decision.arm, True)
    assert (await http.post(f"{ONE}/dec_none/replay")).status_code == 404
