"""The rooms of a running desk, wired in the order in which they stand on each other."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from frontdesk.app.backups import open_backups
from frontdesk.app.door import Door, open_door
from frontdesk.app.inbox import Team, open_team
from frontdesk.app.keeping import add_retention
from frontdesk.app.mail import exits_of
from frontdesk.app.metrics import open_exposition
from frontdesk.app.nerves import Nerves, open_nerves
from frontdesk.app.outward import outward_client
from frontdesk.app.store import Store, open_store
from frontdesk.app.work import EVERYTHING, Chores, Role, Work, open_work, process_name
from frontdesk.channels.telegram.options import TelegramOptions
from frontdesk.clock import RandomIds, SystemClock
from frontdesk.conversation.converse import Conversation
from frontdesk.conversation.guardrails import Guards
from frontdesk.conversation.memory import PersonMemory
from frontdesk.conversation.options import ConversationOptions
from frontdesk.conversation.prompt import PromptWriter
from frontdesk.conversation.summary import Summaries
from frontdesk.conversation.turn import TurnParts
from frontdesk.decision.options import EngagementOptions
from frontdesk.delivery.delivery import WEBHOOK, Delivery, Sender, Webhook
from frontdesk.delivery.options import DeliveryOptions
from frontdesk.delivery.senders import customer_senders
from frontdesk.egress import Egress
from frontdesk.gate.options import GateOptions
from frontdesk.gate.signing import kept_secret
from frontdesk.knowledge.library import Library
from frontdesk.knowledge.options import EgressOptions, KnowledgeOptions
from frontdesk.knowledge.readers import read
from frontdesk.models.build import build as build_models
from frontdesk.models.options import ModelsOptions
from frontdesk.models.quote import QuoteModel
from frontdesk.ports import Clock, Embedder, Ids, Live, Models, Outlet
from frontdesk.system.options import HttpOptions, TelemetryOptions
from frontdesk.system.system import System
from frontdesk.telemetry.exposition import Exposition
from frontdesk.tools.approvals import Approvals
from frontdesk.tools.options import ToolsOptions
from frontdesk.tools.toolbox import Toolbox
from frontdesk.work.celery import CeleryBell
from frontdesk.work.kinds import Kind, Queue
from frontdesk.work.local import LocalWork

if TYPE_CHECKING:
    from frontdesk.app.engagement import Engagement
    from frontdesk.app.telegram import Telegram


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Keys of this desk: configured, or made at the first start and kept in its home."""

    desk: bytes
    access: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A desk at work."""

    system: System
    clock: Clock
    ids: Ids
    secrets: Secrets
    store: Store
    door: Door
    models: Models
    embedder: Embedder | None
    knowledge: Library
    toolbox: Toolbox
    approvals: Approvals
    converse: Conversation
    live: Live
    telegram: "Telegram | None"
    engagement: "Engagement | None"
    team: Team
    work: LocalWork
    bell: CeleryBell | None
    queues: Mapping[str, Queue]
    exposition: Exposition

    def asgi(self) -> ASGIApp:
        """The desk's HTTP face."""
        from frontdesk.app.http import application  # its imports take a while, and `frontdesk chat` needs none of them

        return application(self)

    def own_face(self) -> ASGIApp:
        """What a port answers that belongs to this process alone: whether it lives and can work, and its metrics."""
        from frontdesk.app.readiness import checks_of
        from frontdesk.channels.health import own_face

        measured = self.system.section(TelemetryOptions).metrics
        return own_face(checks_of(self), self.exposition if measured else None)

    async def owner_link(self, address: str) -> str:
        """A link, good once and for an hour, that signs in the owner at `address` (`http://127.0.0.1:8000`)."""
        return f"{address}/sign-in#token={await self.door.sign_in.owner_link_token()}"

    async def drain(self) -> None:
        """Take no new turns and let the running ones end, for as long as the system file allows."""
        await self.work.drain(self.system.section(HttpOptions).drain_seconds)


@asynccontextmanager
async def open_desk(
    system: System, *, role: Role = EVERYTHING, clock: Clock | None = None, ids: Ids | None = None
) -> AsyncGenerator[Desk]:
    """Open the database, bring its tables up to date and start every room; on the way out, drain and close them.

    `role` says which rows this process works on.

    Raises what the rooms raise at their start: `StoreUnavailable`, `BadSetting`, `MissingExtra`.
    """
    clock, ids = clock or SystemClock(), ids or RandomIds()
    async with AsyncExitStack() as stack:
        secrets = secrets_of(system)
        store = await open_store(system, secrets.desk, clock, ids, stack)
        library = await _knowledge(system, store, clock, stack)
        embedder = library.embedder
        models = build_models(
            system.section(ModelsOptions),
            clock=clock,
            ids=ids,
            embedder=embedder,
            ledger=store.calls,
            budget=store.budgets if store.budgets.caps else None,
            secret=system.variable,
        )
        stack.push_async_callback(models.close)
        toolbox = Toolbox(system.section(ToolsOptions), store.tool_ledger, clock)
        toolbox.start()
        stack.push_async_callback(toolbox.close)
        approvals = Approvals(
            store.approval_rows, clock, ids, seconds=system.section(ConversationOptions).approval_seconds
        )
        parts = _turn_parts(system, store, models, embedder, library, toolbox, approvals)
        nerves = await open_nerves(system, stack)
        chores = Chores()
        add_retention(chores, system, store, clock)
        await open_backups(system, secrets.desk, chores, store, clock, stack)
        door = open_door(system, store, secrets.access, clock, ids, stack)
        telegram: Telegram | None = None
        if system.section(TelegramOptions).enabled:  # a desk without a bot does not even import the channel
            from frontdesk.app.telegram import open_telegram

            telegram = open_telegram(system, store, door, models, secrets.desk, chores, clock, stack)
        channels = () if telegram is None else (telegram,)
        outlets = {channel.name: channel.outlet for channel in channels}
        senders = {channel.name: channel.sender for channel in channels}
        engagement: Engagement | None = None
        if system.section(EngagementOptions).enabled:  # the same
            from frontdesk.app.engagement import open_engagement

            engagement = open_engagement(
                system,
                store.database,
                store.audit,
                models,
                library,
                outlets,
                exits_of(system, secrets.desk),
                chores,
                clock,
                ids,
            )
        kinds = [_letters(system, store, senders, clock, stack), *(channel.kind for channel in channels)]
        if engagement is not None:
            kinds += engagement.kinds
        converse, work = await _work(system, role, parts, outlets, kinds, chores, nerves, store, clock, stack)
        if engagement is not None:
            await engagement.begin(work.local, role, stack)
        await work.local.start()
        if telegram is not None:
            await telegram.begin(converse, work.local, role, stack)
        desk = Desk(
            system=system,
            clock=clock,
            ids=ids,
            secrets=secrets,
            store=store,
            door=door,
            models=models,
            embedder=embedder,
            knowledge=library,
            toolbox=toolbox,
            approvals=approvals,
            converse=converse,
            live=nerves.live,
            telegram=telegram,
            engagement=engagement,
            team=open_team(store, parts, outlets, clock, ids),
            work=work.local,
            bell=work.bell,
            queues=work.queues,
            exposition=open_exposition(system, store, door.redis, clock, role=role.name),
        )
        try:
            yield desk
        finally:
            await desk.drain()


def secrets_of(system: System) -> Secrets:
    """The keys of this desk; those that are missing are made."""
    options = system.section(GateOptions)
    system.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Secrets(
        desk=kept_secret(options.secret_key.get_secret_value(), system.home / "secret.key"),
        access=kept_secret(options.jwt_secret_key.get_secret_value(), system.home / "jwt.key"),
    )


def library_of(system: System, store: Store, clock: Clock) -> Library:
    """The owner's knowledge, not started: it searches by words, and embeds and follows nothing by itself."""
    reach = system.section(EgressOptions)
    egress = Egress(allow=reach.allow, seconds=reach.seconds, largest=reach.largest)
    return Library(store.passages, egress, system.section(KnowledgeOptions), clock)


async def _knowledge(system: System, store: Store, clock: Clock, stack: AsyncExitStack) -> Library:
    library = library_of(system, store, clock)
    await library.open_embedder()
    await library.start()
    stack.push_async_callback(library.close)
    return library


async def _read_file(name: str, media_type: str, data: bytes) -> str:
    """The text of a file that somebody attached to a message. Raises `UnreadableDocument`."""
    _, reading = await asyncio.to_thread(read, data, name=name, media_type=media_type)
    return "\n\n".join(block.text for block in reading.blocks)


def _letters(system: System, store: Store, senders: Mapping[str, Sender], clock: Clock, stack: AsyncExitStack) -> Kind:
    options = system.section(DeliveryOptions)
    http = outward_client()
    stack.push_async_callback(http.aclose)
    own = {WEBHOOK: Webhook(http, options), **senders}
    delivery = Delivery(store.outbox, customer_senders(options, http, clock, own), options, clock)
    return Kind(name="letter", queue="general", run=delivery.deliver, sweep=store.outbox.due, parallel=32, every=1)


def _turn_parts(
    system: System,
    store: Store,
    models: Models,
    embedder: Embedder | None,
    library: Library,
    toolbox: Toolbox,
    approvals: Approvals,
) -> TurnParts:
    options = system.section(ConversationOptions)
    guards = Guards.build(options)
    return TurnParts(
        models=models,
        quote=QuoteModel("quote", embedder),
        search=library,
        toolbox=toolbox,
        approvals=approvals,
        memory=PersonMemory(store.memories, embedder),
        prompts=PromptWriter(store.files, _read_file, guards),
        summaries=Summaries(store.conversations, models),
        guards=guards,
        conversations=store.conversations,
        inbox=store.inbox,
        turns=store.turns,
        options=options,
    )


async def _work(
    system: System,
    role: Role,
    parts: TurnParts,
    outlets: Mapping[str, Outlet],
    kinds: Sequence[Kind],
    chores: Chores,
    nerves: Nerves,
    store: Store,
    clock: Clock,
    stack: AsyncExitStack,
) -> tuple[Conversation, Work]:
    """The room and the work that runs its turns: each needs the other, so the work looks the room up when it runs."""

    async def run(turn_id: str) -> None:
        await converse.run(turn_id)

    turns = Kind(name="turn", queue="ml", run=run, sweep=parts.turns.waiting, parallel=parts.options.parallel_turns)
    work = await open_work(system, role, [turns, *kinds], chores, store, clock, stack)
    converse = Conversation(
        parts, work.local, clock, process_name(), outlets=outlets, feeds=nerves.feeds, live=nerves.live
    )
    return converse, work
