"""What the desk would answer, for a person of the team to read, change and send, or not.

A draft is made as a turn makes its reply, from the same knowledge and under the same guards, and leaves nothing behind:
no message, no memory, no tool call. Its cost is booked on whoever asked for it.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import NoReturn

import msgspec

from frontdesk.conversation.turn import Turn, TurnParts
from frontdesk.errors import Conflict, ModelUnavailable, ToolUnavailable
from frontdesk.events import Cited, Inbound, TextAdded, TurnEvent
from frontdesk.messages import Citation, Grounding, ToolCall, ToolSpec
from frontdesk.ports import Clock, Ids
from frontdesk.store.turns import Lease

LOOKED_AT = 50  # messages from the end of the branch, among which the question is looked for


class Drafted(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a draft: what it stands on."""

    grounding: Grounding
    citations: tuple[Citation, ...]


class Drafts:
    """Drafts of replies to what people said last."""

    def __init__(self, parts: TurnParts, clock: Clock, ids: Ids) -> None:
        self._parts = replace(parts, toolbox=_NoTools())
        self._clock = clock
        self._ids = ids

    async def begin(self, conversation_id: str, operator_id: str) -> AsyncGenerator[TextAdded | Drafted]:
        """A draft as it grows, `Drafted` at its end. Raises `NotFound`, `Conflict` where nobody has asked anything.

        What is returned raises as a turn does: `ModelUnavailable`, `ModelRefused`, `BudgetSpent`.
        """
        conversation = await self._parts.conversations.get(conversation_id, None)
        path = await self._parts.conversations.path(conversation.head_id or "", LOOKED_AT)
        asked = next((message for message in reversed(path) if message.role == "user"), None)
        if asked is None:
            raise Conflict("There is no message that a draft could answer", where=conversation_id)
        now = self._clock.now()
        lease = Lease(
            turn_id=self._ids.new("draft"),
            conversation_id=conversation_id,
            person_id=conversation.person_id,
            message_id=asked.id,
            reply_id="",
            inbound=Inbound(
                channel=conversation.channel,
                external_id="",
                person_id=conversation.person_id,
                text=asked.text,
                conversation_id=conversation_id,
                regenerate=asked.id,  # the message has been heard before: nothing in it is to be remembered now
            ),
            fence=0,
            last_seq=0,
            claims=0,
            created_at=now,
            until=now,
        )
        return self._write(_Sheet(lease), operator_id)

    async def _write(self, sheet: "_Sheet", operator_id: str) -> AsyncGenerator[TextAdded | Drafted]:
        writing = asyncio.create_task(self._answer(sheet, operator_id), name=sheet.lease.turn_id)
        writing.add_done_callback(lambda _: sheet.events.put_nowait(None))
        citations: tuple[Citation, ...] = ()
        try:
            while (event := await sheet.events.get()) is not None:
                match event:
                    case TextAdded():
                        yield event
                    case Cited(citations=cited):
                        citations = cited
                    case _:
                        pass
            yield Drafted(grounding=await writing, citations=citations)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _answer(self, sheet: "_Sheet", operator_id: str) -> Grounding:
        try:
            async with asyncio.timeout(self._parts.options.turn_seconds):
                return await Turn(self._parts, sheet, payer=operator_id).answer()
        except TimeoutError:
            raise ModelUnavailable("The draft took too long") from None


class _Sheet:
    """A log whose events go to one reader and nowhere else."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.text = ""
        self.events: asyncio.Queue[TurnEvent | None] = asyncio.Queue()

    def put(self, event: TurnEvent) -> None:
        if isinstance(event, TextAdded):
            self.text += event.text
        self.events.put_nowait(event)

    async def flushed(self) -> None:
        return None


class _NoTools:
    """A draft may not act."""

    def specs(self) -> tuple[ToolSpec, ...]:
        return ()

    async def call(self, call: ToolCall, *, person_id: str) -> NoReturn:
        raise ToolUnavailable("A draft calls no tools", where=call.name)
