"""Who answers `frontdesk chat`: a desk opened here for the occasion, or a running one asked over HTTP."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from frontdesk.errors import FrontdeskError
from frontdesk.events import Accepted, Inbound, TurnEvent
from frontdesk.messages import Person
from frontdesk.system.system import System

CHANNEL = "terminal"


class Refused(FrontdeskError):
    """A running desk refused; its own words."""

    code = "refused"


class Partner(Protocol):
    """A conversation with a desk."""

    @property
    def conversation_id(self) -> str | None: ...

    def ask(self, text: str) -> AsyncGenerator[TurnEvent]:
        """The events of the turn that answers `text`."""
        ...

    async def stop(self) -> None:
        """End the running answer with what has been said."""
        ...

    async def decide(self, approval_id: str, *, approve: bool) -> None:
        """The person's word on a tool call."""
        ...


# --- a desk here ------------------------------------------------------------


@asynccontextmanager
async def here(system: System) -> AsyncGenerator[Partner]:
    """Open the desk of `system` and speak with it as its owner."""
    from frontdesk.app.rooms import Desk, open_desk
    from frontdesk.cli.local import person_of

    @dataclass(slots=True)
    class Here:
        desk: Desk
        person: Person
        accepted: Accepted | None = None

        @property
        def conversation_id(self) -> str | None:
            return self.accepted.conversation_id if self.accepted else None

        async def ask(self, text: str) -> AsyncGenerator[TurnEvent]:
            inbound = Inbound(
                channel=CHANNEL,
                external_id=self.desk.ids.new("in"),
                person_id=self.person.id,
                text=text,
                conversation_id=self.conversation_id,
            )
            self.accepted = await self.desk.converse.accept(inbound)
            async for numbered in self.desk.converse.follow(self.accepted.turn_id):
                yield numbered.event

        async def stop(self) -> None:
            if self.accepted:
                await self.desk.converse.stop(self.accepted.turn_id)

        async def decide(self, approval_id: str, *, approve: bool) -> None:
            for approval in await self.desk.approvals.pending(self.person):
                if approval.id == approval_id:
                    digest = approval.digest
                    await self.desk.approvals.decide(approval_id, self.person, approve=approve, digest=digest)

    async with open_desk(system) as desk:
        owner = await person_of(desk.store, None)
        await desk.knowledge.ready()
        yield Here(desk, owner.person)


# --- a desk elsewhere -------------------------------------------------------


class _Problem(msgspec.Struct, frozen=True):
    code: str = "refused"
    message: str = ""
    hint: str = ""


class _ProblemBody(msgspec.Struct, frozen=True):
    error: _Problem


@asynccontextmanager
async def elsewhere(url: str, key: str) -> AsyncGenerator[Partner]:
    """Speak with the desk that runs at `url`, with an API key. Raises `Refused` where it does not answer."""
    import httpx2

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    patience = httpx2.Timeout(10, read=60)  # a running answer sends at least a sign of life every 15 s

    @dataclass(slots=True)
    class Elsewhere:
        client: httpx2.AsyncClient
        conversation_id: str | None = None
        turn_id: str = field(default="")

        async def ask(self, text: str) -> AsyncGenerator[TurnEvent]:
            body: dict[str, Any] = {"text": text}
            if self.conversation_id:
                body["conversation_id"] = self.conversation_id
            accept = {"Accept": "text/event-stream"}
            try:
                async with self.client.stream("POST", "/api/v1/chat", json=body, headers=accept) as response:
                    if response.status_code >= 400:
                        raise _refusal(url, response.status_code, await response.aread())
                    async with aclosing(_events(response.aiter_lines())) as events:
                        async for event in events:
                            self._note(event)
                            yield event
            except httpx2.HTTPError as error:
                hint = "Is it running? `frontdesk up` starts one here."
                raise Refused(f"The desk does not answer: {type(error).__name__}", where=url, hint=hint) from error

        def _note(self, event: TurnEvent) -> None:
            self.conversation_id = getattr(event, "conversation_id", self.conversation_id)
            self.turn_id = getattr(event, "turn_id", self.turn_id)

        async def stop(self) -> None:
            if self.turn_id:
                await self.client.post(f"/api/v1/turns/{self.turn_id}/stop")

        async def decide(self, approval_id: str, *, approve: bool) -> None:
            """No API key may decide: a person does, signed in at the desk's own page."""

    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=patience) as client:
        yield Elsewhere(client)


def _refusal(url: str, status: int, body: bytes) -> Refused:
    try:
        problem = msgspec.json.decode(body, type=_ProblemBody).error
    except msgspec.MsgspecError:
        problem = _Problem(message=f"The answer has status {status}")
    hint = (
        "`frontdesk keys create NAME` makes a key at that desk; hand it over with --key."
        if status == 401
        else problem.hint
    )
    return Refused(f"The desk refuses: {problem.message}", where=f"{url} ({problem.code})", hint=hint)


async def _events(lines: AsyncIterator[str]) -> AsyncGenerator[TurnEvent]:
    """Server-sent events as values: `event` is the tag, `data` the rest. An unknown event is skipped."""
    tag = ""
    async for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            tag = value
        elif name == "data":
            try:
                event: TurnEvent = msgspec.convert(msgspec.json.decode(value) | {"type": tag}, TurnEvent)
            except msgspec.ValidationError:
                continue
            yield event
