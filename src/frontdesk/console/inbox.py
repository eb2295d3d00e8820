"""The team's inbox: everybody's conversations over all channels, as they go on."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response

from frontdesk.api.download import BYTES, download
from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Cursor, Limit, Messages, PathId, View, Who, Words
from frontdesk.api.sse import EventStream, frames, plain_frame
from frontdesk.api.views import ConversationView, Named, Shelf
from frontdesk.gate.caller import note_subject
from frontdesk.ports import Converse, Live
from frontdesk.store.notes import Note, Notes
from frontdesk.store.turns import Turns
from frontdesk.store.watch import Line, Watch
from frontdesk.store.watch import View as Which

NEWS = {
    "description": "`changed`: fetch the conversation again. `typing`: its person types. `answering`: somebody of the "
    "team does. News may be lost, so look for yourself at times.",
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": 'event: changed\ndata: {"conversation_id":"conv_1","name":""}\n\n',
        }
    },
}
TURN = {
    "description": "The turn's events, as its person sees them.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


class InboxLine(View):
    """A conversation in the inbox.

    `waiting_since`: since when the person waits for one of the team. `unhappy`: a thumb went down, a score was low, or
    they asked for a person and nobody has come yet. `running`: the desk is writing.
    """

    id: str
    channel: str
    title: str
    person: Named
    status: Literal["open", "closed"]
    held_by: Named | None
    assigned_to: Named | None
    last_from: Literal["person", "desk", "operator"]
    last_text: str
    updated_at: datetime
    waiting_since: datetime | None
    unhappy: bool
    running: bool


class InboxPage(View):
    """A page of a view, the sizes of all views (1000 means that or more), and who waits, in a sentence."""

    items: list[InboxLine]
    next: str | None
    counts: dict[Which, int]
    answer: str


class NoteView(View):
    """A note of the team. `author` is null when they are gone."""

    id: str
    author: Named | None
    text: str
    created_at: datetime


class UnknownLetterView(View):
    """A letter that perhaps arrived; only a person can find out."""

    id: str
    text: str
    at: datetime


class WatchedConversation(ConversationView):
    """A conversation with what only the team sees."""

    channel: str
    person: Named
    assigned_to: Named | None
    waiting_since: datetime | None
    notes: list[NoteView]
    letters_unknown: list[UnknownLetterView]


def router(watch: Watch, notes: Notes, shelf: Shelf, turns: Turns, converse: Converse, live: Live) -> APIRouter:
    """The routes that read."""
    routes = APIRouter(prefix="/api/v1/console", tags=["inbox"], responses=COMMON)

    @routes.get("/inbox")
    async def page(
        who: Who,
        view: Which = "open",
        channel: Annotated[str | None, Query(pattern=r"^[a-z0-9_]{1,40}$")] = None,
        query: Words = "",
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> InboxPage:
        """The conversations of a view: in `waiting` whoever waits longest is first, else the newest."""
        lines, following = await watch.page(
            who.person.id, view, channel=channel, query=query, before=cursor, limit=limit
        )
        counts = await watch.counts(who.person.id, channel)
        return InboxPage(
            items=[_line(line) for line in lines],
            next=following,
            counts=counts,
            answer=in_a_sentence(counts["waiting"]),
        )

    @routes.get("/inbox/{id}", responses=described(404))
    async def one(id: PathId, limit: Messages = 200) -> WatchedConversation:
        """Anybody's conversation with its newest messages, and what the team keeps about it."""
        line = _line(await watch.one(id))
        whole = await shelf.conversation(id, None, limit)
        letters = await watch.unknown_letters(id)
        return WatchedConversation(
            **{name: getattr(whole, name) for name in ConversationView.model_fields},
            channel=line.channel,
            person=line.person,
            assigned_to=line.assigned_to,
            waiting_since=line.waiting_since,
            notes=[note_view(note) for note in await notes.of(id)],
            letters_unknown=[UnknownLetterView.model_validate(letter) for letter in letters],
        )

    @routes.get("/inbox/{id}/files/{file_id}", response_class=Response, responses=BYTES | described(404))
    async def file(id: PathId, file_id: PathId, request: Request) -> Response:
        """A file of the conversation. Anything but an image is offered for saving, never shown."""
        note_subject(request, file_id)
        return download(*await watch.file(id, file_id))

    @routes.get("/events", response_class=Response, responses={200: NEWS})
    async def events() -> EventStream:
        """Hear what happens in all conversations."""
        return EventStream(_news(live))

    @routes.get("/turns/{id}/events", response_class=Response, responses={200: TURN} | described(404))
    async def turn(
        id: PathId,
        after: Annotated[int, Query(ge=0, le=999_999_999, description="Resume after this event's number.")] = 0,
        last_event_id: Annotated[str | None, Header(pattern=r"^\d{1,9}$")] = None,
    ) -> EventStream:
        """Watch the desk write an answer."""
        await turns.owner(id)
        return EventStream(frames(converse.follow(id, after=max(after, int(last_event_id or 0)))))

    return routes


def note_view(note: Note) -> NoteView:
    """A note as the API shows it."""
    author = _named(note.author_id, note.author_name)
    return NoteView(id=note.id, author=author, text=note.text, created_at=note.created_at)


def in_a_sentence(waiting: int) -> str:
    """Who waits for the team."""
    if waiting == 0:
        return "Nobody waits for a person."
    return "One person waits for somebody of the team." if waiting == 1 else f"{waiting} people wait for the team."


def _line(line: Line) -> InboxLine:
    conversation = line.conversation
    return InboxLine(
        id=conversation.id,
        channel=conversation.channel,
        title=conversation.title,
        person=Named(id=conversation.person_id, name=line.person_name),
        status=conversation.status,
        held_by=_named(conversation.held_by, line.held_by_name),
        assigned_to=_named(conversation.assigned_to, line.assigned_to_name),
        last_from=conversation.last_from,
        last_text=line.last_text,
        updated_at=conversation.updated_at,
        waiting_since=conversation.waiting_since,
        unhappy=line.unhappy,
        running=line.running,
    )


def _named(person_id: str | None, name: str | None) -> Named | None:
    return None if person_id is None or name is None else Named(id=person_id, name=name)


async def _news(live: Live) -> AsyncGenerator[bytes]:
    async with aclosing(live.follow()) as signals:
        async for signal in signals:
            yield plain_frame(signal.kind, {"conversation_id": signal.conversation_id, "name": signal.name})
