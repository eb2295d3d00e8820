"""How content people were, in figures and in their words."""

from datetime import datetime

from fastapi import APIRouter

from frontdesk.api.errors import COMMON
from frontdesk.api.fields import Days, View
from frontdesk.api.views import Named
from frontdesk.store.surveys import Surveys


class CommentView(View):
    """What somebody wrote beside their score."""

    id: str
    conversation_id: str
    person: Named
    score: int
    comment: str
    at: datetime


class SatisfactionView(View):
    """The questions of some days and their answers; `items` are the newest comments."""

    asked: int
    answered: int
    average: float | None
    by_score: dict[int, int]
    items: list[CommentView]


def router(surveys: Surveys) -> APIRouter:
    """The route of satisfaction."""
    routes = APIRouter(prefix="/api/v1/console/satisfaction", tags=["console"], responses=COMMON)

    @routes.get("")
    async def satisfaction(days: Days = 30) -> SatisfactionView:
        """How content people were in the last days."""
        found = await surveys.satisfaction(days)
        return SatisfactionView(
            asked=found.asked,
            answered=found.answered,
            average=found.average,
            by_score=found.by_score,
            items=[
                CommentView(
                    id=one.id,
                    conversation_id=one.conversation_id,
                    person=Named(id=one.person_id, name=one.name),
                    score=one.score,
                    comment=one.comment,
                    at=one.at,
                )
                for one in found.comments
            ],
        )

    return routes
