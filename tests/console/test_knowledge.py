"""Knowledge over HTTP, through the real gate."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
import pytest
from fastapi import FastAPI

from frontdesk.api import errors
from frontdesk.clock import RandomIds
from frontdesk.console import knowledge as knowledge_routes
from frontdesk.egress import Egress
from frontdesk.gate.options import GateOptions
from frontdesk.knowledge.library import Library
from frontdesk.knowledge.options import KnowledgeOptions
from frontdesk.messages import Role
from frontdesk.store.database import Database
from frontdesk.store.passages import Passages
from frontdesk.testing.clock import FakeClock
from frontdesk.testing.serve import serve
from tests.gate.desk import GateDesk

DOCUMENTS = "/api/v1/knowledge/documents"
HOURS = b"# Hours\n\nThe desk opens at nine and closes at five."


class KnowledgeDesk:
    """The real gate and library behind the real routes."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.gate = GateDesk(database, clock, GateOptions(rate_limit_enabled=False))
        options = KnowledgeOptions(own_documentation=False)
        shelf = Passages(database, clock, RandomIds())
        self.library = Library(shelf, Egress(), options, clock, make_embedder=lambda: None)
        self.strong = False
        app = FastAPI(openapi_url=None)
        errors.install(app)
        app.include_router(
            knowledge_routes.router(
                self.library, largest=100_000, quote_confidence=0.5, has_strong_model=lambda: self.strong
            )
        )
        self.app = self.gate.gate(app)

    @asynccontextmanager
    async def as_somebody(self, role: Role) -> AsyncGenerator[httpx2.AsyncClient]:
        headers = await self.gate.token(await self.gate.person(role))
        async with serve(self.app) as address, httpx2.AsyncClient(base_url=address, headers=headers) as client:
            yield client


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> KnowledgeDesk:
    return KnowledgeDesk(database, clock)


async def test_an_operator_adds_tries_lists_and_removes_a_document(desk: KnowledgeDesk) -> None:
    async with desk.as_somebody(Role.OPERATOR) as client:
        added = await client.post(DOCUMENTS, files={"file": ("hours.md", HOURS, "text/markdown")})
        assert added.status_code == 201, added.text
        assert (added.json()["title"], added.json()["passages"]) == ("Hours", 1)
        again = await client.post(DOCUMENTS, files={"file": ("hours.md", HOURS, "text/markdown")})
        assert again.json()["id"] == added.json()["id"]
        tried = (await client.post("/api/v1/knowledge/try", json={"question": "When does the desk close?"})).json()
        assert "closes at five" in tried["passages"][0]["text"]
        assert tried["would"] == "quote"
        desk.strong = True
        tried = (await client.post("/api/v1/knowledge/try", json={"question": "When does the desk close?"})).json()
        assert tried["would"] == "answer"
        unknown = (await client.post("/api/v1/knowledge/try", json={"question": "Which zeppelin crossed?"})).json()
        assert (unknown["would"], unknown["passages"]) == ("not_known", [])
        assert (await client.delete(f"{DOCUMENTS}/{added.json()['id']}")).status_code == 204
        assert (await client.delete(f"{DOCUMENTS}/{added.json()['id']}")).status_code == 404
        listed = (await client.get(DOCUMENTS)).json()
        assert (listed["items"], listed["next"]) == ([], None)


async def test_documents_come_page_by_page_and_filtered(desk: KnowledgeDesk) -> None:
    for name in ("alpha", "beta", "gamma"):
        await desk.library.add_upload(f"{name}.txt", "", name.encode())
    async with desk.as_somebody(Role.OWNER) as client:
        first = (await client.get(DOCUMENTS, params={"limit": 2})).json()
        second = (await client.get(DOCUMENTS, params={"limit": 2, "cursor": first["next"]})).json()
        titles = [item["title"] for item in first["items"] + second["items"]]
        assert (sorted(titles), second["next"]) == (["alpha", "beta", "gamma"], None)
        found = (await client.get(DOCUMENTS, params={"query": "BET"})).json()
        assert [item["title"] for item in found["items"]] == ["beta"]


@pytest.mark.proves("abuse-6")
@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "file:///etc/passwd", "http://10.0.0.1\\@1.1.1.1/"])
async def test_an_inner_address_is_refused_with_its_code(url: str, desk: KnowledgeDesk) -> None:
    async with desk.as_somebody(Role.OPERATOR) as client:
        refused = await client.post(DOCUMENTS, json={"url": url})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "address_refused")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"files": {"file": ("big.txt", b"x" * 100_001)}}, 413, "too_large"),
        ({"files": {"file": ("broken.docx", b"PK\x03\x04")}}, 422, "unreadable_document"),
        ({"files": {"file": ("a.png", b"\x89PNG", "image/png")}}, 422, "unreadable_document"),
        ({"files": {"file": ("empty.txt", b"")}}, 422, "unprocessable"),
        ({"files": {"other": ("a.txt", b"words")}}, 422, "unprocessable"),
        ({"json": {}}, 422, "unprocessable"),
        ({"json": {"url": "http://x.example", "more": 1}}, 422, "unprocessable"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 422, "unprocessable"),
        ({"content": b"words", "headers": {"content-type": "text/plain"}}, 400, "bad_request"),
    ],
)
async def test_what_cannot_be_a_document_is_refused(
    body: dict[str, object], status: int, code: str, desk: KnowledgeDesk
) -> None:
    async with desk.as_somebody(Role.OPERATOR) as client:
        answer = await client.post(DOCUMENTS, **body)  # pyright: ignore[reportArgumentType]
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert await desk.library.documents() == []


async def test_a_member_may_not_see_or_change_the_knowledge(desk: KnowledgeDesk) -> None:
    async with desk.as_somebody(Role.MEMBER) as client:
        assert (await client.get(DOCUMENTS)).status_code == 403
        assert (await client.post(DOCUMENTS, files={"file": ("a.txt", b"words")})).status_code == 403
        assert (await client.post("/api/v1/knowledge/try", json={"question": "x"})).status_code == 403
