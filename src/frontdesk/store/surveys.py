"""How content people were: one question at the end of a conversation, answered from 1 (not at all) to 5 (very)."""

from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import NotFound, Unprocessable
from frontdesk.ports import Clock, Ids
from frontdesk.store.conversations import Conversation
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.people import people
from frontdesk.store.sealed import SealedText
from frontdesk.telemetry import metrics

surveys = sa.Table(
    "surveys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column(
        "conversation_id", sa.Text, sa.ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("asked_by", sa.Text, sa.ForeignKey("people.id", ondelete="SET NULL"), index=True),
    sa.Column("asked_at", UtcDateTime, nullable=False, index=True),
    sa.Column("score", sa.Integer),
    sa.Column("comment", SealedText),
    sa.Column("answered_at", UtcDateTime),
)

NEWEST_FIRST = (surveys.c.asked_at.desc(), surveys.c.id.desc())
SCORES = range(1, 6)
LOW = 2  # a score up to this one means an unhappy person
COMMENTS = 50  # of the newest comments that operators are shown


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """The question as it was asked; `score` is None until it is answered."""

    id: str
    conversation_id: str
    person_id: str
    asked_at: datetime
    asked_by: str | None = None
    score: int | None = None
    comment: str | None = None
    answered_at: datetime | None = None


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wrote beside their score."""

    id: str
    conversation_id: str
    person_id: str
    name: str
    score: int
    comment: str
    at: datetime


class Satisfaction(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of some days: how many chose each score, and the newest comments."""

    asked: int
    by_score: dict[int, int]
    comments: tuple[Comment, ...]

    @property
    def answered(self) -> int:
        """How many answered."""
        return sum(self.by_score.values())

    @property
    def average(self) -> float | None:
        """The mean score; None while nobody has answered."""
        total = sum(score * times for score, times in self.by_score.items())
        return total / self.answered if self.answered else None


class Surveys:
    """Reading and answering them. They are asked in the transaction that ends a conversation (`ask`)."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def answer(self, survey_id: str, person_id: str, score: int, comment: str = "") -> Survey:
        """Keep the score, or another one than before; an empty comment leaves the one that stands.

        Raises `NotFound` unless this person was asked, `Unprocessable` for a score that is none.
        """
        return await self._answer(person_id, score, comment, surveys.c.id == survey_id, where=survey_id)

    async def answer_in(self, conversation_id: str, person_id: str, score: int, comment: str = "") -> Survey:
        """`answer` for the newest question of the conversation."""
        own = surveys.c.conversation_id == conversation_id
        return await self._answer(person_id, score, comment, own, where=conversation_id)

    async def newest(self, conversation_id: str) -> Survey | None:
        """The last question that was asked in the conversation."""
        query = sa.select(surveys).where(surveys.c.conversation_id == conversation_id).order_by(*NEWEST_FIRST).limit(1)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else Survey(**row)

    async def of(self, person_id: str) -> list[Survey]:
        """What the person was asked, and answered."""
        query = sa.select(surveys).where(surveys.c.person_id == person_id).order_by(surveys.c.asked_at)
        async with self._database.read() as connection:
            return [Survey(**row) for row in (await connection.execute(query)).mappings()]

    async def satisfaction(self, days: int) -> Satisfaction:
        """What was asked in the last `days`, and the answers to it."""
        recent = surveys.c.asked_at >= self._clock.now() - timedelta(days=days)
        counts = sa.select(surveys.c.score, sa.func.count().label("times")).where(recent).group_by(surveys.c.score)
        commented = (
            sa.select(
                surveys.c.id,
                surveys.c.conversation_id,
                surveys.c.person_id,
                people.c.name,
                surveys.c.score,
                surveys.c.comment,
                surveys.c.answered_at.label("at"),
            )
            .join(people, people.c.id == surveys.c.person_id)
            .where(recent, surveys.c.score.is_not(None), surveys.c.comment.is_not(None))
            .order_by(surveys.c.answered_at.desc(), surveys.c.id.desc())
            .limit(COMMENTS)
        )
        async with self._database.read() as connection:
            times = {row.score: row.times for row in await connection.execute(counts)}
            comments = tuple(Comment(**row) for row in (await connection.execute(commented)).mappings())
        by_score = {score: times.get(score, 0) for score in SCORES}
        return Satisfaction(asked=sum(times.values()), by_score=by_score, comments=comments)

    async def _answer(
        self, person_id: str, score: int, comment: str, which: sa.ColumnElement[bool], *, where: str
    ) -> Survey:
        if score not in SCORES:
            raise Unprocessable("A score is a whole number from 1 to 5", where="score")
        asked = sa.select(surveys).where(which, surveys.c.person_id == person_id).order_by(*NEWEST_FIRST).limit(1)
        values = {"score": score, "answered_at": self._clock.now()} | ({"comment": comment} if comment else {})

        async def work(connection: AsyncConnection) -> Survey:
            row = (await connection.execute(asked.with_for_update())).mappings().one_or_none()
            if row is None:
                raise NotFound("Nobody has asked that", where=where)
            await connection.execute(surveys.update().where(surveys.c.id == row["id"]).values(values))
            return Survey(**row)

        before = await self._database.commit(work)
        if before.score is None:
            metrics.satisfaction.labels(str(score)).inc()
        return msgspec.structs.replace(
            before, score=score, comment=comment or before.comment, answered_at=values["answered_at"]
        )


async def ask(connection: AsyncConnection, ids: Ids, now: datetime, conversation: Conversation, asked_by: str) -> str:
    """Ask in the caller's transaction and return the question's id; one that waits for its answer is asked again."""
    waiting = sa.select(surveys.c.id).where(surveys.c.conversation_id == conversation.id, surveys.c.score.is_(None))
    known = (await connection.execute(waiting.order_by(*NEWEST_FIRST).limit(1))).scalar_one_or_none()
    if known is not None:
        await connection.execute(surveys.update().where(surveys.c.id == known).values(asked_at=now, asked_by=asked_by))
        return known
    row = {"id": ids.new("survey"), "conversation_id": conversation.id, "person_id": conversation.person_id}
    await connection.execute(surveys.insert(), row | {"asked_by": asked_by, "asked_at": now})
    return row["id"]
