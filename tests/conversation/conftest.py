"""A conversation room with everything round it under the test's control."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import pytest

from frontdesk.conversation.converse import Conversation
from frontdesk.conversation.feed import Feeds
from frontdesk.conversation.guardrails import Guards, ModerationGuard, PiiGuard, SecretsGuard
from frontdesk.conversation.memory import PersonMemory
from frontdesk.conversation.options import ConversationOptions, ModerationRule
from frontdesk.conversation.prompt import PromptWriter
from frontdesk.conversation.summary import Summaries
from frontdesk.conversation.turn import TurnParts
from frontdesk.errors import NotFound
from frontdesk.events import Inbound, Numbered
from frontdesk.messages import (
    Approval,
    Found,
    ModelEvent,
    ModelFacts,
    ModelHealth,
    ModelRequest,
    Passage,
    Person,
    Role,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from frontdesk.ports import Outlet
from frontdesk.store.conversations import Conversations
from frontdesk.store.database import Database
from frontdesk.store.files import Files
from frontdesk.store.inbox import Inbox
from frontdesk.store.memories import Memories
from frontdesk.store.people import People
from frontdesk.store.turns import Turns
from frontdesk.testing.clock import CountingIds, FakeClock
from frontdesk.work.kinds import Kind
from frontdesk.work.local import LocalWork

Script = Callable[[ModelRequest], AsyncIterator[ModelEvent]]


@dataclass
class PlayedModels:
    """A model that plays what the test wrote, and keeps what it was asked."""

    script: Script | None = None
    strength: str = "strong"
    asked: list[ModelRequest] = field(default_factory=list)
    name: str = "played"
    names: tuple[str, ...] = ("played",)

    @property
    def facts(self) -> ModelFacts:
        return ModelFacts(strength=self.strength, images=True)  # type: ignore[arg-type]

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        self.asked.append(request)
        assert self.script is not None
        async for event in self.script(request):
            yield event

    def model(self, name: str) -> "PlayedModels":
        return self

    def health(self) -> tuple[ModelHealth, ...]:
        return ()

    async def close(self) -> None:
        return None


@dataclass
class Shelf:
    """Knowledge that finds what the test put there."""

    found: Found = field(default_factory=lambda: Found(passages=(), confidence=0.0))

    async def search(self, question: str, *, limit: int = 6) -> Found:
        return self.found

    async def passage(self, passage_id: str) -> Passage:
        for passage in self.found.passages:
            if passage.id == passage_id:
                return passage
        raise NotFound("There is no such passage", where=passage_id)


@dataclass
class Tools:
    """A toolbox of the test's functions."""

    offered: tuple[ToolSpec, ...] = ()
    calls: list[ToolCall] = field(default_factory=list)
    answer: Callable[[ToolCall], str] = lambda call: "done"

    def specs(self) -> tuple[ToolSpec, ...]:
        return self.offered

    async def call(self, call: ToolCall, *, person_id: str) -> ToolResult:
        self.calls.append(call)
        return ToolResult(call_id=call.id, name=call.name, text=self.answer(call))


@dataclass
class Desk:
    """The room and the parts that tests look at."""

    converse: Conversation
    work: LocalWork
    turns: Turns
    conversations: Conversations
    memories: Memories
    files: Files
    models: PlayedModels
    quote: PlayedModels
    shelf: Shelf
    tools: Tools
    approvals: "Decisions"
    ada: Person
    bob: Person
    parts: TurnParts
    clock: FakeClock

    def said(self, text: str, key: str = "1", person: Person | None = None, **more: object) -> Inbound:
        return Inbound(channel="web", external_id=key, person_id=(person or self.ada).id, text=text, **more)  # type: ignore[arg-type]

    async def ask(self, text: str, key: str = "1", **more: object) -> list[Numbered]:
        """Say something and read the whole stream."""
        accepted = await self.converse.accept(self.said(text, key, **more))
        async with asyncio.timeout(30):
            return [item async for item in self.converse.follow(accepted.turn_id)]


@dataclass
class Decisions:
    """Approvals that the test decides beforehand."""

    state: str = "approved"
    used: set[str] = field(default_factory=set)
    asked: list[Approval] = field(default_factory=list)

    async def ask(self, turn_id: str, person_id: str, call: ToolCall) -> Approval:
        now = FakeClock().now()
        approval = Approval(
            id=f"approval-{len(self.asked)}",
            turn_id=turn_id,
            person_id=person_id,
            call_id=call.id,
            tool=call.name,
            arguments=call.arguments,
            digest=call.arguments,
            state=self.state,  # type: ignore[arg-type]
            created_at=now,
            expires_at=now,
        )
        self.asked.append(approval)
        return approval

    async def wait(self, approval_id: str) -> Approval:
        return next(approval for approval in self.asked if approval.id == approval_id)

    async def consume(self, approval_id: str, digest: str) -> bool:
        if approval_id in self.used:
            return False
        self.used.add(approval_id)
        return True

    async def withdraw(self, turn_id: str) -> None:
        return None


@pytest.fixture
async def desk(database: Database, clock: FakeClock, ids: CountingIds) -> AsyncGenerator[Desk]:
    desk = await make_desk(database, clock, ids, "process-a")
    await desk.work.start()
    yield desk
    await desk.work.drain(5)


async def make_desk(
    database: Database,
    clock: FakeClock,
    ids: CountingIds,
    name: str,
    *,
    outlets: Mapping[str, Outlet] | None = None,
    feeds: Feeds | None = None,
) -> Desk:
    people = People(database, clock, ids)
    turns, conversations = Turns(database, clock, ids), Conversations(database, clock)
    memories, files = Memories(database, clock, ids), Files(database, clock, ids)
    models, quote, shelf, tools, approvals = PlayedModels(), PlayedModels(name="quote"), Shelf(), Tools(), Decisions()
    rules = [ModerationRule(pattern=r"\bforbidden\b", reply="I do not talk about that.")]
    guards = Guards([SecretsGuard(), PiiGuard(), ModerationGuard(rules)])

    async def read_file(name: str, media_type: str, data: bytes) -> str:
        return data.decode()

    parts = TurnParts(
        models=models,
        quote=quote,
        search=shelf,
        toolbox=tools,
        approvals=approvals,
        memory=PersonMemory(memories, None),
        prompts=PromptWriter(files, read_file, guards),
        summaries=Summaries(conversations, models),
        guards=guards,
        conversations=conversations,
        inbox=Inbox(database, clock, ids),
        turns=turns,
        options=ConversationOptions(most_waiting=20),
    )
    rooms: list[Conversation] = []
    kind = Kind(name="turn", queue="ml", run=lambda turn_id: rooms[0].run(turn_id), sweep=turns.waiting)
    work = LocalWork([kind], clock)
    rooms.append(Conversation(parts, work, clock, name, outlets=outlets, feeds=feeds))
    known = {row.name: row.person for row in await people.page()}
    ada = known.get("Ada") or (await people.add(name="Ada", role=Role.MEMBER)).person
    bob = known.get("Bob") or (await people.add(name="Bob", role=Role.MEMBER)).person
    return Desk(
        rooms[0],
        work,
        turns,
        conversations,
        memories,
        files,
        models,
        quote,
        shelf,
        tools,
        approvals,
        ada,
        bob,
        parts,
        clock,
    )
