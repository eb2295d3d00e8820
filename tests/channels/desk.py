"""A desk for the channels' tests: the real store and routes, a scripted conversation, a loopback server."""

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import httpx2
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from frontdesk.api import errors
from frontdesk.api.views import Shelf
from frontdesk.channels.openai_api.routes import routes
from frontdesk.channels.web import approvals, chat, conversations, files, live, memories, opinions, passages, usage
from frontdesk.conversation.live import LiveNews
from frontdesk.errors import NotFound
from frontdesk.events import Accepted, Finished, Inbound, Numbered, Started, TextAdded, TurnEvent
from frontdesk.gate.caller import CALLER
from frontdesk.messages import Approval, Caller, Grounding, Passage, PassageContext, Person, Role, Usage
from frontdesk.models.member import Member
from frontdesk.models.router import Router
from frontdesk.models.scripted import Rule, ScriptedModel
from frontdesk.ports import Clock, Ids
from frontdesk.store.budgets import Budgets
from frontdesk.store.calls import Calls
from frontdesk.store.conversations import Conversations
from frontdesk.store.database import Database
from frontdesk.store.feedback import Feedback
from frontdesk.store.files import Files
from frontdesk.store.handoffs import Handoffs
from frontdesk.store.inbox import Inbox
from frontdesk.store.memories import Memories
from frontdesk.store.people import People, people
from frontdesk.store.requests import Requests
from frontdesk.store.rows import Rows
from frontdesk.store.surveys import Surveys
from frontdesk.store.turns import Outcome, Turns, is_last
from frontdesk.testing.desk import PLAIN

PEOPLE = {
    "ann": Person(id="per_ann", name="Ann", role=Role.MEMBER),
    "ben": Person(id="per_ben", name="Ben", role=Role.MEMBER),
}


async def add_people(database: Database) -> None:
    """The rows of `PEOPLE`."""

    async def work(connection: sa.ext.asyncio.AsyncConnection) -> None:
        rows = [
            {"id": one.id, "name": one.name, "role": one.role, "created_at": sa.func.now()} for one in PEOPLE.values()
        ]
        for row in rows:
            await connection.execute(people.insert().values(row))

    await database.commit(work)


class ScriptedConversation:
    """A `Converse` on real rows: each turn says `script`, then finishes; while `held`, only after `go_on`."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self.inbox = Inbox(database, clock, ids)
        self.turns = Turns(database, clock, ids)
        self.script: list[TurnEvent] = [TextAdded(text="We open "), TextAdded(text="at nine.")]
        self.held = False
        self.accepted: list[Inbound] = []
        self.stopped: list[str] = []
        self._clock = clock
        self._steps: asyncio.Queue[None] = asyncio.Queue()
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, inbound: Inbound) -> Accepted:
        accepted = await self.inbox.accept(inbound)
        if accepted.is_new:
            self.accepted.append(inbound)
            self._tasks.add(asyncio.create_task(self._run(accepted)))
        return accepted

    async def follow(self, turn_id: str, *, after: int = 0) -> AsyncIterator[Numbered]:
        while True:
            async with self._changed:
                fresh = await self.turns.events(turn_id, after)
                if not fresh:
                    await self._changed.wait()
                    continue
            for numbered in fresh:
                yield numbered
                after = numbered.seq
                if is_last(numbered.event):
                    return

    async def stop(self, turn_id: str) -> None:
        self.stopped.append(turn_id)

    def go_on(self, steps: int = 1) -> None:
        """Let a held turn say its next events."""
        for _ in range(steps):
            self._steps.put_nowait(None)

    async def close(self) -> None:
        """End the turns that still wait."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, accepted: Accepted) -> None:
        lease = await self.turns.claim("test", 60, accepted.turn_id)
        assert lease is not None
        names = ("turn_id", "conversation_id", "message_id", "reply_id")
        started = Started(**{name: getattr(accepted, name) for name in names})
        said: list[TurnEvent] = [started, *self.script]
        for seq, event in enumerate(said, 1):
            await self._held_back()
            await self.turns.append(lease, [self._numbered(seq, event)])
            await self._tell()
        finished = Finished(
            reply_id=accepted.reply_id,
            grounding=Grounding.SOURCED,
            model="scripted",
            usage=Usage(prompt_tokens=7, completion_tokens=5),
            reason="stop",
        )
        text = "".join(event.text for event in self.script if isinstance(event, TextAdded))
        outcome = Outcome(text=text, state="complete", grounding=Grounding.SOURCED, model="scripted")
        await self._held_back()
        await self.turns.finish(lease, [self._numbered(len(said) + 1, finished)], outcome)
        await self._tell()

    async def _held_back(self) -> None:
        if self.held:
            await self._steps.get()

    def _numbered(self, seq: int, event: TurnEvent) -> Numbered:
        return Numbered(seq=seq, event=event, at=self._clock.now())

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class OneBook:
    """A library that holds one passage."""

    async def passage(self, passage_id: str) -> Passage:
        if passage_id != "pas_hours":
            raise NotFound("There is no such passage", where=passage_id)
        return Passage(
            id=passage_id,
            document_id="doc_1",
            title="Hours",
            source="hours.md",
            heading="Week",
            text="We open at nine.",
            start=9,
            end=25,
        )

    async def context(self, passage_id: str) -> PassageContext:
        return PassageContext(passage=await self.passage(passage_id), before="# Hours\n", after="\nWe close at six.")


class NoApprovals:
    """Nothing waits."""

    async def pending(self, person_id: str) -> list[Approval]:
        return []

    async def decide(self, approval_id: str, person_id: str, *, approve: bool, digest: str) -> Approval:
        raise NotFound("There is no such approval", where=approval_id)


class KnownByName:
    """Stands where the gate stands: `Authorization: Bearer ann` is Ann."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            name = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1").removeprefix("Bearer ")
            if name in PEOPLE:
                scope[CALLER] = Caller(person=PEOPLE[name], credential="key", credential_id="key_1")
        await self._app(scope, receive, send)


def native_app(database: Database, clock: Clock, ids: Ids, converse: ScriptedConversation) -> FastAPI:
    """The native API over `database`."""
    app = FastAPI(title="Frontdesk", openapi_url="/api/v1/openapi.json")
    errors.install(app)
    app.add_middleware(KnownByName)
    stored, opinions_held = Conversations(database, clock), Feedback(database, clock)
    uploads = Files(database, clock, ids)
    surveys = Surveys(database, clock)
    shelf = Shelf(stored, converse.turns, uploads, opinions_held, People(database, clock, ids), surveys)
    for router in (
        chat.router(converse, converse.turns, stored, shelf, ids),
        conversations.router(stored, shelf),
        live.router(stored, surveys, LiveNews()),
        opinions.router(opinions_held, Handoffs(database, clock, ids)),
        files.router(uploads, max_bytes=100_000),
        memories.router(Memories(database, clock, ids), None),
        usage.router(Calls(database, Rows(database), clock, ids), Budgets(database, clock, ids, ())),
        passages.router(OneBook()),
        approvals.router(NoApprovals()),
    ):
        app.include_router(router)
    return app


class WordCounter:
    """An embedder of two dimensions: words and characters."""

    name = "counter"
    dimensions = 2

    async def embed_query(self, text: str) -> bytes:
        return struct.pack("<2f", len(text.split()), len(text))

    async def embed_passages(self, texts: list[str]) -> list[bytes]:
        return [await self.embed_query(text) for text in texts]


class Bench(NamedTuple):
    """The OpenAI-compatible API with what stands behind it."""

    app: Starlette
    model: ScriptedModel
    calls: Calls


def openai_app(
    database: Database, clock: Clock, ids: Ids, converse: ScriptedConversation, rules: Sequence[Rule]
) -> Bench:
    """The OpenAI-compatible API over `database`; the model `scripted` says what `rules` tell it."""
    rows = Rows(database)
    model, calls = ScriptedModel(rules=rules, clock=clock), Calls(database, rows, clock, ids)
    every = routes(
        converse,
        Conversations(database, clock),
        Router([Member(model, clock=clock)], clock=clock, ledger=calls),
        WordCounter(),
        Requests(rows, clock, ids),
        Files(database, clock, ids),
        clock,
        ids,
    )
    return Bench(Starlette(routes=every, middleware=[Middleware(KnownByName)]), model, calls)


def client(address: str, name: str = "ann") -> httpx2.AsyncClient:
    """A client that the desk knows as `name`."""
    return httpx2.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {name}"}, timeout=20, verify=PLAIN)
