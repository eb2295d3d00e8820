"""Messages to customers over HTTP: who waits for whom, people's words, and what has left."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from frontdesk.api import errors
from frontdesk.channels.engagement import approvals, in_app, outbox
from frontdesk.delivery.delivery import Delivery
from frontdesk.delivery.in_app import InAppMessages
from frontdesk.delivery.local import CustomerLetters
from frontdesk.delivery.options import DeliveryOptions
from frontdesk.delivery.senders import customer_senders
from frontdesk.gate.caller import CALLER
from frontdesk.messages import Caller
from frontdesk.store.database import Database
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.decision.outreaching import ANN, BEN, Room, options, writing

OUTREACH = "/api/v1/outreach"
GOOD = "Subject: Welcome, Cleo\n\nHi Cleo,\n\nhere is how to begin."


class KnownByName:
    """Whoever the header `x-person` names."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = dict(scope.get("headers", ())).get(b"x-person", b"ann").decode()
        person = BEN if name == "ben" else ANN
        scope[CALLER] = Caller(person=person, credential="session", credential_id="s")
        await self._app(scope, receive, send)


@pytest.fixture
async def room(database: Database, clock: FakeClock, ids: CountingIds) -> Room:
    room = Room(database, clock, ids, options(), writing(clock, GOOD))
    await room.customer()
    return room


@pytest.fixture
async def http(room: Room) -> AsyncGenerator[httpx2.AsyncClient]:
    app = FastAPI()
    app.include_router(approvals.router(room.approvals, room.rows, room.database, room.bells))
    app.include_router(in_app.router(InAppMessages(room.database)))
    app.include_router(outbox.router(CustomerLetters(room.database)))
    errors.install(app)
    transport = httpx2.ASGITransport(KnownByName(app), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://desk") as client:
        yield client


async def deliver(room: Room) -> None:
    """Send all that is due, by channels without adapters of their own."""
    some = DeliveryOptions()
    async with httpx2.AsyncClient() as client:
        delivery = Delivery(room.outbox, customer_senders(some, client, room.clock, {}), some, room.clock)
        for letter_id in await room.outbox.due():
            await delivery.deliver(letter_id)


async def verdict(http: httpx2.AsyncClient, outreach_id: str, *, who: str = "ann", **body: Any) -> httpx2.Response:
    seen = (await http.get(f"{OUTREACH}/{outreach_id}")).json()["digest"]
    json = {"digest": seen, **body}
    return await http.post(f"{OUTREACH}/{outreach_id}/verdict", json=json, headers={"x-person": who})


@pytest.mark.proves("engagement-3")
async def test_what_waits_is_listed_and_goes_on_when_somebody_approves_it(http: httpx2.AsyncClient, room: Room) -> None:
    outreach_id = await room.propose(needs=1, confidence=0.8)
    await room.run(outreach_id)
    [waiting] = (await http.get(OUTREACH, params={"state": "approval"})).json()["items"]
    assert (waiting["id"], waiting["confidence"], waiting["subject"]) == (outreach_id, 0.8, "Welcome, Cleo")
    answer = await verdict(http, outreach_id, verdict="approve", note="Fine")
    assert (answer.status_code, answer.json()["state"]) == (200, "scheduled")
    [vote] = answer.json()["votes"]
    assert (vote["person_id"], vote["verdict"], vote["note"]) == (ANN.id, "approve", "Fine")
    assert ("outreach", outreach_id) in room.bells.rung
    assert (await http.get(OUTREACH, params={"state": "approval"})).json()["items"] == []


async def test_two_must_approve_what_is_risky(http: httpx2.AsyncClient, room: Room) -> None:
    outreach_id = await room.propose(needs=2)
    await room.run(outreach_id)
    assert (await verdict(http, outreach_id, verdict="approve")).json()["state"] == "approval"
    assert (await verdict(http, outreach_id, verdict="approve", who="ben")).json()["state"] == "scheduled"


async def test_an_edit_brings_a_text_and_nothing_else_does(http: httpx2.AsyncClient, room: Room) -> None:
    outreach_id = await room.propose(needs=1)
    await room.run(outreach_id)
    for body in ({"verdict": "edit"}, {"verdict": "approve", "body": "Hi"}):
        assert (await verdict(http, outreach_id, **body)).json()["error"]["where"] == "body"
    refused = await verdict(http, outreach_id, verdict="edit", body="Ask bob@example.com")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "text_refused")
    done = await verdict(http, outreach_id, verdict="edit", subject="Hi", body="Hi Cleo, do begin.")
    assert (done.json()["state"], done.json()["body"]) == ("scheduled", "Hi Cleo, do begin.")


async def test_a_second_word_and_a_word_on_another_text_are_conflicts(http: httpx2.AsyncClient, room: Room) -> None:
    outreach_id = await room.propose(needs=1)
    await room.run(outreach_id)
    other = await http.post(f"{OUTREACH}/{outreach_id}/verdict", json={"verdict": "approve", "digest": "0" * 64})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "conflict")
    assert (await verdict(http, outreach_id, verdict="reject")).json()["state"] == "rejected"
    assert (await verdict(http, outreach_id, verdict="approve")).status_code == 409
    assert (await http.get(f"{OUTREACH}/reach_none")).status_code == 404


@pytest.mark.proves("engagement-1")
async def test_what_was_sent_stands_in_the_outbox(http: httpx2.AsyncClient, room: Room) -> None:
    for _ in range(3):
        await room.run(await room.propose())
        room.pass_time(minutes=1)
    await deliver(room)
    first = (await http.get("/api/v1/console/outbox", params={"limit": 2})).json()
    assert [(item["state"], item["channel"], item["subject"]) for item in first["items"]] == [
        ("sent", "email", "Welcome, Cleo")
    ] * 2
    rest = (await http.get("/api/v1/console/outbox", params={"limit": 2, "cursor": first["next"]})).json()
    assert (len(rest["items"]), rest["next"]) == (1, None)
    assert (await http.get("/api/v1/console/outbox", params={"state": "unknown"})).json()["items"] == []


async def test_the_owners_app_fetches_its_customers_messages(http: httpx2.AsyncClient, room: Room) -> None:
    await room.customer("c2")
    await room.run(await room.propose(channel="in_app", arm="hello/in_app/now"))
    assert (await http.get("/api/v1/in-app/c1")).json()["items"] == []
    await deliver(room)
    [message] = (await http.get("/api/v1/in-app/c1")).json()["items"]
    assert (message["subject"], message["decision_id"]) == ("Welcome, Cleo", "dec_0")
    assert (await http.get("/api/v1/in-app/c2")).json()["items"] == []
