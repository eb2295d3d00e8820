"""Engagement, wired: events in, decisions, messages out, and what is learned from them."""

import secrets
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import numpy as np
from fastapi import APIRouter
from starlette.types import ASGIApp

from frontdesk.app.reload import SECONDS as RELOAD_SECONDS
from frontdesk.app.reload import Reload
from frontdesk.app.store import Store
from frontdesk.app.work import Chores, Role, in_rounds
from frontdesk.channels.engagement.deciding import Deciding
from frontdesk.decision.approvals import Approvals
from frontdesk.decision.content.writer import Writer
from frontdesk.decision.engine import Engine
from frontdesk.decision.feedback import Feedback
from frontdesk.decision.intake import Intake
from frontdesk.decision.learning import Learner
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.outreach import Outreach
from frontdesk.decision.pacing import Pacing
from frontdesk.decision.policies import PolicySource, first
from frontdesk.decision.release import Release
from frontdesk.decision.settings import Effective, Settings
from frontdesk.engagement import Genes
from frontdesk.ports import Clock, Dispatcher, Ids, Job, Models, Outlet, Search
from frontdesk.store.customer_events import CustomerEvents
from frontdesk.store.customers import Customers
from frontdesk.store.database import Database
from frontdesk.store.decisions import Decisions
from frontdesk.store.learners import Learners
from frontdesk.store.logged import DecisionLog
from frontdesk.store.outreach import OutreachRows
from frontdesk.store.patterns import Patterns
from frontdesk.store.policies import Policies
from frontdesk.store.stories import Stories
from frontdesk.store.timeline import Timeline
from frontdesk.store.tunings import Tunings
from frontdesk.system.system import System
from frontdesk.work.kinds import Kind

SETTINGS_SECONDS = 1.0  # between two looks at what was set for a while


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The subjects of engagement in the database."""

    database: Database
    customers: Customers
    events: CustomerEvents
    timeline: Timeline
    decisions: Decisions
    stories: Stories
    outreach: OutreachRows
    policies: Policies
    patterns: Patterns


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """The parts of engagement, once there is somebody to hand work to."""

    work: Dispatcher
    intake: Intake
    engine: Engine
    outreach: Outreach
    approvals: Approvals
    feedback: Feedback
    deciding: Deciding


class Engagement:
    """Engagement of one desk, from `open_engagement`. `begin` sets it to work once there is a dispatcher."""

    def __init__(
        self,
        system: System,
        store: Store,
        rows: Rows,
        effective: Effective,
        writer: Writer,
        outlets: Mapping[str, Outlet],
        clock: Clock,
        ids: Ids,
    ) -> None:
        self.rows = rows
        self.effective = effective
        self.source = PolicySource(rows.policies, clock, cached=effective.options.cache_enabled)
        self._system = system
        self._store = store
        self._writer = writer
        self._outlets = outlets
        self._clock = clock
        self._ids = ids
        self._at_work: AtWork | None = None

    @property
    def settings(self) -> Settings:
        """Gives the section as it is in effect."""
        return lambda: self.effective.options

    @property
    def at_work(self) -> AtWork:
        """Its parts; after `begin`."""
        assert self._at_work is not None, "`begin` comes first"
        return self._at_work

    @property
    def kinds(self) -> Sequence[Kind]:
        """What workers do for it."""

        async def decide(event_id: str) -> None:
            await self.at_work.engine.on_event(event_id)

        async def send(outreach_id: str) -> None:
            await self.at_work.outreach.run(outreach_id)

        options = self.effective.options
        together = options.max_workers if options.parallel_execution else 1
        return (
            Kind(name="event", queue="general", run=decide, sweep=self.rows.events.due, parallel=256),
            Kind(name="outreach", queue="ml", run=send, sweep=self.rows.outreach.due, parallel=together, every=1),
        )

    async def begin(self, work: Dispatcher, role: Role, stack: AsyncExitStack) -> None:
        """Decide and send from now on."""
        database, clock, ids, settings, rows = self._store.database, self._clock, self._ids, self.settings, self.rows
        await rows.policies.start(first(ids.new("pol"), Genes(), clock.now()))
        feedback = Feedback(database, clock)
        approvals = Approvals(database, rows.outreach, rows.customers, settings, clock)
        release = Release(database, settings, clock, ids, self._outlets)
        chance = np.random.default_rng(secrets.randbits(128))
        engine = Engine(database, rows.events, self.source, settings, clock, ids, work, chance)
        self._at_work = AtWork(
            work=work,
            intake=Intake(database, clock, work, settings, feedback=feedback),
            engine=engine,
            outreach=Outreach(
                rows.outreach,
                rows.customers,
                self._writer,
                approvals,
                release,
                self._store.audit,
                settings,
                clock,
                work,
            ),
            approvals=approvals,
            feedback=feedback,
            deciding=Deciding(engine, settings),
        )
        await self.effective.refresh()
        await in_rounds(SETTINGS_SECONDS, self.effective.refresh, clock, stack)
        reload = Reload(self._system, self.effective.replace, self._store.audit)
        await in_rounds(RELOAD_SECONDS, reload.look, clock, stack)


def open_engagement(
    system: System,
    store: Store,
    models: Models,
    search: Search,
    outlets: Mapping[str, Outlet],
    chores: Chores,
    clock: Clock,
    ids: Ids,
) -> Engagement | None:
    """Engagement as the system file describes it; None where it is switched off."""
    options = system.section(EngagementOptions)
    if not options.enabled:
        return None
    database = store.database
    rows = Rows(
        database=database,
        customers=Customers(database, clock),
        events=CustomerEvents(database, clock),
        timeline=Timeline(database),
        decisions=Decisions(database),
        stories=Stories(database),
        outreach=OutreachRows(database, clock),
        policies=Policies(database, clock, ids),
        patterns=Patterns(database),
    )
    effective = Effective(options, Tunings(database, clock), clock, store.audit)
    writer = Writer(models, search, lambda: effective.options)
    engagement = Engagement(system, store, rows, effective, writer, outlets, clock, ids)
    _add_chores(chores, engagement, store, clock, ids)
    return engagement


def _add_chores(chores: Chores, engagement: Engagement, store: Store, clock: Clock, ids: Ids) -> None:
    """What it does by itself."""
    rows = engagement.rows
    pacing = Pacing(rows.customers, clock)
    learner = Learner(
        rows.policies,
        learners=Learners(store.database),
        decisions=DecisionLog(store.database),
        patterns=rows.patterns,
        settings=engagement.settings,
        clock=clock,
        ids=ids,
    )

    async def pace(_: Job) -> None:
        await pacing.run((await engagement.source.serving()).champion.genes)

    async def learn(_: Job) -> None:
        await learner.round()

    async def update(_: Job) -> None:
        await learner.update()

    chores.add("engagement.pacing", pace, "daily 02:30")
    chores.add("engagement.learn", learn, "every 30s")
    chores.add("engagement.update", update, "every 1h")


def engagement_hot(engagement: Engagement | None) -> Mapping[str, ASGIApp]:
    """The routes that are called past the framework, by path."""
    from frontdesk.channels.engagement.decisions import hot

    return {} if engagement is None else hot(engagement.at_work.deciding)


def engagement_routers(engagement: Engagement | None, clock: Clock) -> Sequence[APIRouter]:
    """The routes of engagement; none where it is switched off."""
    if engagement is None:
        return ()
    from frontdesk.channels.engagement import approvals, customers, decisions, events, in_app, outbox
    from frontdesk.delivery.in_app import InAppMessages
    from frontdesk.delivery.local import CustomerLetters

    rows, parts, settings = engagement.rows, engagement.at_work, engagement.settings
    database = rows.database
    return (
        events.router(parts.intake, clock),
        customers.router(rows.customers, rows.timeline, clock, settings),
        decisions.router(parts.deciding, rows.decisions, rows.stories, engagement.source, settings),
        approvals.router(parts.approvals, rows.outreach, database, parts.work),
        in_app.router(InAppMessages(database)),
        outbox.router(CustomerLetters(database)),
    )
