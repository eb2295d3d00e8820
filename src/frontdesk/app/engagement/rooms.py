"""The rooms of engagement: opened before there is anybody to hand work to, at work from `begin` on."""

import secrets
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import numpy as np

from frontdesk.app.engagement.rows import rows_of
from frontdesk.app.reload import SECONDS as RELOAD_SECONDS
from frontdesk.app.reload import Reload
from frontdesk.app.work import Chores, Role, in_rounds
from frontdesk.channels.engagement.deciding import Deciding
from frontdesk.decision import policies as snapshots
from frontdesk.decision.approvals import Approvals
from frontdesk.decision.comparing import Comparing
from frontdesk.decision.content.writer import Writer
from frontdesk.decision.engine import Engine
from frontdesk.decision.evolving import Evolving, search_of
from frontdesk.decision.fairness import Fairness
from frontdesk.decision.feedback import Feedback
from frontdesk.decision.guard import Guard
from frontdesk.decision.intake import Intake
from frontdesk.decision.learning import Learner
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.outreach import Outreach
from frontdesk.decision.overruling import Overruling
from frontdesk.decision.pacing import Pacing
from frontdesk.decision.policies import PolicySource
from frontdesk.decision.release import Release
from frontdesk.decision.settings import Effective, Settings
from frontdesk.decision.simulation.demo import Demo
from frontdesk.decision.together import policy_of
from frontdesk.delivery.options import DeliveryOptions
from frontdesk.engagement import Exits
from frontdesk.ports import Clock, Dispatcher, Ids, Job, Models, Outlet, Search
from frontdesk.store.audit import Audit
from frontdesk.store.database import Database
from frontdesk.store.evolutions import JOB as EVOLVE
from frontdesk.system.system import System
from frontdesk.telemetry import metrics
from frontdesk.work.kinds import Kind

SETTINGS_SECONDS = 1.0  # between two looks at what was set for a while
GUARD_SECONDS = 10.0
DEMO_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """The rooms that hand work on."""

    work: Dispatcher
    intake: Intake
    engine: Engine
    outreach: Outreach
    deciding: Deciding
    evolving: Evolving


class Engagement:
    """Engagement of one desk. `begin` sets it to work once there is a dispatcher."""

    def __init__(
        self,
        system: System,
        database: Database,
        audit: Audit,
        models: Models,
        search: Search,
        outlets: Mapping[str, Outlet],
        exits: Exits,
        clock: Clock,
        ids: Ids,
    ) -> None:
        options = system.section(EngagementOptions)
        search_of(options)  # what cannot be loaded is told at the start
        self.rows = rows = rows_of(database, clock, ids)
        self.effective = Effective(options, rows.tunings, clock, audit)
        self.source = PolicySource(rows.policies, clock, cached=lambda: self.effective.options.cache_enabled)
        self.feedback = Feedback(database, clock)
        self.approvals = Approvals(database, rows.outreach, rows.customers, self.settings, exits, clock)
        self.overruling = Overruling(database, rows.decisions, self.source, self.settings, clock, ids)
        self.learner = Learner(
            rows.policies,
            learners=rows.learners,
            decisions=rows.log,
            patterns=rows.patterns,
            settings=self.settings,
            clock=clock,
            ids=ids,
        )
        self.comparing = Comparing(rows.log, self.source, self.settings)
        self.guard = Guard(rows.evidence, rows.policies, rows.evolutions, self.settings, audit, clock)
        self.fairness = Fairness(rows.gaps, self.settings, clock, audit)
        self._pacing = Pacing(rows.customers, clock)
        self._release = Release(database, self.settings, exits, clock, ids, _written(system, outlets))
        self._writer = Writer(models, search, self.settings)
        self._reload = Reload(system, self.effective.replace, audit)
        self._shows = options.demo and system.environment == "development"
        self._audit = audit
        self._clock = clock
        self._ids = ids
        self._at_work: AtWork | None = None

    @property
    def settings(self) -> Settings:
        """Gives the section as it is in effect."""
        return lambda: self.effective.options

    @property
    def at_work(self) -> AtWork:
        """The rooms that hand work on; after `begin`."""
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

    def add_chores(self, chores: Chores) -> None:
        """What it does by itself."""

        async def pace(_: Job) -> None:
            served, options, now = await self.source.serving(), self.settings(), self._clock.now()
            await self._pacing.run(lambda customer: policy_of(served, options, customer, now).genes)

        async def learn(_: Job) -> None:
            await self.learner.round()

        async def update(_: Job) -> None:
            await self.learner.update()

        async def evolve(job: Job) -> None:
            await self.at_work.evolving.run(job)

        async def ask_to_evolve(job: Job) -> None:
            await self.at_work.evolving.on_schedule(job)

        async def compare_groups(_: Job) -> None:
            await self.fairness.look()

        chores.add("engagement.pacing", pace, "daily 02:30")
        chores.add("engagement.learn", learn, "every 30s")
        chores.add("engagement.update", update, "every 1h")
        chores.add(EVOLVE, evolve)
        chores.add("engagement.evolution", ask_to_evolve, "daily 05:00")
        chores.add("engagement.bias", compare_groups, "every 1h")

    async def begin(self, work: Dispatcher, role: Role, stack: AsyncExitStack) -> None:
        """Decide and send from now on."""
        rows, clock, ids, settings = self.rows, self._clock, self._ids, self.settings
        await snapshots.begin(rows.policies, ids, clock.now())
        await self.effective.refresh()
        chance = np.random.default_rng(secrets.randbits(128))
        engine = Engine(
            rows.database, rows.events, self.source, settings, clock, ids, work, chance, watch=self.guard.note
        )
        evolving = Evolving(rows.evolutions, rows.policies, rows.log, settings, clock, ids, work)
        self._at_work = AtWork(
            work=work,
            intake=Intake(rows.database, clock, work, settings, feedback=self.feedback),
            engine=engine,
            outreach=Outreach(
                rows.outreach,
                rows.customers,
                self._writer,
                self.approvals,
                self._release,
                self._audit,
                settings,
                clock,
                work,
            ),
            deciding=Deciding(engine, settings),
            evolving=evolving,
        )

        made = metrics.decision_confidence.count

        async def watch_over() -> None:  # each process counts its own decisions, and their failures
            nonlocal made
            before, made = made, metrics.decision_confidence.count
            metrics.decisions_per_second.set((made - before) / GUARD_SECONDS)
            await self.guard.look()
            await evolving.publish()
            await self.fairness.publish()
            await self.learner.publish()

        await in_rounds(SETTINGS_SECONDS, self.effective.refresh, clock, stack)
        await in_rounds(RELOAD_SECONDS, self._reload.look, clock, stack)
        await in_rounds(GUARD_SECONDS, watch_over, clock, stack)
        if self._shows and role.name == "all":
            await self._show(self._at_work.intake, stack)

    async def _show(self, intake: Intake, stack: AsyncExitStack) -> None:
        """Let customers who do not exist live with an empty desk, in its only process."""
        demo = Demo(self.rows.database, intake, self.feedback, self.settings, self._clock, self._ids)
        is_filled = False

        async def live() -> None:
            nonlocal is_filled
            if not is_filled:
                await demo.fill()
                is_filled = True
            await demo.step()

        await in_rounds(DEMO_SECONDS, live, self._clock, stack)


def open_engagement(
    system: System,
    database: Database,
    audit: Audit,
    models: Models,
    search: Search,
    outlets: Mapping[str, Outlet],
    exits: Exits,
    chores: Chores,
    clock: Clock,
    ids: Ids,
) -> Engagement:
    """Engagement as the system file describes it."""
    engagement = Engagement(system, database, audit, models, search, outlets, exits, clock, ids)
    engagement.add_chores(chores)
    return engagement


def _written(system: System, outlets: Mapping[str, Outlet]) -> Mapping[str, Outlet]:
    """The channels that reach customers by letters in a form of their own."""
    options = system.section(DeliveryOptions)
    return {name: outlet for name, outlet in outlets.items() if name == "telegram" and options.adapter(name) == name}
