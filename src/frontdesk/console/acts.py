"""What a person of the team does in a conversation: take it over, answer, give it back, note, assign, draft."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Response
from pydantic import Field, model_validator

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, Id, MessageText, PathId, Text, View, Who
from frontdesk.api.sse import EventStream, plain_frame
from frontdesk.api.views import MessageView, Shelf
from frontdesk.console.inbox import NoteView, note_view
from frontdesk.conversation.draft import Drafted, Drafts
from frontdesk.errors import FrontdeskError, NotHolder
from frontdesk.events import TextAdded
from frontdesk.messages import Role
from frontdesk.outgoing import Signal
from frontdesk.ports import Dispatcher, Live, Outlet
from frontdesk.store.conversations import Conversations
from frontdesk.store.notes import Notes
from frontdesk.store.takeover import Done, Takeover

DRAFT = {
    "description": "`text.added` as the draft grows; `draft.finished` with what it stands on, or `draft.failed`.",
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": 'event: text.added\ndata: {"text":"We open at nine."}\n\n'
            'event: draft.finished\ndata: {"grounding":"sourced","citations":[]}\n\n',
        }
    },
}


class HandBack(Body):
    """How a person of the team leaves. `answer` has the desk answer what was said last, `survey` asks how it was."""

    answer: bool = False
    close: bool = False
    survey: bool = False

    @model_validator(mode="after")
    def _not_both(self) -> "HandBack":
        if self.answer and self.close:
            raise ValueError("A conversation that is closed is not answered: give answer or close")
        return self


class ReplyBody(Body):
    """What to say to the person."""

    text: MessageText


class Said(View):
    """The message as it stands in the conversation."""

    message: MessageView


class NoteBody(Body):
    """A note for the team alone."""

    text: Annotated[Text, Field(min_length=1, max_length=10_000)]


class Noted(View):
    """The note."""

    note: NoteView


class Assignment(Body):
    """Whose care the conversation is; null for nobody's."""

    person_id: Id | None


class StatusChange(Body):
    """Over, or open again. `survey` asks the person how it was."""

    status: Literal["open", "closed"]
    survey: bool = False


class Bells:
    """Tells pages and workers what an act has left to do."""

    def __init__(self, live: Live, dispatcher: Dispatcher) -> None:
        self._live = live
        self._dispatcher = dispatcher

    async def ring(self, done: Done) -> None:
        """The rows are stored: losing this loses time alone."""
        if done.turn_id is not None:
            await self._dispatcher.ready("turn", done.turn_id)
        for letter_id in done.letters:
            await self._dispatcher.ready("letter", letter_id)
        await self._live.tell(Signal(conversation_id=done.conversation_id, person_id=done.person_id, kind="changed"))


def router(
    takeover: Takeover,
    notes: Notes,
    drafts: Drafts,
    conversations: Conversations,
    shelf: Shelf,
    live: Live,
    dispatcher: Dispatcher,
    outlets: Mapping[str, Outlet],
) -> APIRouter:
    """The routes that act."""
    routes = APIRouter(prefix="/api/v1/console/inbox/{id}", tags=["inbox"], responses=COMMON | described(404, 409))
    bells = Bells(live, dispatcher)

    async def changed(conversation_id: str) -> None:
        conversation = await conversations.get(conversation_id, None)
        await live.tell(Signal(conversation_id=conversation_id, person_id=conversation.person_id, kind="changed"))

    @routes.post("/take", status_code=204)
    async def take(id: PathId, who: Who) -> None:
        """Answer in the desk's place, or a colleague's. When this returns, the desk has fallen silent."""
        await bells.ring(await takeover.take(id, who.person))

    @routes.post("/hand-back", status_code=204)
    async def hand_back(id: PathId, body: HandBack, who: Who) -> None:
        """Let the desk answer again."""
        await bells.ring(
            await takeover.hand_back(id, who.person, answer=body.answer, close=body.close, survey=body.survey)
        )

    @routes.post("/reply", status_code=201)
    async def reply(
        id: PathId,
        body: ReplyBody,
        who: Who,
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200, pattern=r"^[!-~]+$")] = None,
    ) -> Said:
        """Say something to the person; only whoever has taken the conversation may. The same `Idempotency-Key` with the
        same text is the same message."""
        done = await takeover.reply(id, who.person, body.text, idempotency_key)
        await bells.ring(done)
        [message] = await shelf.show([await conversations.message(done.message_id or "", None)], None)
        return Said(message=message)

    @routes.post("/typing", status_code=204)
    async def typing(id: PathId, who: Who) -> None:
        """Show the person that somebody of the team types, at most every three seconds or so."""
        conversation = await conversations.get(id, None)
        if conversation.held_by != who.person.id:
            raise NotHolder("You do not have this conversation", where=id)
        name = who.person.name
        await live.tell(Signal(conversation_id=id, person_id=conversation.person_id, kind="answering", name=name))
        outlet = outlets.get(conversation.channel)
        if outlet is not None and conversation.place is not None:
            await outlet.typing(conversation.place)

    @routes.post("/notes", status_code=201)
    async def note(id: PathId, body: NoteBody, who: Who) -> Noted:
        """Leave a note that the person never sees."""
        left = await notes.add(id, who.person, body.text)
        await changed(id)
        return Noted(note=note_view(left))

    @routes.delete("/notes/{note_id}", status_code=204)
    async def remove_note(id: PathId, note_id: PathId, who: Who) -> None:
        """Take your note away; owners may take away anybody's."""
        await notes.remove(note_id, id, None if who.person.role is Role.OWNER else who.person.id)
        await changed(id)

    @routes.put("/assignee", status_code=204)
    async def assign(id: PathId, body: Assignment) -> None:
        """Say whose care the conversation is."""
        await bells.ring(await takeover.assign(id, body.person_id))

    @routes.put("/status", status_code=204)
    async def set_status(id: PathId, body: StatusChange, who: Who) -> None:
        """Close the conversation, or open it again. A new message of its person opens it by itself."""
        await bells.ring(await takeover.set_status(id, who.person, body.status, survey=body.survey))

    @routes.post("/draft", response_class=Response, responses={200: DRAFT})
    async def draft(id: PathId, who: Who) -> EventStream:
        """What the desk would answer. It is never sent by itself, and leaves nothing behind."""
        return EventStream(_draft(await drafts.begin(id, who.person.id)))

    return routes


async def _draft(draft: AsyncGenerator[TextAdded | Drafted]) -> AsyncGenerator[bytes]:
    try:
        async with aclosing(draft) as pieces:
            async for piece in pieces:
                match piece:
                    case TextAdded(text=text):
                        yield plain_frame("text.added", {"text": text})
                    case Drafted() as end:
                        yield plain_frame("draft.finished", end)
    except FrontdeskError as error:
        yield plain_frame("draft.failed", {"code": error.code, "message": error.what, "hint": error.hint})
