"""People's words on tool calls: asked once, bound to the exact bytes that were shown, used at most once."""

import asyncio
from datetime import timedelta
from typing import Literal, Protocol

from frontdesk.errors import Conflict, NotFound
from frontdesk.messages import Approval, Person, Role, ToolCall
from frontdesk.ports import Clock, Ids
from frontdesk.tools.naming import call_digest

LOOK = 1.0  # seconds between two looks for a decision that another process took

State = Literal["pending", "approved", "denied", "expired", "used"]


class ApprovalRows(Protocol):
    """What this subject needs of the store. `move` is atomic: of several at once, one is told True."""

    async def open(self, approval: Approval) -> Approval:
        """Keep it, or return the one that already asks the same for the same call of the same turn."""
        ...

    async def get(self, approval_id: str) -> Approval:
        """The approval, or `NotFound`."""
        ...

    async def pending(self, person_id: str | None) -> tuple[Approval, ...]:
        """Those that wait for a word and have not expired, of one person or of all, oldest first."""
        ...

    async def move(
        self, approval_id: str, *, source: State, target: State, digest: str, decided_by: str | None = None
    ) -> bool:
        """Whether it was in state `source`, of this digest and not expired, and now is in `target`."""
        ...

    async def expire(self, approval_id: str) -> None:
        """Mark it expired if its time has passed undecided."""
        ...

    async def withdraw(self, turn_id: str) -> None:
        """Expire what the turn asked for and has not used."""
        ...


class Approvals:
    """Fulfils `ports.Approvals`; pages and operators decide through it."""

    def __init__(self, rows: ApprovalRows, clock: Clock, ids: Ids, *, seconds: float = 600) -> None:
        self._rows = rows
        self._clock = clock
        self._ids = ids
        self._lifetime = timedelta(seconds=seconds)
        self._decided: dict[str, asyncio.Event] = {}

    async def ask(self, turn_id: str, person_id: str, call: ToolCall) -> Approval:
        """Ask the person. The same call of the same turn is asked once, also after a restart."""
        now = self._clock.now()
        wanted = Approval(
            id=self._ids.new("apr"),
            turn_id=turn_id,
            person_id=person_id,
            call_id=call.id,
            tool=call.name,
            arguments=call.arguments,
            digest=call_digest(call.name, call.arguments),
            state="pending",
            created_at=now,
            expires_at=now + self._lifetime,
        )
        return await self._rows.open(wanted)

    async def wait(self, approval_id: str) -> Approval:
        """The approval once it is no longer pending: approved, denied or expired."""
        decided = self._decided.setdefault(approval_id, asyncio.Event())
        try:
            while True:
                await self._rows.expire(approval_id)
                approval = await self._rows.get(approval_id)
                if approval.state != "pending":
                    return approval
                await self._next_look(decided)
        finally:
            self._decided.pop(approval_id, None)

    async def consume(self, approval_id: str, digest: str) -> bool:
        """Whether the call may run now. True once at most, for an approval of this digest that has not expired."""
        return await self._rows.move(approval_id, source="approved", target="used", digest=digest)

    async def withdraw(self, turn_id: str) -> None:
        """The turn has ended: nothing that it asked for may run any more."""
        await self._rows.withdraw(turn_id)

    async def pending(self, person: Person) -> tuple[Approval, ...]:
        """What waits for a word: the person's own, for operators everybody's."""
        return await self._rows.pending(None if _rules_all(person) else person.id)

    async def decide(self, approval_id: str, person: Person, *, approve: bool, digest: str) -> Approval:
        """The person's word. `digest` is the one that was shown with the arguments.

        Raises `NotFound` for what is not theirs to decide, `Conflict` when it has been decided, has expired, or asks
        for something else than what was shown.
        """
        approval = await self._rows.get(approval_id)
        if approval.person_id != person.id and not _rules_all(person):
            raise NotFound("There is no such approval", where=approval_id)
        target: State = "approved" if approve else "denied"
        moved = await self._rows.move(approval_id, source="pending", target=target, digest=digest, decided_by=person.id)
        if not moved:
            raise Conflict(
                "This is no longer waiting for your word, or is not what you were shown",
                where=approval_id,
                hint="Load the list again.",
            )
        if approval_id in self._decided:
            self._decided[approval_id].set()
        return await self._rows.get(approval_id)

    async def _next_look(self, decided: asyncio.Event) -> None:
        told = asyncio.ensure_future(decided.wait())
        rested = asyncio.ensure_future(self._clock.sleep(LOOK))
        try:
            await asyncio.wait({told, rested}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            rested.cancel()


def _rules_all(person: Person) -> bool:
    return person.role in (Role.OWNER, Role.OPERATOR)
