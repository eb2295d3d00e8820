"""The first look: does the desk do well, and what waits for a person."""

from typing import Protocol

from fastapi import APIRouter

from frontdesk.api.errors import COMMON
from frontdesk.api.fields import View, Who
from frontdesk.console.inbox import in_a_sentence
from frontdesk.ports import Models
from frontdesk.store.calls import Calls
from frontdesk.store.feedback import Feedback
from frontdesk.store.handoffs import Handoffs
from frontdesk.store.turns import Turns
from frontdesk.store.watch import Watch


class Counted(Protocol):
    """Something that knows how many there are: people, documents."""

    async def count(self) -> int: ...


class Overview(View):
    """The desk in figures, and in one sentence.

    `in_conversation` counts people who wait for somebody of the team in a conversation that goes on, `waiting` the
    messages that were left, `unhappy` the thumbs down of the last seven days.
    """

    in_conversation: int
    waiting: int
    running_turns: int
    unhappy: int
    models_down: list[str]
    documents: int
    people: int
    tokens_today: int
    answer: str


def router(
    turns: Turns,
    watch: Watch,
    handoffs: Handoffs,
    feedback: Feedback,
    calls: Calls,
    models: Models,
    documents: Counted,
    people: Counted,
) -> APIRouter:
    """The route of the overview."""
    routes = APIRouter(prefix="/api/v1/console", tags=["console"], responses=COMMON)

    @routes.get("/overview")
    async def overview(who: Who) -> Overview:
        """How the desk does right now."""
        in_conversation = (await watch.counts(who.person.id))["waiting"]
        waiting = await handoffs.count("waiting")
        unhappy = await feedback.unhappy()
        held = await documents.count()
        today = await calls.spent(None, 1)
        down = [model.name for model in models.health() if model.state == "open"]
        return Overview(
            in_conversation=in_conversation,
            waiting=waiting,
            running_turns=await turns.count("queued") + await turns.count("running"),
            unhappy=unhappy,
            models_down=down,
            documents=held,
            people=await people.count(),
            tokens_today=sum(day.prompt_tokens + day.completion_tokens for day in today),
            answer=in_one_sentence(in_conversation, waiting, unhappy, down, held),
        )

    return routes


def in_one_sentence(in_conversation: int, waiting: int, unhappy: int, down: list[str], documents: int) -> str:
    """What an operator should do first, or that there is nothing to do."""
    if down:
        return f"{', '.join(down)} cannot be reached; answers come from what is left."
    if in_conversation:
        return in_a_sentence(in_conversation)
    if waiting:
        return "One message waits for a person." if waiting == 1 else f"{waiting} messages wait for a person."
    if not documents:
        return "The desk knows nothing yet: add documents under Knowledge."
    if unhappy:
        return "One answer disappointed this week." if unhappy == 1 else f"{unhappy} answers disappointed this week."
    return "All is well: nothing waits for you."
