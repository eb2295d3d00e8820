"""Events and customers over HTTP, on both databases."""

import contextlib
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.api import errors
from frontdesk.channels.engagement import customers as customers_face
from frontdesk.channels.engagement import events as events_face
from frontdesk.channels.engagement.event_lines import read_events
from frontdesk.clock import RandomIds
from frontdesk.decision.feedback import Feedback
from frontdesk.decision.intake import MOST_BYTES, Intake
from frontdesk.decision.options import EngagementOptions, SegmentOptions
from frontdesk.engagement import Decision, DecisionState, Outcome
from frontdesk.errors import BadRequest, TooLarge, Unprocessable
from frontdesk.store import decisions, outreach
from frontdesk.store.customers import Customers
from frontdesk.store.database import Database
from frontdesk.store.prepared import Connection
from frontdesk.store.timeline import Timeline
from frontdesk.testing.clock import FakeClock

OPTIONS = EngagementOptions(segments={"default": SegmentOptions(), "smb": SegmentOptions()})
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)  # the test clock's
EVENTS, CUSTOMERS = "/api/v1/events", "/api/v1/customers"
ANN = {
    "segment": "smb",
    "name": "Ann Example",
    "time_zone": "Europe/Berlin",
    "consents": ["email", "sms"],
    "addresses": {"email": "ann@example.com"},
    "traits": {"plan": "pro", "seats": 3, "trial": False, "score": 1.5},
}


class Deaf:
    """A dispatcher that nobody hears."""

    backlog = 0

    async def ready(self, kind: str, row_id: str) -> None: ...


@pytest.fixture
async def http(database: Database, clock: FakeClock) -> AsyncGenerator[httpx2.AsyncClient]:
    app = FastAPI()
    settings = lambda: OPTIONS  # noqa: E731 as the desk hands them over
    intake = Intake(database, clock, Deaf(), settings, feedback=Feedback(database, clock))
    app.include_router(events_face.router(intake, clock))
    app.include_router(customers_face.router(Customers(database, clock), Timeline(database), clock, settings))
    errors.install(app)
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://desk") as client:
        yield client


def event(name: str, customer_id: str = "ann", **more: object) -> dict[str, object]:
    return {"id": name, "customer_id": customer_id, "type": "visit", **more}


@pytest.mark.proves("engagement-2")
async def test_an_event_is_taken_once_however_often_it_is_sent(http: httpx2.AsyncClient) -> None:
    first = await http.post(EVENTS, json=event("e1", at="2026-01-05T13:00:00+01:00", properties={"page": "prices"}))
    assert (first.status_code, first.json()) == (
        202,
        {"id": "e1", "state": "accepted", "decides": True, "error": None},
    )
    again = await http.post(EVENTS, json=event("e1", properties={"page": "prices"}))
    assert (again.status_code, again.json()["state"]) == (202, "known")
    changed = await http.post(EVENTS, json=event("e1", properties={"page": "jobs"}))
    assert (changed.status_code, changed.json()["error"]["code"]) == (409, "conflict")
    seen = (await http.get(f"{CUSTOMERS}/ann")).json()
    assert (seen["events"], seen["last_at"], seen["consents"]) == (1, "2026-01-05T12:00:00Z", [])


@pytest.mark.parametrize(
    ("body", "status", "code", "where"),
    [
        (event("e1", at="2026-01-05T12:06:00Z"), 422, "event_in_the_future", "e1"),
        (event("e1", at="2026-01-05T12:00:00"), 422, "unprocessable", "e1.at"),
        (event("e1", at="0001-01-01T00:00:00+14:00"), 422, "unprocessable", "e1.at"),
        (event("e1", at="9999-12-31T23:00:00-14:00"), 422, "unprocessable", "e1.at"),
        (event("e 1"), 422, "unprocessable", "e 1.id"),
        (event("e1", type="A Visit"), 422, "unprocessable", "e1.type"),
        (event("e1", customer_id="../x"), 422, "unprocessable", "e1.customer_id"),
        (event("e1", properties={"a": [1]}), 422, "unprocessable", "e1.properties[...]"),
        (event("e1", colour="red"), 422, "unprocessable", "e1"),
        (event("e1", properties={"text": "x" * MOST_BYTES}), 413, "too_large", "e1"),
        ({"events": []}, 422, "unprocessable", "events"),
        ([event(f"e{n}") for n in range(1001)], 413, "too_large", "events"),
        (event("e1", type="click", properties={"decision_id": "dec_none"}), 404, "unknown_decision", "dec_none"),
        (7, 422, "unprocessable", "body"),
    ],
)
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_bad_event_is_refused_in_words(
    http: httpx2.AsyncClient, body: object, status: int, code: str, where: str
) -> None:
    answer = await http.post(EVENTS, json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["where"]) == (status, code, where)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("body", [b"", b"{", b'{"id":"\xff"}', b'{"id":"\\ud800"}', b"[" * 100_000, b'{"events":[{]}'])
async def test_what_is_no_json_is_refused(http: httpx2.AsyncClient, body: bytes) -> None:
    answer = await http.post(EVENTS, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


async def test_of_many_events_each_has_its_own_result(http: httpx2.AsyncClient) -> None:
    await http.post(EVENTS, json=event("taken", "ben"))
    many = [event("e1"), event("taken"), event("e1"), event("e2", at="soon"), event("e3", at="2027-01-01T00:00:00Z")]
    answer = (await http.post(EVENTS, json={"events": many})).json()
    assert [each["state"] for each in answer["results"]] == ["accepted", "refused", "known", "refused", "refused"]
    codes = [each["error"] and each["error"]["code"] for each in answer["results"]]
    assert codes == [None, "conflict", None, "unprocessable", "event_in_the_future"]
    assert (answer["accepted"], answer["known"], answer["refused"]) == (1, 1, 3)
    listed = await http.post(EVENTS, json=[event("e4"), event("e5", "cleo")])
    assert listed.json()["accepted"] == 2


BODIES = st.binary(max_size=60) | st.text(alphabet='{}[]:,"\\\n aeidtnsu0129-', max_size=60).map(str.encode)


@given(BODIES, st.sampled_from(["application/json", "application/x-ndjson", ""]))
def test_whatever_comes_is_events_or_a_designed_error(body: bytes, media_type: str) -> None:
    with contextlib.suppress(BadRequest, Unprocessable, TooLarge):
        read_events(body, media_type, NOW)


async def test_events_come_as_lines_too(http: httpx2.AsyncClient) -> None:
    body = "\n".join([json.dumps(event("e1")), "", json.dumps(event("e2", "ben")), "{not json", ""])
    answer = await http.post(EVENTS, content=body, headers={"content-type": "application/x-ndjson; charset=utf-8"})
    assert [each["state"] for each in answer.json()["results"]] == ["accepted", "accepted", "refused"]
    assert answer.json()["results"][2]["error"]["where"] == "events[2]"


async def test_an_event_may_have_a_property_that_is_called_events(http: httpx2.AsyncClient) -> None:
    answer = await http.post(EVENTS, json=event("e1", properties={"events": 3}))
    assert answer.json()["state"] == "accepted"


async def test_a_customer_is_described_seen_and_erased(http: httpx2.AsyncClient) -> None:
    made = await http.put(f"{CUSTOMERS}/ann", json=ANN)
    assert made.status_code == 200
    seen = (await http.get(f"{CUSTOMERS}/ann")).json()
    assert made.json() == seen
    assert {name: seen[name] for name in ANN} == ANN
    assert seen["reachable"] == ["email", "in_app", "webhook"]
    assert (seen["signals"]["stage"], seen["signals"]["recency_days"], seen["plan"]) == ("new", 365.0, None)
    assert (await http.put(f"{CUSTOMERS}/ann", json={})).json()["consents"] == ["email", "sms"]
    assert (await http.put(f"{CUSTOMERS}/ann", json={"consents": []})).json()["consents"] == []
    await http.post(EVENTS, json=event("e1", properties={"page": "prices"}))
    told = (await http.get(f"{CUSTOMERS}/ann/export")).json()
    assert told["customers"][0]["segment"] == "default"
    assert told["customers"][0]["profile"]["events"] == 1
    assert told["customer_events"][0]["properties"] == {"page": "prices"}
    assert (await http.delete(f"{CUSTOMERS}/ann")).status_code == 204
    for call in (http.get(f"{CUSTOMERS}/ann"), http.get(f"{CUSTOMERS}/ann/timeline"), http.delete(f"{CUSTOMERS}/ann")):
        answer = await call
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_customer")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("body", "code", "where"),
    [
        ({"segment": "gold"}, "unknown_segment", "segment"),
        ({"time_zone": "Mars/Olympus"}, "unprocessable", "body.time_zone"),
        ({"consents": ["pigeon"]}, "unprocessable", "body.consents.0"),
        ({"addresses": {"pigeon": "roof"}}, "unprocessable", "body.addresses.pigeon.[key]"),
        ({"addresses": {"email": "a@b\nBcc: c@d"}}, "unprocessable", "body.addresses.email"),
        ({"profile": {}}, "unprocessable", "body.profile"),
        ({"traits": {"plan": {"name": "team"}}}, "unprocessable", "body.traits.plan"),
    ],
)
async def test_a_bad_customer_is_refused_in_words(
    http: httpx2.AsyncClient, body: object, code: str, where: str
) -> None:
    answer = await http.put(f"{CUSTOMERS}/ann", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["where"]) == (422, code, where)


async def test_customers_are_listed_by_pages_and_segments(http: httpx2.AsyncClient) -> None:
    for number in range(5):
        await http.put(f"{CUSTOMERS}/c{number}", json={"segment": "smb" if number % 2 else "default"})
    first = (await http.get(CUSTOMERS, params={"limit": 3})).json()
    assert ([each["id"] for each in first["items"]], first["next"]) == (["c0", "c1", "c2"], "c2")
    rest = (await http.get(CUSTOMERS, params={"limit": 3, "cursor": first["next"]})).json()
    assert ([each["id"] for each in rest["items"]], rest["next"]) == (["c3", "c4"], None)
    smb = (await http.get(CUSTOMERS, params={"segment": "smb"})).json()
    assert [each["id"] for each in smb["items"]] == ["c1", "c3"]


async def test_an_event_of_the_year_one_is_no_trouble(http: httpx2.AsyncClient) -> None:
    assert (await http.post(EVENTS, json=event("old", at="0001-01-01T00:00:00Z"))).json()["state"] == "accepted"
    assert (await http.post(EVENTS, json=event("new"))).json()["state"] == "accepted"
    assert (await http.get(f"{CUSTOMERS}/ann")).json()["first_at"] == "0001-01-01T00:00:00Z"


async def test_a_list_bears_words_that_cannot_be_stored(http: httpx2.AsyncClient) -> None:
    for name in ("prefix", "segment", "cursor"):
        assert (await http.get(CUSTOMERS, params={name: "\0"})).status_code == 422
    await http.put(f"{CUSTOMERS}/ann", json=ANN)
    for bad in ("x", "2026-99-99T00:00:00+00:00~e1"):
        answer = await http.get(f"{CUSTOMERS}/ann/timeline", params={"cursor": bad})
        assert answer.status_code in (404, 422)


@pytest.mark.proves("engagement-20")
async def test_the_timeline_tells_all_that_happened_in_one_list(
    http: httpx2.AsyncClient, database: Database, clock: FakeClock
) -> None:
    await http.put(f"{CUSTOMERS}/ann", json=ANN)
    await http.post(EVENTS, json=event("e1", at="2026-01-05T11:59:00Z", properties={"page": "prices"}))
    made = (decided("dec_1", "act"), decided("dec_2", "shadow"))

    async def work(connection: Connection) -> None:
        await decisions.add(connection, [(each, NOW + timedelta(days=3)) for each in made])
        clock.advance(1)
        await outreach.propose(connection, RandomIds(), clock.now(), [message("dec_1")])

    await database.act(work)
    clock.advance(60)
    await Feedback(database, clock).accept([Outcome(id="o1", decision_id="dec_1", kind="click", at=clock.now())])
    page = (await http.get(f"{CUSTOMERS}/ann/timeline", params={"limit": 3})).json()
    rest = (await http.get(f"{CUSTOMERS}/ann/timeline", params={"cursor": page["next"]})).json()
    entries = [*page["items"], *rest["items"]]
    assert [(each["kind"], each["what"], each["state"]) for each in entries] == [
        ("outcome", "click", None),
        ("message", "welcome", "writing"),
        ("decision", "welcome/email/now", "act"),
        ("event", "visit", None),
    ]
    assert rest["next"] is None
    assert entries[-1]["properties"] == {"page": "prices"}


def decided(name: str, state: DecisionState) -> Decision:
    return Decision(
        id=name,
        customer_id="ann",
        at=NOW,
        segment="smb",
        objective="onboard",
        state=state,
        arm="welcome/email/now",
        channel="email",
        policy_id="pol_1",
        role="champion",
        confidence=0.9,
        risk=0.01,
        propensity=0.8,
        seed=1,
        eligible=("nothing", "welcome/email/now"),
        probabilities=(0.2, 0.8),
        features=(),
        features_digest="",
        masks=(),
        contributions=(),
        send_at=NOW,
    )


def message(decision_id: str) -> outreach.NewOutreach:
    return outreach.NewOutreach(
        decision_id=decision_id,
        customer_id="ann",
        channel="email",
        message="welcome",
        arm="welcome/email/now",
        segment="smb",
        objective="onboard",
        tone="friendly",
        risk=0.01,
        confidence=0.9,
        send_at=NOW,
        needs=0,
    )
