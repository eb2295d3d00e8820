"""Conversations, messages and usage as the API shows them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import Field

from frontdesk.api.fields import View
from frontdesk.messages import Grounding
from frontdesk.store.budgets import Left
from frontdesk.store.calls import Spent
from frontdesk.store.conversations import Conversations, Message
from frontdesk.store.feedback import Feedback
from frontdesk.store.files import Files
from frontdesk.store.people import People
from frontdesk.store.surveys import Surveys
from frontdesk.store.turns import Turns


class CitationView(View):
    """A numbered mark in the text and the very words it stands on."""

    number: int
    passage_id: str
    document_id: str
    title: str
    source: str
    heading: str
    quote: str


class ToolView(View):
    """A tool call with its result; `result` is null while it runs."""

    call_id: str
    name: str
    server: str
    arguments: str = Field(description="JSON text, as the model wrote it.")
    result: str | None
    is_error: bool


class FileView(View):
    """A file of a message."""

    id: str
    name: str
    media_type: str


class OpinionView(View):
    """The reader's thumb and why."""

    value: int
    reason: str


class FaultView(View):
    """Why the answer failed."""

    code: str
    message: str
    hint: str


class Named(View):
    """A person, by name."""

    id: str
    name: str


class SurveyView(View):
    """The question how content the person was; `score` is null until they answer."""

    id: str
    asked_at: datetime
    score: int | None


class MessageView(View):
    """A question, an answer or a notice. Messages are a tree: `parent_id` is what this one follows.

    `author` is the person of the team who wrote an answer, or of whom a notice tells ("Ann has joined").
    """

    id: str
    parent_id: str | None
    role: Literal["user", "assistant", "notice"]
    text: str
    state: Literal["complete", "running", "stopped", "failed"]
    created_at: datetime
    author: Named | None
    grounding: Grounding | None = Field(description="What an answer stands on.")
    model: str | None
    citations: list[CitationView]
    tools: list[ToolView]
    files: list[FileView]
    feedback: OpinionView | None
    turn_id: str | None
    error: FaultView | None
    can_leave_message: bool


class ConversationLine(View):
    """A conversation in a list."""

    id: str
    title: str
    channel: str
    created_at: datetime
    updated_at: datetime


class ConversationPage(View):
    """A page of conversations, newest first."""

    items: list[ConversationLine]
    next: str | None


class ConversationView(View):
    """A conversation with all branches; `head_id` ends the current one.

    `held_by` is the person of the team who answers in the desk's place. `earlier` says that there are older messages.
    """

    id: str
    title: str
    head_id: str | None
    running_turn_id: str | None
    status: Literal["open", "closed"]
    held_by: Named | None
    survey: SurveyView | None
    earlier: bool
    messages: list[MessageView]


class DayOfUse(View):
    """The calls of one model on one day. `cost` is in millionths of the price list's currency unit."""

    day: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: int


class Totals(View):
    """The sums of all days."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: int


class BudgetView(View):
    """A cap, and what is used or set aside of it until `renews_at`. A bound that is null is not set."""

    whose: Literal["desk", "person"]
    period: Literal["hour", "day"]
    tokens: int | None
    tokens_used: int
    cost: int | None
    cost_used: int
    renews_at: datetime


class UsageView(View):
    """Days in order, their sums, and what is left of the budgets that are set."""

    items: list[DayOfUse]
    totals: Totals
    budgets: list[BudgetView]

    @classmethod
    def of(cls, spent: list[Spent], left: list[Left]) -> "UsageView":
        """The view of a ledger's sums, and of what is left."""
        return cls(
            budgets=[BudgetView.model_validate(each) for each in left],
            items=[DayOfUse.model_validate(day) for day in spent],
            totals=Totals(
                calls=sum(day.calls for day in spent),
                prompt_tokens=sum(day.prompt_tokens for day in spent),
                completion_tokens=sum(day.completion_tokens for day in spent),
                cost=sum(day.cost for day in spent),
            ),
        )


class Shelf:
    """Completes conversations and messages with what other tables know of them: files, opinions, names, turns.

    `person_id` is the one who looks; None is for operators.
    """

    def __init__(
        self,
        conversations: Conversations,
        turns: Turns,
        files: Files,
        feedback: Feedback,
        people: People,
        surveys: Surveys,
    ) -> None:
        self._conversations = conversations
        self._turns = turns
        self._files = files
        self._feedback = feedback
        self._people = people
        self._surveys = surveys

    async def conversation(self, conversation_id: str, person_id: str | None, limit: int) -> ConversationView:
        """A conversation with its newest `limit` messages. Raises `NotFound`, also for somebody else's."""
        conversation = await self._conversations.get(conversation_id, person_id)
        found = await self._conversations.messages(conversation_id, limit + 1)
        names = await self._people.names({conversation.held_by} if conversation.held_by else ())
        survey = await self._surveys.newest(conversation_id)
        return ConversationView(
            id=conversation.id,
            title=conversation.title,
            head_id=conversation.head_id,
            running_turn_id=await self._turns.open_in(conversation_id),
            status=conversation.status,
            held_by=named(conversation.held_by, names),
            survey=None if survey is None else SurveyView.model_validate(survey),
            earlier=len(found) > limit,
            messages=await self.show(found[-limit:], person_id),
        )

    async def show(self, messages: list[Message], person_id: str | None) -> list[MessageView]:
        """The messages as views, in order."""
        wanted = tuple({file_id for message in messages for file_id in message.file_ids})
        files = {file.id: file for file in await self._files.facts(person_id, wanted)} if wanted else {}
        opinions = await self._feedback.on([message.id for message in messages])
        names = await self._people.names({message.author_id for message in messages if message.author_id})
        return [
            MessageView.model_validate(
                {name: getattr(message, name) for name in _OWN}
                | {
                    "author": named(message.author_id, names),
                    "files": [files[file_id] for file_id in message.file_ids if file_id in files],
                    "feedback": opinions.get(message.id),
                },
                from_attributes=True,
            )
            for message in messages
        ]


def named(person_id: str | None, names: Mapping[str, str]) -> Named | None:
    """The person with their name; None for nobody, or somebody who is gone."""
    return None if person_id is None or person_id not in names else Named(id=person_id, name=names[person_id])


_OWN = tuple(name for name in MessageView.model_fields if name not in ("author", "files", "feedback"))
