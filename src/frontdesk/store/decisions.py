"""What was decided about customers: a row each, written once, in which the outcome is filled in later.

What is looked for has columns; the rest, by which a decision is explained, learned from and made again, is one record
(msgpack).
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import cast

import msgspec
import sqlalchemy as sa

from frontdesk.engagement import Contribution, Decision, DecisionState, Mask, Objective
from frontdesk.errors import NotFound
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.prepared import Connection, Prepared, Row, among

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("customer_id", sa.Text, nullable=False),  # no reference: it would cost each decision a look-up
    sa.Column("event_id", sa.Text),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("policy_id", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("segment", sa.Text, nullable=False),
    sa.Column("objective", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("arm", sa.Text, nullable=False),
    sa.Column("channel", sa.Text),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("risk", sa.Float, nullable=False),
    sa.Column("propensity", sa.Float, nullable=False),
    sa.Column("human", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("record", sa.LargeBinary, nullable=False),
    sa.Column("outcome_due_at", UtcDateTime),
    sa.Column("reward", sa.Float),
    sa.Column("settled_at", UtcDateTime),
    sa.Index("ix_decisions_customer_id_at", "customer_id", "at"),
    sa.Index(
        "uq_decisions_event_id",
        "event_id",
        unique=True,
        postgresql_where=sa.text("event_id IS NOT NULL"),
        sqlite_where=sa.text("event_id IS NOT NULL"),
    ),
    sa.Index(
        "ix_decisions_outcome_due_at",
        "outcome_due_at",
        postgresql_where=sa.text("settled_at IS NULL"),
        sqlite_where=sa.text("settled_at IS NULL"),
    ),
    sa.Index(
        "ix_decisions_settled_at",
        "settled_at",
        postgresql_where=sa.text("settled_at IS NOT NULL"),
        sqlite_where=sa.text("settled_at IS NOT NULL"),
    ),
)


class Record(msgspec.Struct, frozen=True, array_like=True):
    """What a decision needs beside its columns. New fields come last and have a default, so that old rows are read."""

    seed: int
    eligible: tuple[str, ...]
    probabilities: tuple[float, ...]
    features: tuple[float, ...]
    features_digest: str
    masks: tuple[tuple[str, str, int], ...]
    contributions: tuple[tuple[str, float, float], ...]
    runner_up: str | None
    send_at: datetime | None
    reasons: tuple[str, ...]
    floor: float = 0.0
    arms_digest: str = ""


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Record)
_IN_COLUMNS = (
    *("id", "customer_id", "event_id", "at", "policy_id", "role", "segment", "objective", "state", "arm", "channel"),
    *("confidence", "risk", "propensity", "human"),
)
WHOLE = tuple(decisions.c[name] for name in (*_IN_COLUMNS, "record"))  # what `decision_of` needs

_ADD = Prepared(decisions.insert(), (*_IN_COLUMNS, "record", "outcome_due_at"))
_OF_EVENTS = Prepared(sa.select(*WHOLE).where(among(decisions.c.event_id, "events")))
_ONE = Prepared(sa.select(*WHOLE).where(decisions.c.id == sa.bindparam("which")))
_BY_A_PERSON = Prepared(decisions.update().where(decisions.c.id == sa.bindparam("which")).values(human=sa.true()))


def decode(record: bytes) -> Record:
    """What the column `record` holds."""
    return _decoder.decode(record)


async def add(connection: Connection, made: Sequence[tuple[Decision, datetime | None]]) -> None:
    """Write decisions in the caller's transaction, each with the moment at which its outcome is settled.

    A second one of the same event is the database's error (`IntegrityError`).
    """
    await _ADD.pour(connection, [_row(decision, due_at) for decision, due_at in made])


async def of_events(connection: Connection, event_ids: Collection[str]) -> dict[str, Decision]:
    """What was decided already, by event."""
    found = [decision_of(row) for row in await _OF_EVENTS(connection, {"events": event_ids})]
    return {decision.event_id: decision for decision in found if decision.event_id is not None}


async def mark_human(connection: Connection, decision_id: str) -> None:
    """A person has changed what the policy chose, so the outcome teaches nothing about the policy."""
    await _BY_A_PERSON(connection, {"which": decision_id})


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which decisions a list shows; None: all."""

    customer_id: str | None = None
    state: DecisionState | None = None
    segment: str | None = None
    objective: Objective | None = None
    policy_id: str | None = None
    arm: str | None = None


class Decisions:
    """Reading what was decided."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, decision_id: str) -> Decision:
        """Raises `NotFound`."""
        rows = await self._database.run(_ONE, {"which": decision_id})
        if not rows:
            raise NotFound("There is no such decision", where=decision_id)
        return decision_of(rows[0])

    async def page(self, wanted: Wanted, *, before: str | None = None, limit: int = 50) -> list[Decision]:
        """The newest first; `before` is the id of the last one of the page before."""
        query = sa.select(*WHOLE).order_by(decisions.c.id.desc()).limit(limit)
        for name, value in msgspec.structs.asdict(wanted).items():
            query = query if value is None else query.where(decisions.c[name] == value)
        query = query if before is None else query.where(decisions.c.id < before)
        async with self._database.read() as connection:
            rows = cast(Sequence[Row], (await connection.execute(query)).mappings().all())
        return [decision_of(row) for row in rows]


def _row(decision: Decision, due_at: datetime | None) -> Row:
    record = Record(
        decision.seed,
        decision.eligible,
        decision.probabilities,
        decision.features,
        decision.features_digest,
        tuple([(mask.rule, mask.words, mask.arms) for mask in decision.masks]),
        tuple([(each.feature, each.against_runner_up, each.against_nothing) for each in decision.contributions]),
        decision.runner_up,
        decision.send_at,
        decision.reasons,
        decision.floor,
        decision.arms_digest,
    )
    row: dict[str, object] = {name: getattr(decision, name) for name in _IN_COLUMNS}
    return row | {"record": _encode(record), "outcome_due_at": due_at}


def decision_of(row: Row) -> Decision:
    """The decision of a row that holds the columns of one."""
    record = decode(row["record"])
    return Decision(
        **{name: row[name] for name in _IN_COLUMNS},
        seed=record.seed,
        eligible=record.eligible,
        probabilities=record.probabilities,
        features=record.features,
        features_digest=record.features_digest,
        masks=tuple(Mask(rule=rule, words=words, arms=arms) for rule, words, arms in record.masks),
        contributions=tuple(
            Contribution(feature=feature, against_runner_up=other, against_nothing=nothing)
            for feature, other, nothing in record.contributions
        ),
        runner_up=record.runner_up,
        send_at=record.send_at,
        reasons=record.reasons,
        floor=record.floor,
        arms_digest=record.arms_digest,
    )
