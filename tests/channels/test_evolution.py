"""Evolution, rollback and bias over HTTP, on both databases."""

from collections.abc import AsyncGenerator

import httpx2
import msgspec
import pytest
from fastapi import FastAPI

from frontdesk.api import errors
from frontdesk.channels.engagement import bias, evolution, rollback
from frontdesk.decision.evolving import Evolving
from frontdesk.decision.guard import Guard
from frontdesk.decision.options import BiasOptions, EngagementOptions, LearningOptions
from frontdesk.decision.policies import born, first
from frontdesk.engagement import Genes
from frontdesk.gate.caller import caller_of
from frontdesk.messages import Caller, Person, Role
from frontdesk.store.audit import Audit
from frontdesk.store.database import Database
from frontdesk.store.evidence import EvidenceRows
from frontdesk.store.evolutions import Evolutions
from frontdesk.store.gaps import Gaps
from frontdesk.store.jobs import Jobs
from frontdesk.store.logged import DecisionLog
from frontdesk.store.policies import Policies
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.store.test_gaps import WIDE

ANN = Caller(person=Person(id="per_ann", name="Ann", role=Role.OPERATOR), credential="session", credential_id="s")


class Bell:
    async def ready(self, kind: str, row_id: str) -> None:
        """Nobody works here."""

    @property
    def backlog(self) -> int:
        return 0


class Desk:
    def __init__(self, database: Database, clock: FakeClock, ids: CountingIds) -> None:
        self.clock, self.options = clock, EngagementOptions(bias=BiasOptions(groups=["gender"]))
        self.policies, self.evolutions = Policies(database, clock, ids), Evolutions(database, clock, ids)
        self.jobs, self.gaps = Jobs(database, clock, ids), Gaps(database, clock, ids)
        settings = lambda: self.options  # noqa: E731
        self.evolving = Evolving(self.evolutions, self.policies, DecisionLog(database), settings, clock, ids, Bell())
        evidence, audit = EvidenceRows(database), Audit(database, clock, b"key")
        self.app = FastAPI()
        self.app.include_router(evolution.router(self.evolving, self.evolutions, self.policies))
        guard = Guard(evidence, self.policies, self.evolutions, settings, audit)
        self.app.include_router(rollback.router(guard, self.policies))
        self.app.include_router(bias.router(self.gaps, settings))
        self.app.dependency_overrides[caller_of] = lambda: ANN
        errors.install(self.app)

    async def challenge(self) -> None:
        """A planted strategy begins its trial."""
        pointer, old = await self.policies.serving(), await self.policies.get("old")
        await self.policies.add(born("bold", Genes(), self.clock.now(), origin="planted", parent=old))
        after = msgspec.structs.replace(pointer, challenger_id="bold", share=0.5)
        await self.policies.move("canary", pointer, after, reason="planted")


@pytest.fixture
async def desk(database: Database, clock: FakeClock, ids: CountingIds) -> Desk:
    desk = Desk(database, clock, ids)
    await desk.policies.start(first("old", Genes(), clock.now()))
    return desk


@pytest.fixture
async def http(desk: Desk) -> AsyncGenerator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(desk.app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://desk") as client:
        yield client


async def test_a_step_is_taken_as_a_job_with_lineage_and_told_when_it_is_done(
    http: httpx2.AsyncClient, desk: Desk
) -> None:
    asked = await http.post("/api/v1/orchestration/evolve", json={"seed": 2**62})
    assert asked.status_code == 202
    step = asked.json()
    assert (step["state"], step["generation"], step["seed"], step["actor"]) == ("running", 1, str(2**62), "per_ann")
    assert [line["id"] for line in step["lineage"]] == ["old"]
    again = await http.post("/api/v1/orchestration/evolve")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "evolution_running")
    job = await desk.jobs.claim(step["job_id"], 60)
    assert job is not None
    await desk.evolving.run(job)
    told = (await http.get(f"/api/v1/evolutions/{step['id']}")).json()
    assert (told["state"], told["note"]) == ("refused", "There are no outcomes to learn from yet")
    assert told["found"]["gap"] == told["found"]["fitness"] - told["found"]["held_out"]


async def test_steps_are_listed_in_pages(http: httpx2.AsyncClient, desk: Desk) -> None:
    for _ in range(3):
        step = (await http.post("/api/v1/orchestration/evolve")).json()
        job = await desk.jobs.claim(step["job_id"], 60)
        assert job is not None
        await desk.evolving.run(job)
        desk.clock.advance(60)
    first_page = (await http.get("/api/v1/evolutions", params={"limit": 2})).json()
    assert [step["generation"] for step in first_page["items"]] == [3, 2]
    rest = (await http.get("/api/v1/evolutions", params={"limit": 2, "cursor": first_page["next"]})).json()
    assert ([step["generation"] for step in rest["items"]], rest["next"]) == ([1], None)


async def test_what_cannot_be_is_refused_with_its_code(http: httpx2.AsyncClient, desk: Desk) -> None:
    assert (await http.get("/api/v1/evolutions/evolution_x")).status_code == 404
    assert (await http.post("/api/v1/orchestration/evolve", json={"seed": -1})).status_code == 422
    desk.options = EngagementOptions(learning=LearningOptions(strategy_evolution="disabled"))
    off = await http.post("/api/v1/orchestration/evolve")
    assert (off.status_code, off.json()["error"]["code"]) == (409, "evolution_disabled")
    assert (await http.post("/api/v1/rollbacks", json={"reason": ""})).status_code == 422
    nothing = await http.post("/api/v1/rollbacks", json={"reason": "I dislike it."})
    assert (nothing.status_code, nothing.json()["error"]["code"]) == (409, "conflict")
    ghost = await http.post("/api/v1/rollbacks", json={"to": "pol_ghost", "reason": "I like it."})
    assert ghost.status_code == 404


async def test_a_trial_is_shown_with_its_numbers_and_ended_by_hand(http: httpx2.AsyncClient, desk: Desk) -> None:
    assert (await http.get("/api/v1/rollbacks")).json() == {"trial": None, "items": [], "next": None}
    await desk.challenge()
    trial = (await http.get("/api/v1/rollbacks")).json()["trial"]
    assert (trial["act"], trial["ratio"], trial["low"], trial["high"]) == ("wait", None, 0, None)
    assert trial["figures"]["challenger_outcomes"] == 0
    serving = (await http.post("/api/v1/rollbacks", json={"reason": "It is rude."})).json()
    assert (serving["champion_id"], serving["challenger_id"]) == ("old", None)
    page = (await http.get("/api/v1/rollbacks")).json()
    assert [(move["kind"], move["reason"], move["actor"]) for move in page["items"]] == [
        ("rolled_back", "It is rude.", "per_ann")
    ]
    everything = (await http.get("/api/v1/rollbacks", params={"kind": "all"})).json()["items"]
    assert [move["kind"] for move in everything] == ["rolled_back", "canary"]


async def test_gaps_are_shown_and_findings_accepted_by_a_named_person(http: httpx2.AsyncClient, desk: Desk) -> None:
    [finding] = await desk.gaps.keep([WIDE], desk.options.bias.least_ratio)
    told = (await http.get("/api/v1/bias")).json()
    assert (told["enabled"], told["groups"], told["findings"]) == (True, ["gender"], 1)
    assert told["items"][0]["ratio"] == WIDE.ratio
    path = f"/api/v1/bias/findings/{finding.id}"
    accepted = (await http.post(path, json={"note": "They asked for it."})).json()
    assert (accepted["state"], accepted["settled_by"], accepted["note"]) == (
        "accepted",
        "per_ann",
        "They asked for it.",
    )
    assert (await http.post(path, json={})).status_code == 404
    assert (await http.get("/api/v1/bias")).json()["findings"] == 0
