"""The story of a decision: what was decided, by which strategy, who approved it, what was sent, what came of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
import sqlalchemy as sa

from frontdesk.engagement import Check, Decision, OutcomeKind, OutreachState, PolicyOrigin
from frontdesk.errors import NotFound
from frontdesk.store.database import Database
from frontdesk.store.decisions import WHOLE, decision_of, decisions
from frontdesk.store.outbox import LetterState, outbox
from frontdesk.store.outcomes import outcomes
from frontdesk.store.outreach import outreach, outreach_votes
from frontdesk.store.people import people
from frontdesk.store.policies import policies


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot that decided."""

    id: str
    parent_id: str | None
    strategy: str
    origin: PolicyOrigin
    generation: int
    created_at: datetime
    note: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What was written. `prompt` is what a model was told, where the audit keeps that."""

    id: str
    state: OutreachState
    message: str
    tone: str
    needs: int
    send_at: datetime
    deadline: datetime | None
    subject: str | None
    body: str | None
    digest: str | None
    checks: tuple[Check, ...] | None
    prompt: str | None
    model: str | None
    problem: str | None


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word on the text of this digest."""

    person_id: str
    name: str | None
    verdict: str
    digest: str
    note: str
    at: datetime


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """The letter that brings it. `unknown`: perhaps it arrived, and nobody sends it again."""

    id: str
    state: LetterState
    channel: str
    attempts: int
    external_id: str | None
    problem: str | None
    settled_at: datetime | None


class CameOfIt(msgspec.Struct, frozen=True, kw_only=True):
    """What the customer did. One that came after the decision was settled is not `counted`."""

    id: str
    kind: OutcomeKind
    value: float
    at: datetime
    counted: bool


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `reward` is there once the decision is settled."""

    decision: Decision
    strategy: Strategy | None
    message: Message | None
    votes: tuple[Vote, ...]
    delivery: Delivered | None
    outcomes: tuple[CameOfIt, ...]
    outcome_due_at: datetime | None
    reward: float | None
    settled_at: datetime | None


def _columns(table: sa.Table, kind: type[msgspec.Struct], prefix: str) -> list[sa.Label[Any]]:
    return [table.c[name].label(f"{prefix}{name}") for name in kind.__struct_fields__]


_STORY = (
    sa.select(
        *WHOLE,
        decisions.c.outcome_due_at,
        decisions.c.reward,
        decisions.c.settled_at,
        *_columns(policies, Strategy, "p_"),
        *_columns(outreach, Message, "m_"),
        *_columns(outbox, Delivered, "l_"),
    )
    .select_from(decisions)
    .outerjoin(policies, policies.c.id == decisions.c.policy_id)
    .outerjoin(outreach, outreach.c.decision_id == decisions.c.id)
    .outerjoin(outbox, outbox.c.id == outreach.c.letter_id)
)
_VOTES = (
    sa.select(*(outreach_votes.c[name] for name in Vote.__struct_fields__ if name != "name"), people.c.name)
    .select_from(outreach_votes)
    .join(outreach, outreach.c.id == outreach_votes.c.outreach_id)
    .outerjoin(people, people.c.id == outreach_votes.c.person_id)
    .order_by(outreach_votes.c.at)
)
_OUTCOMES = sa.select(*(outcomes.c[name] for name in CameOfIt.__struct_fields__)).order_by(outcomes.c.at, outcomes.c.id)


class Stories:
    """Telling them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, decision_id: str) -> Story:
        """Raises `NotFound`."""
        async with self._database.read() as connection:
            found = (await connection.execute(_STORY.where(decisions.c.id == decision_id))).mappings().one_or_none()
            if found is None:
                raise NotFound("There is no such decision", where=decision_id)
            votes = (await connection.execute(_VOTES.where(outreach.c.decision_id == decision_id))).mappings().all()
            came = (await connection.execute(_OUTCOMES.where(outcomes.c.decision_id == decision_id))).mappings().all()
        row = cast(Mapping[str, Any], found)
        return Story(
            decision=decision_of(row),
            strategy=Strategy(**part) if (part := _part(row, "p_")) else None,
            message=Message(**part) if (part := _part(row, "m_")) else None,
            votes=tuple(Vote(**each) for each in cast(Sequence[Mapping[str, Any]], votes)),
            delivery=Delivered(**part) if (part := _part(row, "l_")) else None,
            outcomes=tuple(CameOfIt(**each) for each in cast(Sequence[Mapping[str, Any]], came)),
            outcome_due_at=row["outcome_due_at"],
            reward=row["reward"],
            settled_at=row["settled_at"],
        )


def _part(row: Mapping[str, Any], prefix: str) -> dict[str, Any] | None:
    """The columns of one table, or None where the join found none."""
    part = {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}
    return part if part["id"] is not None else None
