"""Searches for better strategies: each step of evolution with what it found, and what became of its winner."""

from datetime import datetime
from typing import Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import EvolutionRunning, NotFound
from frontdesk.ports import Clock, Ids
from frontdesk.store.cursors import seen
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.jobs import jobs, put
from frontdesk.store.typed import Typed

JOB = "engagement.evolve"

EvolutionState = Literal["running", "failed", "refused", "shadow", "canary", "champion", "rolled_back", "ended"]
TRIED = ("shadow", "canary")  # states in which a winner has its trial


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """The fitness of one round's population: the best one's and the mean."""

    best: float
    mean: float


class GeneChange(msgspec.Struct, frozen=True, kw_only=True):
    """A gene in which the winner differs from its parent, and how much fitness is lost without the change."""

    gene: str
    before: float | str
    after: float | str
    worth: float


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found, in units of one conversion a decision.

    `fitness` is the winner's on the slice of the log that it was chosen on, `held_out` on the slice that nobody saw;
    the parent's are found in the same way. `gain` with its bounds is the winner's advantage there, person by person.
    `load` is the share of decisions that send a message, `harm` the share that drives somebody away.
    """

    rounds: tuple[Round, ...] = ()
    tried: int = 0
    decisions: int = 0
    held_out_decisions: int = 0
    fitness: float = 0.0
    held_out: float = 0.0
    parent_fitness: float = 0.0
    parent_held_out: float = 0.0
    gain: float = 0.0
    gain_low: float = 0.0
    gain_high: float = 0.0
    load: float = 0.0
    parent_load: float = 0.0
    harm: float = 0.0
    parent_harm: float = 0.0
    changes: tuple[GeneChange, ...] = ()

    @property
    def gap(self) -> float:
        """How much better the winner looked where it was chosen than where nobody had looked."""
        return self.fitness - self.held_out


evolutions = sa.Table(
    "evolutions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("parent_id", sa.Text, nullable=False),
    sa.Column("policy_id", sa.Text, index=True),
    sa.Column("found", Typed[Found](Found), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("changed_at", UtcDateTime, nullable=False),
    sa.Index("ix_evolutions_created_at_id", "created_at", "id"),
    sa.Index(
        "uq_evolutions_running",
        "state",
        unique=True,
        postgresql_where=sa.text("state = 'running'"),
        sqlite_where=sa.text("state = 'running'"),
    ),
)


class Evolution(msgspec.Struct, frozen=True, kw_only=True):
    """A step of evolution. `policy_id` is its winner's first snapshot, `actor` who asked for it (empty: the desk)."""

    id: str
    job_id: str
    state: EvolutionState
    generation: int
    seed: int
    actor: str
    parent_id: str
    policy_id: str | None = None
    found: Found = Found()
    note: str = ""
    created_at: datetime
    changed_at: datetime


class Evolutions:
    """The steps of this desk. One runs at a time."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def begin(self, parent_id: str, seed: int, actor: str = "") -> Evolution:
        """Write a step and the job that does it, in one transaction. Raises `EvolutionRunning`."""
        now, step_id, job_id = self._clock.now(), self._ids.new("evolution"), self._ids.new("job")
        working = sa.select(jobs.c.id).where(jobs.c.state.in_(("waiting", "running")))
        left = evolutions.update().where(evolutions.c.state == "running", evolutions.c.job_id.not_in(working))

        async def work(connection: AsyncConnection) -> Evolution:
            await connection.execute(left.values(state="failed", note="Its job ended without a result", changed_at=now))
            last = await connection.execute(sa.select(sa.func.max(evolutions.c.generation)))
            step = Evolution(
                id=step_id,
                job_id=job_id,
                state="running",
                generation=(last.scalar() or 0) + 1,
                seed=seed,
                actor=actor,
                parent_id=parent_id,
                created_at=now,
                changed_at=now,
            )
            await connection.execute(evolutions.insert(), msgspec.structs.asdict(step))
            await put(connection, job_id, now, JOB, msgspec.json.encode({"evolution": step_id}).decode())
            return step

        try:
            return await self._database.commit(work)
        except IntegrityError as error:
            raise EvolutionRunning("A step of evolution is running already") from error

    async def get(self, evolution_id: str) -> Evolution:
        """Raises `NotFound`."""
        async with self._database.read() as connection:
            row = (await connection.execute(evolutions.select().where(evolutions.c.id == evolution_id))).mappings()
            found = row.one_or_none()
        if found is None:
            raise NotFound("There is no such step of evolution", where=evolution_id, hint="frontdesk evolution list")
        return Evolution(**found)

    async def page(self, *, cursor: str | None = None, limit: int = 50) -> list[Evolution]:
        """The newest first."""
        query = evolutions.select().order_by(evolutions.c.created_at.desc(), evolutions.c.id.desc()).limit(limit)
        if cursor:
            query = query.where(sa.tuple_(evolutions.c.created_at, evolutions.c.id) < seen(cursor))
        async with self._database.read() as connection:
            return [Evolution(**row) for row in (await connection.execute(query)).mappings()]

    async def settle(
        self, evolution_id: str, state: EvolutionState, *, found: Found, note: str, policy_id: str | None = None
    ) -> bool:
        """Write down what the search found; False when somebody has written that before."""
        change = evolutions.update().where(evolutions.c.id == evolution_id, evolutions.c.state == "running")
        return await self._change(change, state=state, found=found, note=note, policy_id=policy_id)

    async def became(self, strategy: str, state: EvolutionState, note: str) -> bool:
        """The winner of that name is somewhere else now; False when it had no trial."""
        change = evolutions.update().where(evolutions.c.policy_id == strategy, evolutions.c.state.in_(TRIED))
        return await self._change(change, state=state, note=note)

    async def latest(self) -> Evolution | None:
        """The newest step that has ended; None before the first."""
        query = evolutions.select().where(evolutions.c.state != "running").order_by(evolutions.c.generation.desc())
        async with self._database.read() as connection:
            row = (await connection.execute(query.limit(1))).mappings().one_or_none()
        return None if row is None else Evolution(**row)

    async def _change(self, change: sa.Update, **values: object) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(change.values(**values, changed_at=self._clock.now()))).rowcount > 0

        return await self._database.commit(work)
